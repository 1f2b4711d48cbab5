/** `pagoda/hart`: the emulated RV64GC core, for those who write a kernel of their own around it. */
export type { CodeKeeper } from '../base/wasm/code-keeper.js'
export { disassemble } from './disassembler.js'
export { Exit } from './exit.js'
export { Hart, type HartEnv } from './hart.js'
export { type HartParts, KeptParts } from './hart-parts.js'
export { HartField } from './hart-state.js'
export { KeptTranslations } from './translator/kept-translations.js'

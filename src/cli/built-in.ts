/** What the build has given the command, with V8's code of it. */
import type { CodeKeeper } from '../base/wasm/code-keeper.js'
import { KeptParts } from '../hart/hart-parts.js'
import { v8Keeper } from './compiled-code.js'
import { withPatientInterpreter } from './engine.js'

export interface BuiltIn {
  /** Of a hart, and other WebAssembly. */
  readonly parts: KeptParts
  /** V8, for other code. */
  readonly keeper: CodeKeeper | undefined
  /** A name that no other build has; nothing where nobody knows it. */
  readonly build: string | undefined
  /** Memory that nobody else uses any more: each page of fresh memory costs a page fault of the host. */
  readonly room: Uint8Array | undefined
}

/** `parts`: bytes of a KeptParts of this very build. */
export function builtIn(parts?: Uint8Array, build?: string, room?: Uint8Array): BuiltIn {
  const keeper = v8Keeper()
  return { parts: new KeptParts(parts, keeper && patient(keeper)), keeper, build, room }
}

/** Some parts are made when the program runs, with other settings than they were kept with. */
function patient(keeper: CodeKeeper): CodeKeeper {
  return { ...keeper, restore: (bytes, code) => withPatientInterpreter(() => keeper.restore(bytes, code)) }
}

/** For the build: has V8 compile the interpreter in full, with the settings with which it will be taken. */
export function keepInterpreter({ parts }: BuiltIn): void {
  withPatientInterpreter(() => parts.keepCode())
}

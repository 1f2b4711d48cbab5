/**
 * What V8 compiled of WebAssembly, as bytes. V8 can write and read it, as Chrome does for the code of pages, but Node has no name for
 * that. V8's own tests do, in a syntax that is switched on here for a moment. V8 looks whether the bytes were written by the
 * same version, for the same processor and with the same settings, and refuses them otherwise.
 */
import type { CodeKeeper } from '../base/wasm/code-keeper.js'
import { withBatches } from './engine.js'
import { KNOWS_ENGINE, setV8Flags } from './v8-flags.js'

/** Functions of V8's tests: what they take, and what they are. */
const NATIVES = {
  serialize: ['module', '%SerializeWasmModule(module)'],
  deserialize: ['code, bytes', '%DeserializeWasmModule(code, bytes)'],
  isOptimized: ['it', '%IsTurboFanFunction(it)'],
  optimize: ['it', '%WasmTierUpFunction(it)'],
} as const

type Native = (...operands: unknown[]) => unknown

const found = new Map<keyof typeof NATIVES, Native | undefined>()

/**
 * The function of this name; nothing where there is none, or Node may make no function of text. It is compiled at once, while the syntax is on: each
 * takes time, and most runs need one.
 */
function native(name: keyof typeof NATIVES): Native | undefined {
  if (!found.has(name)) found.set(name, makeNative(name))
  return found.get(name)
}

function makeNative(name: keyof typeof NATIVES): Native | undefined {
  const [parameters, call] = NATIVES[name]
  setV8Flags('--allow-natives-syntax')
  try {
    const made = new Function(`isCall, ${parameters}`, `return isCall && ${call}`) as Native
    made(false)
    return (...operands) => made(true, ...operands)
  } catch {
    return undefined
  } finally {
    setV8Flags('--no-allow-natives-syntax')
  }
}

/** V8 as a keeper; nothing where it is not the one that is known. */
export function v8Keeper(): CodeKeeper | undefined {
  if (!KNOWS_ENGINE) return undefined
  return {
    // Without a function that is compiled in full V8 does not only refuse, it ends the process.
    keep: (module, functions) => {
      if (!functions.some((each) => native('isOptimized')?.(each))) return undefined
      const code = withBatches(() => native('serialize')?.(module)) as ArrayBuffer | undefined
      return code && new Uint8Array(code)
    },
    restore: (bytes, code) =>
      withBatches(() => native('deserialize')?.(new Uint8Array(code).buffer, bytes)) as
        | WebAssembly.Module
        | undefined,
    compile: (wasmFunction) => {
      if (native('isOptimized')?.(wasmFunction) !== false) return false
      native('optimize')?.(wasmFunction)
      return true
    },
  }
}

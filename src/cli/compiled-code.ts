/**
 * What V8 compiled of WebAssembly, as bytes. V8 can write and read it, as Chrome does for the code of pages, but Node has no name for
 * that. V8's own tests do, in a syntax that is switched on here for a moment. V8 looks whether the bytes were written by the
 * same version, for the same processor and with the same settings, and refuses them otherwise.
 */
import type { CodeKeeper } from '../base/wasm/code-keeper.js'
import { withBatches } from './engine.js'
import { KNOWS_ENGINE, setV8Flags } from './v8-flags.js'

interface Natives {
  serialize(module: WebAssembly.Module): ArrayBuffer
  deserialize(code: ArrayBuffer, bytes: Uint8Array): WebAssembly.Module | undefined
  isOptimized(wasmFunction: unknown): boolean
  optimize(wasmFunction: unknown): void
}

/** Each is compiled when it is first called, and must be while the syntax is on. */
const NATIVES = `
  const natives = {
    serialize: (it) => it && %SerializeWasmModule(it),
    deserialize: (it, bytes) => it && %DeserializeWasmModule(it, bytes),
    isOptimized: (it) => it && %IsTurboFanFunction(it),
    optimize: (it) => it && %WasmTierUpFunction(it),
  }
  for (const each of Object.values(natives)) each()
  return natives`

function findNatives(): Natives | undefined {
  if (!KNOWS_ENGINE) return undefined
  setV8Flags('--allow-natives-syntax')
  try {
    return new Function(NATIVES)() as Natives
  } catch {
    return undefined // an engine whose tests have other names
  } finally {
    setV8Flags('--no-allow-natives-syntax')
  }
}

/** V8 as a keeper; nothing where it is not the one that is known. */
export function v8Keeper(): CodeKeeper | undefined {
  const natives = findNatives()
  if (natives === undefined) return undefined
  return {
    // Without a function that is compiled in full V8 does not only refuse, it ends the process.
    keep: (module, functions) =>
      functions.some((each) => natives.isOptimized(each))
        ? new Uint8Array(withBatches(() => natives.serialize(module)))
        : undefined,
    restore: (bytes, code) => withBatches(() => natives.deserialize(new Uint8Array(code).buffer, bytes)),
    compile: (wasmFunction) => {
      if (natives.isOptimized(wasmFunction)) return false
      natives.optimize(wasmFunction)
      return true
    },
  }
}

/** Bytes in a WebAssembly memory of their own, where their digest costs half a millisecond for a megabyte: in TypeScript V8 takes longer to optimize the loop. */
import { DIGEST_PARAMETERS, DIGEST_RESULTS, type Digest, emitDigest } from '../base/wasm/digest.js'
import { WasmModule } from '../base/wasm/module.js'
import type { ModuleMaker } from '../base/wasm/module-maker.js'

const PAGE = 65536

export class DigestedBytes {
  readonly bytes: Buffer
  readonly #digest: Digest

  /** So many zeros. */
  constructor(length: number, modules: ModuleMaker) {
    const pages = Math.max(1, Math.ceil(length / PAGE))
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    this.bytes = Buffer.from(memory.buffer, 0, length)
    this.#digest = modules.module('digest', moduleBytes)({ env: { memory } }).exports.digest as Digest
  }

  /** Of all bytes from `start`, a multiple of 16, on. */
  digest(start: number): number[] {
    return this.#digest(start, this.bytes.length - start)
  }
}

/** For memory of any size. */
function moduleBytes(): Uint8Array {
  const module = new WasmModule()
  module.importMemory('memory', { shared: false })
  module.function('digest', DIGEST_PARAMETERS, DIGEST_RESULTS, emitDigest)
  return module.bytes()
}

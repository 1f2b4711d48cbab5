import type { Ptr } from '../base/numbers.js'
import { WasmModule } from '../base/wasm/module.js'

interface Bulk {
  fill: (destination: Ptr, value: number, length: number) => void
  copy: (destination: Ptr, source: Ptr, length: number) => void
}

/** WebAssembly's bulk memory instructions as functions on this memory. */
export function bulkModule(memory: WebAssembly.Memory, pages: number, shared: boolean): Bulk {
  const module = new WasmModule()
  module.importMemory('memory', { pages, shared })
  module.function('fill', ['i32', 'i32', 'i32'], [], (code) => code.get(0).get(1).get(2).memoryFill())
  module.function('copy', ['i32', 'i32', 'i32'], [], (code) => code.get(0).get(1).get(2).memoryCopy())
  const compiled = new WebAssembly.Module(module.bytes() as BufferSource)
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Bulk
}

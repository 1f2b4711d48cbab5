import type { Code } from '../base/wasm/code.js'
import { WasmModule } from '../base/wasm/module.js'

const WASM_PAGE = 65536
const BITS = 16

interface Fillers {
  halves(table: number, match: number, free: number, start: number): void
  bytes(table: number, match: number, free: number, start: number): void
}

/**
 * A memory of its own for tables with an entry for each value of up to 16 bits, and a way to write the entries of all values that have some
 * bits in common. It is WebAssembly because it is needed once, at the start of a machine: V8 would interpret such a loop, and compile it when it is
 * all but over (measured: 20 ms, and 45 ms in other threads).
 */
export class PatternFiller {
  readonly u8: Uint8Array
  readonly #worth: Int32Array
  readonly #fillers: Fillers

  constructor(bytes: number) {
    const pages = Math.ceil((bytes + BITS * 4) / WASM_PAGE)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    this.u8 = new Uint8Array(memory.buffer)
    this.#worth = new Int32Array(memory.buffer, pages * WASM_PAGE - BITS * 4)
    const module = new WasmModule()
    module.importMemory('memory', { pages, shared: false })
    for (const [name, width] of [
      ['halves', 2],
      ['bytes', 1],
    ] as const) {
      module.function(name, ['i32', 'i32', 'i32', 'i32'], [], (code) =>
        emitFill(code, width, this.#worth.byteOffset),
      )
    }
    const compiled = new WebAssembly.Module(module.bytes() as BufferSource)
    this.#fillers = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Fillers
  }

  /**
   * Writes to the entries, of two bytes, of `match` with all values of its bits in `free`: `start`, and what each of these bits that is set is
   * `worth`. `table` is a byte offset.
   */
  fillHalves(
    table: number,
    match: number,
    free: number,
    start: number,
    worth: (bit: number) => number,
  ): void {
    for (let bit = 0; bit < BITS; bit++) {
      this.#worth[bit] = ((free >>> bit) & 1) === 0 ? 0 : worth(1 << bit)
    }
    this.#fillers.halves(table, match, free, start)
  }

  /** The same for entries of one byte, which all get one value. */
  fillBytes(table: number, match: number, free: number, value: number): void {
    this.#fillers.bytes(table, match, free, value)
  }
}

/** (table, match, free, start); goes through the values of the free bits in rising order: the next one is (value - free) & free. */
function emitFill(code: Code, width: 1 | 2, worth: number): void {
  const [table, match, free, start] = [0, 1, 2, 3]
  const value = code.local('i32')
  const sum = code.local('i32')
  const nextValue = code.loop()
  code.get(start).set(sum)
  if (width === 2) addWorth(code, value, sum, worth)
  code.get(table).get(match).get(value).op('i32_or')
  if (width === 2) code.i32(1).op('i32_shl')
  code.op('i32_add').get(sum)
  code.memory(width === 2 ? 'i32_store16' : 'i32_store8', 0)
  code.get(value).get(free).op('i32_sub').get(free).op('i32_and').tee(value).brIf(nextValue)
  code.end()
}

/** Adds to `sum` what each bit of `value` is worth. */
function addWorth(code: Code, value: number, sum: number, worth: number): void {
  const rest = code.local('i32')
  code.get(value).set(rest)
  const done = code.block()
  const nextBit = code.loop()
  code.get(rest).op('i32_eqz').brIf(done)
  code.get(sum).get(rest).op('i32_ctz').i32(2).op('i32_shl').memory('i32_load', worth).op('i32_add').set(sum)
  code.get(rest).get(rest).i32(1).op('i32_sub').op('i32_and').set(rest).br(nextBit)
  code.end().end()
}

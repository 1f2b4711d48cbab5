/** Functions of a program by address, from its symbol table. */
export class ElfSymbols {
  readonly #starts: Float64Array
  readonly #ends: Float64Array
  readonly #names: readonly string[]

  /** Rising by start. */
  constructor(starts: Float64Array, ends: Float64Array, names: readonly string[]) {
    this.#starts = starts
    this.#ends = ends
    this.#names = names
  }

  get count(): number {
    return this.#names.length
  }

  /** `main+0x12` for an address in a function, nothing elsewhere. */
  describe(address: number): string | undefined {
    let low = 0
    let high = this.#names.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#starts[middle]! <= address) low = middle + 1
      else high = middle
    }
    const found = low - 1
    if (found < 0 || address >= this.#ends[found]!) return undefined
    const offset = address - this.#starts[found]!
    return offset === 0 ? this.#names[found] : `${this.#names[found]}+0x${offset.toString(16)}`
  }
}

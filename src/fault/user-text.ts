import type { Ptr } from '../base/numbers.js'

/** What of a program's string was read so far: a character (0 to 255) a byte. */
export class UserText {
  readonly #u8: Uint8Array
  characters = ''
  /** Its NUL was met. */
  isWhole = false

  constructor(u8: Uint8Array) {
    this.#u8 = u8
  }

  read(from: Ptr, length: number): void {
    for (let ptr: number = from; !this.isWhole && ptr < from + length; ptr++) {
      this.isWhole = this.#u8[ptr] === 0
      if (!this.isWhole) this.characters += String.fromCharCode(this.#u8[ptr]!)
    }
  }
}

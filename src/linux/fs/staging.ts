/** Most bytes that are moved at once between a file and a program. */
export const STAGING_MAX = 65536
/** What most programs read and write at once. */
const USUAL = 4096

/** Where bytes are on their way between files and programs. One for all calls: none begins another one while it uses it. */
export class Staging {
  #buffer = new Uint8Array(0)
  #part = this.#buffer

  /** So many bytes (up to STAGING_MAX) with anything in them, until the next call. */
  take(bytes: number): Uint8Array {
    if (this.#part.length === bytes) return this.#part
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes <= USUAL ? USUAL : STAGING_MAX)
    this.#part = this.#buffer.subarray(0, bytes)
    return this.#part
  }
}

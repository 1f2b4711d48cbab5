/** Reads files of the host ahead of who reads page after page: a call to the host costs more than copying many pages. */
import { EIO } from '../../base/errno.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import type { HostDirectory, HostHandle } from './host-directory.js'

/** Bytes that are asked for at a time (Linux' VM_READAHEAD_PAGES). */
const AHEAD_BYTES = 32 * PAGE_SIZE

/** The last stretch that was read of some file, as far as nobody has asked for it yet. Whoever changes or closes a file says so. */
export class ReadAhead {
  readonly #buffer = new Uint8Array(AHEAD_BYTES)
  #host: HostDirectory | undefined
  #handle: HostHandle = -1
  #start = 0
  #length = 0
  /** Where the last page that was asked for ends. */
  #next = 0

  /** As the host's `read`, of a stretch that is no longer than a page. */
  read(host: HostDirectory, handle: HostHandle, offset: number, target: Uint8Array): number {
    const isSame = host === this.#host && handle === this.#handle
    if (isSame && this.#has(offset, target.length)) return this.#take(offset, target)
    const isInOrder = offset === 0 || (isSame && offset === this.#next)
    this.#host = host
    this.#handle = handle
    this.#next = offset + target.length
    this.#start = offset
    this.#length = 0
    if (!isInOrder) return host.read(handle, offset, target)
    const count = host.read(handle, offset, this.#buffer)
    if (count < 0) return count
    if (count > AHEAD_BYTES) return -EIO
    this.#length = count
    return this.#take(offset, target)
  }

  forget(): void {
    this.#host = undefined
  }

  /**
   * Nothing is given twice: who asks again may know that the file has changed. And the piece of a page that the file ended in may have
   * grown since.
   */
  #has(offset: number, length: number): boolean {
    return offset >= this.#next && offset + length <= this.#start + this.#length
  }

  #take(offset: number, target: Uint8Array): number {
    const from = offset - this.#start
    const count = Math.min(target.length, this.#length - from)
    target.set(this.#buffer.subarray(from, from + count))
    this.#next = offset + target.length
    return count
  }
}

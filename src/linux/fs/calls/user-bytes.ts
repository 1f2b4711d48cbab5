/** Pieces of the program's memory as one flow of bytes. */
import { copyPinnedPartial } from '../../../fault/remote-copy.js'
import { copyFromUserPartial, copyToUserPartial } from '../../../fault/user-copy.js'
import type { SyscallContext } from '../../syscall-context.js'
import type { ByteSink, ByteSource } from '../ipc/byte-flow.js'
import type { UserRange } from './transfer.js'

export class UserBytes implements ByteSink, ByteSource {
  readonly #c: SyscallContext
  readonly #ranges: readonly UserRange[]
  readonly #read: typeof copyFromUserPartial
  #range = 0
  /** Bytes of the current range that are through. */
  #offset = 0
  left: number

  /** `pins`: only memory whose pages the kernel may hold on to can be read (vmsplice). */
  constructor(c: SyscallContext, ranges: readonly UserRange[], pins = false) {
    this.#c = c
    this.#read = pins ? copyPinnedPartial : copyFromUserPartial
    this.#ranges = ranges
    this.left = ranges.reduce((sum, { length }) => sum + length, 0)
  }

  /** Leaves out what an earlier run of the call has moved. */
  skip(bytes: number): this {
    for (let todo = bytes; todo > 0; ) {
      const length = this.#piece(todo)
      this.#advance(length)
      todo -= length
    }
    return this
  }

  put(bytes: Uint8Array): number {
    return this.#move(bytes, copyToUserPartial)
  }

  get(target: Uint8Array): number {
    return this.#move(target, this.#read)
  }

  #move(bytes: Uint8Array, copy: typeof copyToUserPartial): number {
    const { mm, space } = this.#c
    let done = 0
    while (done < bytes.length && this.left > 0) {
      const length = this.#piece(bytes.length - done)
      const { address } = this.#ranges[this.#range]!
      const part = bytes.subarray(done, done + length)
      const moved = copy(mm, space, address + this.#offset, part)
      this.#advance(moved)
      done += moved
      if (moved < length) break
    }
    return done
  }

  /** Bytes that can be moved in the current range; empty ranges are passed over. */
  #piece(most: number): number {
    while (this.#ranges[this.#range]!.length === this.#offset) {
      this.#range++
      this.#offset = 0
    }
    return Math.min(most, this.#ranges[this.#range]!.length - this.#offset)
  }

  #advance(bytes: number): void {
    this.#offset += bytes
    this.left -= bytes
  }
}

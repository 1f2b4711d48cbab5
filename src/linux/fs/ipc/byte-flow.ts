/** Where bytes come from and go to: the program's memory, or a buffer of the kernel's. */

/** Takes bytes, in order. */
export interface ByteSink {
  /** Bytes that it still takes. */
  readonly left: number
  /** Takes the first `left` of them: how many; fewer when the program's memory is not there (-EFAULT if it is the first). */
  put(bytes: Uint8Array): number
}

/** Gives bytes, in order. */
export interface ByteSource {
  /** Bytes that it still has. */
  readonly left: number
  /** Fills as much of the target as it can: how many; fewer when the program's memory is not there. */
  get(target: Uint8Array): number
}

/** One buffer, read or filled from its start. */
export class BufferFlow implements ByteSink, ByteSource {
  readonly #bytes: Uint8Array
  /** Bytes gone through. */
  done = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.done
  }

  put(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.left)
    this.#bytes.set(part, this.done)
    this.done += part.length
    return part.length
  }

  get(target: Uint8Array): number {
    const part = this.#bytes.subarray(this.done, this.done + target.length)
    target.set(part)
    this.done += part.length
    return part.length
  }
}

/** A part of a file as a flow of bytes. */
import { operationsOf } from '../file-operations.js'
import type { ByteSource } from '../ipc/byte-flow.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'

const CHUNK = 65536

/** It reads ahead, because the end of a file is known only when it was read. */
export class FileBytes implements ByteSource {
  readonly #vfs: Vfs
  readonly #file: OpenFile
  readonly #chunk: Uint8Array
  #position: number
  /** Bytes still wanted of the file, besides those in the chunk. */
  #wanted: number
  #start = 0
  #end = 0

  constructor(vfs: Vfs, file: OpenFile, position: number, bytes: number) {
    this.#vfs = vfs
    this.#file = file
    this.#chunk = new Uint8Array(Math.min(bytes, CHUNK))
    this.#position = position
    this.#wanted = bytes
    this.#fill()
  }

  /** Of the chunk at hand: 0 only at the end. */
  get left(): number {
    return this.#end - this.#start
  }

  get(target: Uint8Array): number {
    const part = this.#chunk.subarray(this.#start, Math.min(this.#end, this.#start + target.length))
    target.set(part)
    this.#start += part.length
    if (this.#start === this.#end) this.#fill()
    return part.length
  }

  #fill(): void {
    const part = this.#chunk.subarray(0, Math.min(this.#chunk.length, this.#wanted))
    const got = operationsOf(this.#file).read(this.#vfs, this.#file, this.#position, part)
    this.#start = 0
    this.#end = Math.max(0, got)
    this.#position += this.#end
    this.#wanted = this.#end === 0 ? 0 : this.#wanted - this.#end
  }
}

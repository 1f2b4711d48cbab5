/** The innermost numbers of everybody who is in a nested namespace, by `id`: 32 lists that begin in the header. */
import { NULL, type Ptr } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { NUMBER_ID, NUMBER_NAMESPACE, push, take } from './pid-number.js'

const NEXT_HOME = 28
const BUCKET_MASK = 31
const bucketOf = (id: number) => wordIndex(Word.pidHomes) + (id & BUCKET_MASK)

export class PidHomes {
  readonly #u32: Uint32Array

  constructor(memory: Memory) {
    this.#u32 = memory.u32
  }

  add(record: Ptr, id: number): void {
    push(this.#u32, bucketOf(id), record, NEXT_HOME)
  }

  /** The namespace; NULL = the outermost, or nobody is called so. */
  of(id: number): Ptr {
    const record = this.#find(id)
    return record === NULL ? NULL : (this.#u32[(record + NUMBER_NAMESPACE) >>> 2]! as Ptr)
  }

  remove(id: number): void {
    take(this.#u32, bucketOf(id), this.#find(id), NEXT_HOME)
  }

  #find(id: number): Ptr {
    let record = this.#u32[bucketOf(id)]! as Ptr
    while (record !== NULL && this.#u32[(record + NUMBER_ID) >>> 2] !== id) {
      record = this.#u32[(record + NEXT_HOME) >>> 2]! as Ptr
    }
    return record
  }
}

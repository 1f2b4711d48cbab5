/**
 * Doubly linked lists of records in the buffer. A head is two words, { first, last }; each record has two words
 * { next, previous } at the list's offset. A record that is in no list has both links 0, so one that stands alone in
 * a list is told apart by its head only: who needs to know keeps a flag.
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'

export class RecordLists {
  readonly #u32: Uint32Array
  readonly #link: number

  /** `link`: byte offset of the two words in a record. */
  constructor(memory: Memory, link: number) {
    this.#u32 = memory.u32
    this.#link = link
  }

  first(head: Ptr): Ptr {
    return this.#u32[head >>> 2]! as Ptr
  }

  last(head: Ptr): Ptr {
    return this.#u32[(head >>> 2) + 1]! as Ptr
  }

  next(record: Ptr): Ptr {
    return this.#u32[(record + this.#link) >>> 2]! as Ptr
  }

  previous(record: Ptr): Ptr {
    return this.#u32[((record + this.#link) >>> 2) + 1]! as Ptr
  }

  append(head: Ptr, record: Ptr): void {
    this.insertBefore(head, record, NULL)
  }

  /** NULL is the end. */
  insertBefore(head: Ptr, record: Ptr, next: Ptr): void {
    const previous = next === NULL ? this.last(head) : this.previous(next)
    this.#setLinks(record, next, previous)
    if (next === NULL) this.#u32[(head >>> 2) + 1] = record
    else this.#u32[((next + this.#link) >>> 2) + 1] = record
    if (previous === NULL) this.#u32[head >>> 2] = record
    else this.#u32[(previous + this.#link) >>> 2] = record
  }

  remove(head: Ptr, record: Ptr): void {
    const next = this.next(record)
    const previous = this.previous(record)
    if (next === NULL) this.#u32[(head >>> 2) + 1] = previous
    else this.#u32[((next + this.#link) >>> 2) + 1] = previous
    if (previous === NULL) this.#u32[head >>> 2] = next
    else this.#u32[(previous + this.#link) >>> 2] = next
    this.#setLinks(record, NULL, NULL)
  }

  /** Records from first to last; the one that was given may be removed. */
  *of(head: Ptr): Generator<Ptr> {
    for (let record = this.first(head); record !== NULL; ) {
      const next = this.next(record)
      yield record
      record = next
    }
  }

  #setLinks(record: Ptr, next: Ptr, previous: Ptr): void {
    this.#u32[(record + this.#link) >>> 2] = next
    this.#u32[((record + this.#link) >>> 2) + 1] = previous
  }
}

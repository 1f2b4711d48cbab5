/**
 * What somebody is called in one nested namespace (Linux: struct upid), and the numbers that a namespace has given. Slab cache "pid".
 *
 *     0    Ptr  next and previous in the namespace
 *     8    u32  `id`: what the outermost namespace calls him
 *     12   u32  the number here
 *     16   Ptr  the namespace
 *     20   Ptr  next in the namespace's list by number; 24 by `id`
 *     28   Ptr  of the innermost: next in the machine's list of them by `id` (pid-homes.ts)
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { RecordLists } from './record-lists.js'

export const PID_NUMBER_BYTES = 32
export const NUMBER_ID = 8
const NUMBER = 12
export const NUMBER_NAMESPACE = 16
const NEXT_BY_NUMBER = 20
const NEXT_BY_ID = 24
/** In the namespace. */
const LIST = 32
const BY_NUMBER = 40
const BY_ID = 168
const BUCKET_MASK = 31

export class PidNumbers {
  readonly #u32: Uint32Array
  readonly #lists: RecordLists
  readonly #namespace: Ptr

  constructor(memory: Memory, namespace: Ptr) {
    this.#u32 = memory.u32
    this.#lists = new RecordLists(memory, 0)
    this.#namespace = namespace
  }

  /** 0 = nobody. */
  idOf(number: number): number {
    return this.#find(BY_NUMBER, NEXT_BY_NUMBER, NUMBER, number, NUMBER_ID)
  }

  numberOf(id: number): number {
    return this.#find(BY_ID, NEXT_BY_ID, NUMBER_ID, id, NUMBER)
  }

  #find(lists: number, next: number, key: number, wanted: number, field: number): number {
    const words = this.#u32
    let at = words[this.#bucket(lists, wanted)]!
    while (at !== NULL && words[(at + key) >>> 2] !== wanted) at = words[(at + next) >>> 2]!
    return at === NULL ? 0 : words[(at + field) >>> 2]!
  }

  /** Index of the word that a list begins with. */
  #bucket(lists: number, key: number): number {
    return (this.#namespace + lists + (key & BUCKET_MASK) * 4) >>> 2
  }

  get areAny(): boolean {
    return this.#lists.first(this.#head) !== NULL
  }

  get #head(): Ptr {
    return (this.#namespace + LIST) as Ptr
  }

  *ids(): Generator<number> {
    for (const record of this.#lists.of(this.#head)) yield this.#u32[(record + NUMBER_ID) >>> 2]!
  }

  add(record: Ptr, id: number, number: number): void {
    const words = this.#u32
    words[(record + NUMBER_ID) >>> 2] = id
    words[(record + NUMBER) >>> 2] = number
    words[(record + NUMBER_NAMESPACE) >>> 2] = this.#namespace
    push(words, this.#bucket(BY_NUMBER, number), record, NEXT_BY_NUMBER)
    push(words, this.#bucket(BY_ID, id), record, NEXT_BY_ID)
    this.#lists.append(this.#head, record)
  }

  remove(id: number): Ptr {
    const words = this.#u32
    let record = words[this.#bucket(BY_ID, id)]! as Ptr
    while (record !== NULL && words[(record + NUMBER_ID) >>> 2] !== id)
      record = words[(record + NEXT_BY_ID) >>> 2]! as Ptr
    assert(record !== NULL, 'whoever leaves a namespace has a number in it')
    take(words, this.#bucket(BY_NUMBER, words[(record + NUMBER) >>> 2]!), record, NEXT_BY_NUMBER)
    take(words, this.#bucket(BY_ID, id), record, NEXT_BY_ID)
    this.#lists.remove(this.#head, record)
    return record
  }
}

/** Puts a record before the others of a list that goes one way only. `first`: index of the word that it begins with. */
export function push(words: Uint32Array, first: number, record: Ptr, next: number): void {
  words[(record + next) >>> 2] = words[first]!
  words[first] = record
}

export function take(words: Uint32Array, first: number, record: Ptr, next: number): void {
  let link = first
  while (words[link] !== record) {
    assert(words[link] !== NULL, 'a record is in the list that it is taken from')
    link = (words[link]! + next) >>> 2
  }
  words[link] = words[(record + next) >>> 2]!
}

/**
 * What is to be read from a file of userfaultfd(2): a page that a thread waits for, or a change of a space. The records of changes are in the
 * slab cache "userfaultfd_message" (userfaults.ts); that of a page is a part of the record of the thread, which waits for one thing at a time.
 *
 *     0   links { next, previous } of the list that it is in
 *     8   u32 kind, 0 = none: nothing is to be read           12  Ptr context
 *     16  Ptr thread that waits for the reader, NULL = nobody   20  Ptr head of the list that it is in, NULL = none
 *     24  u32 of a fault: 1 = write, 2 = minor                28  u32 of a fault: number of its thread; of a fork: Ptr context of the child
 *     32  f64 `address`, `from`, `start`                      40  f64 `to`, `end`     48  f64 `pages`
 *
 * Only the thread that runs Linux's calls changes them.
 */
import type { Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'

export const MESSAGE_BYTES = 56

/** UFFD_EVENT_PAGEFAULT. The address is in bytes: that of the page, or of the access for who asked for that. */
export interface FaultMessage {
  readonly kind: 'fault'
  readonly context: Ptr
  readonly address: number
  readonly isWrite: boolean
  readonly isMinor: boolean
  /** gettid(2) of who waits, for who asked for that; else 0. */
  readonly threadId: number
}

/** What has happened to a space, for the readers of a context. Addresses are pages. */
export type SpaceChange =
  | { readonly kind: 'fork'; readonly context: Ptr; readonly child: Ptr }
  | {
      readonly kind: 'remap'
      readonly context: Ptr
      readonly from: number
      readonly to: number
      readonly pages: number
    }
  | {
      readonly kind: 'remove' | 'unmap'
      readonly context: Ptr
      readonly start: number
      readonly end: number
    }

const KINDS = ['none', 'fault', 'fork', 'remap', 'remove', 'unmap'] as const
type Kind = (typeof KINDS)[number]

const KIND = 2
const CONTEXT = 3
const THREAD = 4
const LIST = 5
const FLAGS = 6
const NUMBER = 7
const PLACE = 4
const WRITE = 1
const MINOR = 2

export class UserfaultMessages {
  readonly #u32: Uint32Array
  readonly #f64: Float64Array

  constructor(memory: Memory) {
    this.#u32 = memory.u32
    this.#f64 = memory.f64
  }

  /** Fills a record: nobody waits for it yet, and it is in no list. */
  write(record: Ptr, message: FaultMessage | SpaceChange): void {
    const word = record >>> 2
    this.#u32.fill(0, word, word + MESSAGE_BYTES / 4)
    this.#u32[word + KIND] = KINDS.indexOf(message.kind)
    this.#u32[word + CONTEXT] = message.context
    if (message.kind === 'fault') {
      this.#u32[word + FLAGS] = (message.isWrite ? WRITE : 0) | (message.isMinor ? MINOR : 0)
      this.#u32[word + NUMBER] = message.threadId
      this.#setPlaces(record, message.address)
    } else if (message.kind === 'fork') this.#u32[word + NUMBER] = message.child
    else if (message.kind === 'remap') this.#setPlaces(record, message.from, message.to, message.pages)
    else this.#setPlaces(record, message.start, message.end)
  }

  #setPlaces(record: Ptr, ...places: number[]): void {
    this.#f64.set(places, (record >>> 3) + PLACE)
  }

  read(record: Ptr): FaultMessage | SpaceChange {
    const kind = this.kind(record)
    return kind === 'fault' ? this.#readFault(record) : this.change(record)
  }

  #readFault(record: Ptr): FaultMessage {
    const word = record >>> 2
    return {
      kind: 'fault',
      context: this.context(record),
      address: this.address(record),
      isWrite: (this.#u32[word + FLAGS]! & WRITE) !== 0,
      isMinor: (this.#u32[word + FLAGS]! & MINOR) !== 0,
      threadId: this.#u32[word + NUMBER]!,
    }
  }

  change(record: Ptr): SpaceChange {
    const kind = this.kind(record)
    const context = this.context(record)
    const at = (record >>> 3) + PLACE
    const [first, second, pages] = [this.#f64[at]!, this.#f64[at + 1]!, this.#f64[at + 2]!]
    if (kind === 'fork') return { kind, context, child: this.#u32[(record >>> 2) + NUMBER]! as Ptr }
    if (kind === 'remap') return { kind, context, from: first, to: second, pages }
    return { kind: kind as 'remove' | 'unmap', context, start: first, end: second }
  }

  /** Nothing is to be read any more. */
  clear(record: Ptr): void {
    this.#u32[(record >>> 2) + KIND] = 0
  }

  kind(record: Ptr): Kind {
    return KINDS[this.#u32[(record >>> 2) + KIND]!]!
  }

  context(record: Ptr): Ptr {
    return this.#u32[(record >>> 2) + CONTEXT]! as Ptr
  }

  /** In bytes, of a fault. */
  address(record: Ptr): number {
    return this.#f64[(record >>> 3) + PLACE]!
  }

  /** Record of the thread that waits; NULL when nobody does. */
  thread(record: Ptr): Ptr {
    return this.#u32[(record >>> 2) + THREAD]! as Ptr
  }

  setThread(record: Ptr, thread: Ptr): void {
    this.#u32[(record >>> 2) + THREAD] = thread
  }

  list(record: Ptr): Ptr {
    return this.#u32[(record >>> 2) + LIST]! as Ptr
  }

  setList(record: Ptr, head: Ptr): void {
    this.#u32[(record >>> 2) + LIST] = head
  }
}

/**
 * Messages of message queues, in the kernel's heap: the highest priority first, and of the same one the oldest first. A message is
 * in pieces of up to a page.
 *
 *     0   Ptr  next piece
 *     4   Ptr  first piece only: next message
 *     8   u32  first piece only: priority, bytes of the whole message
 *     16       bytes; in further pieces they begin at 8
 */
import { EFAULT, ENOMEM } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import type { ByteSink, ByteSource } from '../ipc/byte-flow.js'
import type { MessageQueue } from './queue-record.js'

const FIRST_HEADER = 16
const HEADER = 8

/** One piece of a message: where its bytes are. */
interface Piece {
  readonly ptr: Ptr
  readonly start: Ptr
  readonly length: number
}

export class QueueMessages {
  readonly #mm: MemoryManager

  constructor(mm: MemoryManager) {
    this.#mm = mm
  }

  #word(ptr: Ptr, offset: number): number {
    return this.#mm.memory.u32[(ptr + offset) >>> 2]!
  }
  #setWord(ptr: Ptr, offset: number, value: number): void {
    this.#mm.memory.u32[(ptr + offset) >>> 2] = value
  }

  next(message: Ptr): Ptr {
    return this.#word(message, 4) as Ptr
  }
  #setNext(message: Ptr, next: Ptr): void {
    this.#setWord(message, 4, next)
  }

  priority(message: Ptr): number {
    return this.#word(message, 8)
  }

  length(message: Ptr): number {
    return this.#word(message, 12)
  }

  /** All bytes of a source as a message: -ENOMEM, -EFAULT and nothing is kept. */
  make(source: ByteSource, priority: number): Ptr | number {
    const message = this.#allocate(source.left)
    if (message === NULL) return -ENOMEM
    this.#setWord(message, 8, priority)
    for (const { start, length } of this.#pieces(message)) {
      if (source.get(this.#mm.memory.u8.subarray(start, start + length)) === length) continue
      this.free(message)
      return -EFAULT
    }
    return message
  }

  #allocate(bytes: number): Ptr {
    const { heap } = this.#mm
    let message: Ptr = NULL
    let last: Ptr = NULL
    let todo = bytes
    do {
      const header = last === NULL ? FIRST_HEADER : HEADER
      const length = Math.min(todo, PAGE_SIZE - header)
      const piece = heap.allocate(header + length)
      if (piece === NULL) {
        if (message !== NULL) this.free(message)
        return NULL
      }
      this.#setWord(piece, 0, NULL)
      if (last === NULL) {
        message = piece
        this.#setNext(piece, NULL)
        this.#setWord(piece, 12, bytes)
      } else this.#setWord(last, 0, piece)
      last = piece
      todo -= length
    } while (todo > 0)
    return message
  }

  /** The next piece is looked up first: the one that was given may be freed. */
  *#pieces(message: Ptr): Generator<Piece> {
    let left = this.length(message)
    let header = FIRST_HEADER
    for (let ptr = message; ptr !== NULL; ) {
      const length = Math.min(left, PAGE_SIZE - header)
      const next = this.#word(ptr, 0) as Ptr
      yield { ptr, start: (ptr + header) as Ptr, length }
      left -= length
      header = HEADER
      ptr = next
    }
  }

  /** Hands all of a message out: 0 or -EFAULT. */
  give(message: Ptr, sink: ByteSink): number {
    for (const { start, length } of this.#pieces(message)) {
      if (sink.put(this.#mm.memory.u8.subarray(start, start + length)) !== length) return -EFAULT
    }
    return 0
  }

  free(message: Ptr): void {
    for (const { ptr } of this.#pieces(message)) this.#mm.heap.free(ptr)
  }

  /** Puts a message behind all those that are as urgent. */
  insert(queue: MessageQueue, message: Ptr): void {
    const before = this.#lastAsUrgent(queue, this.priority(message))
    const next = before === NULL ? queue.first : this.next(before)
    this.#setNext(message, next)
    if (before === NULL) queue.first = message
    else this.#setNext(before, message)
    if (next === NULL) queue.last = message
    queue.count++
    queue.bytes += this.length(message)
  }

  #lastAsUrgent(queue: MessageQueue, priority: number): Ptr {
    if (queue.last === NULL || this.priority(queue.last) >= priority) return queue.last
    let before: Ptr = NULL
    for (let at = queue.first; this.priority(at) >= priority; at = this.next(at)) before = at
    return before
  }

  /** Takes the first message out of a queue that has one. */
  takeFirst(queue: MessageQueue): Ptr {
    const message = queue.first
    queue.first = this.next(message)
    if (queue.first === NULL) queue.last = NULL
    queue.count--
    queue.bytes -= this.length(message)
    return message
  }
}

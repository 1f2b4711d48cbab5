/**
 * What is to be read from the files of userfaultfd(2), and who waits for it: three lists of messages (space/userfault-message.ts) for each
 * context, with heads in its record.
 *
 *     USERFAULT_LISTS + 0    pages that nobody has read of yet, the first to come first
 *                     + 8    pages that somebody has read of
 *                     + 16   changes of the space
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { UserfaultMessages } from '../space/userfault-message.js'
import { USERFAULT_LISTS } from '../space/userfaults.js'
import type { Memory } from '../state/memory.js'
import { RecordLists } from './record-lists.js'

const LISTS = { pending: 0, read: 8, changes: 16 } as const
type ListName = keyof typeof LISTS

const headOf = (context: Ptr, list: ListName) => (context + USERFAULT_LISTS + LISTS[list]) as Ptr

export class UserfaultQueues {
  readonly #messages: UserfaultMessages
  readonly #lists: RecordLists

  constructor(memory: Memory, messages: UserfaultMessages) {
    this.#messages = messages
    this.#lists = new RecordLists(memory, 0)
  }

  append(list: ListName, message: Ptr): void {
    const head = headOf(this.#messages.context(message), list)
    this.#lists.append(head, message)
    this.#messages.setList(message, head)
  }

  /** The message is in no list any more; nothing when it was in none. */
  remove(message: Ptr): void {
    const head = this.#messages.list(message)
    if (head === NULL) return
    this.#lists.remove(head, message)
    this.#messages.setList(message, NULL)
  }

  /** What is read next: pages before changes. NULL for nothing. */
  first(context: Ptr): Ptr {
    const pending = this.#lists.first(headOf(context, 'pending'))
    return pending !== NULL ? pending : this.#lists.first(headOf(context, 'changes'))
  }

  of(context: Ptr, list: ListName): Ptr[] {
    return [...this.#lists.of(headOf(context, list))]
  }

  all(context: Ptr): Ptr[] {
    return [...this.of(context, 'pending'), ...this.of(context, 'read'), ...this.of(context, 'changes')]
  }

  /** Takes those out whose page lies in a range of bytes, or all. */
  takeWaiting(context: Ptr, start = 0, end = Number.POSITIVE_INFINITY): Ptr[] {
    const isIn = (message: Ptr) => {
      const address = this.#messages.address(message)
      return address >= start && address < end
    }
    const taken = [...this.of(context, 'pending'), ...this.of(context, 'read')].filter(isIn)
    for (const message of taken) this.remove(message)
    return taken
  }
}

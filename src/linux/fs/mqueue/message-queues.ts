/** The POSIX message queues of the machine (ipc/mqueue.c): how many there may be, what goes in and out, and who is told. */
import { assert } from '../../../base/assert.js'
import { EINVAL, EMFILE, ENOMEM, ENOSPC } from '../../../base/errno.js'
import { NULL, type Ptr } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import type { SlabCache } from '../../../slab/slab-cache.js'
import { Word, wordIndex } from '../../../state/layout.js'
import { readIntSetting, Setting } from '../../../state/settings.js'
import { RecordLists } from '../../record-lists.js'
import { SignalCode } from '../../signal-numbers.js'
import { realUserOf } from '../../signal-permission.js'
import { Notify } from '../../timer-record.js'
import type { FileEnvironment } from '../environment.js'
import { QueueMessages } from './queue-messages.js'
import { chargeOf, MessageQueue, QUEUE_BYTES, QUEUE_LINK, type QueueSize, Role } from './queue-record.js'
import { QueueWaiters } from './queue-waiters.js'

/** HARD_MSGMAX, HARD_MSGSIZEMAX: what nobody can go beyond. */
export const MESSAGES_MAX = 65536
export const MESSAGE_BYTES_MAX = 2 ** 24
const QUEUES = (wordIndex(Word.messageQueues) * 4) as Ptr
/** Offset of si_value. */
const SIGNAL_VALUE = 24

/** Who makes a queue. */
export interface QueueMaker {
  /** Real user. */
  readonly user: number
  /** CAP_SYS_RESOURCE. */
  readonly isUnlimited: boolean
  /** RLIMIT_MSGQUEUE, in bytes. */
  readonly limit: number
}

/** A machine has it from its start, although queues are made on first use. */
export function createQueueCache({ slab }: MemoryManager): SlabCache {
  return slab.createCache('mqueue', QUEUE_BYTES, 8)
}

export class MessageQueues {
  readonly messages: QueueMessages
  readonly waiters: QueueWaiters
  readonly #env: FileEnvironment
  readonly #mm: MemoryManager
  readonly #cache: SlabCache
  readonly #lists: RecordLists

  constructor(env: FileEnvironment) {
    this.#env = env
    this.#mm = env.mm
    this.messages = new QueueMessages(env.mm)
    this.waiters = new QueueWaiters(env.mm)
    this.#lists = new RecordLists(env.mm.memory, QUEUE_LINK)
    this.#cache = createQueueCache(env.mm)
  }

  at(ptr: Ptr): MessageQueue {
    return new MessageQueue(this.#mm.memory, ptr)
  }

  *[Symbol.iterator](): Generator<MessageQueue> {
    for (const ptr of this.#lists.of(QUEUES)) yield this.at(ptr)
  }

  /** Queues there are, those included that have no name any more. */
  get count(): number {
    return this.#cache.used
  }

  /** Bytes that RLIMIT_MSGQUEUE counts for a user. */
  charged(user: number): number {
    let bytes = 0
    for (const queue of this) if (queue.user === user) bytes += chargeOf(queue)
    return bytes
  }

  #setting(setting: Setting): number {
    return readIntSetting(this.#mm.memory, setting)
  }

  /** A new queue, of the default size when none is asked for: -ENOSPC, -EINVAL, -EMFILE, -ENOMEM. */
  create(asked: QueueSize | undefined, maker: QueueMaker): Ptr | number {
    if (this.count >= this.#setting(Setting.mqueueQueuesMax) && !maker.isUnlimited) return -ENOSPC
    const size = asked ?? this.#defaultSize()
    if (!this.#isAllowed(size, maker)) return -EINVAL
    if (this.charged(maker.user) + chargeOf(size) > maker.limit) return -EMFILE
    const ptr = this.#cache.allocateZeroed()
    if (ptr === NULL) return -ENOMEM
    const queue = this.at(ptr)
    queue.messages = size.messages
    queue.messageBytes = size.messageBytes
    queue.user = maker.user
    this.#lists.append(QUEUES, ptr)
    return ptr
  }

  #defaultSize(): QueueSize {
    const least = (...settings: Setting[]) => Math.min(...settings.map((one) => this.#setting(one)))
    return {
      messages: least(Setting.mqueueMessagesMax, Setting.mqueueMessagesDefault),
      messageBytes: least(Setting.mqueueBytesMax, Setting.mqueueBytesDefault),
    }
  }

  #isAllowed({ messages, messageBytes }: QueueSize, { isUnlimited }: QueueMaker): boolean {
    if (messages <= 0 || messageBytes <= 0) return false
    const most = isUnlimited ? MESSAGES_MAX : this.#setting(Setting.mqueueMessagesMax)
    const mostBytes = isUnlimited ? MESSAGE_BYTES_MAX : this.#setting(Setting.mqueueBytesMax)
    return messages <= most && messageBytes <= mostBytes
  }

  /** Nobody names a queue or has it open; so nobody waits. */
  destroy(ptr: Ptr): void {
    const queue = this.at(ptr)
    while (queue.count > 0) this.messages.free(this.messages.takeFirst(queue))
    this.#lists.remove(QUEUES, ptr)
    this.#cache.free(ptr)
  }

  /** Gives a message to who waits for one, else to the queue, which has room. Whether it is in the queue. */
  send(queue: MessageQueue, message: Ptr): boolean {
    const receiver = this.waiters.first(queue, Role.receive)
    if (receiver !== NULL) {
      this.#serve(receiver, message)
      return false
    }
    this.messages.insert(queue, message)
    if (queue.count === 1) this.#notifyOwner(queue)
    return true
  }

  /** Takes the first message of a queue that has one, and lets in that of who waits for room. Whether there is room now. */
  receive(queue: MessageQueue): { message: Ptr; hasRoom: boolean } {
    const message = this.messages.takeFirst(queue)
    const sender = this.waiters.first(queue, Role.send)
    if (sender === NULL) return { message, hasRoom: true }
    this.messages.insert(queue, this.waiters.message(sender))
    this.#serve(sender, NULL)
    return { message, hasRoom: false }
  }

  #serve(waiter: Ptr, message: Ptr): void {
    this.waiters.serve(waiter, message)
    this.#env.threads.at(this.waiters.thread(waiter)).wakeForEvent()
  }

  /** A queue that was empty has a message (__do_notify): its owner is told, unless it runs another program by now. */
  #notifyOwner(queue: MessageQueue): void {
    const owner = this.#env.processes.get(queue.owner)
    if (owner !== undefined && queue.notify === Notify.signal && queue.signal !== 0 && !owner.isZombie) {
      if (owner.executions === queue.executions) this.#signal(queue)
    }
    queue.owner = 0
  }

  #signal({ owner, signal, valueLow, valueHigh }: MessageQueue): void {
    const { processes, signals } = this.#env
    const sender = this.#env.currentProcess()!
    const receiver = processes.get(owner)!
    const info = signals.info({
      signal,
      code: SignalCode.messageQueue,
      processId: receiver.namespace.numberOf(sender.id),
      userId: realUserOf(sender),
    })
    const value = new DataView(info.buffer, info.byteOffset + SIGNAL_VALUE)
    value.setUint32(0, valueLow, true)
    value.setUint32(4, valueHigh, true)
    signals.sendToProcess(receiver, signal, info)
  }

  /** A process closes a file number of a queue: it is not to be notified any more (mqueue_flush_file). */
  closedBy(ptr: Ptr, process: number | undefined): void {
    const queue = this.at(ptr)
    if (queue.owner !== 0 && queue.owner === process) queue.owner = 0
  }

  /** Throws an InvariantError on a broken invariant of the queues. */
  check(): void {
    let [count, waiting] = [0, 0]
    for (const queue of this) {
      this.#checkMessages(queue)
      const [receivers, senders] = [Role.receive, Role.send].map((role) => this.waiters.count(queue, role))
      assert(receivers === 0 || queue.count === 0, 'who waits for a message found none')
      assert(senders === 0 || queue.count === queue.messages, 'who waits for room found none')
      waiting += receivers! + senders!
      count++
    }
    assert(count === this.count, 'every queue is in the list')
    assert(waiting <= this.waiters.used, 'who waits has a record')
  }

  #checkMessages(queue: MessageQueue): void {
    let [count, bytes, last] = [0, 0, NULL as Ptr]
    for (let at = queue.first; at !== NULL; at = this.messages.next(at)) {
      const isInOrder = last === NULL || this.messages.priority(last) >= this.messages.priority(at)
      assert(isInOrder, 'the most urgent message is the first')
      bytes += this.messages.length(at)
      last = at
      count++
    }
    assert(last === queue.last, 'the last message ends the list')
    assert(count === queue.count && count <= queue.messages, 'the messages of a queue are counted')
    assert(bytes === queue.bytes, 'the bytes of a queue are counted')
  }
}

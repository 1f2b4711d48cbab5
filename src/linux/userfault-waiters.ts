/** The queues of the files of userfaultfd(2): who waits in them, and who goes on. The calls in which threads wait: userfault-waits.ts. */
import { assert } from '../base/assert.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { AddressSpace } from '../space/address-space.js'
import { resetAll, unregisterAll } from '../space/register-userfault.js'
import type { UserfaultMessages } from '../space/userfault-message.js'
import { type MissedPage, UserfaultFeature } from '../space/userfaults.js'
import { LockRank } from '../state/atomics.js'
import type { PidNamespace } from './pid-namespace.js'
import type { Thread } from './thread.js'
import { ownMessage, UserfaultCall } from './userfault-call.js'
import { UserfaultQueues } from './userfault-queues.js'
import { WaitKind } from './wait.js'

/** What the waits need of the machine; Linux is one. */
export interface UserfaultEnv {
  readonly mm: MemoryManager
  readonly threads: { at(record: Ptr): Thread } & Iterable<Thread>
  processOf(thread: Thread): { readonly namespace: PidNamespace }
  readonly files: { userfaultArrived(context: Ptr): void }
  readonly forking: { abandon(child: Thread): void }
}

export class UserfaultWaiters {
  protected readonly env: UserfaultEnv
  protected readonly messages: UserfaultMessages
  readonly queues: UserfaultQueues

  constructor(env: UserfaultEnv) {
    this.env = env
    this.messages = env.mm.userfaults.messages
    this.queues = new UserfaultQueues(env.mm.memory, this.messages)
  }

  protected callOf(thread: Ptr): UserfaultCall {
    return new UserfaultCall(this.env.mm.memory, thread)
  }

  /** A file stands for the context from now on. */
  open(context: Ptr): void {
    this.env.mm.userfaults.setOpen(context, true)
  }

  /** The file is gone: nothing is registered with it any more, and whoever waits goes on (userfaultfd_release). */
  close(context: Ptr): void {
    const { mm } = this.env
    mm.userfaults.setOpen(context, false)
    this.inSpace(context, (space) => unregisterAll(mm, space, context))
    for (const message of this.queues.takeWaiting(context)) this.letGo(message)
    for (const change of this.queues.of(context, 'changes')) {
      this.queues.remove(change)
      this.cancel(change)
      this.letGo(change)
    }
    mm.userfaults.free(context)
  }

  /** Lets those go on that wait for a page between two addresses. */
  wake(context: Ptr, start: number, end: number): void {
    if (!this.env.mm.userfaults.isOpen(context)) return
    for (const message of this.queues.takeWaiting(context, start, end)) {
      this.#countFault(this.messages.thread(message))
      this.letGo(message)
    }
  }

  /** The access is made again: in user mode that is a fault like any other, in a call it counts as one that had to wait (FAULT_FLAG_TRIED). */
  #countFault(ptr: Ptr): void {
    const thread = this.env.threads.at(ptr)
    if (thread.isResumed) thread.majorFaults++
    else thread.minorFaults++
  }

  /** Somebody has read the first message. */
  wasRead(message: Ptr): void {
    this.queues.remove(message)
    if (this.messages.kind(message) === 'fault') {
      this.queues.append('read', message)
      return
    }
    this.env.mm.userfaults.endChange(this.messages.context(message))
    this.letGo(message)
  }

  /** Who waits with a message that is in no list any more goes on; the message is gone. */
  protected letGo(message: Ptr): void {
    const thread = this.messages.thread(message)
    if (thread !== NULL) {
      this.callOf(thread).waiter = NULL
      this.env.threads.at(thread).wake()
    }
    this.#forget(message, thread)
  }

  #forget(message: Ptr, thread: Ptr): void {
    if (thread !== NULL && message === ownMessage(thread)) this.messages.clear(message)
    else this.env.mm.userfaults.freeMessage(message)
  }

  /** The thread waits for a page; `exact` is the address of the access. */
  protected enqueue(thread: Thread, missed: MissedPage, exact: number): void {
    const { mm, files } = this.env
    const { context, vpn, isWrite, isMinor } = missed
    const wants = (feature: number) => mm.userfaults.has(context, feature)
    const message = ownMessage(thread.ptr)
    this.messages.write(message, {
      kind: 'fault',
      context,
      address: wants(UserfaultFeature.exactAddress) ? exact : vpn * PAGE_SIZE,
      isWrite,
      isMinor,
      threadId: wants(UserfaultFeature.threadId)
        ? this.env.processOf(thread).namespace.numberOf(thread.id)
        : 0,
    })
    this.#wait(thread.ptr, message)
    this.queues.append('pending', message)
    files.userfaultArrived(context)
  }

  #wait(thread: Ptr, message: Ptr): void {
    this.messages.setThread(message, thread)
    if (thread !== NULL) this.callOf(thread).waiter = message
  }

  /** A change is to be read of, and the thread waits until it is; NULL: nobody does. */
  protected tell(thread: Ptr, change: Ptr): void {
    this.#wait(thread, change)
    this.queues.append('changes', change)
    this.env.files.userfaultArrived(this.messages.context(change))
  }

  /** The thread waits for nobody any more, whatever has woken it. */
  leave(thread: Thread): void {
    const call = this.callOf(thread.ptr)
    const message = call.waiter
    thread.endWait()
    if (message === NULL) return
    call.waiter = NULL
    this.queues.remove(message)
    if (this.messages.kind(message) !== 'fault') this.cancel(message)
    this.#forget(message, thread.ptr)
  }

  /** Nobody will read of a change, whose message is nobody's then. */
  protected drop(change: Ptr): void {
    this.cancel(change)
    this.env.mm.userfaults.freeMessage(change)
  }

  protected cancel(message: Ptr): void {
    const { mm } = this.env
    const change = this.messages.change(message)
    if (mm.userfaults.isOpen(change.context)) mm.userfaults.endChange(change.context)
    if (change.kind !== 'fork') return
    this.inSpace(change.child, (space) => resetAll(mm, space, change.child))
    mm.userfaults.free(change.child)
  }

  protected inSpace(context: Ptr, change: (space: AddressSpace) => void): void {
    const { memory, atomics, userfaults } = this.env.mm
    if (userfaults.space(context) === NULL) return
    const space = new AddressSpace(memory, userfaults.space(context))
    atomics.lock(space.lock, LockRank.space)
    change(space)
    atomics.unlock(space.lock, LockRank.space)
  }

  /** Asserts that every message in a list belongs there, and that who waits with it is parked for it; how many of them are changes. */
  protected checkQueues(): number {
    let changes = 0
    for (const context of this.env.mm.userfaults.all()) {
      for (const message of this.queues.all(context)) {
        assert(this.messages.context(message) === context, 'a message is in a list of its context')
        const thread = this.messages.thread(message)
        if (thread === NULL || message !== ownMessage(thread)) changes++
        if (thread === NULL) continue
        assert(this.callOf(thread).waiter === message, 'a thread waits with one message')
        const { waitKind } = this.env.threads.at(thread)
        assert(waitKind === WaitKind.userfault, 'a thread that waits for a reader says so')
      }
    }
    return changes
  }
}

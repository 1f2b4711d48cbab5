/** The queues of the files of userfaultfd(2): who waits in them, and who goes on. The calls in which threads wait: userfault-waits.ts. */
import { assert } from '../base/assert.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { AddressSpace } from '../space/address-space.js'
import { resetAll, unregisterAll } from '../space/register-userfault.js'
import { type MissedPage, type SpaceChange, UserfaultFeature } from '../space/userfaults.js'
import { LockRank } from '../state/atomics.js'
import type { Thread } from './thread.js'
import {
  type FaultMessage,
  makeQueue,
  removeWaiter,
  takeWaiting,
  type UserfaultQueue,
  type UserfaultWaiter,
} from './userfault-queue.js'
import { WaitKind } from './wait.js'

/** What the waits need of the machine; Linux is one. */
export interface UserfaultEnv {
  readonly mm: MemoryManager
  readonly threads: { at(record: Ptr): Thread }
  readonly files: { userfaultArrived(context: Ptr): void }
  readonly forking: { abandon(child: Thread): void }
}

export class UserfaultWaiters {
  protected readonly env: UserfaultEnv
  /** By context. */
  protected readonly queues = new Map<Ptr, UserfaultQueue>()
  /** By record of the thread. */
  protected readonly waiters = new Map<Ptr, UserfaultWaiter>()

  constructor(env: UserfaultEnv) {
    this.env = env
  }

  /** A file stands for the context from now on. */
  open(context: Ptr): UserfaultQueue {
    const queue = makeQueue(context)
    this.queues.set(context, queue)
    return queue
  }

  /** The file is gone: nothing is registered with it any more, and whoever waits goes on (userfaultfd_release). */
  close(queue: UserfaultQueue): void {
    const { mm } = this.env
    const { context } = queue
    this.queues.delete(context)
    this.inSpace(context, (space) => unregisterAll(mm, space, context))
    for (const waiter of takeWaiting(queue)) this.letGo(waiter)
    for (const waiter of queue.changes) {
      this.drop(waiter.message as SpaceChange)
      this.letGo(waiter)
    }
    mm.userfaults.free(context)
  }

  /** Lets those go on that wait for a page between two addresses. */
  wake(context: Ptr, start: number, end: number): void {
    const queue = this.queues.get(context)
    if (queue !== undefined) for (const waiter of takeWaiting(queue, start, end)) this.letGo(waiter)
  }

  /** Somebody has read what the first waiter has to say. */
  wasRead(queue: UserfaultQueue, waiter: UserfaultWaiter): void {
    removeWaiter(queue, waiter)
    if (waiter.message.kind === 'fault') {
      queue.read.push(waiter)
      return
    }
    this.env.mm.userfaults.endChange(waiter.message.context)
    this.letGo(waiter)
  }

  protected letGo(waiter: UserfaultWaiter): void {
    if (waiter.thread === NULL) return
    this.waiters.delete(waiter.thread)
    this.env.threads.at(waiter.thread).wake()
  }

  protected enqueue(thread: Thread, missed: MissedPage, exact: number): void {
    const { mm, files } = this.env
    const { context, vpn, isWrite, isMinor } = missed
    const wants = (feature: number) => mm.userfaults.has(context, feature)
    const message: FaultMessage = {
      kind: 'fault',
      address: wants(UserfaultFeature.exactAddress) ? exact : vpn * PAGE_SIZE,
      isWrite,
      isMinor,
      threadId: wants(UserfaultFeature.threadId) ? thread.id : 0,
    }
    const waiter = { thread: thread.ptr, message }
    this.waiters.set(thread.ptr, waiter)
    this.queues.get(context)!.pending.push(waiter)
    files.userfaultArrived(context)
  }

  protected tell(thread: Ptr, change: SpaceChange): UserfaultWaiter {
    const waiter = { thread, message: change }
    this.queues.get(change.context)!.changes.push(waiter)
    this.env.files.userfaultArrived(change.context)
    return waiter
  }

  /** The thread waits for nobody any more, whatever has woken it. */
  leave(thread: Thread): void {
    const waiter = this.waiters.get(thread.ptr)
    thread.endWait()
    if (waiter === undefined) return
    this.waiters.delete(thread.ptr)
    const { message } = waiter
    const context = message.kind === 'fault' ? (thread.waitArgument as Ptr) : message.context
    const queue = this.queues.get(context)
    if (queue !== undefined) removeWaiter(queue, waiter)
    if (message.kind !== 'fault') this.drop(message)
  }

  /** Nobody will read of a change. */
  protected drop(change: SpaceChange): void {
    const { mm } = this.env
    if (this.queues.has(change.context)) mm.userfaults.endChange(change.context)
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

  /** Asserts that every queue has a context, and that who waits in it is parked for it. */
  check(): void {
    const contexts = new Set(this.env.mm.userfaults.all())
    for (const { context, pending, read, changes } of this.queues.values()) {
      assert(contexts.has(context), 'a file of userfaultfd has a context')
      for (const waiter of [...pending, ...read, ...changes]) {
        if (waiter.thread === NULL) continue
        assert(this.waiters.get(waiter.thread) === waiter, 'a thread waits in one queue')
        const { waitKind } = this.env.threads.at(waiter.thread)
        assert(waitKind === WaitKind.userfault, 'a thread that waits for a reader says so')
      }
    }
  }
}

/**
 * Threads that wait for the readers of userfaultfd(2): for a page that an instruction or a call of theirs needs, or until a change of
 * their memory has been read of. fs/ipc/userfault-file.ts is the other side.
 *
 * A call that reads a missing page is made again from its start when the page has come, as any parked call is. What a call writes to a
 * missing page is kept and stored then, for the call may have done what cannot be done twice: its result waits meanwhile. So it does
 * for changes of the space that somebody wants to read of. Without memory for what is to be kept, the call is made again.
 */
import { assert } from '../base/assert.js'
import { EFAULT } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { type MissedPage, type Removal, UserfaultFeature } from '../space/userfaults.js'
import { PendingStores } from './pending-stores.js'
import { RecordLists } from './record-lists.js'
import type { Thread } from './thread.js'
import { callsWaiting, ownMessage, type UserfaultCall } from './userfault-call.js'
import { type UserfaultEnv, UserfaultWaiters } from './userfault-waiters.js'
import { ERESTARTSYS, PARKED, REGISTERS_SET, WaitKind } from './wait.js'

export class UserfaultWaits extends UserfaultWaiters {
  readonly #lists: RecordLists
  readonly #pendingStores: PendingStores
  /** What the call that is running does: blocks of PendingStores, the message of a removal that is to be told first. */
  #stores: Ptr[] = []
  #removing = NULL
  #thread: Thread | undefined

  constructor(env: UserfaultEnv) {
    super(env)
    this.#lists = new RecordLists(env.mm.memory, 0)
    this.#pendingStores = new PendingStores(env.mm)
    const { userfaults } = env.mm
    userfaults.removal = (context, start, end) => this.#askRemoval(context, start, end)
    userfaults.postpone = (space, address, bytes) => this.#postpone(space, address, bytes)
  }

  /** Whether there is any file of userfaultfd(2), or a call that still waits for one. */
  get isUsed(): boolean {
    const { userfaults, memory } = this.env.mm
    return userfaults.isUsed || callsWaiting(memory) > 0
  }

  override close(context: Ptr): void {
    const { userfaults } = this.env.mm
    const isOfContext = (change: Ptr) => this.messages.context(change) === context
    for (const { ptr } of this.env.threads) {
      const call = this.callOf(ptr)
      if (!call.isThere) continue
      for (const change of this.#lists.of(call.changes)) if (isOfContext(change)) this.#takeOut(call, change)
    }
    const gone = userfaults.changes.filter(isOfContext)
    userfaults.changes = userfaults.changes.filter((change) => !isOfContext(change))
    for (const change of gone) this.drop(change)
    super.close(context)
  }

  #takeOut(call: UserfaultCall, change: Ptr): void {
    this.#lists.remove(call.changes, change)
    this.drop(change)
  }

  /** An instruction needs a page: the thread parks, and executes it again. A signal comes before that. */
  parkForPage(thread: Thread, address: number): void {
    const missed = this.env.mm.userfaults.takeMissed()
    if (missed === undefined) return
    this.enqueue(thread, missed, address)
    thread.parkForPage(missed.context)
  }

  /** The thread ends. */
  threadEnds(thread: Thread): void {
    if (!this.isUsed) return
    if (thread.waitKind === WaitKind.userfault) this.leave(thread)
    this.#abandon(this.callOf(thread.ptr))
  }

  /** Nobody goes on with a call. */
  #abandon(call: UserfaultCall): void {
    if (!call.isThere) return
    for (const change of this.#lists.of(call.changes)) this.#takeOut(call, change)
    for (const store of this.#lists.of(call.stores)) this.#pendingStores.drop(store)
    const { child } = call
    call.end()
    if (child !== NULL) this.env.forking.abandon(this.env.threads.at(child))
  }

  #start(thread: Thread | undefined): void {
    this.#thread = thread
    this.#dropStores()
    this.#removing = NULL
  }

  #dropStores(): void {
    for (const store of this.#stores.splice(0)) this.#pendingStores.drop(store)
  }

  /**
   * Before a call is made. A result, or PARKED: it has been made already, and what is left of it is done or waited for. Undefined: it
   * is to be made, for the first time or again.
   */
  begin(thread: Thread): number | undefined {
    this.#start(thread)
    this.env.mm.userfaults.missed = undefined
    const call = this.callOf(thread.ptr)
    if (!call.isParked) return undefined
    const goesOnWaiting = call.waiter !== NULL && !thread.isKilled
    if (goesOnWaiting) return thread.parkKillable(WaitKind.userfault, thread.waitArgument)
    this.leave(thread)
    if (thread.isKilled) return this.#giveUp(call)
    call.unpark()
    thread.resumeFrom(call.wasResumed, call.deadline)
    return call.result === undefined ? undefined : this.#goOn(thread, call)
  }

  /** The process is about to end. */
  #giveUp(call: UserfaultCall): number {
    this.#abandon(call)
    return -ERESTARTSYS
  }

  /** After the handler: its result, or PARKED while something is to be waited for. */
  end(thread: Thread, result: number): number {
    const { userfaults } = this.env.mm
    const missed = userfaults.takeMissed()
    const removing = this.#removing
    const call = this.callOf(thread.ptr)
    this.#thread = undefined
    if (this.#isThrough(call) && missed === undefined) return result
    const changes = userfaults.changes.splice(0)
    if (removing !== NULL) return this.#waitForRemoval(thread, call, removing)
    if (result < 0 && result > -ERESTARTSYS && missed !== undefined) {
      for (const change of changes) this.drop(change)
      return this.#waitForPage(thread, call, missed)
    }
    if (result === PARKED) return this.#tellOnly(changes)
    call.begin()
    for (const change of result < 0 ? this.#withoutForks(changes) : changes)
      this.#lists.append(call.changes, change)
    this.#keepStores(call)
    call.result = result
    return this.#goOn(thread, call)
  }

  #keepStores(call: UserfaultCall): void {
    for (const store of this.#stores.splice(0)) this.#lists.append(call.stores, store)
  }

  /** The usual case: nobody has anything to do with the call. */
  #isThrough(call: UserfaultCall): boolean {
    const { changes } = this.env.mm.userfaults
    return changes.length === 0 && this.#stores.length === 0 && this.#removing === NULL && !call.isThere
  }

  /** Around the delivery of signals: a handler's frame may have to wait for its page. */
  beginDelivery(thread: Thread): void {
    this.#start(thread)
  }

  endDelivery(thread: Thread): void {
    this.#thread = undefined
    this.env.mm.userfaults.missed = undefined
    if (this.#stores.length === 0) return
    const call = this.callOf(thread.ptr)
    call.begin()
    call.result = REGISTERS_SET
    this.#keepStores(call)
    this.#goOn(thread, call)
  }

  /** Nobody waits until these are read. */
  #tellOnly(changes: readonly Ptr[]): number {
    for (const change of changes) this.tell(NULL, change)
    return PARKED
  }

  /** A fork that has failed after all. */
  #withoutForks(changes: readonly Ptr[]): Ptr[] {
    const isFork = (change: Ptr) => this.messages.kind(change) === 'fork'
    for (const change of changes) if (isFork(change)) this.drop(change)
    return changes.filter((change) => !isFork(change))
  }

  /** The call's changes are told one after the other, then what it has for the program is stored. */
  #goOn(thread: Thread, call: UserfaultCall): number {
    const change = this.#lists.first(call.changes)
    if (change !== NULL) {
      this.#lists.remove(call.changes, change)
      return this.#waitForReader(thread, call, change)
    }
    for (const store of this.#lists.of(call.stores)) {
      const missed = this.#store(call, store)
      if (missed !== undefined) return this.#waitForPage(thread, call, missed)
    }
    const { child, result } = call
    call.end()
    if (child !== NULL) this.env.threads.at(child).start()
    return result!
  }

  /** Stores what it can; the page that it is stopped by. */
  #store(call: UserfaultCall, store: Ptr): MissedPage | undefined {
    this.#thread = undefined
    const isAll = this.#pendingStores.carryOut(store)
    const missed = this.env.mm.userfaults.takeMissed()
    if (!isAll && missed !== undefined) return missed
    if (!isAll) call.result = -EFAULT
    this.#lists.remove(call.stores, store)
    this.#pendingStores.drop(store)
    return undefined
  }

  #waitForReader(thread: Thread, call: UserfaultCall, change: Ptr): number {
    this.tell(thread.ptr, change)
    return this.#park(thread, call, this.messages.context(change))
  }

  #waitForPage(thread: Thread, call: UserfaultCall, missed: MissedPage): number {
    const isOpen = this.env.mm.userfaults.isOpen(missed.context)
    if (isOpen) this.enqueue(thread, missed, missed.address)
    const result = this.#park(thread, call, missed.context)
    if (!isOpen) thread.wake()
    return result
  }

  /** No signal but a fatal one ends the wait. What the handler knows of its own waits is kept. */
  #park(thread: Thread, call: UserfaultCall, context: Ptr): number {
    call.park(thread.isResumed, thread.wakeTime)
    const result = thread.parkKillable(WaitKind.userfault, context)
    if (result === PARKED) return PARKED
    this.leave(thread)
    return this.#giveUp(call)
  }

  /** The child of a fork runs when its parent's call is through. False: nobody wants to read of the fork. */
  holdChild(thread: Thread, child: Thread): boolean {
    const { changes } = this.env.mm.userfaults
    if (!changes.some((change) => this.messages.kind(change) === 'fork')) return false
    const call = this.callOf(thread.ptr)
    call.begin()
    call.child = child.ptr
    return true
  }

  #waitForRemoval(thread: Thread, call: UserfaultCall, message: Ptr): number {
    call.result = undefined
    return this.#waitForReader(thread, call, message)
  }

  /** Parts of a range come one after the other, and again from the first one when the call is made again. */
  #askRemoval(context: Ptr, start: Vpn, end: Vpn): Removal {
    const { userfaults } = this.env.mm
    if (this.#thread === undefined || !userfaults.isOpen(context)) return 'told'
    if (!userfaults.has(context, UserfaultFeature.eventRemove)) return 'told'
    const call = this.callOf(this.#thread.ptr)
    if (start < call.removal) return 'done'
    if (start === call.removal) return 'told'
    call.begin()
    call.removal = start
    this.#removing = ownMessage(this.#thread.ptr)
    this.messages.write(this.#removing, { kind: 'remove', context, start, end })
    userfaults.beginChange(context)
    return 'wait'
  }

  #postpone(space: Ptr, address: number, bytes: Uint8Array): boolean {
    if (this.#thread === undefined) return false
    const store = this.#pendingStores.keep(space, address, bytes)
    if (store === NULL) return false
    this.#stores.push(store)
    return true
  }

  /** Asserts that what waits in the queues and in calls is all there is; between calls. */
  check(): void {
    let changes = this.checkQueues() + this.env.mm.userfaults.changes.length
    let calls = 0
    for (const { ptr } of this.env.threads) {
      const call = this.callOf(ptr)
      if (!call.isThere) continue
      calls++
      changes += [...this.#lists.of(call.changes)].length
    }
    assert(callsWaiting(this.env.mm.memory) === calls, 'the calls that wait are counted')
    assert(this.env.mm.userfaults.messageCount === changes, 'every change is to be read of')
  }
}

/**
 * Threads that wait for the readers of userfaultfd(2): for a page that an instruction or a call of theirs needs, or until a change of
 * their memory has been read of. fs/ipc/userfault-file.ts is the other side.
 *
 * A call that reads a missing page is made again from its start when the page has come, as any parked call is. What a call writes to a
 * missing page is kept and stored then, for the call may have done what cannot be done twice: its result waits meanwhile. So it does
 * for changes of the space that somebody wants to read of.
 */
import { EFAULT } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { copyToUserPartial } from '../fault/user-copy.js'
import { AddressSpace } from '../space/address-space.js'
import { type MissedPage, type Removal, type SpaceChange, UserfaultFeature } from '../space/userfaults.js'
import type { Thread } from './thread.js'
import type { UserfaultQueue } from './userfault-queue.js'
import { type UserfaultEnv, UserfaultWaiters } from './userfault-waiters.js'
import { ERESTARTSYS, PARKED, REGISTERS_SET, WaitKind } from './wait.js'

/** Bytes that a call has for the program, and could not store yet. */
interface Store {
  readonly space: Ptr
  readonly address: number
  readonly bytes: Uint8Array
}

/** A call in the middle of which a thread waits. */
interface CallWait {
  /** What it returns in the end; undefined: it is made again. */
  result: number | undefined
  changes: SpaceChange[]
  stores: Store[]
  /** The child that starts when the call is through. */
  child: Thread | undefined
  /** First page of the removal that is told, or has been, and that is to be done next; -1 = none. */
  removal: number
  /** The thread waits for the reader, parked in a way that its handler does not know of. */
  isParked: boolean
  wasResumed: boolean
  deadline: number
}

const newWait = (): CallWait => ({
  result: undefined,
  changes: [],
  stores: [],
  child: undefined,
  removal: -1,
  isParked: false,
  wasResumed: false,
  deadline: Number.POSITIVE_INFINITY,
})

export class UserfaultWaits extends UserfaultWaiters {
  readonly #calls = new Map<Ptr, CallWait>()
  /** What the call that is running does. */
  #stores: Store[] = []
  #removing: SpaceChange | undefined
  #thread: Thread | undefined

  constructor(env: UserfaultEnv) {
    super(env)
    const { userfaults } = env.mm
    userfaults.removal = (context, start, end) => this.#askRemoval(context, start, end)
    userfaults.postpone = (space, address, bytes) => this.#postpone(space, address, bytes)
  }

  /** Whether there is any file of userfaultfd(2), or a call that still waits for one. */
  get isUsed(): boolean {
    return this.queues.size > 0 || this.#calls.size > 0
  }

  override close(queue: UserfaultQueue): void {
    const { context } = queue
    for (const call of this.#calls.values()) {
      for (const change of call.changes) if (change.context === context) this.drop(change)
      call.changes = call.changes.filter((change) => change.context !== context)
    }
    super.close(queue)
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
    const call = this.#calls.get(thread.ptr)
    if (call === undefined) return
    this.#calls.delete(thread.ptr)
    for (const change of call.changes) this.drop(change)
    if (call.child !== undefined) this.env.forking.abandon(call.child)
  }

  /**
   * Before a call is made. A result, or PARKED: it has been made already, and what is left of it is done or waited for. Undefined: it
   * is to be made, for the first time or again.
   */
  begin(thread: Thread): number | undefined {
    this.#thread = thread
    this.#stores = []
    this.#removing = undefined
    this.env.mm.userfaults.missed = undefined
    const call = this.#calls.get(thread.ptr)
    if (call === undefined || !call.isParked) return undefined
    const goesOnWaiting = this.waiters.has(thread.ptr) && !thread.isKilled
    if (goesOnWaiting) return thread.parkKillable(WaitKind.userfault, thread.waitArgument)
    this.leave(thread)
    if (thread.isKilled) return this.#giveUp(thread, call)
    call.isParked = false
    thread.resumeFrom(call.wasResumed, call.deadline)
    return call.result === undefined ? undefined : this.#goOn(thread, call)
  }

  /** The process is about to end. */
  #giveUp(thread: Thread, call: CallWait): number {
    for (const change of call.changes) this.drop(change)
    if (call.child !== undefined) this.env.forking.abandon(call.child)
    this.#calls.delete(thread.ptr)
    return -ERESTARTSYS
  }

  /** After the handler: its result, or PARKED while something is to be waited for. */
  end(thread: Thread, result: number): number {
    const { userfaults } = this.env.mm
    const missed = userfaults.takeMissed()
    const stores = this.#stores
    const removing = this.#removing
    this.#thread = undefined
    if (this.#isThrough(thread) && missed === undefined) return result
    const changes = userfaults.changes.splice(0)
    const call = this.#calls.get(thread.ptr) ?? newWait()
    if (removing !== undefined) return this.#waitForRemoval(thread, call, removing)
    if (result < 0 && result > -ERESTARTSYS && missed !== undefined) {
      for (const change of changes) this.drop(change)
      return this.#waitForPage(thread, call, missed)
    }
    if (result === PARKED) return this.#tellOnly(changes)
    call.changes = result < 0 ? this.#withoutForks(changes) : changes
    call.stores = stores
    call.result = result
    return this.#goOn(thread, call)
  }

  /** The usual case: nobody has anything to do with the call. */
  #isThrough(thread: Thread): boolean {
    const { changes } = this.env.mm.userfaults
    return (
      changes.length === 0 &&
      this.#stores.length === 0 &&
      this.#removing === undefined &&
      !this.#calls.has(thread.ptr)
    )
  }

  /** Around the delivery of signals: a handler's frame may have to wait for its page. */
  beginDelivery(thread: Thread): void {
    this.#thread = thread
    this.#stores = []
  }

  endDelivery(thread: Thread): void {
    this.#thread = undefined
    this.env.mm.userfaults.missed = undefined
    if (this.#stores.length === 0) return
    const call = { ...newWait(), result: REGISTERS_SET, stores: this.#stores }
    this.#stores = []
    this.#goOn(thread, call)
  }

  /** Nobody waits until these are read. */
  #tellOnly(changes: readonly SpaceChange[]): number {
    for (const change of changes) this.tell(NULL, change)
    return PARKED
  }

  /** A fork that has failed after all. */
  #withoutForks(changes: readonly SpaceChange[]): SpaceChange[] {
    for (const change of changes) if (change.kind === 'fork') this.drop(change)
    return changes.filter(({ kind }) => kind !== 'fork')
  }

  /** The call's changes are told one after the other, then what it has for the program is stored. */
  #goOn(thread: Thread, call: CallWait): number {
    for (let change = call.changes.shift(); change !== undefined; change = call.changes.shift()) {
      if (!this.queues.has(change.context)) continue
      return this.#waitForReader(thread, call, change)
    }
    for (let store = call.stores[0]; store !== undefined; store = call.stores[0]) {
      const missed = this.#store(call, store)
      if (missed !== undefined) return this.#waitForPage(thread, call, missed)
    }
    this.#calls.delete(thread.ptr)
    call.child?.start()
    return call.result!
  }

  /** Stores what it can of the first of the stores; the page that it is stopped by. */
  #store(call: CallWait, { space, address, bytes }: Store): MissedPage | undefined {
    const { mm } = this.env
    this.#thread = undefined
    const done = copyToUserPartial(mm, new AddressSpace(mm.memory, space), address, bytes)
    const missed = mm.userfaults.takeMissed()
    call.stores.shift()
    if (done === bytes.length) return undefined
    if (missed !== undefined)
      call.stores.unshift({ space, address: address + done, bytes: bytes.subarray(done) })
    else call.result = -EFAULT
    return missed
  }

  #waitForReader(thread: Thread, call: CallWait, change: SpaceChange): number {
    this.waiters.set(thread.ptr, this.tell(thread.ptr, change))
    return this.#park(thread, call, change.context)
  }

  #waitForPage(thread: Thread, call: CallWait, missed: MissedPage): number {
    const isOpen = this.queues.has(missed.context)
    if (isOpen) this.enqueue(thread, missed, missed.address)
    const result = this.#park(thread, call, missed.context)
    if (!isOpen) thread.wake()
    return result
  }

  /** No signal but a fatal one ends the wait. What the handler knows of its own waits is kept. */
  #park(thread: Thread, call: CallWait, context: Ptr): number {
    call.wasResumed = thread.isResumed
    call.deadline = thread.wakeTime
    call.isParked = true
    this.#calls.set(thread.ptr, call)
    const result = thread.parkKillable(WaitKind.userfault, context)
    if (result === PARKED) return PARKED
    this.leave(thread)
    return this.#giveUp(thread, call)
  }

  /** The child of a fork runs when its parent's call is through. False: nobody wants to read of the fork. */
  holdChild(thread: Thread, child: Thread): boolean {
    if (!this.env.mm.userfaults.changes.some(({ kind }) => kind === 'fork')) return false
    const call = newWait()
    call.child = child
    this.#calls.set(thread.ptr, call)
    return true
  }

  #waitForRemoval(thread: Thread, call: CallWait, change: SpaceChange): number {
    call.result = undefined
    return this.#waitForReader(thread, call, change)
  }

  /** Parts of a range come one after the other, and again from the first one when the call is made again. */
  #askRemoval(context: Ptr, start: Vpn, end: Vpn): Removal {
    if (this.#thread === undefined || !this.queues.has(context)) return 'told'
    if (!this.env.mm.userfaults.has(context, UserfaultFeature.eventRemove)) return 'told'
    const call = this.#calls.get(this.#thread.ptr) ?? newWait()
    if (start < call.removal) return 'done'
    if (start === call.removal) return 'told'
    call.removal = start
    this.#calls.set(this.#thread.ptr, call)
    this.env.mm.userfaults.announce({ kind: 'remove', context, start, end })
    this.#removing = this.env.mm.userfaults.changes.pop()
    return 'wait'
  }

  #postpone(space: Ptr, address: number, bytes: Uint8Array): boolean {
    if (this.#thread === undefined) return false
    this.#stores.push({ space, address, bytes: bytes.slice() })
    return true
  }
}

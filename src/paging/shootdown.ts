/**
 * Makes TLBs forget, on every hart that runs an address space (TLB shootdown; flush_tlb_range of Linux). On a plain memory all harts
 * take turns on one thread, and each edits the others' TLBs. On a shared memory a hart edits only its own and asks the others:
 *
 *     sender                                         receiver (running)
 *     the entries are changed
 *     generation + 1
 *     own TLB forgets
 *     who runs the space, and does not park?
 *     request written, remaining = how many
 *     pending |= own bit, at each            →       serve: takes all bits, its TLB forgets,
 *     waits until remaining is 0; meanwhile          remaining - 1
 *     it serves its own mailbox              ←
 *     frames and tables are given back
 *
 * A parked hart is not asked. When it goes on it compares generations, and forgets everything when it has missed something. So it is
 * with a space that a hart has left and still knows pages of, by the generations of that space's bank (tlb-layout.ts).
 * Either the sender sees that it runs, or it sees the new generation: both change one word before they read the other's.
 * Serving takes no lock, so that whoever spins on a lock, or on an answer, can serve.
 */
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { Forgetting } from './forgetting.js'
import { type ForgettingTlbs, forget } from './forgetting-tlbs.js'
import { HartState, Mailboxes } from './mailboxes.js'

/** Changes of an address space after which what is known from before counts as old: a quarter of those after which a generation is the same again. */
const ERA_CHANGES = 2 ** 30

export interface ShootdownEnv {
  readonly memory: Memory
  readonly atomics: AtomicWords
  readonly tlbs: ForgettingTlbs
}

/** One thread's side. `hart` is the hart that it runs; a thread that runs none has a number above them. */
export class Shootdown {
  readonly #memory: Memory
  readonly #atomics: AtomicWords
  readonly #tlbs: ForgettingTlbs
  readonly #hart: number
  readonly #mailboxes: Mailboxes | undefined
  /** A request of another hart, while it is served. */
  readonly #asked = new Forgetting()
  readonly #everything = new Forgetting()

  constructor({ memory, atomics, tlbs }: ShootdownEnv, hart: number) {
    this.#memory = memory
    this.#atomics = atomics
    this.#tlbs = tlbs
    this.#hart = hart
    this.#everything.isAll = true
    this.#mailboxes = memory.shared ? Mailboxes.attach(memory, tlbs.hartCount) : undefined
    if (this.#mailboxes && this.#hasTlb) atomics.serve = () => this.serve()
  }

  /** Whether other threads may walk the tables meanwhile. */
  get hasOthers(): boolean {
    return this.#mailboxes !== undefined
  }

  get #hasTlb(): boolean {
    return this.#hart < this.#tlbs.hartCount
  }

  /** The hart uses its TLB from now on, until `leave`. Its tables were made active before. Catches up with what it has missed. */
  enter(): void {
    if (this.#mailboxes === undefined) return
    this.#atomics.store(this.#mailboxes.state(this.#hart), HartState.running)
    const root = this.#tlbs.activeRoot(this.#hart)
    if (root !== NO_FRAME) this.catchUp(this.#mailboxes, root)
  }

  /** The hart uses no translation until it enters again: nobody waits for it. */
  leave(): void {
    if (this.#mailboxes === undefined) return
    this.#atomics.store(this.#mailboxes.state(this.#hart), HartState.parked)
    this.serve()
  }

  protected catchUp(mailboxes: Mailboxes, root: Pfn): void {
    const { i32 } = this.#memory
    const [seen, seenKernel] = [this.#tlbs.seen(this.#hart, false), this.#tlbs.seen(this.#hart, true)]
    const generation = this.#atomics.load(mailboxes.generation(root))
    const kernel = this.#atomics.load(mailboxes.generation(this.#kernelRoot))
    const era = this.#atomics.load(mailboxes.era())
    const seenEra = this.#tlbs.era(this.#hart) >>> 2
    if (i32[seen >>> 2] === generation && i32[seenKernel >>> 2] === kernel && i32[seenEra] === era) return
    this.#tlbs.flushAll(this.#hart)
    i32[seen >>> 2] = generation
    i32[seenKernel >>> 2] = kernel
    i32[seenEra] = era
  }

  /** Forgets what other harts have asked this one to. To be called often while it runs; takes no lock. */
  serve(): void {
    const mailboxes = this.#mailboxes
    if (mailboxes === undefined || !this.#hasTlb) return
    const pending = mailboxes.pending(this.#hart)
    if (this.#atomics.load(pending) === 0) return
    for (let left = this.takePending(mailboxes); left !== 0; left &= left - 1) {
      this.#answer(mailboxes, mailboxes.senderOf(left & -left))
    }
  }

  /** All requests at once: one that comes now is not lost, but the next time's. */
  protected takePending(mailboxes: Mailboxes): number {
    return this.#atomics.exchange(mailboxes.pending(this.#hart), 0)
  }

  #answer(mailboxes: Mailboxes, sender: number): void {
    const root = mailboxes.root(sender)
    const active = this.#tlbs.activeRoot(this.#hart)
    const isKernel = root === this.#kernelRoot
    if (active !== NO_FRAME && (isKernel || active === root)) {
      mailboxes.read(sender, this.#asked)
      this.#forgetHere(mailboxes, root, isKernel, mailboxes.requestGeneration(sender), this.#asked)
    }
    this.#atomics.add(mailboxes.remaining(sender), -1)
  }

  /**
   * This hart's TLB hears of the change that made the generation. When it has not heard of all earlier ones, requests have
   * overtaken each other: then it forgets everything, and knows of all changes up to now.
   */
  #forgetHere(
    mailboxes: Mailboxes,
    root: Pfn,
    isKernel: boolean,
    generation: number,
    what: Forgetting,
  ): void {
    const { i32 } = this.#memory
    const seen = this.#tlbs.seen(this.#hart, isKernel) >>> 2
    const missed = (generation - i32[seen]!) | 0
    if (missed <= 0) return
    if (missed === 1) {
      forget(this.#tlbs, this.#hart, what)
      i32[seen] = generation
    } else {
      const latest = this.#atomics.load(mailboxes.generation(root))
      this.#tlbs.flushAll(this.#hart)
      i32[seen] = latest
    }
  }

  get #kernelRoot(): Pfn {
    return this.#memory.u32[wordIndex(Word.kernelRoot)] as Pfn
  }

  /**
   * Every hart that runs the space of `root` (for the kernel's root: any space) forgets, and no hart is in the midst of a walk
   * that began before. Harts that run another space are not disturbed.
   */
  forget(root: Pfn, what: Forgetting): void {
    const harts =
      this.#mailboxes === undefined ? this.#forgetAll(root, what) : this.#ask(this.#mailboxes, root, what)
    if (harts > 0) count(this.#memory, what.isAll ? Counter.flushFull : Counter.flushPages)
  }

  /** One thread, all harts. Spaces that do not run are not worth more than that all of them is forgotten. */
  #forgetAll(root: Pfn, what: Forgetting): number {
    let harts = 0
    const inactive = root === this.#kernelRoot ? NO_FRAME : root
    for (let hart = 0; hart < this.#tlbs.hartCount; hart++) {
      this.#tlbs.giveUpInactive(hart, inactive)
      if (!this.#isUsedBy(hart, root)) continue
      forget(this.#tlbs, hart, what)
      harts++
    }
    return harts
  }

  /** The kernel's half is part of every address space. */
  #isUsedBy(hart: number, root: Pfn): boolean {
    const active = this.#tlbs.activeRoot(hart)
    if (active === NO_FRAME) return false
    return active === root || root === this.#kernelRoot
  }

  /** Nobody runs in the space of these tables any more. Who last did finds by the generation that they are gone. */
  retire(root: Pfn): void {
    if (this.#mailboxes === undefined) this.#tlbs.deactivateRoot(root)
    else if (this.#hasTlb) {
      if (this.#tlbs.activeRoot(this.#hart) === root) this.#tlbs.activate(this.#hart, NO_FRAME)
      this.#tlbs.giveUpInactive(this.#hart, root)
    }
  }

  /**
   * No other hart is in the midst of an access that began before, and each forgets all that it knows before its next one: what was written to
   * memory by now it sees when it walks. This hart's own TLB is the caller's work.
   */
  interrupt(): void {
    const mailboxes = this.#mailboxes
    if (mailboxes === undefined || this.#tlbs.hartCount === 1) return
    const root = this.#kernelRoot
    const generation = this.#change(mailboxes, root)
    if (this.#hasTlb) this.#hasHeard(generation)
    this.#askOthers(mailboxes, root, generation, this.#everything)
  }

  /** This hart has forgotten what the change is about; but not what it may have missed before. */
  #hasHeard(generation: number): void {
    const { i32 } = this.#memory
    const seen = this.#tlbs.seen(this.#hart, true) >>> 2
    if (((generation - i32[seen]!) | 0) === 1) i32[seen] = generation
  }

  /** The generation of a change that is made. */
  #change(mailboxes: Mailboxes, root: Pfn): number {
    const generation = (this.#atomics.add(mailboxes.generation(root), 1) + 1) | 0
    if ((generation & (ERA_CHANGES - 1)) === 0) this.#atomics.add(mailboxes.era(), 1)
    return generation
  }

  #ask(mailboxes: Mailboxes, root: Pfn, what: Forgetting): number {
    const generation = this.#change(mailboxes, root)
    let harts = 0
    if (this.#hasTlb && this.#isUsedBy(this.#hart, root)) {
      this.#forgetHere(mailboxes, root, root === this.#kernelRoot, generation, what)
      harts++
    }
    return harts + this.#askOthers(mailboxes, root, generation, what)
  }

  /** Returns how many there are. */
  #askOthers(mailboxes: Mailboxes, root: Pfn, generation: number, what: Forgetting): number {
    const others = this.#running(mailboxes, root)
    if (others === 0) return 0
    if (!this.#hasTlb) this.#atomics.lock(mailboxes.lock(this.#hart), LockRank.shootdown)
    const harts = this.#post(mailboxes, root, generation, what, others)
    this.awaitAnswers(mailboxes, others)
    if (!this.#hasTlb) this.#atomics.unlock(mailboxes.lock(this.#hart), LockRank.shootdown)
    return harts
  }

  /** The other harts that may use a translation of the space now, a bit for each. */
  #running(mailboxes: Mailboxes, root: Pfn): number {
    let harts = 0
    for (let hart = 0; hart < this.#tlbs.hartCount; hart++) {
      if (hart === this.#hart || this.#atomics.load(mailboxes.state(hart)) === HartState.parked) continue
      if (this.#isUsedBy(hart, root)) harts |= 1 << hart
    }
    return harts
  }

  #post(mailboxes: Mailboxes, root: Pfn, generation: number, what: Forgetting, harts: number): number {
    let number = 0
    for (let left = harts; left !== 0; left &= left - 1) number++
    mailboxes.write(this.#hart, root, generation, what)
    this.#atomics.store(mailboxes.remaining(this.#hart), number)
    const bit = mailboxes.bit(this.#hart)
    for (let left = harts; left !== 0; left &= left - 1) {
      this.#atomics.or(mailboxes.pending(31 - Math.clz32(left & -left)), bit)
    }
    return number
  }

  /** Meanwhile this hart answers the others, who may wait for it too. */
  protected awaitAnswers(mailboxes: Mailboxes, harts: number): void {
    const remaining = mailboxes.remaining(this.#hart)
    while (this.#atomics.load(remaining) !== 0) {
      this.#withdraw(mailboxes, harts)
      this.#atomics.spin(remaining)
    }
  }

  /** A hart that has parked meanwhile may not look into its mailbox for long. What it has not taken it will not need. */
  #withdraw(mailboxes: Mailboxes, harts: number): void {
    const bit = mailboxes.bit(this.#hart)
    for (let left = harts; left !== 0; left &= left - 1) {
      const hart = 31 - Math.clz32(left & -left)
      if (this.#atomics.load(mailboxes.state(hart)) !== HartState.parked) continue
      const pending = this.#atomics.and(mailboxes.pending(hart), ~bit)
      if ((pending & bit) !== 0) this.#atomics.add(mailboxes.remaining(this.#hart), -1)
    }
  }

  /**
   * Whether what a hart's TLB knows under an identifier has heard of all changes: that of a parked hart, or of a space that it does not
   * run, may not have, and does not matter until it goes on.
   */
  isCurrent(hart: number, asid = this.#tlbs.activeAsid(hart)): boolean {
    const mailboxes = this.#mailboxes
    const root = this.#tlbs.rootOf(hart, asid)
    if (mailboxes === undefined || root === NO_FRAME) return true
    const { i32 } = this.#memory
    const knows = (isKernel: boolean, tables: Pfn) =>
      i32[this.#tlbs.seen(hart, isKernel, asid) >>> 2] === i32[mailboxes.generation(tables) >>> 2]
    const era = i32[this.#tlbs.era(hart, asid) >>> 2]
    return era === i32[mailboxes.era() >>> 2] && knows(false, root) && knows(true, this.#kernelRoot)
  }
}

/**
 * How harts ask each other to forget translations, in Region.mailboxes (used on a shared memory only):
 *
 *     1,024 × u32           generations: of the address spaces, each at the place of its root's frame number mod 1,024
 *     64 bytes              u32  era: how often some generation has come a quarter round
 *     hart 0 | hart 1 | …   a hart's words and the request that it makes; the last for threads that run no hart
 *
 *     hart      +0   u32  state        HartState: whether it may use its TLB now
 *     6.25 KiB  +4   u32  pending      a bit for each hart whose request waits to be served
 *               +16  u32  lock         of the request: threads without a hart share one
 *               +64  u32  remaining    request: harts that have not answered yet
 *               +68  u32  root         the tables that were changed, and their generation since
 *               +72  u32  generation
 *               +76  u32  all          1: forget everything
 *               +80  u32  runs         how many
 *               +96  512 × f64         their first pages
 *               …    512 × u32         and how many pages each has
 *
 * A generation grows with every change of which TLBs must hear; which one a TLB knows of stands beside its entries (tlb-layout.ts). Two spaces at one place forget too often, never too little.
 * A bank that was unused for 2^32 changes would find the generation that it knows: so it knows the era too, and what is of another era counts as old.
 */
import { assert } from '../base/assert.js'
import type { Pfn, Ptr } from '../base/numbers.js'
import { Region, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { type Forgetting, RUNS_MAX } from './forgetting.js'

const GENERATIONS = 1024
const GENERATIONS_BYTES = GENERATIONS * 4
const ERA_BYTES = 64
const HARTS = GENERATIONS_BYTES + ERA_BYTES
const MAILBOX_BYTES = 6400
const STARTS = 96
const LENGTHS = STARTS + RUNS_MAX * 8

/** The bit of threads that run no hart: harts have 0 to 30. */
const NO_HART_BIT = 31

export const HartState = {
  /** Uses no translation: nobody waits for it, and it catches up by generation when it goes on. */
  parked: 0,
  /** Uses its TLB, and serves its mailbox often. */
  running: 1,
} as const

/** The part of the BumpAllocator that is used here. */
interface BootAllocator {
  allocateBytes(bytes: number): Ptr
}

/** Places of the words. Who reads or changes them does it by atomic operations, but for a request's contents. */
export class Mailboxes {
  readonly #memory: Memory
  readonly #region: Ptr
  readonly #harts: number

  private constructor(memory: Memory, harts: number) {
    this.#memory = memory
    this.#region = regionPtr(memory, Region.mailboxes)
    this.#harts = harts
  }

  static boot(memory: Memory, bump: BootAllocator, harts: number): void {
    const bytes = HARTS + (harts + 1) * MAILBOX_BYTES
    setRegion(memory, Region.mailboxes, bump.allocateBytes(bytes), bytes)
  }

  static attach(memory: Memory, harts: number): Mailboxes {
    return new Mailboxes(memory, harts)
  }

  generation(root: Pfn): Ptr {
    return (this.#region + (root % GENERATIONS) * 4) as Ptr
  }

  era(): Ptr {
    return (this.#region + GENERATIONS_BYTES) as Ptr
  }

  /** The bit of a thread's requests in the harts' words `pending`; threads without a hart share one. */
  bit(hart: number): number {
    return 1 << (hart < this.#harts ? hart : NO_HART_BIT)
  }

  /** Whose requests the bit is for, as a number for the places below. */
  senderOf(bit: number): number {
    const hart = 31 - Math.clz32(bit)
    return hart === NO_HART_BIT ? this.#harts : hart
  }

  state(hart: number): Ptr {
    return this.#at(hart, 0)
  }

  pending(hart: number): Ptr {
    return this.#at(hart, 4)
  }

  lock(hart: number): Ptr {
    return this.#at(hart, 16)
  }

  remaining(hart: number): Ptr {
    return this.#at(hart, 64)
  }

  /** Writes what a request asks for. */
  write(hart: number, root: Pfn, generation: number, what: Forgetting): void {
    const { u32, f64 } = this.#memory
    const request = this.#at(hart, 68) >>> 2
    u32[request] = root
    u32[request + 1] = generation
    u32[request + 2] = what.isAll ? 1 : 0
    if (what.isAll) return
    u32[request + 3] = what.runCount
    const [starts, lengths] = [this.#at(hart, STARTS) >>> 3, this.#at(hart, LENGTHS) >>> 2]
    for (let i = 0; i < what.runCount; i++) {
      f64[starts + i] = what.starts[i]!
      u32[lengths + i] = what.lengths[i]!
    }
  }

  root(hart: number): Pfn {
    return this.#memory.u32[this.#at(hart, 68) >>> 2] as Pfn
  }

  requestGeneration(hart: number): number {
    return this.#memory.i32[this.#at(hart, 72) >>> 2]!
  }

  /** What a request asks for, into `what`. */
  read(hart: number, what: Forgetting): void {
    const { u32, f64 } = this.#memory
    const request = this.#at(hart, 68) >>> 2
    what.clear()
    what.isAll = u32[request + 2] === 1
    if (what.isAll) return
    const [starts, lengths] = [this.#at(hart, STARTS) >>> 3, this.#at(hart, LENGTHS) >>> 2]
    for (let i = 0; i < u32[request + 3]!; i++) what.addPages(f64[starts + i]!, u32[lengths + i]!)
  }

  #at(hart: number, offset: number): Ptr {
    const index = hart < this.#harts ? hart : this.#harts
    assert(index >= 0, 'a hart has a number')
    return (this.#region + HARTS + index * MAILBOX_BYTES + offset) as Ptr
  }
}

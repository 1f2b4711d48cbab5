/**
 * Harts that allocate and free at once, while each load and store of what a lock guards is a step of the controlled scheduler: so
 * a lock that is left out is found. Whoever gets a frame or an object counts itself in it: nobody else may be there.
 */
import { assert } from '../../base/assert.js'
import { frameToPtr, NO_FRAME, NULL, type Pfn, type Ptr } from '../../base/numbers.js'
import { BuddyAllocator } from '../../frame/buddy-allocator.js'
import { FrameTable } from '../../frame/frame-table.js'
import { type AtomicsOptions, AtomicWords, LockRank } from '../../state/atomics.js'
import { Region, regionBytes, regionPtr, wordIndex } from '../../state/layout.js'
import { Memory } from '../../state/memory.js'
import type { Scenario, ThreadBody } from '../../state/testing/scenario.js'
import { watchedMemory } from '../../state/testing/watched-memory.js'
import { SlabAllocator } from '../slab-allocator.js'
import type { SlabCache } from '../slab-cache.js'
import { bootSlab } from '../testing.js'

/** An unused word of the header: free frames at first. */
const FREE = wordIndex(250 as never)
const OBJECT_BYTES = 1024

type Rank = (typeof LockRank)[keyof typeof LockRank]

/** Does not take the locks of one rank: what they guard is open to all. */
class WithoutLocks extends AtomicWords {
  readonly #rank: Rank

  constructor(memory: Memory, options: AtomicsOptions, rank: Rank) {
    super(memory, options)
    this.#rank = rank
  }

  override lock(ptr: Ptr, rank: Rank): void {
    if (rank !== this.#rank) super.lock(ptr, rank)
  }

  override unlock(ptr: Ptr, rank: Rank): void {
    if (rank !== this.#rank) super.unlock(ptr, rank)
  }
}

interface Setting {
  /** Leaves so many frames, in the cache of hart 1. */
  readonly frames?: number
  /** A lock that is not taken; what it guards is watched then. */
  readonly missing?: Rank
  /** The locks of this rank guard what is loaded and stored step by step. */
  readonly watches?: Rank
}

/** One hart's view of the allocators. */
class Player {
  readonly words: AtomicWords
  readonly buddy: BuddyAllocator
  readonly slab: SlabAllocator
  readonly cache: SlabCache

  constructor(memory: Memory, hart: number, onStep?: AtomicsOptions['onStep'], setting: Setting = {}) {
    const options = { owner: hart + 1, ...(onStep && { onStep }) }
    const watches = setting.watches ?? setting.missing
    const isWatched = onStep !== undefined && watches !== undefined
    const view = isWatched ? watchedMemory(memory, onStep, guardedBy(memory, watches)) : memory
    const { missing } = setting
    this.words =
      missing === undefined ? new AtomicWords(memory, options) : new WithoutLocks(memory, options, missing)
    const frames = FrameTable.attach(view)
    this.buddy = BuddyAllocator.attach(view, this.words, frames, { hart })
    this.slab = SlabAllocator.attach(view, this.words, frames, this.buddy, { hart })
    this.cache = this.slab.createCache('explored', OBJECT_BYTES)
  }

  /** Allocates a frame; asserts that it is nobody's. */
  take(): Pfn {
    const pfn = this.buddy.allocate(0)
    if (pfn !== NO_FRAME) this.#enter(frameToPtr(pfn))
    return pfn
  }

  give(pfn: Pfn): void {
    if (pfn === NO_FRAME) return
    this.#leave(frameToPtr(pfn))
    this.buddy.free(pfn, 0)
  }

  takeObject(): Ptr {
    const object = this.cache.allocate()
    if (object !== NULL) this.#enter((object + 64) as Ptr)
    return object
  }

  giveObject(object: Ptr): void {
    if (object === NULL) return
    this.#leave((object + 64) as Ptr)
    this.cache.free(object)
  }

  #enter(ptr: Ptr): void {
    assert(this.words.add(ptr, 1) === 0, 'two have the same memory')
  }

  #leave(ptr: Ptr): void {
    assert(this.words.add(ptr, -1) === 1, 'two have the same memory')
  }
}

/** What the locks of a rank guard. */
function guardedBy(memory: Memory, rank: Rank): (ptr: number) => boolean {
  const region =
    rank === LockRank.frameCache
      ? Region.frameCaches
      : rank === LockRank.frames
        ? Region.zones
        : Region.slabCaches
  const [start, bytes] = [regionPtr(memory, region), regionBytes(memory, region)]
  return (ptr) => ptr >= start && ptr < start + bytes
}

type Play = (player: Player) => void

function scenario(name: string, plays: readonly Play[], setting: Setting = {}): Scenario {
  const threads = plays.map(
    (play, hart): ThreadBody =>
      (memory, onStep) =>
        play(new Player(memory, hart, onStep, setting)),
  )
  return { name, setUp: () => boot(setting.frames), threads, check }
}

/** Marks are words of the frames, which are all zero to begin with. */
function boot(left: number | undefined): Memory {
  const machine = bootSlab({ shared: true })
  const memory = Memory.attach(machine.memory.raw)
  const [zero, one] = [new Player(memory, 0), new Player(memory, 1)]
  if (left !== undefined) leave(zero, one, left)
  memory.u32[FREE] = zero.buddy.freeFrames()
  return memory
}

function leave(zero: Player, one: Player, frames: number): void {
  const taken: Pfn[] = []
  for (let pfn = zero.buddy.allocate(0); pfn !== NO_FRAME; pfn = zero.buddy.allocate(0)) taken.push(pfn)
  for (const pfn of taken.slice(0, frames)) one.buddy.free(pfn, 0)
}

/** Everything is given back, once. Empty slabs may be kept. */
function check(memory: Memory): void {
  const { buddy, slab, cache } = new Player(memory, 0)
  buddy.check()
  slab.check()
  assert(cache.used === 0, 'every object was given back')
  const kept = memory.u32[FREE]! - buddy.freeFrames()
  assert(kept >= 0 && kept <= 2, 'every frame was given back')
}

const frames: Play = (hart) => {
  const first = hart.take()
  const second = hart.take()
  hart.give(first)
  hart.give(second)
}

const oneFrame: Play = (hart) => hart.give(hart.take())

const objects: Play = (hart) => {
  const first = hart.takeObject()
  const second = hart.takeObject()
  hart.giveObject(first)
  hart.giveObject(second)
}

/** With all locks. */
export const WATCHED: readonly Scenario[] = [
  scenario('a hart takes what the other one keeps, each word of the caches a step', [oneFrame, oneFrame], {
    frames: 2,
    watches: LockRank.frameCache,
  }),
  scenario('the last frame, each word of the zones a step', [oneFrame, oneFrame], {
    frames: 1,
    watches: LockRank.frames,
  }),
]

export const SEEDED_BUGS: readonly Scenario[] = [
  scenario('a cache of frames without its lock', [oneFrame, oneFrame], {
    frames: 2,
    missing: LockRank.frameCache,
  }),
  scenario('the free lists without their lock', [frames, frames], { missing: LockRank.frames }),
  scenario('slabs without their lock', [objects, objects], { missing: LockRank.slab }),
]

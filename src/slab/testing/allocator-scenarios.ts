/**
 * Small scenarios of harts that allocate and free at once, for the controlled scheduler. There is hardly any memory, so that
 * caches are filled, emptied and looked through all the time. Whoever has a frame or an object writes that into it.
 */
import { assert } from '../../base/assert.js'
import { frameToPtr, NO_FRAME, NULL, type Pfn, type Ptr } from '../../base/numbers.js'
import { BuddyAllocator } from '../../frame/buddy-allocator.js'
import { FrameTable } from '../../frame/frame-table.js'
import { bootFrames } from '../../frame/testing.js'
import { type AtomicsOptions, AtomicWords } from '../../state/atomics.js'
import { wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { Scenario } from '../../state/testing/scenario.js'
import type { CacheId } from '../cache-table.js'
import { SlabAllocator } from '../slab-allocator.js'

const CACHE = 0 as CacheId
const OBJECT_BYTES = 2048
/** A free object's first word is a link; this one is nobody's. */
const OWNER_OFFSET = 4
/** Unused words of the header: two frames side by side, and how many frames are free at the start. */
const FIRST = wordIndex(250 as never)
const FREE = wordIndex(251 as never)

class Player {
  readonly memory: Memory
  readonly atomics: AtomicWords
  readonly buddy: BuddyAllocator
  readonly slab: SlabAllocator
  readonly hart: number

  constructor(memory: Memory, hart: number, onStep?: AtomicsOptions['onStep']) {
    const frames = FrameTable.attach(memory)
    this.memory = memory
    this.hart = hart
    this.atomics = new AtomicWords(memory, { owner: hart + 1, ...(onStep === undefined ? {} : { onStep }) })
    this.buddy = BuddyAllocator.attach(memory, this.atomics, frames, { hart })
    this.slab = SlabAllocator.attach(memory, this.atomics, frames, this.buddy, { hart })
  }

  get first(): Pfn {
    return this.memory.u32[FIRST]! as Pfn
  }

  /** Says whose the memory at a place is, and gives it up again; asserts that nobody else has it meanwhile. */
  own(ptr: Ptr): void {
    assert(this.atomics.exchange(ptr, this.hart + 1) === 0, 'memory was given out twice')
    assert(this.atomics.exchange(ptr, 0) === this.hart + 1, 'memory was given out while it was in use')
  }

  /** Takes a frame and gives it back; whether there was one. */
  frame(order = 0): boolean {
    const pfn = this.buddy.allocate(order)
    if (pfn === NO_FRAME) return false
    for (let i = 0; i < 2 ** order; i++) this.own(frameToPtr((pfn + i) as Pfn))
    this.buddy.free(pfn, order)
    return true
  }

  object(): boolean {
    const cache = this.slab.cache(CACHE)
    const object = cache.allocate()
    if (object === NULL) return false
    this.own((object + OWNER_OFFSET) as Ptr)
    cache.free(object)
    return true
  }
}

type Play = (player: Player) => void
/** What the memory is like when the harts begin: all frames but a few are taken. */
type SetUp = (player: Player) => void

function scenario(name: string, setUp: SetUp, plays: readonly Play[]): Scenario {
  return {
    name,
    setUp: () => boot(plays.length, setUp),
    threads: plays.map((play, hart) => (memory, onStep) => play(new Player(memory, hart, onStep))),
    check,
  }
}

function boot(harts: number, setUp: SetUp): Memory {
  const { memory, atomics, bump, frames, buddy } = bootFrames({ shared: true, harts })
  const slab = SlabAllocator.boot(memory, atomics, bump, frames, buddy, { harts })
  assert(slab.createCache('thing', OBJECT_BYTES).id === CACHE, 'the cache is the first')
  const player = new Player(memory, 0)
  const all: Pfn[] = []
  for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) all.push(pfn)
  memory.u32[FIRST] = all.find((pfn) => pfn % 16 === 0 && all.includes((pfn + 15) as Pfn))!
  setUp(player)
  memory.u32[FREE] = player.buddy.freeFrames()
  return memory
}

/** All frames are free again that were, or were to be, and every structure is sound. */
function check(memory: Memory): void {
  const player = new Player(memory, 0)
  player.buddy.check()
  player.slab.check()
  player.slab.shrink()
  assert(player.buddy.freeFrames() === memory.u32[FREE], 'no frame is lost')
  player.buddy.drainCaches()
  player.buddy.check()
}

/** So many frames are free, from the first on: in the zone, or in a hart's cache. */
const leave =
  (frames: number, inCache = false): SetUp =>
  ({ buddy, first }) => {
    for (let i = 0; i < frames; i++) buddy.free((first + i) as Pfn, 0)
    if (!inCache) buddy.drainCaches()
  }

const takesOne: Play = (hart) => {
  hart.frame()
}
const takesObject: Play = (hart) => {
  hart.object()
}

/** Each frees one of two buddies, then wants both as a block: whoever comes last gets it, or the other one has it. */
const freesAndWantsBlock =
  (which: number): Play =>
  (hart) => {
    hart.buddy.free((hart.first + which) as Pfn, 0)
    hart.frame(1)
  }

const LAST_FRAME = scenario('two harts want the last frame', leave(1), [takesOne, takesOne])
const REFERENCES: SetUp = ({ buddy, first, memory }) => {
  buddy.retain(first)
  memory.u32[FREE] = 1
}
const RELEASES: Play = (hart) => hart.buddy.release(hart.first)

/** A frame or two come free while the scenario goes on. */
function freeing(frames: number, made: Scenario): Scenario {
  return {
    ...made,
    setUp: () => {
      const memory = made.setUp()
      memory.u32[FREE]! += frames
      return memory
    },
  }
}

export const SOUND_SCENARIOS: readonly Scenario[] = [
  LAST_FRAME,
  scenario('the last frame is in the cache of one hart', leave(1, true), [takesOne, takesOne]),
  scenario('two frames for two harts, twice', leave(2), [
    (hart) => assert(hart.frame() && hart.frame(), 'there is a frame for each hart'),
    (hart) => assert(hart.frame() && hart.frame(), 'there is a frame for each hart'),
  ]),
  freeing(
    2,
    scenario('two harts free two buddies, and want them as a block', () => {}, [
      freesAndWantsBlock(0),
      freesAndWantsBlock(1),
    ]),
  ),
  freeing(1, scenario('two harts have a reference each', REFERENCES, [RELEASES, RELEASES])),
  scenario('one drains all caches while the other allocates', leave(2, true), [
    takesOne,
    (hart) => {
      hart.buddy.drainCaches()
    },
  ]),
  scenario('two harts want an object, and there is room for one slab', leave(2), [takesObject, takesObject]),
  scenario('one takes the slabs back while the other wants an object', leave(2), [
    takesObject,
    (hart) => {
      hart.object()
      hart.slab.shrink()
    },
  ]),
]

/** Those of which all interleavings can be seen in a minute. (Of the third one 200,000 runs, five minutes, are not all.) */
export const UNBOUNDED: readonly Scenario[] = SOUND_SCENARIOS.slice(0, 2)

export const THREE_HARTS = scenario('three harts want two frames', leave(2), [takesOne, takesOne, takesOne])

/** Counts in two steps. */
const countsBadly: Play = (hart) => {
  const { atomics } = hart
  const add = (ptr: Ptr, value: number) => {
    const before = atomics.load(ptr)
    atomics.store(ptr, before + value)
    return before
  }
  Object.assign(atomics, { add })
  RELEASES(hart)
}

/** Goes on to use what it gave back. */
const usesAfterFree: Play = (hart) => {
  const pfn = hart.buddy.allocate(0)
  if (pfn === NO_FRAME) return
  hart.buddy.free(pfn, 0)
  hart.own(frameToPtr(pfn))
}

/** Keeps the lock of its cache. */
const keepsLock: Play = (hart) => {
  hart.atomics.unlock = () => {}
  hart.frame()
}

export const SEEDED_BUGS: readonly { readonly scenario: Scenario; readonly shows: RegExp }[] = [
  {
    scenario: freeing(1, scenario('references counted in two steps', REFERENCES, [countsBadly, countsBadly])),
    shows: /no frame is lost|other references|free already|free frame/,
  },
  {
    scenario: scenario('a frame used after it was freed', leave(1), [usesAfterFree, takesOne]),
    shows: /given out/,
  },
  {
    scenario: scenario('a lock that is kept', leave(1), [keepsLock, takesOne]),
    shows: /waits|not ours|held/,
  },
]

export const ALL_SCENARIOS: readonly Scenario[] = [
  ...SOUND_SCENARIOS,
  THREE_HARTS,
  ...SEEDED_BUGS.map(({ scenario }) => scenario),
]

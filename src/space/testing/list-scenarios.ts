/** Small scenarios of harts that go through all spaces or objects while others make and release some, for the controlled scheduler. */
import { assert } from '../../base/assert.js'
import { NO_FRAME, NULL, type Ptr } from '../../base/numbers.js'
import { FrameFlag } from '../../frame/frame-table.js'
import { type MemoryManager, mmAttach, mmInit } from '../../mm.js'
import { wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { Scenario, SeededBug, ThreadBody } from '../../state/testing/scenario.js'
import { AddressSpace } from '../address-space.js'
import { ObjectKind } from '../object-records.js'

/** Unused words of the header: a space and an object that are there at the start, and free frames with none of them. */
const SPACE = wordIndex(249 as never)
const OBJECT = wordIndex(250 as never)
const FREE = wordIndex(251 as never)

type Play = (mm: MemoryManager) => void

function scenario(name: string, plays: readonly Play[], bug?: Play): Scenario {
  const threads = plays.map((play, hart): ThreadBody => {
    let mm: MemoryManager | undefined
    let isWatched = false
    return (memory, onStep) => {
      if (mm === undefined) {
        mm = mmAttach(memory.raw, {
          hart,
          onStep: (operation, ptr) => {
            if (isWatched) onStep(operation, ptr)
          },
        })
        bug?.(mm)
      }
      isWatched = true
      try {
        play(mm)
      } finally {
        isWatched = false
      }
    }
  })
  return { name, setUp: () => boot(plays.length), threads, check }
}

/** Two spaces and two objects: one of each stays. */
function boot(harts: number): Memory {
  const mm = mmInit({ bytes: 8 * 2 ** 20, shared: true, harts })
  const { memory, spaces, objects, buddy, slab } = mm
  spaces.create()
  objects.create(ObjectKind.tmpfs, 0)
  for (let hart = 0; hart < harts; hart++) {
    const other = mmAttach(memory.raw, { hart })
    other.buddy.free(other.buddy.allocate(0), 0)
  }
  slab.shrink()
  memory.u32[FREE] = buddy.freeFrames()
  memory.u32[SPACE] = spaces.create()
  memory.u32[OBJECT] = objects.create(ObjectKind.tmpfs, 0)
  return memory
}

/** What was to go has gone, with all that it had. */
function check(memory: Memory): void {
  const mm = mmAttach(memory.raw)
  mm.check()
  assert(mm.spaces.stats().length === 1 && mm.objects.stats().objects === 1, 'one of each is left')
  mm.slab.shrink()
  assert(mm.buddy.freeFrames() === memory.u32[FREE], 'no frame is lost')
}

const releasing: Play = ({ memory, spaces, objects }) => {
  spaces.release(memory.u32[SPACE] as Ptr)
  objects.release(memory.u32[OBJECT] as Ptr)
}

/** New ones come, in the places of those that have gone, and go. */
const replacing: Play = (mm) => {
  releasing(mm)
  const space = mm.spaces.create()
  const object = mm.objects.create(ObjectKind.anonymousShared, 0)
  assert(space !== NULL && object !== NULL, 'there is memory')
  mm.spaces.release(space)
  mm.objects.release(object)
}

/** What is visited is there from the first look to the last. */
const visiting: Play = ({ atomics, frames, memory, spaces, objects }) => {
  let seen = 0
  spaces.forEach((space) => {
    const { id, root } = space
    atomics.load(space.refCountPtr)
    const isTable = root !== NO_FRAME && (frames.flags(root) & FrameFlag.table) !== 0
    assert(space.id === id && space.root === root && isTable, 'a space that is visited has gone')
    seen |= 1
  })
  objects.forEach((object) => {
    const identity = objects.identity(object)
    atomics.load((object + 4) as Ptr)
    const isThere = objects.references(object) > 0 && objects.identity(object) === identity
    assert(isThere, 'an object that is visited has gone')
    seen |= 2
  })
  assert(seen === 3, 'what stays is visited')
  assert(memory.u32[SPACE] !== NULL, 'the scenario has a space')
}

/** Nobody has a reference to what he visits. */
const visitsUnheld: Play = ({ memory, spaces, objects }) => {
  spaces.forEach = (visit) => {
    const space = new AddressSpace(memory, memory.u32[SPACE] as Ptr)
    visit(space)
  }
  objects.forEach = (visit) => visit(memory.u32[OBJECT] as Ptr)
}

/** References are counted in two steps, so that one that has gone comes back. */
const revives: Play = ({ atomics }) => {
  atomics.addUnlessZero = (ptr) => {
    const seen = atomics.load(ptr)
    if (seen === 0) return false
    atomics.store(ptr, seen + 1)
    return true
  }
}

export const SOUND_SCENARIOS: readonly Scenario[] = [
  scenario('spaces and objects are visited while some go', [visiting, releasing]),
  scenario('spaces and objects are visited while some go and new ones come', [visiting, replacing]),
  scenario('two harts visit while some go', [visiting, visiting, releasing]),
]

export const SEEDED_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario('visitors without a reference', [visiting, releasing], visitsUnheld),
    shows: /visited has gone|no object starts/,
  },
  {
    scenario: scenario('a reference to what has gone', [visiting, releasing], revives),
    shows: /released once|has gone|linked|list|left|not ours|free/,
  },
]

export const ALL_SCENARIOS: readonly Scenario[] = [
  ...SOUND_SCENARIOS,
  ...SEEDED_BUGS.map(({ scenario: made }) => made),
]

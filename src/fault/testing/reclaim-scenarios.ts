/**
 * Small scenarios of harts that reclaim a frame while others store to it, unmap it, end its process or close its file, for the controlled
 * scheduler. After each run the whole machine is checked, and every store is looked for: in the page, or at the provider.
 */
import { assert } from '../../base/assert.js'
import { frameToPtr, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { FaultInjector } from '../../frame/fault-injector.js'
import { FrameFlag } from '../../frame/frame-table.js'
import { type MemoryManager, mmAttach, mmInit } from '../../mm.js'
import { AddressSpace } from '../../space/address-space.js'
import { ObjectKind } from '../../space/object-records.js'
import { writeBackObject } from '../../space/write-back.js'
import { LockRank } from '../../state/atomics.js'
import { wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { Scenario, SeededBug, ThreadBody } from '../../state/testing/scenario.js'
import * as mman from '../../syscall/mman.js'
import { Access } from '../access.js'
import { pageOut, pageOutLazy } from '../reclaim.js'
import { openFile, Program } from '../testing.js'
import { type Bug, withoutLock } from './fault-bugs.js'
import { FaultPlayer, FIRST, SPACE, storesOf } from './fault-player.js'
import { credulous, heldObject, heldSpace, unseenStore } from './reclaim-bugs.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const FIXED = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
const ADDRESS = FIRST * PAGE_SIZE
const PAGES = 4
const HUGE = 512
/** Unused words of the header: the frame that is reclaimed and its owner, an object, a second space; and what the provider has of each page. */
const FRAME = wordIndex(240 as never)
const OWNER = wordIndex(239 as never)
const OBJECT = wordIndex(241 as never)
const OTHER = wordIndex(242 as never)
const HOST = wordIndex(244 as never)
const PROVIDER = 1
/** How far a scenario is, where harts wait for each other. */
const MOMENT = (wordIndex(243 as never) * 4) as Ptr
const Moment = { cleaned: 1, changed: 2, written: 3 } as const
/** More frames than slabs are given back. */
const SLAB_FRAMES = 100

type Play = (hart: FaultPlayer) => void

interface Setting {
  /** Done at boot, by the process whose pages are reclaimed. */
  readonly before: (program: Program) => void
  /** Stores that must be found in page 0, or at the provider. */
  readonly stores?: number
  readonly bug?: Bug
}

function scenario(name: string, plays: readonly Play[], setting: Setting): Scenario {
  const threads = plays.map((play, hart): ThreadBody => {
    let player: FaultPlayer | undefined
    return (memory, onStep) => {
      if (player === undefined) {
        player = new FaultPlayer(memory, hart, onStep)
        provide(player.mm)
        setting.bug?.(player)
      }
      player.play(play)
    }
  })
  let mm: MemoryManager | undefined
  const check = (memory: Memory) => {
    mm ??= mmAttach(memory.raw)
    checkMachine(mm, setting.stores)
  }
  return { name, setUp: () => boot(plays.length, setting), threads, check }
}

/** Each page of the file is one word, in the header. */
function provide({ atomics, memory, objects }: MemoryManager): void {
  const place = (bytes: Uint8Array) => (bytes.byteOffset + storesOf(0 as Pfn)) as Ptr
  objects.providers.set(PROVIDER, {
    readPage: (_id, index, target) => {
      target.fill(0)
      memory.u32[place(target) >>> 2] = memory.u32[HOST + index]!
      return 0
    },
    writePage: (_id, index, source) => {
      memory.u32[HOST + index] = atomics.load(place(source))
      return 0
    },
  })
}

function boot(harts: number, { before }: Setting): Memory {
  const mm = mmInit({ bytes: 8 * 2 ** 20, shared: true, harts })
  const { memory } = mm
  provide(mm)
  memory.u32[SPACE] = mm.spaces.create()
  const program = new Program(mm, new AddressSpace(memory, memory.u32[SPACE] as Ptr), new FaultInjector())
  program.space.hugePagesDisabled = true
  before(program)
  for (let hart = 0; hart < harts; hart++) {
    const other = mmAttach(memory.raw, { hart })
    other.buddy.free(other.buddy.allocate(0), 0)
  }
  return memory
}

function checkMachine(mm: MemoryManager, stores: number | undefined): void {
  mm.check()
  const { memory, objects, frames } = mm
  const space = new AddressSpace(memory, memory.u32[SPACE] as Ptr)
  const mapper = mm.userMappers.of(space.root)
  const isThere = mapper.translate(FIRST as Vpn)
  let found = isThere ? memory.u32[storesOf(mapper.lastPfn) >>> 2] : memory.u32[HOST]
  objects.forEach((object) => {
    if (objects.kind(object) !== ObjectKind.provided) return
    objects.forEachPage(object, (index, pfn) => {
      const value = memory.u32[storesOf(pfn) >>> 2]
      const isChanged = (frames.flags(pfn) & FrameFlag.dirtyPage) !== 0
      assert(isChanged || value === memory.u32[HOST + index], 'the provider was not told of a store')
      if (index === 0) found = value
    })
  })
  assert(stores === undefined || found === stores, 'a store was lost')
}

/** Remembers the frame of a page of a program. */
function watch({ mm, space }: Program, page = 0): void {
  const mapper = mm.userMappers.of(space.root)
  assert(mapper.translate((FIRST + page) as Vpn), 'the page is there')
  mm.memory.u32[FRAME] = mapper.lastPfn
  mm.memory.u32[OWNER] = mm.frames.owner(mapper.lastPfn)
}

const mapMemory = (program: Program) => program.mmap(ADDRESS, PAGES * PAGE_SIZE, RW, FIXED)
const giveUp = (program: Program, pages = 1) =>
  program.call('madvise', ADDRESS, pages * PAGE_SIZE, mman.MADV_FREE)

/** A page that the program gave up. */
const givenUp = (program: Program) => {
  mapMemory(program)
  program.touch(ADDRESS, Access.write)
  giveUp(program)
  watch(program)
}

/** One that a child has too. */
const givenUpByTwo = (program: Program) => {
  mapMemory(program)
  program.touch(ADDRESS, Access.write)
  const child = program.fork()!
  giveUp(program)
  giveUp(child)
  watch(program)
}

const givenUpHuge = (program: Program) => {
  program.space.hugePagesDisabled = false
  program.mmap(ADDRESS, HUGE * PAGE_SIZE, RW, FIXED)
  program.touch(ADDRESS, Access.write)
  giveUp(program, HUGE)
  watch(program)
}

/** Of a huge page some pages are left, each with an entry of its own; as long as none is made a page by itself they are of one folio. */
const restOfHuge = (program: Program) => {
  program.space.hugePagesDisabled = false
  program.mmap(ADDRESS, HUGE * PAGE_SIZE, RW, FIXED)
  program.touch(ADDRESS, Access.write)
  program.call('munmap', ADDRESS + PAGES * PAGE_SIZE, (HUGE - PAGES) * PAGE_SIZE)
  watch(program)
}
const givenUpRestOfHuge = (program: Program) => {
  restOfHuge(program)
  giveUp(program, PAGES)
  program.touch(ADDRESS, Access.write)
}

/** One of a second process. */
const givenUpByOther = (program: Program) => {
  const other = program.spawn()
  program.mm.memory.u32[OTHER] = other.space.ptr
  givenUp(other)
}

/** A file's page, in the cache and mapped. */
const mapFile = (program: Program, access: Access = Access.read) => {
  const { objects, memory } = program.mm
  const object = objects.create(ObjectKind.provided, PAGES * PAGE_SIZE, PROVIDER)
  memory.u32[OBJECT] = object
  program.files.set(3, openFile(object))
  program.mmap(ADDRESS, PAGES * PAGE_SIZE, RW, mman.MAP_SHARED | mman.MAP_FIXED, 3)
  program.touch(ADDRESS, access)
  watch(program)
}
const mapChangedFile = (program: Program) => {
  mapFile(program, Access.write)
  program.touch(ADDRESS + PAGE_SIZE, Access.write)
}
/** Mapped by a second process, and nobody has it open. */
const fileOfOther = (program: Program) => {
  const other = program.spawn()
  program.mm.memory.u32[OTHER] = other.space.ptr
  mapFile(other)
  program.mm.objects.release(program.mm.memory.u32[OBJECT] as Ptr)
}
/** Open, and mapped by nobody. */
const openOnly = (program: Program) => {
  mapFile(program)
  program.call('munmap', ADDRESS, PAGES * PAGE_SIZE)
}

function waitFor({ mm: { atomics } }: FaultPlayer, moment: number): void {
  while (atomics.load(MOMENT) < moment) atomics.spin(MOMENT)
}

const frameOf = ({ mm }: FaultPlayer) => mm.memory.u32[FRAME] as Pfn
const objectOf = ({ mm }: FaultPlayer) => mm.memory.u32[OBJECT] as Ptr

const reclaiming: Play = (hart) => pageOut(hart.mm, frameOf(hart))
/** Gives up a part of a folio, which is no folio then. */
const splitting: Play = (hart) => {
  giveUp(hart.program)
}
const reclaimingFolio: Play = (hart) => pageOutLazy(hart.mm, frameOf(hart))
const storing: Play = (hart) => hart.runs(() => hart.store(0))
const unmapping: Play = (hart) => {
  hart.program.call('munmap', ADDRESS, PAGES * PAGE_SIZE)
}
const forking: Play = (hart) => {
  hart.program.fork()
}
/** The record of the family, if it goes, is another family's next. */
const mappingAnew: Play = (hart) => {
  unmapping(hart)
  mapMemory(hart.program)
  hart.touch(0, Access.write)
}
const ending: Play = (hart) => hart.mm.spaces.release(hart.mm.memory.u32[OTHER] as Ptr)
const closing: Play = (hart) => hart.mm.objects.release(objectOf(hart))
const writingBack: Play = (hart) => {
  writeBackObject(hart.mm, objectOf(hart))
}

/** A hart that writes back says when no entry may be written any more, and when it has written. Meanwhile a page is stored to: before that, and after. */
const duringWriteBack: Play[] = [
  (hart) => {
    const { atomics, objects } = hart.mm
    const { finishWriteBack } = objects
    objects.finishWriteBack = (...range) => {
      atomics.store(MOMENT, Moment.cleaned)
      waitFor(hart, Moment.changed)
      const result = finishWriteBack.apply(objects, range)
      atomics.store(MOMENT, Moment.written)
      return result
    }
    try {
      writingBack(hart)
    } finally {
      objects.finishWriteBack = finishWriteBack
    }
  },
  (hart) => {
    waitFor(hart, Moment.changed)
    writingBack(hart)
  },
  (hart) => {
    waitFor(hart, Moment.cleaned)
    storing(hart)
    hart.mm.atomics.store(MOMENT, Moment.changed)
    waitFor(hart, Moment.written)
    storing(hart)
  },
]
/** Its slabs go, and their frames hold something else. */
const endingAll: Play = (hart) => {
  const { atomics, buddy, memory, slab } = hart.mm
  ending(hart)
  slab.shrink()
  for (let i = 0; i < SLAB_FRAMES; i++) memory.fill(frameToPtr(buddy.allocate(0)), 0, PAGE_SIZE)
  // A step that says to the scheduler what was written to.
  atomics.load(memory.u32[OWNER] as Ptr)
}

export const SOUND_SCENARIOS: readonly Scenario[] = [
  scenario('a page that was given up is stored to', [reclaiming, storing], { before: givenUp, stores: 1 }),
  scenario('a page that two gave up is stored to', [reclaiming, storing], {
    before: givenUpByTwo,
    stores: 1,
  }),
  scenario('a huge page that was given up is stored to', [reclaiming, storing], {
    before: givenUpHuge,
    stores: 1,
  }),
  scenario('two harts reclaim a page that was given up', [reclaiming, reclaiming], { before: givenUp }),
  scenario('a page that was given up is unmapped', [reclaiming, unmapping], { before: givenUp }),
  scenario('a page that was given up is another one at the same place', [reclaiming, mappingAnew], {
    before: givenUp,
  }),
  scenario('a part of what is left of a huge page is given up, and all unmapped', [splitting, unmapping], {
    before: restOfHuge,
  }),
  scenario('what is left of a huge page was given up, and is unmapped', [reclaimingFolio, unmapping], {
    before: givenUpRestOfHuge,
  }),
  scenario('the space of a page that was given up is forked', [reclaiming, forking], { before: givenUp }),
  scenario('the process that gave a page up ends', [reclaiming, ending], { before: givenUpByOther }),
  scenario('a page of a file is stored to', [reclaiming, storing], { before: mapFile, stores: 1 }),
  scenario('a changed page of a file is stored to', [reclaiming, storing], {
    before: mapChangedFile,
    stores: 1,
  }),
  scenario('two harts reclaim a changed page of a file', [reclaiming, reclaiming], {
    before: mapChangedFile,
  }),
  scenario('a page of a file is reclaimed and written back', [reclaiming, writingBack], {
    before: mapChangedFile,
  }),
  scenario('a page of a file is unmapped', [reclaiming, unmapping], { before: mapChangedFile }),
  scenario('the space of a page of a file is forked', [reclaiming, forking], { before: mapFile }),
  scenario('the last process that maps a file ends', [reclaiming, ending], { before: fileOfOther }),
  scenario('a file is closed for the last time', [reclaiming, closing], { before: openOnly }),
]

/** The slabs of what is gone are looked at too: longer, so that few orders are tried. */
export const SLABS_GO: readonly Scenario[] = [
  scenario('the slab of a family goes', [reclaiming, endingAll], { before: givenUpByOther }),
  scenario('the slab of an object goes', [reclaiming, endingAll], { before: fileOfOther }),
]

export const THREE_HARTS: readonly Scenario[] = [
  scenario('two harts write back what a third one stores to', duringWriteBack, {
    before: mapChangedFile,
    stores: 2,
  }),
  scenario('two harts reclaim what a third one stores to', [reclaiming, reclaiming, storing], {
    before: givenUp,
    stores: 1,
  }),
]

export const SEEDED_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario('a store that nobody sees', [reclaiming, storing], {
      before: givenUp,
      stores: 1,
      bug: unseenStore,
    }),
    shows: /a store was lost/,
  },
  {
    scenario: scenario('a space that is held on to', [reclaiming, ending], {
      before: givenUpByOther,
      bug: heldSpace,
    }),
    shows: /frame is free already|released once/,
  },
  {
    scenario: scenario('an object that is held on to', [reclaiming, closing], {
      before: openOnly,
      bug: heldObject,
    }),
    shows: /twice in a magazine|released once/,
  },
  {
    scenario: scenario('an owner that is none any more', [reclaiming, endingAll], {
      before: givenUpByOther,
      bug: credulous,
    }),
    shows: /something else is locked/,
  },
  {
    scenario: scenario('two harts write back at once', duringWriteBack, {
      before: mapChangedFile,
      stores: 2,
      bug: withoutLock(LockRank.writeBack),
    }),
    shows: /not told of a store/,
  },
]

export const ALL_SCENARIOS = [
  ...SOUND_SCENARIOS,
  ...SLABS_GO,
  ...THREE_HARTS,
  ...SEEDED_BUGS.map(({ scenario }) => scenario),
]

/**
 * Small scenarios of harts that fault in one space at once, and while it changes, for the controlled scheduler. After each run the
 * whole machine is checked: a page or table too many, a lost count, or a page where nothing is mapped shows.
 */
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { assert } from '../../base/assert.js'
import { EFAULT } from '../../base/errno.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { FaultInjector } from '../../frame/fault-injector.js'
import { FrameFlag } from '../../frame/frame-table.js'
import { type MemoryManager, mmAttach, mmInit } from '../../mm.js'
import { AddressSpace } from '../../space/address-space.js'
import { ObjectKind } from '../../space/object-records.js'
import { LockRank } from '../../state/atomics.js'
import { Word, wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { Scenario, SeededBug, ThreadBody } from '../../state/testing/scenario.js'
import * as mman from '../../syscall/mman.js'
import { Access } from '../access.js'
import { dropHugeZeroPage } from '../huge-zero-page.js'
import { openFile, Program } from '../testing.js'
import { usePage } from '../use-page.js'
import { copyToUser, readUserString } from '../user-copy.js'
import { UserText } from '../user-text.js'
import {
  type Bug,
  droppedEarly,
  hastyPunch,
  impatientWriter,
  lateFlush,
  lostCount,
  noSecondLook,
  withoutLock,
} from './fault-bugs.js'
import { FaultPlayer, FIRST, SPACE, storesOf } from './fault-player.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const FIXED = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
const ADDRESS = FIRST * PAGE_SIZE
/** An unused word of the header: what one hart tells another. */
const FLAG = (wordIndex(251 as never) * 4) as Ptr
/** A string of the program, on its first page, and across the first two. */
const TEXT = 'abcdef'
const TEXT_ADDRESS = ADDRESS + 16
const CROSSING_ADDRESS = ADDRESS + PAGE_SIZE - 4
const OTHER_TEXT = 0x787878
/** A frame that is somebody else's, and zero. */
const REUSED = wordIndex(249 as never)
/** Frames that nobody has but the kernel: those that there are without a scenario, and those that its plays take and keep. */
const KEPT = wordIndex(248 as never)
/** Pages of one table. The mapping has those of three: two in use, and one for a huge page. */
const TABLE = 512
const FAR = TABLE
const HUGE = 2 * TABLE
const PAGES = 3 * TABLE
/** Pages of their tables that no scenario is about. */
const USED = [3, FAR + 3]

type Play = (hart: FaultPlayer) => void

interface Setting {
  /** Done to the mapping, at boot. */
  readonly before?: (program: Program) => void
  /** Whether the mapping has pages of its own, so that tables and family are there. */
  readonly isUsed?: boolean
  /** Stores that must be found in page 0 at the end. */
  readonly stores?: number
  readonly bug?: Bug
}

function scenario(name: string, plays: readonly Play[], setting: Setting = {}): Scenario {
  const threads = plays.map((play, hart): ThreadBody => {
    let player: FaultPlayer | undefined
    return (memory, onStep) => {
      if (player === undefined) {
        player = new FaultPlayer(memory, hart, onStep)
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

/** A frame for every hart is in its cache, so that nobody must fetch more. */
function boot(harts: number, { before, isUsed = true }: Setting): Memory {
  const mm = mmInit({ bytes: 8 * 2 ** 20, shared: true, harts })
  const { memory } = mm
  const space = mm.spaces.create()
  memory.u32[SPACE] = space
  const program = new Program(mm, new AddressSpace(memory, space), new FaultInjector())
  program.mmap(ADDRESS, PAGES * PAGE_SIZE, RW, FIXED)
  program.space.hugePagesDisabled = true
  if (isUsed) for (const page of USED) program.touch(ADDRESS + page * PAGE_SIZE, Access.write)
  before?.(program)
  for (let hart = 0; hart < harts; hart++) {
    const other = mmAttach(memory.raw, { hart })
    other.buddy.free(other.buddy.allocate(0), 0)
  }
  memory.u32[KEPT] = kernelFrames(mm)
  return memory
}

/** Frames in use that are no program's, no file's, no table, of no allocator of small objects, and not the huge page of zeroes. */
function kernelFrames({ frames, memory }: MemoryManager): number {
  const known =
    FrameFlag.reserved |
    FrameFlag.free |
    FrameFlag.table |
    FrameFlag.slab |
    FrameFlag.large |
    FrameFlag.anonymous |
    FrameFlag.file
  const hugeZero = memory.u32[wordIndex(Word.hugeZeroFrame)]
  let count = 0
  for (let pfn = 0 as Pfn; pfn < frames.frameCount; pfn++) {
    if (frames.refCount(pfn) > 0 && pfn !== hugeZero && (frames.flags(pfn) & known) === 0) count++
  }
  return count
}

function checkMachine(mm: MemoryManager, stores: number | undefined): void {
  mm.check()
  assert(kernelFrames(mm) === mm.memory.u32[KEPT], 'a frame is lost')
  const space = new AddressSpace(mm.memory, mm.memory.u32[SPACE] as Ptr)
  assert(mm.memory.u32[space.lock >>> 2] === 0, 'the lock is free in the end')
  const reused = mm.memory.u32[REUSED] as Pfn
  assert(
    mm.memory.u32[storesOf(reused) >>> 2] === 0 || reused === NO_FRAME,
    'a frame that was freed is stored to',
  )
  const mapper = mm.userMappers.of(space.root)
  if (stores === undefined) return
  assert(mapper.translate(FIRST as Vpn), 'the page is there')
  assert(mm.memory.u32[storesOf(mapper.lastPfn) >>> 2] === stores, 'a store was lost')
}

const readFirst = (program: Program) => program.touch(ADDRESS, Access.read)
const writeFirst = (program: Program) => program.touch(ADDRESS, Access.write)
const fork = (program: Program) => {
  program.touch(ADDRESS, Access.write)
  program.fork()
}

/** A page that may not be written until the fault finds that nobody else has it any more. */
const forkBriefly = (program: Program) => {
  program.touch(ADDRESS, Access.write)
  program.fork()!.exit()
}

const allowHuge = ({ space }: Program) => {
  space.hugePagesDisabled = false
}

/** The huge page of zeroes is there, and nobody maps it. */
const makeHugeZero = (program: Program) => {
  allowHuge(program)
  program.touch(ADDRESS + HUGE * PAGE_SIZE, Access.read)
  program.call('madvise', ADDRESS + HUGE * PAGE_SIZE, TABLE * PAGE_SIZE, mman.MADV_DONTNEED)
}

/** The mapping becomes one of a file, whose first pages are in the cache. */
const mapFile = (program: Program) => {
  const { objects } = program.mm
  const object = objects.create(ObjectKind.tmpfs, PAGES * PAGE_SIZE)
  objects.write(object, 0, new Uint8Array(4 * PAGE_SIZE))
  program.files.set(3, openFile(object))
  program.mmap(ADDRESS, PAGES * PAGE_SIZE, RW, mman.MAP_SHARED | mman.MAP_FIXED, 3)
}

/** The string is in both places, on pages that nobody else has. */
const writeTexts = ({ mm, space }: Program) => {
  const bytes = Uint8Array.from(`${TEXT}\0`, (character) => character.charCodeAt(0))
  for (const address of [TEXT_ADDRESS, CROSSING_ADDRESS]) copyToUser(mm, space, address, bytes)
}

const readBytes = UserText.prototype.read

/** The kernel reads a string of the program. Each page's part of it is a step for the scheduler. */
const readingText =
  (address: number, ...allowed: readonly (string | number)[]): Play =>
  ({ mm, space }) => {
    UserText.prototype.read = function (from, length) {
      mm.atomics.load((from & ~3) as Ptr)
      readBytes.call(this, from, length)
    }
    const text = readUserString(mm, space, address, 2 * TEXT.length)
    assert(text === TEXT || allowed.includes(text), 'a string is read that the program does not have')
  }

const storing: Play = (hart) => hart.runs(() => hart.store(0))
const reading: Play = (hart) => hart.touch(0, Access.read)
const writing: Play = (hart) => hart.touch(0, Access.write)
const writingNext: Play = (hart) => hart.touch(1, Access.write)
const readingNext: Play = (hart) => hart.touch(1, Access.read)
const writingFar: Play = (hart) => hart.touch(FAR, Access.write)
const writingHugeNext: Play = (hart) => hart.touch(HUGE + 1, Access.write)
const writingHuge: Play = (hart) => {
  hart.touch(HUGE, Access.write)
  const leaf = hart.mm.userMappers.of(hart.space.root).hugeLeaf((FIRST + HUGE) as Vpn)
  assert(leaf !== NULL, 'the page is huge')
}
const droppingHugeZero: Play = (hart) => {
  dropHugeZeroPage(hart.mm)
}
const readingHuge: Play = (hart) => hart.touch(HUGE, Access.read)
/** The fault may be refused: then the mapping is gone already, or may not be written. */
const trying: Play = (hart) => hart.program.touch(ADDRESS, Access.write)
const unmapping: Play = (hart) => hart.program.call('munmap', ADDRESS, PAGE_SIZE)
const dropping: Play = (hart) => hart.program.call('madvise', ADDRESS, 2 * PAGE_SIZE, mman.MADV_DONTNEED)

/** The kernel stores to a page for the program. */
const kernelStoring: Play = ({ mm, space }) => {
  mm.atomics.lockShared(space.lock, LockRank.space)
  const store = (frame: Ptr) => mm.atomics.add((frame + storesOf(0 as Pfn)) as Ptr, 1)
  const isDone = usePage(mm, space, FIRST as Vpn, Access.write, store)
  mm.atomics.unlockShared(space.lock, LockRank.space)
  assert(isDone, 'the page was there')
}
const locking: Play = (hart) => {
  assert(hart.program.call('mlock', ADDRESS, 2 * PAGE_SIZE) === 0, 'the pages are locked')
}
const tryingToLock: Play = (hart) => hart.program.call('mlock', ADDRESS, 2 * PAGE_SIZE)
/** The page's frame is somebody else's next, who wants zeroes. */
const reusing: Play = (hart) => {
  const { buddy, atomics, memory } = hart.mm
  dropping(hart)
  memory.u32[REUSED] = buddy.allocateZeroed(0)
  memory.u32[KEPT]! += 1
  // A step that says to the scheduler which word is looked at in the end.
  atomics.load(storesOf(memory.u32[REUSED] as Pfn))
}

/** Frames of pages that are gone are somebody else's next, who stores to them where the strings were. */
const refill = ({ buddy, atomics, memory }: MemoryManager) => {
  memory.u32[KEPT]! += 2
  for (let page = 0; page < 2; page++) {
    const frame = frameToPtr(buddy.allocate(0))
    for (const address of [TEXT_ADDRESS, CROSSING_ADDRESS, CROSSING_ADDRESS + 4]) {
      atomics.store((frame + (address % PAGE_SIZE)) as Ptr, OTHER_TEXT)
    }
  }
}
const droppingTexts: Play = (hart) => {
  dropping(hart)
  refill(hart.mm)
}
const unmappingTexts: Play = (hart) => {
  hart.program.call('munmap', ADDRESS, 2 * PAGE_SIZE)
  refill(hart.mm)
}

const punching: Play = (hart) => hart.program.call('madvise', ADDRESS, 2 * PAGE_SIZE, mman.MADV_REMOVE)

const protecting: Play = (hart) => {
  hart.program.call('mprotect', ADDRESS, PAGE_SIZE, mman.PROT_READ)
  const mapper = hart.mm.userMappers.of(hart.space.root)
  const isWritable = mapper.translate(FIRST as Vpn) && (mapper.lastFlags & EntryFlag.write) !== 0
  assert(!isWritable, 'a page can be written that was protected')
}

const forking: Play = (hart) => {
  hart.program.fork()
}

/** One hart's fault replaces the page of zeroes, another one stores, a third one has read zeroes before. */
const telling: Play[] = [
  writing,
  (hart) =>
    hart.runs(() => {
      hart.store(0)
      hart.mm.atomics.store(FLAG, 1)
    }),
  (hart) =>
    hart.runs(() => {
      hart.load(0)
      hart.mm.shootdown.serve()
      const isTold = hart.mm.atomics.load(FLAG) === 1
      assert(hart.load(0) === 1 || !isTold, 'a hart reads what was there before a store that it has heard of')
    }),
]

export const SOUND_SCENARIOS: readonly Scenario[] = [
  scenario('two harts store to one page', [storing, storing], { stores: 2 }),
  scenario('one page is read and stored to', [reading, storing], { stores: 1 }),
  scenario('two pages need the same table', [writing, writingNext], { isUsed: false }),
  scenario('two harts store to a page of zeroes', [storing, storing], { before: readFirst, stores: 2 }),
  scenario('two harts store to a page that a child has too', [storing, storing], { before: fork, stores: 2 }),
  scenario('a page is unmapped while it faults', [trying, unmapping]),
  scenario('a page is write-protected while it faults', [trying, protecting]),
  scenario('a page is dropped while it faults', [writing, dropping]),
  scenario('a page of zeroes is dropped while it is stored to', [writing, dropping], { before: readFirst }),
  scenario('a page that a child has too is dropped while it is stored to', [writing, dropping], {
    before: fork,
  }),
  scenario('pages are dropped while another one of their table faults', [writingNext, dropping], {
    before: (program) => program.touch(ADDRESS, Access.write),
  }),
  scenario('the space is forked while a page faults', [storing, forking], { stores: 1 }),
  scenario('the space is forked while a page is stored to', [storing, forking], {
    before: (program) => program.touch(ADDRESS, Access.write),
    stores: 1,
  }),
  scenario('the space is forked while a page is taken over', [storing, forking], {
    before: forkBriefly,
    stores: 1,
  }),
  scenario('pages of two tables', [writing, writingFar]),
  scenario('pages of a file around two harts', [reading, readingNext], { before: mapFile }),
  scenario('a page of a file is read and stored to', [reading, storing], { before: mapFile, stores: 1 }),
  scenario('pages of a file are dropped while one faults', [storing, dropping], {
    before: mapFile,
  }),
  scenario('the kernel and a hart store to one page', [kernelStoring, storing], { stores: 2 }),
  scenario('the kernel stores to a page that a child has too', [kernelStoring, storing], {
    before: fork,
    stores: 2,
  }),
  scenario('the kernel stores to a page that is dropped', [kernelStoring, reusing], { before: writeFirst }),
  scenario('a string is read while its page is dropped', [readingText(TEXT_ADDRESS, ''), droppingTexts], {
    before: writeTexts,
  }),
  scenario(
    'a string across two pages is read while they are dropped',
    [readingText(CROSSING_ADDRESS, '', TEXT.slice(0, 4)), droppingTexts],
    { before: writeTexts },
  ),
  scenario(
    'a string across two pages is read while they are unmapped',
    [readingText(CROSSING_ADDRESS, -EFAULT), unmappingTexts],
    { before: writeTexts },
  ),
  scenario('a string is read while its page is copied', [readingText(TEXT_ADDRESS), storing], {
    before: (program) => {
      writeTexts(program)
      program.fork()
    },
    stores: 1,
  }),
  scenario('pages are locked while one is stored to', [locking, storing], { stores: 1 }),
  scenario('pages are locked while they are dropped', [tryingToLock, dropping]),
  scenario('pages are locked while one is unmapped', [tryingToLock, unmapping]),
  scenario('a hole is punched while a page of it faults', [trying, punching], { before: mapFile }),
  scenario('two harts want one huge page', [writingHuge, writingHugeNext], { before: allowHuge }),
  scenario('the huge page of zeroes goes while a hart maps it', [readingHuge, droppingHugeZero], {
    before: makeHugeZero,
  }),
  scenario('a huge page is read and stored to', [readingHuge, writingHugeNext], { before: allowHuge }),
]

export const THREE_HARTS: readonly Scenario[] = [
  scenario('three harts store to one page', [storing, storing, storing], { stores: 3 }),
  scenario('a hart is told of a store', telling, { before: readFirst }),
]

export const SEEDED_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario('no lock of a table', [storing, storing], { bug: withoutLock(LockRank.leafTable) }),
    shows: /RssAnon counts/,
  },
  {
    scenario: scenario(
      'the kernel stores to a page without the lock of its table',
      [kernelStoring, reusing],
      {
        before: writeFirst,
        bug: withoutLock(LockRank.leafTable),
      },
    ),
    shows: /a frame that was freed is stored to/,
  },
  {
    scenario: scenario(
      'a string is read without the lock of its table',
      [readingText(TEXT_ADDRESS, ''), droppingTexts],
      { before: writeTexts, bug: withoutLock(LockRank.leafTable) },
    ),
    shows: /a string is read/,
  },
  {
    scenario: scenario(
      'nobody waits for who reads a string',
      [readingText(CROSSING_ADDRESS, -EFAULT), unmappingTexts],
      { before: writeTexts, bug: impatientWriter },
    ),
    shows: /a string is read/,
  },
  {
    scenario: scenario('no lock of a table when pages are dropped', [storing, dropping], {
      before: readFirst,
      bug: withoutLock(LockRank.leafTable),
    }),
    shows: /an absent entry is cleared|RssAnon counts/,
  },
  {
    scenario: scenario('no lock of the upper tables', [writing, writingNext], {
      isUsed: false,
      bug: withoutLock(LockRank.upperTables),
    }),
    shows: /every page-table frame|count of present entries|RssAnon counts/,
  },
  {
    scenario: scenario('a page is mapped again before it leaves its object', [trying, punching], {
      before: mapFile,
      bug: hastyPunch,
    }),
    shows: /anonymous or of a page cache/,
  },
  {
    scenario: scenario('no second look at an entry', [storing, storing], { bug: noSecondLook }),
    shows: /RssAnon counts/,
  },
  {
    scenario: scenario('the lock is given back early', [trying, unmapping], { bug: droppedEarly }),
    shows: /page without a mapping/,
  },
  {
    scenario: scenario('the lock is given back early, before an mprotect', [trying, protecting], {
      bug: droppedEarly,
    }),
    shows: /writable only where the mapping is/,
  },
  {
    scenario: scenario('nobody waits for those who share the lock', [trying, unmapping], {
      bug: impatientWriter,
    }),
    shows: /page without a mapping/,
  },
  {
    scenario: scenario('nobody waits for those who share the lock, at a fork', [storing, forking], {
      before: forkBriefly,
      bug: impatientWriter,
    }),
    shows: /several owners is writable/,
  },
  {
    scenario: scenario('a lost count', [writing, writingFar], { bug: lostCount }),
    shows: /RssAnon counts/,
  },
  {
    scenario: scenario('no lock of the huge page of zeroes', [readingHuge, droppingHugeZero], {
      before: makeHugeZero,
      bug: withoutLock(LockRank.hugeZero),
    }),
    shows: /frame|reference/,
  },
  { scenario: scenario('a late flush', telling, { before: readFirst, bug: lateFlush }), shows: /heard of/ },
]

export const ALL_SCENARIOS = [
  ...SOUND_SCENARIOS,
  ...THREE_HARTS,
  ...SEEDED_BUGS.map(({ scenario }) => scenario),
]

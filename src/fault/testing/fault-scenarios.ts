/**
 * Small scenarios of harts that fault in one space at once, and while it changes, for the controlled scheduler. After each run the
 * whole machine is checked: a page or table too many, a lost count, or a page where nothing is mapped shows.
 */
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { assert } from '../../base/assert.js'
import { NULL, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { ObjectKind } from '../../space/object-records.js'
import { LockRank } from '../../state/atomics.js'
import { wordIndex } from '../../state/layout.js'
import type { Scenario, SeededBug } from '../../state/testing/scenario.js'
import * as mman from '../../syscall/mman.js'
import { Access } from '../access.js'
import { dropHugeZeroPage } from '../huge-zero-page.js'
import { openFile, type Program } from '../testing.js'
import { usePage } from '../use-page.js'
import { COLLAPSE_BUGS, COLLAPSE_SCENARIOS } from './collapse-scenarios.js'
import {
  droppedEarly,
  hastyPunch,
  impatientWriter,
  lateFlush,
  lostCount,
  noSecondLook,
  withoutLock,
} from './fault-bugs.js'
import { FIRST, storesOf } from './fault-player.js'
import {
  ADDRESS,
  dropping,
  FAR,
  HUGE,
  KEPT,
  PAGES,
  type Play,
  REUSED,
  RW,
  scenario,
  storing,
  TABLE,
} from './fault-scenario.js'
import { TEXT_BUGS, TEXT_SCENARIOS } from './text-scenarios.js'

/** An unused word of the header: what one hart tells another. */
const FLAG = (wordIndex(251 as never) * 4) as Ptr
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
  scenario('a page is unmapped while it faults on the last hart', [unmapping, trying]),
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
  ...TEXT_SCENARIOS,
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
  ...TEXT_BUGS,
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
  ...COLLAPSE_SCENARIOS,
  ...COLLAPSE_BUGS.map(({ scenario }) => scenario),
]

/** Scenarios of shared memory that becomes a huge page while pages of it fault and are read: MADV_COLLAPSE on one hart, who uses them on another. */
import { assert } from '../../base/assert.js'
import { EAGAIN, EINVAL } from '../../base/errno.js'
import { PAGE_SIZE, type Ptr, pagesFor, type Vpn } from '../../base/numbers.js'
import { ObjectKind } from '../../space/object-records.js'
import { OBJECT_PAGES_MAX } from '../../space/page-cache.js'
import { enterKhugepaged } from '../../space/scanned-spaces.js'
import { ShmemMode, setShmemMode } from '../../space/shmem-policy.js'
import { truncateObject } from '../../space/truncate.js'
import { Vma } from '../../space/vma.js'
import { LockRank } from '../../state/atomics.js'
import type { Scenario, SeededBug } from '../../state/testing/scenario.js'
import * as mman from '../../syscall/mman.js'
import { Access } from '../access.js'
import { scanForHugePages } from '../khugepaged.js'
import { openFile, type Program } from '../testing.js'
import { type Bug, withoutLock } from './fault-bugs.js'
import { STORES } from './fault-player.js'
import { ADDRESS, PAGES, type Play, RW, scenario, storing, TABLE } from './fault-scenario.js'

/** Pages of the file that are in the cache at boot. The page after them is a hole. */
const CACHED = 2
/** Of the file that ends within a huge page. */
const FILE_PAGES = 300

/** The mapping becomes one of a file. */
const mapFile = (program: Program) => {
  const { objects } = program.mm
  const object = objects.create(ObjectKind.tmpfs, PAGES * PAGE_SIZE)
  objects.setInternal(object)
  objects.write(object, 0, new Uint8Array(CACHED * PAGE_SIZE))
  program.files.set(3, openFile(object))
  program.mmap(ADDRESS, PAGES * PAGE_SIZE, RW, mman.MAP_SHARED | mman.MAP_FIXED, 3)
  program.space.hugePagesDisabled = false
  // Without the upper tables a huge page is not mapped.
  program.touch(ADDRESS + TABLE * PAGE_SIZE, Access.read)
}

const collapsing: Play = ({ program }) => {
  const result = program.call('madvise', ADDRESS, TABLE * PAGE_SIZE, mman.MADV_COLLAPSE)
  assert(result === 0 || result === -EAGAIN, 'the pages are collapsed, or somebody uses them')
}
/** What was made is another hart's to split again before it is mapped. */
const collapsingAgain: Play = ({ program }) => {
  const result = program.call('madvise', ADDRESS, TABLE * PAGE_SIZE, mman.MADV_COLLAPSE)
  assert([0, -EAGAIN, -EINVAL].includes(result), 'the pages are collapsed, or are used or split by somebody')
}
/** khugepaged looks at the page's range: it may be in use just then. */
const scanning: Play = ({ program: { mm, space } }) => {
  setShmemMode(mm.memory, ShmemMode.always)
  mm.atomics.lock(space.lock, LockRank.space)
  enterKhugepaged(mm, space, mm.vmas.find(space, (ADDRESS / PAGE_SIZE) as Vpn))
  mm.atomics.unlock(space.lock, LockRank.space)
  assert(space.isScanned, 'khugepaged looks through the space')
  scanForHugePages(mm, 0)
}
const readingPage: Play = (hart) => hart.touch(1, Access.read)
const fillingHole: Play = (hart) => hart.touch(CACHED, Access.write)

/** A file that ends within the huge page that its pages are: page 0 holds a store. */
const mapFolio = (program: Program) => {
  const { mm } = program
  mapFile(program)
  const object = objectOf(program)
  truncateObject(mm, object, FILE_PAGES * PAGE_SIZE)
  mm.objects.write(object, STORES, new Uint8Array([1]))
  const result = program.call('madvise', ADDRESS, TABLE * PAGE_SIZE, mman.MADV_COLLAPSE)
  assert(result === 0 && mm.objects.folios() === 1, 'the file begins as a huge page')
}

function objectOf({ mm, space }: Pick<Program, 'mm' | 'space'>): Ptr {
  return new Vma(mm.memory, mm.vmas.find(space, (ADDRESS / PAGE_SIZE) as Vpn)).object
}

const onFolio = { before: mapFolio, stores: 1 }

/** Advice about a part of a huge page takes it apart. */
const advising: Play = ({ program }) => {
  program.call('madvise', ADDRESS, 2 * PAGE_SIZE, mman.MADV_PAGEOUT)
}
const dropping: Play = ({ program }) => {
  program.call('madvise', ADDRESS, TABLE * PAGE_SIZE, mman.MADV_DONTNEED)
}
const punching: Play = ({ program }) => {
  const result = program.call('madvise', ADDRESS + PAGE_SIZE, PAGE_SIZE, mman.MADV_REMOVE)
  assert(result === 0, 'a hole is punched')
}
const truncating: Play = ({ mm, program }) => truncateObject(mm, objectOf(program), 3 * PAGE_SIZE - 1)

export const COLLAPSE_SCENARIOS: readonly Scenario[] = [
  scenario('a page is stored to while it is collapsed', [storing, collapsing], {
    before: mapFile,
    stores: 1,
  }),
  scenario('a page is read while it is collapsed', [readingPage, collapsing], { before: mapFile }),
  scenario('a page is stored to while khugepaged looks at it', [storing, scanning], {
    before: mapFile,
    stores: 1,
  }),
  scenario('a hole is filled while it is collapsed', [fillingHole, collapsing], { before: mapFile }),
  scenario('advice splits a huge page while it is collapsed again', [advising, collapsingAgain], onFolio),
  scenario('a huge page is unmapped while it is collapsed again', [dropping, collapsingAgain], onFolio),
  scenario(
    'a hole is punched into a huge page while it is collapsed again',
    [punching, collapsingAgain],
    onFolio,
  ),
  scenario('a huge page is cut off while it is collapsed again', [truncating, collapsingAgain], onFolio),
  scenario(
    'advice splits a huge page while it is collapsed again and stored to',
    [advising, collapsingAgain, storing],
    {
      ...onFolio,
      stores: 2,
    },
  ),
]

/** What is cut off leaves the cache though a huge page was made of it again. */
const cutBlindly: Bug = ({ mm: { objects } }) => {
  objects.dropFrom = (object, from) => {
    objects.dropRange(object, pagesFor(from), OBJECT_PAGES_MAX)
    return true
  }
}

export const COLLAPSE_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario('no lock of the object that is collapsed', [collapsing, fillingHole], {
      before: mapFile,
      bug: withoutLock(LockRank.object),
    }),
    shows: /a free frame is retained/,
  },
  {
    scenario: scenario('a huge page that was made again is cut blindly', [truncating, collapsingAgain], {
      ...onFolio,
      bug: cutBlindly,
    }),
    shows: /user memory is anonymous or of a page cache/,
  },
]

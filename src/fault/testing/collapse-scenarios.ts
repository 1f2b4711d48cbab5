/** Scenarios of shared memory that becomes a huge page while pages of it fault and are read: MADV_COLLAPSE on one hart, who uses them on another. */
import { assert } from '../../base/assert.js'
import { EAGAIN } from '../../base/errno.js'
import { PAGE_SIZE, type Vpn } from '../../base/numbers.js'
import { ObjectKind } from '../../space/object-records.js'
import { enterKhugepaged } from '../../space/scanned-spaces.js'
import { ShmemMode, setShmemMode } from '../../space/shmem-policy.js'
import { LockRank } from '../../state/atomics.js'
import type { Scenario, SeededBug } from '../../state/testing/scenario.js'
import * as mman from '../../syscall/mman.js'
import { Access } from '../access.js'
import { scanForHugePages } from '../khugepaged.js'
import { openFile, type Program } from '../testing.js'
import { withoutLock } from './fault-bugs.js'
import { ADDRESS, PAGES, type Play, RW, scenario, storing, TABLE } from './fault-scenario.js'

/** Pages of the file that are in the cache at boot. The page after them is a hole. */
const CACHED = 2

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
]

export const COLLAPSE_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario('no lock of the object that is collapsed', [collapsing, fillingHole], {
      before: mapFile,
      bug: withoutLock(LockRank.object),
    }),
    shows: /a free frame is retained/,
  },
]

/**
 * Counts, frame by frame, who refers to it, and compares with the frame table: what a leak or a lost reference cannot
 * hide from. Expensive (walks every page table); for check().
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn, type Ptr } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import type { SpaceEnv } from '../space/space-env.js'
import { Word, wordIndex } from '../state/layout.js'

const WRITTEN = EntryFlag.write | EntryFlag.dirty
const COUNTED = FrameFlag.anonymous | FrameFlag.file

/** Asserts that every frame of user memory has as many references as entries and page caches name it. */
export function auditFrames(mm: SpaceEnv, spaces: readonly AddressSpace[]): void {
  const named = new Uint32Array(mm.frames.frameCount)
  let tables = mm.kernelMapper.tableFrames()
  for (const space of spaces) {
    const mapper = new UserMapper(mm, space.root)
    countEntries(mm, space, mapper, named)
    tables += mapper.tableFrames()
  }
  mm.objects.forEach((object) => {
    mm.objects.forEachPage(object, (_index, pfn) => {
      named[pfn]! += 1
    })
  })
  auditHugeZero(mm, named)
  for (let pfn = 1 as Pfn; pfn < mm.frames.frameCount; pfn++) tables -= auditFrame(mm, pfn, named[pfn]!)
  assert(tables === 0, 'every page-table frame is reached from a root')
}

/** Adds one for every entry that holds a reference, and compares with the space's own counts. */
function countEntries(mm: SpaceEnv, space: AddressSpace, mapper: UserMapper, named: Uint32Array): void {
  let anonymous = 0
  let shared = 0
  const zero = mm.memory.u32[wordIndex(Word.hugeZeroFrame)]!
  mapper.eachHuge(mapper.start, mapper.end, (_vpn, leaf) => {
    if ((mapper.flags(leaf) & EntryFlag.special) === 0) return
    assert(mapper.pfn(leaf) === zero, 'a huge leaf that is special maps the huge zero page')
    named[zero]!++
  })
  mapper.walkPages(mapper.start, mapper.end, (_vpn, pfn, entryFlags) => {
    if ((entryFlags & EntryFlag.special) !== 0) return
    named[pfn]!++
    const flags = mm.frames.flags(pfn)
    assert((flags & COUNTED) !== 0, 'user memory is anonymous or of a page cache')
    if ((flags & FrameFlag.anonymous) !== 0) anonymous++
    else shared++
    if (isFilePage(mm, pfn) && (entryFlags & WRITTEN) !== 0) {
      assert(
        (flags & FrameFlag.dirtyPage) !== 0,
        'a page of a file that can be stored to is marked as changed',
      )
    }
  })
  assert(anonymous === space.counts.rssAnonymous, 'RssAnon counts the anonymous pages mapped')
  assert(
    shared === space.counts.rssFile + space.counts.rssShared,
    'RssFile and RssShmem count the object pages mapped',
  )
}

/** A page that a provider wants to hear of when it changes. */
function isFilePage(mm: SpaceEnv, pfn: Pfn): boolean {
  return (mm.frames.flags(pfn) & FrameFlag.file) !== 0 && !mm.objects.isShmem(mm.frames.owner(pfn) as Ptr)
}

/** The huge zero page has one reference for every leaf, and one for itself. */
function auditHugeZero(mm: SpaceEnv, named: Uint32Array): void {
  const zero = mm.memory.u32[wordIndex(Word.hugeZeroFrame)]! as Pfn
  assert(zero === NO_FRAME || mm.frames.refCount(zero) === named[zero]! + 1, 'the huge zero page is counted')
  named[zero] = 0
}

/** 1 for a page table. */
function auditFrame(mm: SpaceEnv, pfn: Pfn, named: number): number {
  const flags = mm.frames.flags(pfn)
  if ((flags & (FrameFlag.free | FrameFlag.reserved)) !== 0) {
    assert(named === 0, 'a free or reserved frame is mapped')
    return 0
  }
  const isUsers = (flags & COUNTED) !== 0
  assert(isUsers || named === 0, 'a frame of the kernel is mapped by a program')
  assert(
    !isUsers || mm.frames.refCount(pfn) === named,
    'a frame has one reference for each entry and page cache',
  )
  return (flags & FrameFlag.table) !== 0 ? 1 : 0
}

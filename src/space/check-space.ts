import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NULL, type Pfn, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { UserMapper } from '../paging/user-mapper.js'
import { tallyPages } from './accounting.js'
import { type AddressSpace, SpaceFlag } from './address-space.js'
import { isPolicy } from './memory-policy.js'
import { checkSearched } from './placement.js'
import { isPoison } from './poisoned-entry.js'
import { isSealed } from './seal.js'
import { SpaceCounts } from './space-counts.js'
import type { SpaceEnv } from './space-env.js'
import { VM_LOCKED, VM_SHARED, VM_UFFD_FLAGS, VM_WRITE } from './vm-flags.js'
import { Special, Vma } from './vma.js'
import type { TreeCensus } from './vma-tree-check.js'

/** Asserts that tree, counts, mappings and page table of a space agree; returns what its tree is made of. */
export function checkSpace(mm: SpaceEnv, space: AddressSpace): TreeCensus {
  const tree = mm.vmas.check(space)
  const counted = SpaceCounts.ofNone()
  let below: Vma | undefined
  for (let ptr = mm.vmas.first(space); ptr !== NULL; ptr = mm.vmas.next(ptr)) {
    const vma = new Vma(mm.memory, ptr)
    checkMapping(mm, vma)
    tallyPages(counted, vma.flags, vma.pages)
    if ((vma.flags & VM_LOCKED) !== 0) counted.lockedPages += vma.pages
    assert(!isSealed(vma) || (space.flags & SpaceFlag.hasSeals) !== 0, 'a space knows that it has seals')
    below = vma
  }
  assert(below === undefined || below.end <= mm.arch.userEnd, 'mappings are in the user half')
  assert(counted.totalPages === space.counts.totalPages, 'totalPages counts the pages of all mappings')
  assert(counted.dataPages === space.counts.dataPages, 'dataPages counts private writable pages')
  assert(counted.execPages === space.counts.execPages, 'execPages counts executable pages')
  assert(counted.stackPages === space.counts.stackPages, 'stackPages counts pages of stacks')
  assert(counted.lockedPages === space.counts.lockedPages, 'lockedPages counts locked pages')
  assert(counted.committedPages === space.counts.committedPages, 'committedPages counts promised pages')
  checkSearched(mm, space)
  checkEntries(mm, space)
  return tree
}

function checkMapping(mm: SpaceEnv, vma: Vma): void {
  assert(vma.pageOffset >= 0, 'page offsets are not negative')
  assert((vma.flags & VM_SHARED) === 0 || vma.family === NULL, 'shared memory has no pages of its own')
  assert(
    (vma.userfault !== NULL) === ((vma.flags & VM_UFFD_FLAGS) !== 0),
    'a mapping is registered with a context in some mode, or not at all',
  )
  assert(isPolicy(vma.policy), 'a memory policy makes sense')
  if (vma.object !== NULL) assert(mm.objects.references(vma.object) > 0, 'a mapped object is alive')
}

/** Every entry belongs to a mapping, and allows no more than that. */
function checkEntries(mm: SpaceEnv, space: AddressSpace): void {
  const mapper = new UserMapper(mm, space.root)
  const vma = new Vma(mm.memory)
  mapper.check()
  mapper.walkPages(mapper.start, mapper.end, (vpn, pfn, flags) => {
    const holding = mm.vmas.findHolding(space, vpn)
    assert(holding !== NULL, 'a page without a mapping is in the page table')
    checkEntry(mm, vma.at(holding), vpn, pfn, flags)
  })
  mapper.eachHuge(mapper.start, mapper.end, (vpn, leaf, pages) => {
    vma.at(mm.vmas.find(space, vpn))
    assert(vma.start <= vpn && vpn + pages <= vma.end, 'a huge leaf lies in one mapping')
    const isOwn = vma.isAnonymous && vma.family !== NULL
    const isObjects = vma.object !== NULL && mm.objects.hasFolios(vma.object) && mapper.isObjects(leaf)
    assert(isOwn || isObjects, 'huge leaves are of anonymous memory, or of an object that has huge pages')
  })
}

function checkEntry(mm: SpaceEnv, vma: Vma, vpn: Vpn, pfn: Pfn, flags: number): void {
  const writable = (flags & EntryFlag.write) !== 0
  assert(!writable || (vma.flags & VM_WRITE) !== 0, 'an entry is writable only where the mapping is')
  if (isPoison(flags)) return
  if ((flags & EntryFlag.special) !== 0) {
    assert(!writable || vma.special !== Special.none, 'the zero page is never writable')
    return
  }
  const isOwn = (mm.frames.flags(pfn) & FrameFlag.anonymous) !== 0
  assert(!isOwn || vma.family !== NULL, 'a mapping with pages of its own has a family')
  const owner = isOwn ? mm.families.rootOf(vma.family) : vma.object
  assert(mm.frames.owner(pfn) === owner, 'a frame leads to the mappings that show it')
  assert(mm.frames.index(pfn) === vma.offsetOf(vpn), 'a frame knows at which page a mapping shows it')
  const isExclusive = (mm.frames.flags(pfn) & FrameFlag.exclusive) !== 0
  assert(!isExclusive || (isOwn && mm.frames.refCount(pfn) === 1), 'an exclusive frame has one owner')
  assert(!writable || !isOwn || isExclusive, 'a frame of several owners is writable for none of them')
}

import { EntryFlag } from '../arch/memory-management-arch.js'
import { ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import { UserMapper } from '../paging/user-mapper.js'
import { countPages, isEnoughMemory } from './accounting.js'
import type { AddressSpace } from './address-space.js'
import { forkFamily } from './anonymous-family.js'
import { type Extent, insertVma } from './extent.js'
import type { SpaceEnv } from './space-env.js'
import { isCopyOnWrite, VM_ACCOUNT, VM_DONTCOPY, VM_LOCKED_MASK, VM_WIPEONFORK } from './vm-flags.js'
import { Vma } from './vma.js'
import { countResident } from './zap-range.js'

/**
 * Fills an empty space with a copy of another (dup_mmap): every mapping, and the entries of pages that only the parent
 * has; those of files and shared memory come back by faults. Frames are shared, and write-protected on both sides.
 * -ENOMEM leaves the child with what it has so far, to be emptied by whoever made it; the parent's pages that are
 * write-protected already become writable again by their next fault.
 */
export function copySpace(mm: SpaceEnv, parent: AddressSpace, child: AddressSpace): number {
  copyLayout(parent, child)
  const batch = mm.flusher.batch(parent.root)
  const vma = new Vma(mm.memory, mm.vmas.first(parent))
  let result = 0
  while (vma.ptr !== NULL && result === 0) {
    if ((vma.flags & VM_DONTCOPY) === 0) result = copyMapping(mm, parent, child, vma, batch)
    vma.at(mm.vmas.next(vma.ptr))
  }
  batch.finish()
  return result
}

function copyLayout(parent: AddressSpace, child: AddressSpace): void {
  child.brkStart = parent.brkStart
  child.brk = parent.brk
  child.dataSegmentBytes = parent.dataSegmentBytes
  child.mapBase = parent.mapBase
  child.mapsUpwards = parent.mapsUpwards
  child.stackStart = parent.stackStart
  child.limitAddressSpace = parent.limitAddressSpace
  child.limitData = parent.limitData
  child.limitStack = parent.limitStack
  child.limitLocked = parent.limitLocked
}

function copyMapping(
  mm: SpaceEnv,
  parent: AddressSpace,
  child: AddressSpace,
  vma: Vma,
  batch: FlushBatch,
): number {
  if ((vma.flags & VM_ACCOUNT) !== 0 && !isEnoughMemory(mm, vma.pages)) return -ENOMEM
  const fresh = mm.vmas.reserve(child, 1) ? mm.vmas.allocateVma() : NULL
  if (fresh === NULL) return -ENOMEM
  const copy = new Vma(mm.memory, fresh)
  const isWiped = (vma.flags & VM_WIPEONFORK) !== 0
  insertVma(mm, child, copy, childExtent(vma))
  copy.special = vma.special
  if (!isWiped) forkFamily(mm, copy, vma)
  countPages(child, copy.flags, copy.pages)
  return isWiped || vma.anonId === 0 ? 0 : copyEntries(mm, parent, child, vma, batch)
}

/** Memory locks are not inherited. */
function childExtent(vma: Vma): Extent {
  const { start, end, pageOffset, object, file } = vma
  return { start, end, pageOffset, flags: vma.flags & ~VM_LOCKED_MASK, object, file, anonId: 0 }
}

function copyEntries(
  mm: SpaceEnv,
  parent: AddressSpace,
  child: AddressSpace,
  vma: Vma,
  batch: FlushBatch,
): number {
  const from = new UserMapper(mm, parent.root)
  const to = new UserMapper(mm, child.root)
  const protects = isCopyOnWrite(vma.flags)
  const childBatch = mm.flusher.batch(child.root)
  let result = 0
  from.walk(vma.start, vma.end, (vpn, entry) => {
    const target = result === 0 ? to.makeLeaf(vpn) : NULL
    if (target === NULL) result = -ENOMEM
    else {
      if (protects) from.changeFlags(entry, vpn, EntryFlag.write, 0, batch)
      shareFrame(mm, child, vma.object, from, entry, to, target, vpn, childBatch)
    }
  })
  childBatch.finish()
  return result
}

/** The child's entry: the same frame with one reference more. */
function shareFrame(
  mm: SpaceEnv,
  child: AddressSpace,
  object: Ptr,
  from: UserMapper,
  entry: Ptr,
  to: UserMapper,
  target: Ptr,
  vpn: Vpn,
  batch: FlushBatch,
): void {
  const pfn = from.pfn(entry)
  const flags = from.flags(entry)
  to.set(target, vpn, pfn, flags, batch)
  if ((flags & EntryFlag.special) !== 0) return
  mm.buddy.retain(pfn)
  countResident(mm, child, object, pfn, 1)
}

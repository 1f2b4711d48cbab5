import { EntryFlag } from '../arch/memory-management-arch.js'
import { ENOMEM } from '../base/errno.js'
import { NO_FRAME, NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { VisitRun } from '../paging/page-table.js'
import type { FrameTally } from '../paging/run-mapper.js'
import { UserMapper } from '../paging/user-mapper.js'
import { countPages } from './accounting.js'
import { type AddressSpace, CALLER_FLAGS, inheritedFlags, SpaceFlag } from './address-space.js'
import { type Extent, insertVma } from './extent.js'
import { isEnoughMemory } from './overcommit.js'
import { resetAll } from './register-userfault.js'
import type { SpaceEnv } from './space-env.js'
import { UserfaultFeature } from './userfaults.js'
import {
  isCopyOnWrite,
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_LOCKED_MASK,
  VM_PFNMAP,
  VM_UFFD_FLAGS,
  VM_WIPEONFORK,
} from './vm-flags.js'
import { Vma } from './vma.js'
import { countAnonymous, countOthers } from './zap-range.js'

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
  const contexts = new Map<Ptr, Ptr>()
  let result = 0
  while (vma.ptr !== NULL && result === 0) {
    if ((vma.flags & VM_DONTCOPY) === 0) result = copyMapping(mm, parent, child, vma, contexts, batch)
    vma.at(mm.vmas.next(vma.ptr))
  }
  batch.finish()
  if (result === 0 && !announceFork(mm, contexts)) result = -ENOMEM
  if (result !== 0) for (const made of contexts.values()) forgetContext(mm, child, made)
  return result
}

/** The readers of each context get that of the child; false without memory, and none of them does. */
function announceFork({ userfaults }: SpaceEnv, contexts: ReadonlyMap<Ptr, Ptr>): boolean {
  const before = userfaults.changes.length
  for (const [context, child] of contexts) {
    if (userfaults.announce({ kind: 'fork', context, child })) continue
    userfaults.takeBack(before)
    return false
  }
  return true
}

/** The fork has failed. */
function forgetContext(mm: SpaceEnv, child: AddressSpace, context: Ptr): void {
  resetAll(mm, child, context)
  mm.userfaults.free(context)
}

/** What a child has of its parent, besides what a new program has too. */
const KEPT_FLAGS = SpaceFlag.hasSeals | SpaceFlag.randomized | CALLER_FLAGS

function copyLayout(parent: AddressSpace, child: AddressSpace): void {
  child.parts.copyAddresses(parent.parts)
  child.mapBase = parent.mapBase
  child.mapsUpwards = parent.mapsUpwards
  child.barriers = parent.barriers
  child.limitAddressSpace = parent.limitAddressSpace
  child.limitData = parent.limitData
  child.limitStack = parent.limitStack
  child.limitLocked = parent.limitLocked
  child.limitHeap = parent.limitHeap
  child.flags = inheritedFlags(parent.flags) | (parent.flags & KEPT_FLAGS)
}

function copyMapping(
  mm: SpaceEnv,
  parent: AddressSpace,
  child: AddressSpace,
  vma: Vma,
  contexts: Map<Ptr, Ptr>,
  batch: FlushBatch,
): number {
  if ((vma.flags & VM_ACCOUNT) !== 0 && !isEnoughMemory(mm, parent, vma.pages)) return -ENOMEM
  const fresh = mm.vmas.reserve(child, 1) ? mm.vmas.allocateVma() : NULL
  if (fresh === NULL) return -ENOMEM
  const copy = new Vma(mm.memory, fresh)
  const context = childContext(mm, child, vma.userfault, contexts)
  if (context < 0) {
    mm.vmas.freeVma(fresh)
    return context
  }
  const isWiped = (vma.flags & VM_WIPEONFORK) !== 0
  insertVma(mm, child, copy, childExtent(vma, context as Ptr))
  copy.special = vma.special
  countPages(mm, child, copy.flags, copy.pages)
  if (!isWiped && !mm.families.fork(copy, vma)) return -ENOMEM
  return isWiped || !needsEntries(vma) ? 0 : copyEntries(mm, parent, child, vma, batch)
}

/** What the child could not fault in as the parent has it (vma_needs_copy). */
function needsEntries(vma: Vma): boolean {
  return vma.family !== NULL || (vma.flags & VM_PFNMAP) !== 0
}

/** Memory locks are not inherited, nor is what readers of the parent's pages do not ask for. */
function childExtent(vma: Vma, userfault: Ptr): Extent {
  const lost = userfault === NULL ? VM_LOCKED_MASK | VM_UFFD_FLAGS : VM_LOCKED_MASK
  const { start, end, pageOffset, object, file, name, policy } = vma
  const flags = vma.flags & ~lost
  return { start, end, pageOffset, flags, object, file, family: NULL, name, policy, userfault }
}

/**
 * The context that the child's mapping is registered with (dup_userfaultfd): NULL unless the readers of the parent's want to hear
 * of forks, and then one for all its mappings; or -ENOMEM.
 */
function childContext(
  mm: SpaceEnv,
  child: AddressSpace,
  context: Ptr,
  contexts: Map<Ptr, Ptr>,
): Ptr | number {
  const { userfaults } = mm
  if (context === NULL || !userfaults.has(context, UserfaultFeature.eventFork)) return NULL
  const known = contexts.get(context)
  if (known !== undefined) return known
  const made = userfaults.create(child.ptr, userfaults.flags(context))
  if (made === NULL) return -ENOMEM
  userfaults.setFeatures(made, userfaults.features(context))
  contexts.set(context, made)
  return made
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
  const tally = { anonymous: 0, others: 0 }
  let result = copyUpperTables(from, to, vma) ? 0 : -ENOMEM
  const copyRun: VisitRun = (vpn, entry, pages) => {
    const target = result === 0 ? to.makeLeaf(vpn) : NULL
    if (target === NULL) result = -ENOMEM
    else from.share(entry, vpn, pages, target, protects, batch, tally)
  }
  from.walkRuns(vma.start, vma.end, copyRun, (vpn, leaf) => {
    if (result === 0 && !from.isObjects(leaf)) result = copyHuge(from, to, leaf, vpn, batch, tally)
  })
  countAnonymous(mm, child, tally.anonymous)
  if (tally.others > 0) countOthers(mm, child, vma.object, tally.others)
  return result
}

/** Where the parent has upper tables the child gets them too, though they lead to nothing of the mapping: a huge page may be mapped there (copy_pud_range). */
function copyUpperTables(from: UserMapper, to: UserMapper, { start, end }: Vma): boolean {
  for (let vpn = start; vpn < end; vpn = from.nextAt(vpn, 2)) {
    if (from.slot(vpn) !== NULL && to.makeSlot(vpn) === NULL) return false
  }
  return true
}

/** copy_huge_pmd: 0 or -ENOMEM. */
function copyHuge(
  from: UserMapper,
  to: UserMapper,
  leaf: Ptr,
  vpn: Vpn,
  batch: FlushBatch,
  tally: FrameTally,
): number {
  const target = to.makeSlot(vpn)
  const deposit = target === NULL ? NO_FRAME : to.newDeposit()
  if (deposit === NO_FRAME) return -ENOMEM
  from.shareHuge(leaf, vpn, to, target, deposit, batch)
  if ((from.flags(leaf) & EntryFlag.special) === 0) tally.anonymous += from.hugePages
  return 0
}

import { ENOMEM, EPERM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import { countMapping } from './accounting.js'
import type { AddressSpace } from './address-space.js'
import { moveEnd, moveStart, removeVma, splitVma } from './extent.js'
import { checkCuts } from './huge-pool.js'
import { announceUnmap } from './register-userfault.js'
import { checkSeals, isSealed } from './seal.js'
import type { SpaceEnv } from './space-env.js'
import { mapCountMax } from './tunables.js'
import { Vma } from './vma.js'
import { zapRange } from './zap-range.js'

/**
 * Takes everything away that is mapped in a range (do_munmap). Nothing being there is no error. -ENOMEM, and no effect:
 * a mapping would have to be cut in two and there are no mappings left, or no memory for that or for who wants to hear of it. -EPERM when something is sealed,
 * -EINVAL when a huge page of a pool or the kernel's own pages would be cut.
 */
export function unmapRange(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  const first = mm.vmas.find(space, start)
  if (first === NULL || mm.vmas.startOf(first) >= end) return 0
  if (mm.vmas.startOf(first) === start && mm.vmas.endOf(first) === end)
    return unmapWhole(mm, space, first, start, end)
  const sealed = checkSeals(mm, space, start, end)
  if (sealed < 0) return sealed
  const misplaced = checkCuts(mm, space, first, start, end)
  if (misplaced < 0) return misplaced
  const cut = prepareCut(mm, space, first, start, end)
  if (cut < 0) return cut
  if (!announceUnmap(mm, space, start, end)) {
    mm.vmas.freeVma(cut as Ptr)
    return -ENOMEM
  }
  const batch = mm.flusher.batch(space.root)
  clearRange(mm, space, first, start, end, cut as Ptr, batch)
  batch.finish()
  return 0
}

/** The usual case: the range is one mapping. Nothing is cut, and only a seal is in the way. */
function unmapWhole(mm: SpaceEnv, space: AddressSpace, first: Ptr, start: Vpn, end: Vpn): number {
  const vma = new Vma(mm.memory, first)
  if (isSealed(vma)) return -EPERM
  if (!announceUnmap(mm, space, start, end)) return -ENOMEM
  const below = mm.vmas.before(space, first)
  const above = mm.vmas.next(first)
  const batch = mm.flusher.batch(space.root)
  zapRange(mm, space, vma, start, end, batch)
  countMapping(mm, space, vma.flags, start - end)
  removeVma(mm, space, vma)
  freeTables(mm, space, start, end, below, above, batch)
  batch.finish()
  return 0
}

/**
 * The record for the upper half of a mapping that reaches beyond both ends of the range; NULL when there is no such one. `first` is
 * what `find` of the start gives.
 */
export function prepareCut(
  mm: SpaceEnv,
  space: AddressSpace,
  first: Ptr,
  start: Vpn,
  end: Vpn,
): Ptr | number {
  if (!isInside(mm, first, start, end)) return NULL
  if (space.vmaCount >= mapCountMax(mm) || !mm.vmas.reserve(space, 1)) return -ENOMEM
  return mm.vmas.allocateVma() || -ENOMEM
}

/** Whether a mapping reaches beyond both ends of the range. */
export function isInside({ vmas }: SpaceEnv, vma: Ptr, start: Vpn, end: Vpn): boolean {
  return vma !== NULL && vmas.startOf(vma) < start && vmas.endOf(vma) > end
}

/** The second half, which cannot fail. `first` is what `find` of the start gives, `cut` what prepareCut returned. */
export function clearRange(
  mm: SpaceEnv,
  space: AddressSpace,
  first: Ptr,
  start: Vpn,
  end: Vpn,
  cut: Ptr,
  batch: FlushBatch,
): void {
  const vma = new Vma(mm.memory)
  let at = first
  if (cut !== NULL) splitVma(mm, space, vma.at(at), end, cut)
  while (at !== NULL && mm.vmas.startOf(at) < end) {
    // What comes next is asked first: the record may be gone afterwards.
    const next = vma.at(at).end > end ? at : mm.vmas.next(at)
    clearMapping(mm, space, vma, start, end, batch)
    at = next
  }
  freeTables(mm, space, start, end, mm.vmas.before(space, at), at, batch)
}

/** Gives the tables back that no mapping reaches into any more; `below` and `above` are the next ones, or NULL (free_pgtables). */
function freeTables(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  below: Ptr,
  above: Ptr,
  batch: FlushBatch,
): void {
  const low = below === NULL ? 0 : mm.vmas.endOf(below)
  const high = above === NULL ? mm.arch.userEnd : mm.vmas.startOf(above)
  mm.vmas.keepFound(space, low as Vpn, above, below)
  mm.userMappers.of(space.root).pruneBetween(start, end, low as Vpn, high, batch)
}

/** Takes the part of one mapping that lies in the range away: all of it, its end or its start. */
function clearMapping(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  batch: FlushBatch,
): void {
  const low = Math.max(vma.start, start) as Vpn
  const high = Math.min(vma.end, end) as Vpn
  zapRange(mm, space, vma, low, high, batch)
  countMapping(mm, space, vma.flags, low - high)
  if (low > vma.start) moveEnd(mm, space, vma, low)
  else if (high < vma.end) moveStart(mm, space, vma, high)
  else removeVma(mm, space, vma)
}

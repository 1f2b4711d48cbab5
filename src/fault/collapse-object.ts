/**
 * MADV_COLLAPSE of shared memory (collapse_file and collapse_pte_mapped_thp in mm/khugepaged.c): first the object's pages become a huge
 * page, for all who map them; then the caller maps it by a huge leaf. The others do so by their next fault. khugepaged does the first half.
 */
import { EAGAIN, EBUSY, EINVAL, ENOMEM } from '../base/errno.js'
import { NO_FRAME, NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import { isHeld } from '../space/held-pages.js'
import { forEachSpaceOf, forEachViewIn } from '../space/object-spaces.js'
import { isCollapsibleObject } from '../space/shmem-policy.js'
import type { SpaceEnv } from '../space/space-env.js'
import { unmapOriginals } from '../space/unmap-originals.js'
import { HUGE_PAGES, VM_UFFD_MISSING } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { countZapped } from '../space/zap-range.js'
import { LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { Scan } from './collapse.js'
import type { FaultEnv } from './fault.js'
import { holdsFolio } from './make-object-folio.js'
import { setFolio } from './object-folio.js'

/** So often a huge page is tried for that somebody keeps mapping the pages of. */
const ATTEMPTS_MAX = 64

/** How one huge page ended: 0 or a negative errno, and whether the next ones are tried after that. */
interface Outcome {
  readonly result: number
  readonly goesOn: boolean
}

const done: Outcome = { result: 0, goesOn: true }
const failed = (result: number): Outcome => ({ result, goesOn: false })
const missed = (result: number): Outcome => ({ result, goesOn: true })

/**
 * Collapses every aligned 2 MiB of a part of a mapping of shared memory. The caller has the space's lock alone, which is given back
 * meanwhile. 0 when all are huge pages then; -EINVAL (nothing was there, other memory, or private copies among them), -EAGAIN (somebody
 * else uses a page), -EBUSY (pages are missing, of which userfaultfd(2) wants to know), -ENOMEM.
 */
export function collapseObjects(mm: FaultEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): number {
  if (!isCollapsibleObject(mm, space, vma)) return -EINVAL
  const first = Math.ceil(start / HUGE_PAGES) * HUGE_PAGES
  const last = Math.floor(end / HUGE_PAGES) * HUGE_PAGES
  // As in `collapseRange`.
  if (last < first) return -EINVAL
  let problem = 0
  for (let vpn = first; vpn < last; vpn += HUGE_PAGES) {
    const { result, goesOn } = collapseAt(mm, space, vpn as Vpn)
    if (result < 0) problem = result
    if (!goesOn) break
  }
  return problem
}

/**
 * khugepaged's look at one aligned 2 MiB of a mapping of shared memory, of which at most `none` pages may be missing. The caller has the space's lock
 * alone, which is given back meanwhile (hpage_collapse_scan_file).
 */
export function scanObject(mm: FaultEnv, space: AddressSpace, vma: Vma, vpn: Vpn, none: number): Scan {
  const { object } = vma
  const first = vma.offsetOf(vpn)
  mm.objects.retain(object)
  mm.atomics.unlock(space.lock, LockRank.space)
  const isHuge = mm.objects.folioOf(object, first) !== NO_FRAME
  const result = isHuge ? Scan.isHuge : collapseUnlessEmpty(mm, object, first, none)
  mm.atomics.lock(space.lock, LockRank.space)
  const found = isHuge ? retractTable(mm, space, object, first, vpn) : result
  mm.objects.release(object)
  return found
}

function collapseUnlessEmpty(mm: FaultEnv, object: Ptr, first: number, none: number): Scan {
  if (isHeld(mm, object, first)) return Scan.unsuitable
  if (pagesIn(mm, object, first) < HUGE_PAGES - none) {
    count(mm.memory, Counter.scanExceedNone)
    return Scan.holes
  }
  const { result } = makeFolio(mm, object, first)
  if (result === -ENOMEM) return Scan.noBlock
  return result === 0 ? Scan.done : Scan.unsuitable
}

function pagesIn({ objects }: FaultEnv, object: Ptr, first: number): number {
  let pages = 0
  objects.lock(object)
  objects.forEachPage(object, () => pages++, first, first + HUGE_PAGES)
  objects.unlock(object)
  return pages
}

/** A huge page that a table of small pages maps: the table goes, so that the next fault may map it by a huge leaf. */
function retractTable(mm: FaultEnv, space: AddressSpace, object: Ptr, first: number, vpn: Vpn): Scan {
  const mapper = mm.userMappers.of(space.root)
  if (mapper.hugeLeaf(vpn) !== NULL) return Scan.done
  const holding = mm.vmas.findHolding(space, vpn)
  if (holding === NULL) return Scan.unsuitable
  const vma = new Vma(mm.memory, holding)
  const isSame = vma.object === object && vma.offsetOf(vpn) === first && holdsFolio(mm, space, vma, vpn)
  if (!isSame || !isCollapsibleObject(mm, space, vma)) return Scan.unsuitable
  if (mapper.slot(vpn) === NULL) return Scan.unsuitable
  const entry = mapper.leaf(vpn)
  if (entry === NULL) return Scan.done
  if (!mapsOnly(mapper, entry, mm.objects.folioOf(object, first))) return Scan.unsuitable
  const table = emptyTable(mm, space, vma, vpn)
  const batch = mm.flusher.batch(space.root)
  batch.freeTable(table)
  batch.finish()
  return Scan.done
}

/** The mapping may be another one by now (hugepage_vma_revalidate). */
function collapseAt(mm: FaultEnv, space: AddressSpace, vpn: Vpn): Outcome {
  const holding = mm.vmas.findHolding(space, vpn)
  if (holding === NULL) return failed(-EINVAL)
  const vma = new Vma(mm.memory, holding)
  if (vma.object === NULL || !isCollapsibleObject(mm, space, vma) || !holdsFolio(mm, space, vma, vpn))
    return failed(-EINVAL)
  const object = vma.object
  const first = vma.offsetOf(vpn)
  mm.objects.retain(object)
  mm.atomics.unlock(space.lock, LockRank.space)
  const made = makeFolio(mm, object, first)
  mm.atomics.lock(space.lock, LockRank.space)
  const outcome = made.result === 0 ? mapThere(mm, space, object, first, vpn) : made
  mm.objects.release(object)
  return outcome
}

/** The pages become a huge page in the object. The caller holds no lock. */
function makeFolio(mm: FaultEnv, object: Ptr, first: number): Outcome {
  if (mm.objects.folioOf(object, first) !== NO_FRAME) return done
  const order = Math.log2(HUGE_PAGES)
  const block = mm.buddy.allocate(order)
  count(mm.memory, block === NO_FRAME ? Counter.hugeCollapseFailed : Counter.hugeCollapse)
  if (block === NO_FRAME) return failed(-ENOMEM)
  const result = collapsePatiently(mm, object, first, block)
  if (result < 0) {
    mm.buddy.free(block, order)
    return result === -EAGAIN ? missed(result) : failed(result)
  }
  forEachSpaceOf(mm, object, (space) => dropTables(mm, space, object, first))
  return done
}

/** A page that is mapped anew before the object is locked is unmapped again. */
function collapsePatiently(mm: FaultEnv, object: Ptr, first: number, block: Pfn): number {
  let result = -EAGAIN
  const attempts = mm.memory.shared ? ATTEMPTS_MAX : 1
  for (let i = 0; i < attempts && result === -EAGAIN; i++) {
    if (isHeld(mm, object, first)) continue
    const asks = unmapForCollapse(mm, object, first)
    result = asks && hasHoles(mm, object, first) ? -EBUSY : mm.objects.collapse(object, first, block)
  }
  return result
}

/** Says whether a reader of userfaultfd(2) asks for pages that are missing. */
function unmapForCollapse(mm: FaultEnv, object: Ptr, first: number): boolean {
  let asks = false
  unmapOriginals(mm, object, first, first + HUGE_PAGES, ({ flags }) => {
    asks ||= (flags & VM_UFFD_MISSING) !== 0
  })
  return asks
}

function hasHoles({ objects }: SpaceEnv, object: Ptr, first: number): boolean {
  for (let i = 0; i < HUGE_PAGES; i++) if (objects.find(object, first + i) === NO_FRAME) return true
  return false
}

/** Empty tables stand in the way of huge leaves (retract_page_tables). Those of mappings with pages of their own stay. */
function dropTables(mm: SpaceEnv, space: AddressSpace, object: Ptr, first: number): void {
  const mapper = mm.userMappers.of(space.root)
  const batch = mm.flusher.batch(space.root)
  forEachViewIn(mm, space, object, first, first + HUGE_PAGES, (vma, from, to) => {
    if (vma.family === NULL && holdsFolio(mm, space, vma, from) && to - from === HUGE_PAGES)
      dropTable(mapper, from, batch)
  })
  batch.finish()
}

function dropTable(mapper: UserMapper, vpn: Vpn, batch: Parameters<UserMapper['takeTable']>[1]): void {
  const entry = mapper.leaf(vpn)
  if (entry === NULL || isAnyPresent(mapper, entry)) return
  batch.freeTable(mapper.takeTable(vpn, batch))
}

function isAnyPresent(mapper: UserMapper, first: Ptr): boolean {
  for (let i = 0; i < mapper.hugePages; i++) if (mapper.isPresent(mapper.neighbour(first, i))) return true
  return false
}

/** Maps the huge page in the caller's space, which is locked again: if all is as it was. */
function mapThere(mm: FaultEnv, space: AddressSpace, object: Ptr, first: number, vpn: Vpn): Outcome {
  const holding = mm.vmas.findHolding(space, vpn)
  if (holding === NULL) return failed(-EINVAL)
  const vma = new Vma(mm.memory, holding)
  if (vma.object !== object || vma.offsetOf(vpn) !== first || !holdsFolio(mm, space, vma, vpn))
    return failed(-EINVAL)
  const mapper = mm.userMappers.of(space.root)
  if (mapper.hugeLeaf(vpn) !== NULL) return done
  // Linux makes no tables for it that lead to where it would be.
  if (mapper.slot(vpn) === NULL) return missed(-EINVAL)
  const folio = mm.objects.retainFolio(object, first)
  if (folio === NO_FRAME) return missed(-EINVAL)
  const result = mapFolio(mm, space, vma, vpn, folio)
  if (result < 0) mm.objects.releaseFolio(folio)
  return result < 0 ? failed(result) : done
}

/** Keeps the references to the frames, or returns an errno. */
function mapFolio(mm: FaultEnv, space: AddressSpace, vma: Vma, vpn: Vpn, first: Pfn): number {
  const mapper = mm.userMappers.of(space.root)
  const entry = mapper.leaf(vpn)
  if (entry !== NULL && !mapsOnly(mapper, entry, first)) return -EINVAL
  const deposit = entry === NULL ? mapper.newDeposit() : emptyTable(mm, space, vma, vpn)
  if (deposit === NO_FRAME) return -ENOMEM
  setFolio(mm, space, vma, mapper.slot(vpn), { first, isWrite: false, deposit })
  return 0
}

/** Whether the entries of a table map nothing but their pages of the huge page. */
function mapsOnly(mapper: UserMapper, table: Ptr, first: Pfn): boolean {
  for (let i = 0; i < mapper.hugePages; i++) {
    const entry = mapper.neighbour(table, i)
    if (mapper.isPresent(entry) && mapper.pfn(entry) !== first + i) return false
  }
  return true
}

/** Takes the table of small pages away, and what they map out of it. */
function emptyTable(mm: SpaceEnv, space: AddressSpace, vma: Vma, vpn: Vpn): Pfn {
  const mapper = mm.userMappers.of(space.root)
  const entry = mapper.leaf(vpn)
  const batch = mm.flusher.batch(space.root)
  const tally = { anonymous: 0, others: 0 }
  const table = mapper.takeTable(vpn, batch)
  mapper.clearRun(entry, vpn, mapper.hugePages, batch, tally, mm.objects)
  batch.finish()
  countZapped(mm, space, vma, tally)
  return table
}

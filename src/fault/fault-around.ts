import { pagesFor, type Vpn } from '../base/numbers.js'
import { countOthers } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import type { Fault, FaultEnv } from './fault.js'
import { objectPageFlags } from './page-flags.js'
import { isAskedForMapping } from './userfault.js'

/** Pages that one read fault maps at most: fault_around_bytes is 64 KiB. */
const WINDOW_PAGES = 16

/** Whether what the page cache has around a page is mapped too. */
export function mapsAround(mm: FaultEnv, fault: Fault): boolean {
  return !fault.isWrite && !isAskedForMapping(fault) && !mm.objects.mapsAlone(fault.vma.object)
}

/** The first page of the window that a page lies in. As in Linux it is moved up, not cut, where the mapping starts inside it. */
export function windowStart({ vma, vpn }: Fault): Vpn {
  return Math.max(vpn - (vpn % WINDOW_PAGES), vma.start) as Vpn
}

/**
 * A read of an object's page maps what the page cache has around it too (do_fault_around and filemap_map_pages): pages
 * that nothing is mapped at yet, in the window of the address space that the page lies in, cut to the mapping, the page
 * table and the object. Returns whether the page itself was among them. Asks no provider and cannot fail.
 *
 * As in Linux, on riscv64 the pages around count as accessed too. `areHits`: the pages were there before the fault.
 */
export function faultAround(mm: FaultEnv, fault: Fault, areHits = true): boolean {
  const { vma, vpn } = fault
  const start = windowStart(fault)
  const tableEnd = vpn - mm.arch.index(vpn, 0) + mm.arch.span(1)
  const end = Math.min(start + WINDOW_PAGES, tableEnd, vma.end)
  mm.objects.lock(vma.object)
  const objectEnd = vpn + pagesFor(mm.objects.size(vma.object)) - vma.offsetOf(vpn)
  fault.lockEntry()
  const mapped = mapCached(mm, fault, start, Math.min(end, objectEnd))
  if (areHits) mm.objects.noteHits(vma.object, mapped)
  fault.unlockEntry()
  mm.objects.unlock(vma.object)
  if (mapped === 0) return false
  countOthers(mm, fault.space, vma.object, mapped)
  const isDone = fault.mapper.isPresent(fault.entry)
  count(mm.memory, Counter.faultAround, isDone ? mapped - 1 : mapped)
  if (isDone) count(mm.memory, Counter.faultFile)
  return isDone
}

/** Maps what is cached of the pages `start` to `end` - 1, all in the fault's page table; returns how many. */
function mapCached(mm: FaultEnv, fault: Fault, start: number, end: number): number {
  const { vma, vpn, mapper } = fault
  const flags = objectPageFlags(vma.flags, false, mm.objects.isShmem(vma.object))
  let mapped = 0
  for (let at = start; at < end; at++) {
    if (!mm.objects.isFilled(vma.object, vma.offsetOf(at))) continue
    const entry = mapper.neighbour(fault.entry, at - vpn)
    if (mapper.isPresent(entry)) continue
    const page = mm.objects.find(vma.object, vma.offsetOf(at))
    mm.buddy.retain(page)
    mapper.set(entry, at as Vpn, page, flags, fault.batch)
    mapped++
  }
  return mapped
}

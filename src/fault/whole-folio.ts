/**
 * Faults that map all pages of an object's huge page at once, by an entry each (finish_fault of Linux 6.12): stores to memory without a name, where a huge leaf has no place because there is a table already, or must not be.
 */
import { NO_FRAME, NULL, type Pfn, type Vpn } from '../base/numbers.js'
import { isUnnamedShmem } from '../space/shmem-policy.js'
import { HUGE_PAGES } from '../space/vm-flags.js'
import type { Vma } from '../space/vma.js'
import { countOthers } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import type { Fault, FaultEnv } from './fault.js'
import { objectPageFlags } from './page-flags.js'

/** First frame of the huge page that may be mapped around the fault's page, with a reference to each of its frames; or NO_FRAME. */
export function retainWholeFolio(mm: FaultEnv, fault: Fault): Pfn {
  const { vma, vpn } = fault
  if (!mm.objects.hasFolios(vma.object) || !mapsWholeFolios(mm, vma)) return NO_FRAME
  const first = firstOf(fault)
  const isInside = first >= vma.start && first + HUGE_PAGES <= vma.end
  const isAligned = (vma.start - vma.pageOffset) % HUGE_PAGES === 0
  return isInside && isAligned ? mm.objects.retainFolio(vma.object, vma.offsetOf(vpn)) : NO_FRAME
}

/** Files with a name are mapped page by page, lest a process appears larger than it is; and so is what userfaultfd(2) is asked for. */
function mapsWholeFolios(mm: FaultEnv, vma: Vma): boolean {
  return vma.userfault === NULL && isUnnamedShmem(mm, vma)
}

function firstOf({ vpn }: Fault): Vpn {
  return (vpn - (vpn % HUGE_PAGES)) as Vpn
}

/** Whether none of its pages is mapped. The entry is locked. */
export function hasRoomForFolio(fault: Fault): boolean {
  const { mapper, entry, vpn } = fault
  const first = firstOf(fault) - vpn
  for (let i = 0; i < HUGE_PAGES; i++) if (mapper.isPresent(mapper.neighbour(entry, first + i))) return false
  return true
}

/** Maps all its pages, which keep their references, and unlocks the entry. */
export function mapWholeFolio(mm: FaultEnv, fault: Fault, folio: Pfn): void {
  const { vma, mapper, entry, vpn, batch } = fault
  const flags = objectPageFlags(vma.flags, fault.isWrite, true)
  const first = firstOf(fault)
  if (fault.isWrite) mm.objects.noteStore(vma.object, (folio + (vpn - first)) as Pfn)
  for (let i = 0; i < HUGE_PAGES; i++) {
    const at = (first + i) as Vpn
    mapper.set(mapper.neighbour(entry, at - vpn), at, (folio + i) as Pfn, flags, batch)
  }
  countOthers(mm, fault.space, vma.object, HUGE_PAGES)
  fault.unlockEntry()
  count(mm.memory, Counter.faultFile)
  count(mm.memory, Counter.faultAround, HUGE_PAGES - 1)
}

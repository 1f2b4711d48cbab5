/**
 * A write fault that is answered with several pages at once: 16 KiB to 1 MiB of anonymous memory, aligned, of frames side by side
 * (alloc_anon_folio of Linux 6.12; "mTHP"). Off unless root has switched a size on. The frames are single ones with counts of
 * their own, as those of huge leaves are: nothing else needs to know that they came together.
 */
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import { FOLIO_ORDER_MIN, folioOrders } from '../space/huge-policy.js'
import { countAnonymous } from '../space/zap-range.js'
import { count, OrderCounter, orderCounter } from '../state/counters.js'
import type { Fault, FaultEnv } from './fault.js'
import { ownFrameFlags, writtenFlags } from './page-flags.js'

/**
 * Maps the largest folio that is allowed, fits around the page and finds a block, and says whether there was one (and no other
 * hart has mapped one of the pages meanwhile). The mapping has a family, and the page has a table.
 */
export function mapFolio(mm: FaultEnv, fault: Fault): boolean {
  let orders = folioOrders(mm.memory, fault.space, fault.vma)
  for (let order = highest(orders); order >= FOLIO_ORDER_MIN; order = highest(orders)) {
    orders &= ~(1 << order)
    if (!isRoom(fault, order)) continue
    const pfn = mm.buddy.allocateZeroed(order)
    if (pfn !== NO_FRAME) return install(mm, fault, pfn, order)
    count(mm.memory, orderCounter(OrderCounter.folioFallback, order))
  }
  return false
}

/** -1 for none. */
const highest = (orders: number): number => 31 - Math.clz32(orders)

const firstPage = ({ vpn }: Fault, order: number): Vpn => (vpn - (vpn % (1 << order))) as Vpn

/** Whether the aligned range lies in the mapping and has no page yet. */
function isRoom(fault: Fault, order: number): boolean {
  const { mapper, vma, entry, vpn } = fault
  const pages = 1 << order
  const first = firstPage(fault, order)
  if (first < vma.start || first + pages > vma.end) return false
  for (let i = 0; i < pages; i++) if (mapper.isPresent(mapper.neighbour(entry, first - vpn + i))) return false
  return true
}

function install(mm: FaultEnv, fault: Fault, pfn: Pfn, order: number): boolean {
  fault.lockEntry()
  const isRoomNow = fault.isAlone || isRoom(fault, order)
  if (isRoomNow) installLocked(mm, fault, pfn, order)
  else mm.buddy.free(pfn, order)
  fault.unlockEntry()
  return isRoomNow
}

function installLocked(mm: FaultEnv, fault: Fault, pfn: Pfn, order: number): void {
  const { mapper, vma, entry, vpn, batch, space } = fault
  const pages = 1 << order
  const first = firstPage(fault, order)
  const root = mm.families.rootOf(vma.family)
  mm.buddy.divide(pfn, order, ownFrameFlags(vma), root, vma.offsetOf(first))
  const flags = writtenFlags(vma.flags)
  for (let i = 0; i < pages; i++) {
    const at = mapper.neighbour(entry, first - vpn + i)
    mapper.set(at, (first + i) as Vpn, (pfn + i) as Pfn, flags, batch)
  }
  countAnonymous(mm, space, pages)
  count(mm.memory, orderCounter(OrderCounter.folioFault, order))
}

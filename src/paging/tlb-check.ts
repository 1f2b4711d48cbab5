import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NO_FRAME, PAGE_SIZE, type Vpn } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { PageTable } from './page-table.js'
import type { Tlbs } from './tlb.js'
import { EMPTY, TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry } from './tlb-layout.js'

const TAGS = [
  { offset: TlbEntry.readTag, needs: EntryFlag.read },
  { offset: TlbEntry.writeTag, needs: EntryFlag.write | EntryFlag.dirty },
  { offset: TlbEntry.executeTag, needs: EntryFlag.execute },
] as const

/**
 * Every live tag must agree with the page tables as they are now, under every identifier: a forgotten flush is found here. What has
 * not caught up yet (Shootdown.isCurrent) is left out.
 */
export function checkTlbs(
  memory: Memory,
  arch: MemoryManagementArch,
  tlbs: Tlbs,
  isCurrent: (hart: number, asid: number) => boolean = () => true,
): void {
  for (let hart = 0; hart < tlbs.hartCount; hart++) {
    for (let asid = 0; asid < tlbs.asids; asid++) {
      if (!tlbs.isInUse(hart, asid) || !isCurrent(hart, asid)) continue
      const isActive = asid === tlbs.activeAsid(hart)
      const root = isActive ? tlbs.activeRoot(hart) : tlbs.rootOf(hart, asid)
      const table = new PageTable(memory, arch, root)
      const first = tlbs.entries(hart, asid)
      for (let index = 0; index < TLB_ENTRIES; index++) checkEntry(memory, first, index, table)
    }
  }
}

function checkEntry(memory: Memory, first: number, index: number, table: PageTable): void {
  const { i32, u32 } = memory
  const entry = first + index * TLB_ENTRY_BYTES
  for (const { offset, needs } of TAGS) {
    const low = u32[(entry + offset) >>> 2]!
    const high = i32[(entry + offset + 4) >>> 2]!
    if (high === EMPTY && low === 0xffff_ffff) continue
    const vpn = (high * 2 ** 20 + (low >>> 12)) as Vpn
    assert(low % PAGE_SIZE === 0, 'a tag is an address of a page')
    assert((vpn & (TLB_ENTRIES - 1)) === index, 'a tag stands in the entry of its page')
    assert(table.root !== NO_FRAME, 'a hart without tables has an empty TLB')
    assert(table.translate(vpn), 'a TLB entry outlived its mapping')
    assert((table.lastFlags & needs) === needs, 'a TLB entry allows more than the page table')
    assert((table.lastFlags & EntryFlag.accessed) !== 0, 'a page in the TLB is marked as accessed')
    const target = (low + i32[(entry + TlbEntry.addend) >>> 2]!) >>> 0
    assert(target === table.lastPfn * PAGE_SIZE, 'a TLB entry leads to another frame than the page table')
  }
}

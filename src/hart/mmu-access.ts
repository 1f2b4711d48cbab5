/** What the emitters of TLB look-ups share. */
import { PAGE_SIZE } from '../base/numbers.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry } from '../paging/tlb.js'
import type { HartLayout } from './hart-layout.js'
import { i32, i64, loadRaw, op, type Value } from './value.js'

/** What an access wants; its tag stands at `access * 8` in a TLB entry. */
export const MmuAccess = { read: 0, write: 1, execute: 2 } as const

/** Offset of the TLB slot of an address (i64), i32. */
export function tlbSlot(address: Value): Value {
  const shift = 12 - Math.log2(TLB_ENTRY_BYTES)
  return op(
    'i32_and',
    op('i32_shr_u', op('i32_wrap_i64', address), i32(shift)),
    i32((TLB_ENTRIES - 1) * TLB_ENTRY_BYTES),
  )
}

/**
 * Whether a tag of a slot is the page of the access's last byte. The slot is that of its first byte, so an access
 * that crosses pages never hits.
 */
export function tlbHits(layout: HartLayout, address: Value, slot: Value, bytes: number, tag: number): Value {
  const last = bytes === 1 ? address : op('i64_add', address, i64(bytes - 1))
  const page = op('i64_and', last, i64(-PAGE_SIZE))
  return op('i64_eq', loadRaw('i64_load', slot, layout.tlbEntries + tag), page)
}

/** Where the byte of an address is in the buffer, i32, when its slot has been hit. */
export function tlbPlace(layout: HartLayout, address: Value, slot: Value): Value {
  const addend = loadRaw('i32_load', slot, layout.tlbEntries + TlbEntry.addend)
  return op('i32_add', op('i32_wrap_i64', address), addend)
}

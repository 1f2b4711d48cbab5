/** What the emitters of TLB look-ups share. */
import { PAGE_SIZE } from '../base/numbers.js'
import { i32, i64, loadRaw, op, type Value } from '../base/wasm/value.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry, TlbHeader } from '../paging/tlb-layout.js'
import type { HartLayout } from './hart-layout.js'

/** What an access wants; its tag stands at `access * 8` in a TLB entry. */
export const MmuAccess = { read: 0, write: 1, execute: 2 } as const

/** Where the entries are that count now, i32: the same for a whole run of the hart. */
export function tlbEntries({ tlb }: HartLayout): Value {
  return loadRaw('i32_load', i32(tlb), TlbHeader.entries)
}

/** Where the TLB slot of an address (i64) is, i32. */
export function tlbSlot(address: Value, entries: Value): Value {
  const shift = 12 - Math.log2(TLB_ENTRY_BYTES)
  const offset = op(
    'i32_and',
    op('i32_shr_u', op('i32_wrap_i64', address), i32(shift)),
    i32((TLB_ENTRIES - 1) * TLB_ENTRY_BYTES),
  )
  return op('i32_add', offset, entries)
}

/**
 * Whether a tag of a slot is the page of the access's last byte. The slot is that of its first byte, so an access
 * that crosses pages never hits.
 */
export function tlbHits(address: Value, slot: Value, bytes: number, tag: number): Value {
  const last = bytes === 1 ? address : op('i64_add', address, i64(bytes - 1))
  const page = op('i64_and', last, i64(-PAGE_SIZE))
  return op('i64_eq', loadRaw('i64_load', slot, tag), page)
}

/** Where the byte of an address is in the buffer, i32, when its slot has been hit. */
export function tlbPlace(address: Value, slot: Value): Value {
  const addend = loadRaw('i32_load', slot, TlbEntry.addend)
  return op('i32_add', op('i32_wrap_i64', address), addend)
}

/** What the emitters of TLB look-ups share. */
import { TLB_ENTRIES, TLB_ENTRY_BYTES } from '../paging/tlb.js'
import { i32, op, type Value } from './value.js'

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

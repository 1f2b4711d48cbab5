/**
 * Where the pages of a module are that its functions were translated from: for each one a global variable of it (i64), the frame in the low
 * half and the frame's stamp in the high one; 0 = nobody knows, and then no function that needs the page does anything. So the module
 * itself is the same in every run of a program.
 */
import { PAGE_SHIFT, PAGE_SIZE, type Vpn } from '../../base/numbers.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry } from '../../paging/tlb-layout.js'
import { CODE_STAMP_BYTES } from '../../state/layout.js'
import type { HartLayout } from '../hart-layout.js'
import { i32, i64, loadRaw, local, op, type Value } from '../value.js'
import type { CodePage } from './code-pages.js'

/** Names under which a module exports the global variables. */
export function pageName(index: number): string {
  return `page${index}`
}

export function setPage(exports: WebAssembly.Exports, index: number, { pfn, stamp }: CodePage): void {
  const global = exports[pageName(index)] as WebAssembly.Global<'i64'>
  global.value = BigInt(pfn) | (BigInt(stamp) << 32n)
}

/** i32: a half of the global variable with this index in the module. */
function frameOf(global: number): Value {
  return op('i32_wrap_i64', (code) => void code.globalGet(global))
}

function stampOf(global: number): Value {
  return op(
    'i32_wrap_i64',
    op('i64_shr_u', (code) => void code.globalGet(global), i64(32)),
  )
}

/**
 * Whether a page is not where its global variable says: the entry for fetches in the TLB (whose place is local `tlb`) leads elsewhere, or the
 * stamp has changed.
 */
export function isGone({ codeStamps }: HartLayout, vpn: Vpn, global: number, tlb: number): Value {
  const entry = (vpn % TLB_ENTRIES) * TLB_ENTRY_BYTES
  const page = vpn * PAGE_SIZE
  const addend = op('i32_sub', op('i32_shl', frameOf(global), i32(PAGE_SHIFT)), i32(page | 0))
  const isElsewhere = op('i64_ne', loadRaw('i64_load', local(tlb), entry + TlbEntry.executeTag), i64(page))
  const isOther = op('i32_ne', loadRaw('i32_load', local(tlb), entry + TlbEntry.addend), addend)
  const place = op('i32_mul', frameOf(global), i32(CODE_STAMP_BYTES))
  const isChanged = op('i32_ne', loadRaw('i32_load16_u', place, codeStamps), stampOf(global))
  return op('i32_or', op('i32_or', isElsewhere, isOther), isChanged)
}

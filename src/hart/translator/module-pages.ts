/**
 * Where the pages of a module are that its functions were translated from: for each one a global variable of it (i64), the frame in the low
 * half and the frame's stamp in the high one; 0 = nobody knows, and then no function that needs the page does anything. So the module
 * itself is the same in every run of a program.
 */
import { PAGE_SHIFT, PAGE_SIZE, type Vpn } from '../../base/numbers.js'
import type { Code } from '../../base/wasm/code.js'
import { MEMORY_OP } from '../../base/wasm/opcodes.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry } from '../../paging/tlb-layout.js'
import { CODE_STAMP_BYTES } from '../../state/layout.js'
import type { HartLayout } from '../hart-layout.js'
import type { CodePage } from './code-pages.js'

/** Names under which a module exports the global variables. */
export function pageName(index: number): string {
  return `page${index}`
}

export function setPage(exports: WebAssembly.Exports, index: number, { pfn, stamp }: CodePage): void {
  const global = exports[pageName(index)] as WebAssembly.Global<'i64'>
  global.value = BigInt(pfn) | (BigInt(stamp) << 32n)
}

/**
 * i32: whether a page is not where its global variable (this index in the module) says: the entry for fetches in the TLB (whose place is local `tlb`)
 * leads elsewhere, or the stamp has changed.
 */
export function writeIsGone(
  code: Code,
  { codeStamps }: HartLayout,
  vpn: Vpn,
  global: number,
  tlb: number,
): void {
  const entry = (vpn % TLB_ENTRIES) * TLB_ENTRY_BYTES
  const page = vpn * PAGE_SIZE
  code
    .get(tlb)
    .access(MEMORY_OP.i64_load, entry + TlbEntry.executeTag)
    .i64(page)
    .op('i64_ne')
  code.get(tlb).access(MEMORY_OP.i32_load, entry + TlbEntry.addend)
  code.globalGet(global).op('i32_wrap_i64').i32(PAGE_SHIFT).op('i32_shl').i32(page).op('i32_sub')
  code.op('i32_ne').op('i32_or')
  code.globalGet(global).op('i32_wrap_i64').i32(CODE_STAMP_BYTES).op('i32_mul')
  code.memory('i32_load16_u', codeStamps)
  code.globalGet(global).i64(32).op('i64_shr_u').op('i32_wrap_i64').op('i32_ne').op('i32_or')
}

/**
 * takeWriteTags(entries, place): a function of the interpreter's module that takes the writeTag of each TLB entry that leads to the frame at
 * `place` in the buffer, so that the next store to it walks. `entries`: where the TLB's entries are.
 */
import type { Code, ValueType } from '../../base/wasm/code.js'
import { i32, i64, loadRaw, local, op, storeRaw } from '../../base/wasm/value.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry } from '../../paging/tlb-layout.js'

export const TAKE_WRITE_TAGS_PARAMETERS: readonly ValueType[] = ['i32', 'i32']

export function emitTakeWriteTags(code: Code): void {
  const [entry, place] = [local(0), local(1)]
  const end = code.local('i32')
  op('i32_add', entry, i32(TLB_ENTRIES * TLB_ENTRY_BYTES))(code)
  code.set(end)
  const again = code.loop()
  const tag = loadRaw('i64_load', entry, TlbEntry.writeTag)
  const leadsTo = op('i32_add', op('i32_wrap_i64', tag), loadRaw('i32_load', entry, TlbEntry.addend))
  op('i32_and', op('i64_ne', tag, i64(-1)), op('i32_eq', leadsTo, place))(code)
  code.if()
  storeRaw('i64_store', entry, i64(-1), TlbEntry.writeTag)(code)
  code.end()
  op('i32_add', entry, i32(TLB_ENTRY_BYTES))(code)
  code.tee(0).get(end).op('i32_lt_u').brIf(again).end()
}

/**
 * What every region ends in, from its two outermost blocks on (region-function.ts): the same bytes in all, so they are written once.
 *
 *     end of block stop: take apart what `stopAt` has put together, store pc, return left
 *     end of block exit: go on in the translated code of it, in place of this function; or store pc, return left
 */
import { Code } from '../../base/wasm/code.js'
import { i32, loadRaw, local, op, storeRaw, type Value } from '../../base/wasm/value.js'
import type { HartLayout } from '../hart-layout.js'
import { HartField } from '../hart-state.js'
import { REGION_TYPE } from './dispatcher.js'
import { CODE_ENTRY_BYTES, CodeEntry, setOffset } from './entry-table.js'
import type { RegionFrame } from './region-frame.js'

export function regionEnd(frame: RegionFrame, layout: HartLayout): Code {
  const code = new Code([])
  code.op('unreachable').end()
  frame.writeStop(code)
  storePc(code, frame, local(frame.exitPc))
  code.get(frame.left).op('return').end()
  goOn(code, frame, layout)
  storePc(code, frame, local(frame.exitPc))
  return code.get(frame.left)
}

export function storePc(code: Code, { hart }: RegionFrame, pc: Value): void {
  storeRaw('i64_store', hart, pc, HartField.pc)(code)
}

/** Calls the translated code of `exitPc` in place of this function, if there is some: it stores where it is when it leaves. */
function goOn(
  code: Code,
  { hart, tlb, left, exitPc, entry }: RegionFrame,
  { codeEntries }: HartLayout,
): void {
  const isOther = op('i64_ne', loadRaw('i64_load', local(entry), codeEntries), local(exitPc))
  setOffset(local(exitPc))(code)
  code.set(entry)
  const nowhere = code.block()
  isOther(code)
  code.if()
  op('i32_add', local(entry), i32(CODE_ENTRY_BYTES))(code)
  code.set(entry)
  isOther(code)
  code.brIf(nowhere).end()
  // From here on the place in the function table.
  loadRaw('i32_load', local(entry), codeEntries + CodeEntry.function)(code)
  code.tee(entry).op('i32_eqz').brIf(nowhere)
  for (const operand of [hart, tlb, local(left), local(entry)]) operand(code)
  code.returnCallIndirect(REGION_TYPE).end()
}

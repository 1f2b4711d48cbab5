/**
 * What every region ends in, from its two outermost blocks on (region-function.ts): the same bytes in all, so they are written once.
 *
 *     end of block stop: take apart what `stopAt` has put together, store pc, return left
 *     end of block exit: store pc, go on in the translated code of it, in place of this function; or return left
 */
import { Code } from '../../base/wasm/code.js'
import { i32, loadRaw, local, op, storeRaw } from '../../base/wasm/value.js'
import type { HartLayout } from '../hart-layout.js'
import { HartField } from '../hart-state.js'
import { REGION_TYPE } from './dispatcher.js'
import { CODE_ENTRY_BYTES, CodeEntry, setOffset } from './entry-table.js'
import type { RegionFrame } from './region-frame.js'

export function regionEnd(frame: RegionFrame, layout: HartLayout): Code {
  const code = new Code([])
  code.op('unreachable').end()
  frame.writeStop(code)
  storePc(code, frame)
  code.get(frame.left).op('return').end()
  storePc(code, frame)
  goOn(code, frame, layout)
  return code.get(frame.left)
}

function storePc(code: Code, { hart, exitPc }: RegionFrame): void {
  storeRaw('i64_store', hart, local(exitPc), HartField.pc)(code)
}

/** Calls the translated code of `exitPc` in place of this function, if there is some. */
function goOn(
  code: Code,
  { hart, tlb, left, exitPc, entry }: RegionFrame,
  { codeEntries }: HartLayout,
): void {
  const isOther = op('i64_ne', loadRaw('i64_load', local(entry)), local(exitPc))
  op('i32_add', setOffset(local(exitPc)), i32(codeEntries))(code)
  code.set(entry)
  isOther(code)
  code.if()
  op('i32_add', local(entry), i32(CODE_ENTRY_BYTES))(code)
  code.set(entry)
  isOther(code)
  code.ifUnlikely()
  code.get(left).op('return').end().end()
  const place = loadRaw('i32_load', local(entry), CodeEntry.function)
  place(code)
  code.if()
  for (const operand of [hart, tlb, local(left), place]) operand(code)
  code.returnCallIndirect(REGION_TYPE).end()
}

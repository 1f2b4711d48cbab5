import type { Code, Label } from '../base/wasm/code.js'
import { i64, op, type Value } from '../base/wasm/value.js'

/** The interpreter's state, in locals of its function. */
export interface InterpreterLocals {
  /** Where the instruction is in the buffer; may stand outside the page after a branch. */
  readonly pointer: number
  /** Where the page that is fetched from starts in the buffer. */
  readonly page: number
  /** i64: what makes a virtual address of `pointer`. */
  readonly delta: number
  readonly word: number
  /** Number of the instruction's definition. */
  readonly entry: number
  /** Where the TLB's entries are. */
  readonly tlb: number
  /** Instructions that may still be executed. */
  readonly left: number
}

export interface InterpreterLabels {
  /** The next instruction. */
  readonly next: Label
  /** The next instruction, which a jump leads to: there may be translated code. */
  readonly arrive: Label
  /** Leaves; exit, cause and tval are written. */
  readonly trap: Label
  readonly illegal: Label
}

/** A distance no page has: `pointer` this far beyond `page` makes the next fetch look the address up. */
const ELSEWHERE = 0x10000

/** Makes the next fetch look `address` up. */
export function emitElsewhere(code: Code, { pointer, page, delta }: InterpreterLocals, address: Value): void {
  code.i32(0).set(page).i32(ELSEWHERE).set(pointer)
  op('i64_sub', address, i64(ELSEWHERE))(code)
  code.set(delta)
}

import type { Code, ValueType } from '../base/wasm/code.js'
import type { MemoryOp } from '../base/wasm/opcodes.js'
import type { Value } from '../base/wasm/value.js'
import type { Exit } from './exit.js'

/**
 * What the semantics of an instruction are written against. The interpreter reads operands from the
 * instruction word and registers from the hart's record; a translator has constants and WebAssembly locals. An
 * instruction must therefore take its operands from here and from nowhere else.
 *
 * Order matters: `temp`, `load`, `store`, `setRd` and the like write code at once; a plain `Value` is written where
 * it is used. An instruction that can leave (fault, illegal) must do so before its first register write.
 */
export interface Emitter {
  /** Where the code goes, for control flow that no method covers. */
  readonly code: Code

  /** The instruction's 32-bit word, i32: for helpers that decode it themselves. */
  readonly word: Value
  /** Integer source registers, i64; x0 reads zero. */
  readonly rs1: Value
  readonly rs2: Value
  /** Their low halves, i32. */
  readonly rs1Low: Value
  readonly rs2Low: Value
  /** Number of the register that the rs1 field names, i32 (a CSR instruction's immediate, or "is it x0"). */
  readonly rs1Field: Value
  /** The immediate, sign-extended as its format says: i64, and i32. */
  readonly imm: Value
  readonly immLow: Value
  /** Address of this instruction, and of the one that follows it in memory: i64. */
  readonly pc: Value
  readonly nextPc: Value
  /** Float registers, their 64 raw bits as i64 (a single is NaN-boxed). */
  readonly frs1: Value
  readonly frs2: Value
  readonly frs3: Value

  /** Writes the integer destination, i64; to x0 nothing. */
  setRd(value: Value): void
  /** Writes the float destination: 64 raw bits as i64; the caller boxes a single. */
  setFrd(value: Value): void

  /** Evaluates now, once, and holds the result for the rest of this instruction. */
  temp(type: ValueType, value: Value): Value

  /** Loads from virtual memory, now; leaves on a fault. The address is i64, the result what `name` gives. */
  load(name: MemoryOp, address: Value): Value
  /** Stores to virtual memory; leaves on a fault with nothing written. `value` is i64 (for i64_store…). */
  store(name: MemoryOp, address: Value, value: Value): void
  /**
   * The place of a naturally aligned atomic operand of `bytes` in the buffer, i32; leaves on a fault, or as
   * misaligned. `write`: it must be writable (AMOs and SC).
   */
  atomicAddress(bytes: 4 | 8, address: Value, write: boolean): Value
  /** Whether other harts may run at the same time: then atomics must be WebAssembly's. */
  readonly shared: boolean

  /** Goes to pc + imm when `condition` (i32) is not zero. The last thing an instruction does. */
  branch(condition: Value): void
  /** Goes to pc + imm. */
  jump(): void
  /** Goes to an absolute address, i64; bit 0 is clear. */
  jumpTo(address: Value): void

  /**
   * The rounding mode of a float instruction, i32, 0 to 4 (RNE RTZ RDN RUP RMM): its rm field, or frm where that
   * says dynamic. Evaluated now; leaves as illegal on a reserved one.
   */
  roundingMode(): Value
  /** Sets bits in fflags (i32: NV 16, DZ 8, OF 4, UF 2, NX 1). */
  raise(flags: Value): void
  /** Calls a helper function of the module by name (float/helpers.ts), as a value. */
  call(helper: string, ...operands: Value[]): Value

  /** A 32- or 64-bit field of the hart's record by its offset, for the reservation. */
  loadField(name: MemoryOp, offset: number): Value
  storeField(name: MemoryOp, offset: number, value: Value): void

  /** Reads the CSR that the immediate names, i64, now; leaves as illegal when there is none, or `write` is refused. */
  readCsr(write: Value): Value
  /** Writes it (i64). */
  writeCsr(value: Value): void

  /** Leaves the hart with this exit; pc stays at the instruction. */
  leave(exit: Exit): void
  /** Leaves when the i32 is not zero. */
  leaveIf(condition: Value, exit: Exit): void
}

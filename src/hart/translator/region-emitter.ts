import { assert } from '../../base/assert.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import type { Code, ValueType } from '../../base/wasm/code.js'
import type { MemoryOp } from '../../base/wasm/opcodes.js'
import { TlbEntry } from '../../paging/tlb.js'
import type { Emitter } from '../emitter.js'
import { causeOf, Exit } from '../exit.js'
import { accessBytes, resultType } from '../field-decoding.js'
import { immediateOf, type RegisterField, registerOf } from '../format.js'
import { HartField } from '../hart-state.js'
import { tlbSlot } from '../mmu-access.js'
import { i32, i64, loadRaw, local, op, type Value } from '../value.js'
import type { Instruction } from './flow.js'
import type { RegionFrame } from './region-frame.js'

const DYNAMIC_ROUNDING = 7

/** How the last instruction of a block goes on; without one it goes on behind it. */
export type BlockEnd =
  | { readonly kind: 'branch'; readonly condition: Value }
  | { readonly kind: 'jump' }
  | { readonly kind: 'jumpTo'; readonly address: Value }
  | { readonly kind: 'left' }

/** Emits semantics with constant operands and registers in locals. One for all instructions of a region. */
export class RegionEmitter implements Emitter {
  readonly code: Code
  readonly shared: boolean
  readonly #frame: RegionFrame
  #instruction!: Instruction
  /** Instructions of the block from this one on. */
  #rest = 0
  #end: BlockEnd | undefined
  /** The instruction writes through `atomicAddress`. */
  #isAtomicWrite = false

  constructor(frame: RegionFrame) {
    this.#frame = frame
    this.code = frame.code
    this.shared = frame.layout.shared
  }

  /** One instruction; `rest`: how many of its block are not executed when it traps. */
  emit(instruction: Instruction, rest: number): BlockEnd | undefined {
    this.#instruction = instruction
    this.#rest = rest
    this.#end = undefined
    this.#isAtomicWrite = false
    this.#frame.forgetTemps()
    instruction.definition.emit(this)
    if (this.#isAtomicWrite) this.#stopIfCodeChanged()
    return this.#end
  }

  get word(): Value {
    return i32(this.#instruction.word)
  }
  get rs1(): Value {
    return this.#x(this.#format.rs1)
  }
  get rs2(): Value {
    return this.#x(this.#format.rs2)
  }
  get rs1Low(): Value {
    return op('i32_wrap_i64', this.rs1)
  }
  get rs2Low(): Value {
    return op('i32_wrap_i64', this.rs2)
  }
  get frs1(): Value {
    return this.#f(this.#format.rs1)
  }
  get frs2(): Value {
    return this.#f(this.#format.rs2)
  }
  get frs3(): Value {
    return this.#f(this.#format.rs3)
  }
  get rs1Field(): Value {
    return i32((this.#instruction.word >>> 15) & 31)
  }
  get immLow(): Value {
    return i32(this.#immediate)
  }
  get imm(): Value {
    return i64(this.#immediate)
  }
  get pc(): Value {
    return i64(this.#instruction.pc)
  }
  get nextPc(): Value {
    return i64(this.#instruction.pc + this.#instruction.bytes)
  }

  get #format() {
    return this.#instruction.definition.format
  }
  get #immediate(): number {
    const { imm } = this.#format
    return imm === undefined ? 0 : immediateOf(this.#instruction.word, imm)
  }

  #number(field: RegisterField | undefined): number {
    assert(field !== undefined, 'the format has the operand')
    return registerOf(this.#instruction.word, field)
  }

  #x(field: RegisterField | undefined): Value {
    const register = this.#number(field)
    return register === 0 ? i64(0) : local(this.#frame.x.read(register))
  }

  #f(field: RegisterField | undefined): Value {
    return local(this.#frame.f.read(this.#number(field)))
  }

  setRd(value: Value): void {
    const register = this.#number(this.#format.rd)
    if (register === 0) return
    value(this.code)
    this.code.set(this.#frame.x.write(register))
  }

  setFrd(value: Value): void {
    value(this.code)
    this.code.set(this.#frame.f.write(this.#number(this.#format.rd)))
  }

  temp(type: ValueType, value: Value): Value {
    const index = this.#frame.tempLocal(type)
    value(this.code)
    this.code.set(index)
    return local(index)
  }

  load(name: MemoryOp, address: Value): Value {
    const bytes = accessBytes(name)
    const { code } = this
    const virtual = this.temp('i64', address)
    const entry = this.#tlbEntry(virtual)
    const pointer = this.#frame.tempLocal('i32')
    this.#hits(virtual, entry, bytes, TlbEntry.readTag)(code)
    code.if('i32')
    this.#place(virtual, entry)(code)
    code.else()
    const missed = this.temp('i64', this.call('loadMiss', virtual, i32(bytes)))
    this.#stopIf(op('i64_eq', missed, i64(-1)))
    op('i32_wrap_i64', missed)(code)
    code.end().set(pointer)
    return this.temp(resultType(name), (c) => void c.get(pointer).memory(name, 0, 0))
  }

  store(name: MemoryOp, address: Value, value: Value): void {
    const bytes = accessBytes(name)
    const { code } = this
    const virtual = this.temp('i64', address)
    const entry = this.#tlbEntry(virtual)
    this.#hits(virtual, entry, bytes, TlbEntry.writeTag)(code)
    code.if()
    this.#place(virtual, entry)(code)
    value(code)
    code.memory(name, 0, 0).else()
    const outcome = this.temp('i32', this.call('storeMiss', virtual, value, i32(bytes)))
    outcome(code)
    code.if()
    this.#stopIf(op('i32_and', outcome, i32(1)))
    this.#stopBehind()
    code.end().end()
  }

  /** i32: where the TLB entry of an address is. */
  #tlbEntry(virtual: Value): Value {
    return this.temp('i32', op('i32_add', tlbSlot(virtual), this.#frame.tlb))
  }

  #hits(virtual: Value, entry: Value, bytes: number, tag: number): Value {
    const last = bytes === 1 ? virtual : op('i64_add', virtual, i64(bytes - 1))
    return op('i64_eq', loadRaw('i64_load', entry, tag), op('i64_and', last, i64(-PAGE_SIZE)))
  }

  #place(virtual: Value, entry: Value): Value {
    return op('i32_add', op('i32_wrap_i64', virtual), loadRaw('i32_load', entry, TlbEntry.addend))
  }

  /** Leaves with nothing of this instruction done. */
  #stopIf(condition: Value): void {
    condition(this.code)
    this.code.if()
    this.#frame.stopAt(this.#instruction.pc, this.#rest)
    this.code.end()
  }

  /** Leaves with this instruction done: what follows it may have been changed by it. */
  #stopBehind(): void {
    const { pc, bytes } = this.#instruction
    this.storeField('i32_store', HartField.codeChanged, i32(0))
    this.#frame.stopAt(pc + bytes, this.#rest - 1)
  }

  atomicAddress(bytes: 4 | 8, address: Value, write: boolean): Value {
    this.#isAtomicWrite ||= write
    const located = this.temp('i64', this.call('atomicAddress', address, i32(bytes), i32(write ? 1 : 0)))
    this.#stopIf(op('i64_eq', located, i64(-1)))
    return this.temp('i32', op('i32_wrap_i64', located))
  }

  #stopIfCodeChanged(): void {
    this.loadField('i32_load', HartField.codeChanged)(this.code)
    this.code.if()
    this.#stopBehind()
    this.code.end()
  }

  branch(condition: Value): void {
    this.#end = { kind: 'branch', condition }
  }

  jump(): void {
    this.#end = { kind: 'jump' }
  }

  jumpTo(address: Value): void {
    this.#end = { kind: 'jumpTo', address }
  }

  roundingMode(): Value {
    const mode = (this.#instruction.word >>> 12) & 7
    if (mode !== DYNAMIC_ROUNDING) {
      if (mode > 4) this.leaveIf(i32(1), Exit.illegal)
      return i32(mode)
    }
    const frm = this.temp('i32', op('i32_shr_u', this.loadField('i32_load', HartField.fcsr), i32(5)))
    this.leaveIf(op('i32_gt_u', frm, i32(4)), Exit.illegal)
    return frm
  }

  raise(flags: Value): void {
    const fcsr = op('i32_or', this.loadField('i32_load', HartField.fcsr), flags)
    this.storeField('i32_store', HartField.fcsr, fcsr)
  }

  call(helper: string, ...operands: Value[]): Value {
    const index = this.#frame.helper(helper)
    return (code) => {
      for (const operand of operands) operand(code)
      code.call(index)
    }
  }

  loadField(name: MemoryOp, offset: number): Value {
    return loadRaw(name, this.#frame.hart, offset)
  }

  storeField(name: MemoryOp, offset: number, value: Value): void {
    this.#frame.hart(this.code)
    value(this.code)
    this.code.memory(name, offset)
  }

  readCsr(write: Value): Value {
    this.leaveIf(op('i32_eqz', this.call('csrAllows', this.immLow, write)), Exit.illegal)
    // The whole block has been taken off `left` already.
    const left = op('i32_add', local(this.#frame.left), i32(this.#rest))
    const retired = op('i32_sub', this.loadField('i32_load', HartField.budget), left)
    return this.temp('i64', this.call('csrRead', this.immLow, op('i64_extend_i32_u', retired)))
  }

  writeCsr(value: Value): void {
    this.call('csrWrite', this.immLow, value)(this.code)
  }

  /** What is illegal is left to the interpreter, which comes to the same and records it. */
  leave(exit: Exit): void {
    if (exit !== Exit.illegal) {
      this.storeField('i32_store', HartField.exit, i32(exit))
      this.storeField('i32_store', HartField.cause, i32(causeOf(exit)))
      this.storeField('i64_store', HartField.tval, exit === Exit.breakpoint ? this.pc : i64(0))
    }
    this.#frame.stopAt(this.#instruction.pc, this.#rest)
    this.#end = { kind: 'left' }
  }

  leaveIf(condition: Value, exit: Exit): void {
    const before = this.#end
    condition(this.code)
    this.code.if()
    this.leave(exit)
    this.code.end()
    this.#end = before
  }
}

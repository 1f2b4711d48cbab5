import { assert } from '../../base/assert.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import type { Code, ValueType } from '../../base/wasm/code.js'
import type { MemoryOp } from '../../base/wasm/opcodes.js'
import { TlbEntry } from '../../paging/tlb-layout.js'
import type { Emitter } from '../emitter.js'
import { causeOf, Exit } from '../exit.js'
import { accessBytes, resultType } from '../field-decoding.js'
import { immediateOf, type RegisterField, registerOf } from '../format.js'
import { HartField } from '../hart-state.js'
import { tlbSlot } from '../mmu-access.js'
import { i32, i64, loadRaw, local, op, type Value } from '../value.js'
import type { Instruction } from './flow.js'
import type { Opening, PageWindows } from './page-windows.js'
import type { RegionFrame } from './region-frame.js'
import { CROSSED_PLACE } from './shared-globals.js'

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
  readonly #windows: PageWindows
  readonly #ownPlace: number
  #instruction!: Instruction
  /** Instructions of the block from this one on. */
  #rest = 0
  #end: BlockEnd | undefined

  /** `place`: of the function, in the table. */
  constructor(frame: RegionFrame, windows: PageWindows, place: number) {
    this.#frame = frame
    this.#windows = windows
    this.#ownPlace = place
    this.code = frame.code
    this.shared = frame.layout.shared
  }

  /** One instruction; `rest`: how many of its block are not executed when it traps. */
  emit(instruction: Instruction, rest: number): BlockEnd | undefined {
    this.#instruction = instruction
    this.#rest = rest
    this.#end = undefined
    this.#frame.forgetTemps()
    // Not later: an atomic may look for its place in one arm of a condition only.
    if (instruction.mayMiss && this.#windows.windowOf(instruction) === undefined) this.#frame.mayLeave()
    const opening = this.#windows.openingAt(instruction)
    if (opening !== undefined) this.#open(opening, instruction.pc, rest)
    instruction.definition.emit(this)
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
    return register === 0 ? i64(0) : local(this.#frame.x.of(register))
  }

  #f(field: RegisterField | undefined): Value {
    return local(this.#frame.f.of(this.#number(field)))
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
    const window = this.#windows.windowOf(this.#instruction)
    const [place, offset] =
      window === undefined
        ? ([this.#locate(address, accessBytes(name), TlbEntry.readTag), 0] as const)
        : ([local(this.#frame.windowPlace(window.base)), this.#immediate - window.low] as const)
    return this.temp(resultType(name), (code) => {
      place(code)
      code.memory(name, offset, 0)
    })
  }

  store(name: MemoryOp, address: Value, value: Value): void {
    const window = this.#windows.windowOf(this.#instruction)
    const { code } = this
    if (window === undefined) {
      this.#locate(address, accessBytes(name), TlbEntry.writeTag)(code)
      value(code)
      code.memory(name, 0, 0)
    } else {
      code.get(this.#frame.windowPlace(window.base))
      value(code)
      code.memory(name, this.#immediate - window.low, 0)
    }
  }

  /** i32: where bytes are in the buffer; leaves for the interpreter, which walks, when the TLB does not have their page. */
  #locate(address: Value, bytes: number, tag: number): Value {
    const virtual = this.temp('i64', address)
    const entry = this.#tlbEntry(virtual)
    const last = bytes === 1 ? virtual : op('i64_add', virtual, i64(bytes - 1))
    this.#stopIf(op('i64_ne', loadRaw('i64_load', entry, tag), op('i64_and', last, i64(-PAGE_SIZE))))
    return this.#place(virtual, entry)
  }

  /** Opens a window before a loop that begins at `pc`. */
  openBefore(pc: number, opening: Opening): void {
    this.#frame.forgetTemps()
    this.#open(opening, pc, 0)
  }

  /** A page that may be stored to may be read. `rest`: instructions that are not executed when it does not open. */
  #open({ window, isWritten }: Opening, pc: number, rest: number): void {
    const { code } = this
    const { base, low, bytes } = window
    const first = this.temp('i64', op('i64_add', local(this.#frame.x.of(base)), i64(low)))
    const entry = this.#tlbEntry(first)
    const page = this.temp('i64', op('i64_and', op('i64_add', first, i64(bytes - 1)), i64(-PAGE_SIZE)))
    this.#frame.mayLeave()
    op('i64_ne', loadRaw('i64_load', entry, isWritten ? TlbEntry.writeTag : TlbEntry.readTag), page)(code)
    code.ifUnlikely()
    this.#noteCrossing(first, page)
    this.#frame.stopAt(pc, rest)
    code.end()
    this.#place(first, entry)(code)
    code.set(this.#frame.windowPlace(base))
  }

  /** Whoever translates should know of a window that a page ends in. */
  #noteCrossing(first: Value, lastPage: Value): void {
    const { code } = this
    op('i64_ne', op('i64_and', first, i64(-PAGE_SIZE)), lastPage)(code)
    code.if()
    code.i64(this.#ownPlace).globalSet(CROSSED_PLACE).end()
  }

  /** i32: where the TLB entry of an address is. */
  #tlbEntry(virtual: Value): Value {
    return this.temp('i32', tlbSlot(virtual, this.#frame.tlb))
  }

  #place(virtual: Value, entry: Value): Value {
    return op('i32_add', op('i32_wrap_i64', virtual), loadRaw('i32_load', entry, TlbEntry.addend))
  }

  /** Leaves with nothing of this instruction done. */
  #stopIf(condition: Value): void {
    condition(this.code)
    this.code.ifUnlikely()
    this.#frame.stopAt(this.#instruction.pc, this.#rest)
    this.code.end()
  }

  /** What is misaligned is left to the interpreter too. */
  atomicAddress(bytes: 4 | 8, address: Value, write: boolean): Value {
    const virtual = this.temp('i64', address)
    this.#stopIf(op('i32_and', op('i32_wrap_i64', virtual), i32(bytes - 1)))
    const tag = write ? TlbEntry.writeTag : TlbEntry.readTag
    return this.temp('i32', this.#locate(virtual, 1, tag))
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
    this.code.ifUnlikely()
    this.leave(exit)
    this.code.end()
    this.#end = before
  }
}

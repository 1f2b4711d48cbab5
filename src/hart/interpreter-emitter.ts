import { assert } from '../base/assert.js'
import type { Code, Label, ValueType } from '../base/wasm/code.js'
import type { MemoryOp } from '../base/wasm/opcodes.js'
import { i32, i64, loadRaw, local, op, type Value } from '../base/wasm/value.js'
import { TlbEntry } from '../paging/tlb-layout.js'
import { IMMEDIATES, immediateShift } from './decode-table.js'
import type { InstructionDefinition } from './definition.js'
import type { Emitter } from './emitter.js'
import { causeOf, Exit } from './exit.js'
import { accessBytes, bits, immediate, resultType } from './field-decoding.js'
import type { Immediate, RegisterField } from './format.js'
import type { HartLayout } from './hart-layout.js'
import { HartField } from './hart-state.js'
import { emitElsewhere, type InterpreterLabels, type InterpreterLocals } from './interpreter-locals.js'
import { tlbHits, tlbPlace, tlbSlot } from './mmu-access.js'
import { HELPER_TYPES } from './translator/helper-types.js'

/** Emits semantics that decode their operands at run time. One for all instructions; `begin` moves it on. */
export class InterpreterEmitter implements Emitter {
  readonly code: Code
  readonly shared: boolean
  readonly #layout: HartLayout
  readonly #locals: InterpreterLocals
  readonly #labels: InterpreterLabels
  readonly #helpers: ReadonlyMap<string, number>
  readonly #temps: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [] }
  readonly #tempsUsed: Record<ValueType, number> = { i32: 0, i64: 0, f32: 0, f64: 0 }
  #definition!: InstructionDefinition
  #hasJumped = false
  /** Where the instruction that is being emitted goes on. */
  #goesOn!: Label

  constructor(
    code: Code,
    layout: HartLayout,
    locals: InterpreterLocals,
    labels: InterpreterLabels,
    helpers: ReadonlyMap<string, number>,
  ) {
    this.code = code
    this.shared = layout.shared
    this.#layout = layout
    this.#locals = locals
    this.#labels = labels
    this.#helpers = helpers
  }

  /** One instruction from start to end: its semantics, then on to the next instruction. */
  emit(definition: InstructionDefinition): void {
    this.#definition = definition
    this.#hasJumped = false
    for (const type of ['i32', 'i64', 'f32', 'f64'] as const) this.#tempsUsed[type] = 0
    this.#checkMiddleBits(definition)
    this.#goesOn = this.#labels.next
    definition.emit(this)
    if (!this.#hasJumped) this.#advance(i32(this.#length))
    this.code.br(this.#goesOn)
  }

  /** The decode tables do not look at bits 16 to 19; only ecall and ebreak do. */
  #checkMiddleBits({ match, mask }: InstructionDefinition): void {
    const middle = mask & 0xf0000
    if (middle === 0) return
    assert((match & 0xf0000) === 0, 'bits 16 to 19 are told apart only from zero')
    this.code.get(this.#locals.word).i32(middle).op('i32_and').brIf(this.#labels.illegal)
  }

  get #length(): number {
    return (this.#definition.match & 3) === 3 ? 4 : 2
  }

  get word(): Value {
    return local(this.#locals.word)
  }
  get rs1(): Value {
    return this.#register('i64_load', this.#definition.format.rs1)
  }
  get rs2(): Value {
    return this.#register('i64_load', this.#definition.format.rs2)
  }
  get rs1Low(): Value {
    return this.#register('i32_load', this.#definition.format.rs1)
  }
  get rs2Low(): Value {
    return this.#register('i32_load', this.#definition.format.rs2)
  }
  get frs1(): Value {
    return this.#register('i64_load', this.#definition.format.rs1, HartField.f)
  }
  get frs2(): Value {
    return this.#register('i64_load', this.#definition.format.rs2, HartField.f)
  }
  get frs3(): Value {
    return this.#register('i64_load', this.#definition.format.rs3, HartField.f)
  }
  get rs1Field(): Value {
    return bits(this.#locals.word, 15, 0, 31)
  }

  get immLow(): Value {
    const { imm } = this.#definition.format
    if (imm === undefined) return i32(0)
    return this.#length === 2 ? this.#compressedImmediate(imm) : immediate(this.#locals.word, imm)
  }

  #compressedImmediate(imm: Immediate): Value {
    const index = op('i32_shl', op('i32_and', local(this.#locals.word), i32(0xffff)), i32(1))
    const entry = loadRaw('i32_load16_s', index, this.#layout.decode + IMMEDIATES)
    const shift = immediateShift(imm)
    return shift === 0 ? entry : op('i32_shl', entry, i32(shift))
  }
  get imm(): Value {
    return this.#definition.format.imm === undefined ? i64(0) : op('i64_extend_i32_s', this.immLow)
  }

  get pc(): Value {
    return op('i64_add', op('i64_extend_i32_u', local(this.#locals.pointer)), local(this.#locals.delta))
  }
  get nextPc(): Value {
    return op('i64_add', this.pc, i64(this.#length))
  }

  setRd(value: Value): void {
    const { rd } = this.#definition.format
    assert(rd !== undefined, 'the format has a destination')
    if (rd.from === undefined && rd.fixed === 0) return
    this.#setRegister(rd, HartField.x, value)
    if (rd.from !== undefined && rd.bits === 5) {
      this.code.i32(this.#layout.hart).i64(0).memory('i64_store', HartField.x)
    }
  }

  setFrd(value: Value): void {
    const { rd } = this.#definition.format
    assert(rd !== undefined, 'the format has a destination')
    this.#setRegister(rd, HartField.f, value)
  }

  temp(type: ValueType, value: Value): Value {
    const index = this.#tempLocal(type)
    value(this.code)
    this.code.set(index)
    return local(index)
  }

  #tempLocal(type: ValueType): number {
    const pool = this.#temps[type]
    const used = this.#tempsUsed[type]++
    if (used === pool.length) pool.push(this.code.local(type))
    return pool[used]!
  }

  load(name: MemoryOp, address: Value): Value {
    const bytes = accessBytes(name)
    const { code } = this
    const virtual = this.temp('i64', address)
    const pointer = this.#tempLocal('i32')
    const slot = this.temp('i32', tlbSlot(virtual, local(this.#locals.tlb)))
    tlbHits(virtual, slot, bytes, TlbEntry.readTag)(code)
    code.ifLikely('i32')
    tlbPlace(virtual, slot)(code)
    code.else()
    const missed = this.temp('i64', this.#helper('loadMiss', virtual, i32(bytes)))
    this.#leaveOnFault(missed)
    op('i32_wrap_i64', missed)(code)
    code.end().set(pointer)
    return this.temp(resultType(name), (c) => void c.get(pointer).memory(name, 0, 0))
  }

  store(name: MemoryOp, address: Value, value: Value): void {
    const bytes = accessBytes(name)
    const { code } = this
    const virtual = this.temp('i64', address)
    const slot = this.temp('i32', tlbSlot(virtual, local(this.#locals.tlb)))
    tlbHits(virtual, slot, bytes, TlbEntry.writeTag)(code)
    code.ifLikely()
    tlbPlace(virtual, slot)(code)
    value(code)
    code.memory(name, 0, 0).else()
    this.#helper('storeMiss', virtual, value, i32(bytes))(code)
    code.brIf(this.#labels.trap).end()
  }

  #leaveOnFault(translated: Value): void {
    op('i64_eq', translated, i64(-1))(this.code)
    this.code.brIf(this.#labels.trap)
  }

  atomicAddress(bytes: 4 | 8, address: Value, write: boolean): Value {
    const operands = [address, i32(bytes), i32(write ? 1 : 0)]
    const located = this.temp('i64', this.#rarely('i64', this.#helper('atomicAddress', ...operands)))
    this.#leaveOnFault(located)
    return this.temp('i32', op('i32_wrap_i64', located))
  }

  branch(condition: Value): void {
    condition(this.code)
    this.code.if()
    this.#advance(this.immLow)
    this.code.br(this.#labels.arrive).end()
    this.#advance(i32(this.#length))
    this.#hasJumped = true
  }

  jump(): void {
    this.#advance(this.immLow)
    this.#hasJumped = true
    this.#goesOn = this.#labels.arrive
  }

  jumpTo(address: Value): void {
    const { pointer, page, delta } = this.#locals
    const { code } = this
    const pageAddress = op('i64_add', local(delta), op('i64_extend_i32_u', local(page)))
    const distance = this.temp('i64', op('i64_sub', address, pageAddress))
    op('i64_lt_u', distance, i64(4096))(code)
    code.if()
    code.get(page)
    op('i32_wrap_i64', distance)(code)
    code.op('i32_add').set(pointer).else()
    emitElsewhere(code, this.#locals, address)
    code.end()
    this.#hasJumped = true
    this.#goesOn = this.#labels.arrive
  }

  #advance(distance: Value): void {
    const { pointer } = this.#locals
    this.code.get(pointer)
    distance(this.code)
    this.code.op('i32_add').set(pointer)
  }

  roundingMode(): Value {
    const field = bits(this.#locals.word, 12, 0, 7)
    const frm = op('i32_shr_u', this.loadField('i32_load', HartField.fcsr), i32(5))
    const mode = this.temp('i32', op('select', frm, field, op('i32_eq', field, i32(7))))
    this.leaveIf(op('i32_gt_u', mode, i32(4)), Exit.illegal)
    return mode
  }

  raise(flags: Value): void {
    this.storeField(
      'i32_store',
      HartField.fcsr,
      op('i32_or', this.loadField('i32_load', HartField.fcsr), flags),
    )
  }

  call(helper: string, ...operands: Value[]): Value {
    return this.#rarely(HELPER_TYPES.get(helper)!.results[0], this.#helper(helper, ...operands))
  }

  /**
   * What calls a function, out of the way. A call takes all registers of the host; where V8 thinks that it comes often, it saves them at
   * each instruction's dispatch.
   */
  #rarely(type: ValueType | undefined, value: Value): Value {
    return (code) => {
      code.get(this.#locals.left).i32(0).op('i32_ge_s').ifUnlikely(type)
      value(code)
      code.else().op('unreachable').end()
    }
  }

  #helper(helper: string, ...operands: Value[]): Value {
    const index = this.#helpers.get(helper)
    assert(index !== undefined, 'the helper function exists')
    return (code) => {
      for (const operand of operands) operand(code)
      code.call(index)
    }
  }

  loadField(name: MemoryOp, offset: number): Value {
    return (code) => void code.i32(this.#layout.hart).memory(name, offset)
  }

  storeField(name: MemoryOp, offset: number, value: Value): void {
    this.code.i32(this.#layout.hart)
    value(this.code)
    this.code.memory(name, offset)
  }

  readCsr(write: Value): Value {
    this.leaveIf(op('i32_eqz', this.call('csrAllows', this.immLow, write)), Exit.illegal)
    const budget = this.loadField('i32_load', HartField.budget)
    // `left` has this instruction taken off already, which has not retired yet.
    const retired = op('i32_sub', op('i32_sub', budget, local(this.#locals.left)), i32(1))
    return this.temp('i64', this.call('csrRead', this.immLow, op('i64_extend_i32_u', retired)))
  }

  writeCsr(value: Value): void {
    this.call('csrWrite', this.immLow, value)(this.code)
  }

  leave(exit: Exit): void {
    const { illegal, trap } = this.#labels
    if (exit !== Exit.illegal) {
      this.storeField('i32_store', HartField.exit, i32(exit))
      this.storeField('i32_store', HartField.cause, i32(causeOf(exit)))
      this.storeField('i64_store', HartField.tval, exit === Exit.breakpoint ? this.pc : i64(0))
    }
    this.code.br(exit === Exit.illegal ? illegal : trap)
    this.#hasJumped = true
  }

  leaveIf(condition: Value, exit: Exit): void {
    const jumped = this.#hasJumped
    condition(this.code)
    this.code.if()
    this.leave(exit)
    this.code.end()
    this.#hasJumped = jumped
  }

  #register(name: MemoryOp, field: RegisterField | undefined, base = HartField.x as number): Value {
    assert(field !== undefined, 'the format has the operand')
    const zero: Value = name === 'i64_load' ? i64(0) : i32(0)
    if (field.from === undefined && field.fixed === 0 && base === HartField.x) return zero
    return (code) => {
      this.#registerOffset(field)(code)
      code.memory(name, this.#registerBase(field, base))
    }
  }

  #setRegister(field: RegisterField, base: number, value: Value): void {
    this.#registerOffset(field)(this.code)
    value(this.code)
    this.code.memory('i64_store', this.#registerBase(field, base))
  }

  #registerOffset(field: RegisterField): Value {
    if (field.from === undefined) return i32(field.fixed * 8)
    return bits(this.#locals.word, field.from, 3, 2 ** field.bits - 1)
  }

  #registerBase(field: RegisterField, base: number): number {
    return this.#layout.hart + base + (field.from !== undefined && field.bits === 3 ? 64 : 0)
  }
}

/** Makes templates: the `Emitter` whose operands are holes. */
import { PAGE_SIZE } from '../../base/numbers.js'
import type { ValueType } from '../../base/wasm/code.js'
import type { MemoryOp } from '../../base/wasm/opcodes.js'
import { i32, i64, loadRaw, local, op, storeRaw, type Value } from '../../base/wasm/value.js'
import { TlbEntry } from '../../paging/tlb-layout.js'
import type { Emitter } from '../emitter.js'
import { causeOf, Exit } from '../exit.js'
import { accessBytes, resultType } from '../field-decoding.js'
import { HartField } from '../hart-state.js'
import { tlbPlace, tlbSlot } from '../mmu-access.js'
import type { Operands } from './operands.js'
import { Span } from './page-spans.js'
import { HART, LEFT, TLB } from './region-frame.js'
import { CROSSED_PLACE } from './shared-globals.js'
import { Hole, type Template, TemplateCode, type TemplateEnd } from './template.js'

const DYNAMIC_ROUNDING = 7
/** Opcode of a call, whose function is a hole. */
const CALL = 0x10

/** What templates of one meaning differ in. */
export interface Variant {
  /** Harts run at the same time. */
  readonly shared: boolean
  /** The load or store goes through a window (page-windows.ts). */
  readonly hasWindow: boolean
  /** The load, the store or the window that opens has a span of its own (page-spans.ts). */
  readonly hasSpan: boolean
  /** The destination is x0. */
  readonly isZero: boolean
  /** Of the word, where it has one. */
  readonly roundingMode: number
}

const hole =
  (kind: Hole): Value =>
  (code) =>
    (code as TemplateCode).hole(kind)

export class TemplateEmitter implements Emitter {
  readonly code = new TemplateCode()
  readonly shared: boolean
  readonly rs1 = hole(Hole.rs1)
  readonly rs2 = hole(Hole.rs2)
  readonly rs1Low = op('i32_wrap_i64', this.rs1)
  readonly rs2Low = op('i32_wrap_i64', this.rs2)
  readonly frs1 = hole(Hole.frs1)
  readonly frs2 = hole(Hole.frs2)
  readonly frs3 = hole(Hole.frs3)
  readonly rs1Field = hole(Hole.rs1Field)
  readonly imm = hole(Hole.imm)
  readonly immLow = hole(Hole.immLow)
  readonly word = hole(Hole.word)
  readonly pc = hole(Hole.pc)
  readonly nextPc = hole(Hole.nextPc)
  readonly #variant: Variant
  readonly #helpers: string[] = []
  #end: TemplateEnd = 'next'
  #tail: Value | undefined

  constructor(variant: Variant) {
    this.#variant = variant
    this.shared = variant.shared
  }

  /** To be asked for one template, once. */
  instruction({ definition }: Operands): Template {
    definition.emit(this)
    return this.#finish()
  }

  /**
   * What opens a window, for loads or for both: where it is, if it is all in one page that the TLB has. A page that may be stored to may be read.
   */
  opening(isWritten: boolean): Template {
    const { code } = this
    const first = this.temp('i64', op('i64_add', hole(Hole.windowBase), hole(Hole.windowLow)))
    code.hole(Hole.mayLeave)
    const tag = isWritten ? TlbEntry.writeTag : TlbEntry.readTag
    this.#find(first, hole(Hole.windowLast), tag, (page) => this.#noteCrossing(first, page))(code)
    code.hole(Hole.setWindow)
    return this.#finish()
  }

  #finish(): Template {
    if (this.#tail === undefined) return this.code.template(this.#helpers, this.#end)
    const tail = new TemplateCode(this.code)
    this.#tail(tail)
    return this.code.template(this.#helpers, this.#end, tail.template(this.#helpers, 'next'))
  }

  /** Whoever translates should know of a window that a page ends in. */
  #noteCrossing(first: Value, lastPage: Value): void {
    const { code } = this
    op('i64_ne', op('i64_and', first, i64(-PAGE_SIZE)), lastPage)(code)
    code.if()
    code.hole(Hole.ownPlace)
    code.globalSet(CROSSED_PLACE).end()
  }

  setRd(value: Value): void {
    if (this.#variant.isZero) return
    value(this.code)
    this.code.hole(Hole.rd)
  }

  setFrd(value: Value): void {
    value(this.code)
    this.code.hole(Hole.frd)
  }

  temp(type: ValueType, value: Value): Value {
    const index = this.code.local(type)
    value(this.code)
    this.code.set(index)
    return local(index)
  }

  load(name: MemoryOp, address: Value): Value {
    const { hasWindow } = this.#variant
    const place = hasWindow ? hole(Hole.window) : this.#locate(address, accessBytes(name), TlbEntry.readTag)
    return this.temp(resultType(name), () => this.#access(name, place))
  }

  store(name: MemoryOp, address: Value, value: Value): void {
    const { hasWindow } = this.#variant
    const place = hasWindow ? hole(Hole.window) : this.#locate(address, accessBytes(name), TlbEntry.writeTag)
    this.#access(name, place, value)
  }

  /** A load, or with `value` a store: it may be misaligned. */
  #access(name: MemoryOp, place: Value, value?: Value): void {
    const { code } = this
    place(code)
    value?.(code)
    if (this.#variant.hasWindow) code.unalignedAccess(name).hole(Hole.windowOffset)
    else code.memory(name, 0, 0)
  }

  /** i32: where bytes are in the buffer; leaves for the interpreter, which walks, when the TLB does not have their page. */
  #locate(address: Value, bytes: number, tag: number): Value {
    return this.#find(this.temp('i64', address), i64(bytes - 1), tag)
  }

  /**
   * i32: where an address (i64, in a local) is, when the TLB has all up to `reach` (i64) behind it in one page; leaves otherwise, after
   * `miss` of the page of the last byte.
   */
  #find(address: Value, reach: Value, tag: number, miss?: (lastPage: Value) => void): Value {
    if (!this.#variant.hasSpan) return this.#lookUp(address, reach, tag, miss)
    const { code } = this
    const span = (name: 'i32_load' | 'i64_load', field: number) => loadRaw(name, hole(Hole.span), field)
    const place = code.local('i32')
    op('i32_add', op('i32_wrap_i64', address), span('i32_load', Span.addend))(code)
    code.set(place)
    op('i64_ge_u', op('i64_sub', address, span('i64_load', Span.start)), span('i64_load', Span.limit))(code)
    code.ifUnlikely()
    this.#lookUp(address, reach, tag, miss)(code)
    code.set(place)
    const patience = op('i32_sub', span('i32_load', Span.patience), i32(1))
    storeRaw('i32_store', hole(Hole.span), patience, Span.patience)(code)
    op('i32_lt_s', span('i32_load', Span.patience), i32(0))(code)
    code.ifUnlikely()
    this.call('findSpan', address, hole(Hole.span), i32(tag), reach, local(LEFT))(code)
    code.end().end()
    return local(place)
  }

  #lookUp(address: Value, reach: Value, tag: number, miss?: (lastPage: Value) => void): Value {
    const { code } = this
    const entry = this.temp('i32', tlbSlot(address, local(TLB)))
    const lastPage = this.temp('i64', op('i64_and', op('i64_add', address, reach), i64(-PAGE_SIZE)))
    op('i64_ne', loadRaw('i64_load', entry, tag), lastPage)(code)
    code.ifUnlikely()
    miss?.(lastPage)
    this.#stop()
    code.end()
    return tlbPlace(address, entry)
  }

  /** Leaves with nothing of this instruction done. */
  #stop(): void {
    this.code.hole(Hole.stop, this.code.depth)
  }

  #stopIf(condition: Value): void {
    condition(this.code)
    this.code.ifUnlikely()
    this.#stop()
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
    this.#end = 'branch'
    this.#tail = condition
  }

  jump(): void {
    this.#end = 'jump'
  }

  jumpTo(address: Value): void {
    this.#end = 'jumpTo'
    this.#tail = address
  }

  roundingMode(): Value {
    const { roundingMode: mode } = this.#variant
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
    const known = this.#helpers.indexOf(helper)
    const place = known >= 0 ? known : this.#helpers.push(helper) - 1
    return (code) => {
      for (const operand of operands) operand(code)
      ;(code.byte(CALL) as TemplateCode).hole(Hole.helper, place)
    }
  }

  loadField(name: MemoryOp, offset: number): Value {
    return loadRaw(name, local(HART), offset)
  }

  storeField(name: MemoryOp, offset: number, value: Value): void {
    this.code.get(HART)
    value(this.code)
    this.code.memory(name, offset)
  }

  readCsr(write: Value): Value {
    this.leaveIf(op('i32_eqz', this.call('csrAllows', this.immLow, write)), Exit.illegal)
    // The whole block has been taken off `left` already.
    const left = op('i32_add', local(LEFT), hole(Hole.rest))
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
    this.#stop()
    this.#end = 'left'
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

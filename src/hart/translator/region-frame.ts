/** What the parts of a translated function share: its parameters, the guest's registers in locals, and its ways out. */
import { assert } from '../../base/assert.js'
import { Code, type Label } from '../../base/wasm/code.js'
import { i32, i64, local, op } from '../../base/wasm/value.js'
import { HartField } from '../hart-state.js'
import { REGION_PARAMETERS } from './dispatcher.js'
import { REGION_INSTRUCTIONS_MAX } from './region.js'
import { TEMPS_MAX, tempType } from './template.js'

/** Index of a helper of the interpreter's module, by name, as a function of the module that is being made. */
export type HelperIndex = (name: string) => number

/** Parameters: the hart's record, its TLB entries, what is left of the budget. */
export const HART = 0
export const TLB = 1
export const LEFT = 2

/** Of where a region stops, in `exitPc`: the low bits are instructions that are not executed, fewer than two to the power of so many. */
const STOP_BITS = 8
/** Addresses from here on would not be exact with them: user addresses of Sv39 end far below. */
export const STOP_PC_MAX = 2 ** (53 - STOP_BITS)

/** No local: what a parameter has the index of is none of ours. */
export const NONE = 0

/** Registers of one kind that a function has in locals. */
class RegisterLocals {
  /** By register; NONE until it has one. */
  readonly locals = new Uint16Array(32)
  #code!: Code
  /** Offset of the first one in the hart's record. */
  readonly #base: number
  /** Those that the record does not have as they are now, a bit for each. */
  dirty = 0

  constructor(base: number) {
    this.#base = base
  }

  begin(code: Code): void {
    this.#code = code
    this.locals.fill(NONE)
    this.dirty = 0
  }

  /** The local of a register. */
  of(register: number): number {
    const index = this.locals[register]!
    return index === NONE ? (this.locals[register] = this.#code.local('i64')) : index
  }

  write(register: number): number {
    this.dirty |= 1 << register
    return this.of(register)
  }

  load(registers: number): void {
    for (let left = registers; left !== 0; left &= left - 1) {
      const register = 31 - Math.clz32(left & -left)
      this.#code.loadLocal(this.of(register), HART, this.#base + register * 8)
    }
  }

  storeDirty(): void {
    for (let left = this.dirty; left !== 0; left &= left - 1) {
      const register = 31 - Math.clz32(left & -left)
      this.#code.storeLocal(HART, this.of(register), this.#base + register * 8)
    }
  }
}

/** Of one function at a time. */
export class RegionFrame {
  readonly x = new RegisterLocals(HartField.x)
  readonly f = new RegisterLocals(HartField.f)
  readonly hart = local(HART)
  readonly tlb = local(TLB)
  readonly left = LEFT
  code!: Code
  helper!: HelperIndex
  /** Whether registers are stored on the way out (register-flow.ts). */
  isLazy = false
  /** i64: where the guest goes on, on the way out; on that to `stop` as `stopAt` has put it together. */
  readonly exitPc = REGION_PARAMETERS.length
  /** i32: the entry of that. */
  readonly entry = REGION_PARAMETERS.length + 1
  /** Outermost labels: leaves for `exitPc`, where there may be translated code; and leaves for the dispatcher. */
  exit!: Label
  stop!: Label
  /** By argument of the hole; NONE until it has one. */
  readonly temps = new Uint16Array(TEMPS_MAX)
  /** By base register; NONE until it has one. */
  readonly windows = new Uint16Array(32)
  readonly #kept = new Uint16Array(32)

  constructor() {
    assert(REGION_INSTRUCTIONS_MAX < 2 ** STOP_BITS, 'what a block has not executed fits into the low bits')
  }

  begin(code: Code, helper: HelperIndex): void {
    this.code = code
    this.helper = helper
    this.isLazy = false
    const [exitPc, entry] = [code.local('i64'), code.local('i32')]
    assert(exitPc === this.exitPc && entry === this.entry, 'they are the first locals')
    this.x.begin(code)
    this.f.begin(code)
    this.temps.fill(NONE)
    this.windows.fill(NONE)
    this.#kept.fill(NONE)
  }

  /** Keeps nothing of the last function alive. */
  end(): void {
    this.begin(new Code(REGION_PARAMETERS), () => 0)
  }

  /** A local that holds something within one instruction. */
  tempLocal(argument: number): number {
    const index = this.temps[argument]!
    return index === NONE ? (this.temps[argument] = this.code.local(tempType(argument))) : index
  }

  /** i32: where the window of a base register is in the buffer. */
  windowPlace(base: number): number {
    const place = this.windows[base]!
    return place === NONE ? (this.windows[base] = this.code.local('i32')) : place
  }

  /** i64: what an integer register held before it was written (short-forms.ts). */
  keptLocal(register: number): number {
    const kept = this.#kept[register]!
    return kept === NONE ? (this.#kept[register] = this.code.local('i64')) : kept
  }

  storeDirty(): void {
    if (this.x.dirty !== 0) this.x.storeDirty()
    if (this.f.dirty !== 0) this.f.storeDirty()
  }

  /** The region may be left now: registers are stored here, unless that is done on the way out. */
  mayLeave(): void {
    if (this.isLazy) return
    this.storeDirty()
    this.x.dirty = 0
    this.f.dirty = 0
  }

  /** Leaves before or after an instruction; `instructions` of the block, which were taken off `left` already, are not executed. */
  stopAt(pc: number, instructions: number): void {
    this.storeDirty()
    this.code
      .i64(pc * 2 ** STOP_BITS + instructions)
      .set(this.exitPc)
      .br(this.stop)
  }

  /** What `stop` leads to: takes apart what `stopAt` has put together, so that the many ways out are short. */
  writeStop(code: Code): void {
    code.get(LEFT)
    op('i32_and', op('i32_wrap_i64', local(this.exitPc)), i32(2 ** STOP_BITS - 1))(code)
    code.op('i32_add').set(LEFT)
    op('i64_shr_s', local(this.exitPc), i64(STOP_BITS))(code)
    code.set(this.exitPc)
  }
}

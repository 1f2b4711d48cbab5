/** What the parts of a translated function share: its parameters, the guest's registers in locals, and its ways out. */
import type { Code, Label, ValueType } from '../../base/wasm/code.js'
import type { HartLayout } from '../hart-layout.js'
import { HartField } from '../hart-state.js'
import { local } from '../value.js'

/** Index of a helper of the interpreter's module, by name, as a function of the module that is being made. */
export type HelperIndex = (name: string) => number

/** Parameters: the hart's record, its TLB entries, what is left of the budget. */
export const HART = 0
export const TLB = 1
export const LEFT = 2

/** No local: what a parameter has the index of is none of ours. */
const NONE = 0

/** Registers of one kind that a function has in locals. */
class RegisterLocals {
  readonly #code: Code
  /** Offset of the first one in the hart's record. */
  readonly #base: number
  readonly #locals = new Uint16Array(32)
  /** Those that the record does not have as they are now, a bit for each. */
  dirty = 0

  constructor(code: Code, base: number) {
    this.#code = code
    this.#base = base
  }

  /** The local of a register. */
  of(register: number): number {
    const index = this.#locals[register]!
    return index === NONE ? (this.#locals[register] = this.#code.local('i64')) : index
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

export class RegionFrame {
  readonly code: Code
  readonly layout: HartLayout
  readonly helper: HelperIndex
  readonly x: RegisterLocals
  readonly f: RegisterLocals
  readonly hart = local(HART)
  readonly tlb = local(TLB)
  readonly left = LEFT
  /** Whether registers are stored on the way out (register-flow.ts). */
  isLazy = false
  /** i64: where the guest goes on, on the way out. */
  readonly exitPc: number
  /** Outermost labels: leaves for `exitPc`, where there may be translated code; and leaves for the dispatcher. */
  exit!: Label
  stop!: Label
  readonly #windows = new Uint16Array(32)
  readonly #kept = new Uint16Array(32)
  readonly #temps: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [] }

  constructor(code: Code, layout: HartLayout, helper: HelperIndex) {
    this.code = code
    this.layout = layout
    this.helper = helper
    this.x = new RegisterLocals(code, HartField.x)
    this.f = new RegisterLocals(code, HartField.f)
    this.exitPc = code.local('i64')
  }

  /** A local that holds something within one instruction; `number` counts those of its type in there. */
  tempLocal(type: ValueType, number: number): number {
    return (this.#temps[type][number] ??= this.code.local(type))
  }

  /** i32: where the window of a base register is in the buffer. */
  windowPlace(base: number): number {
    const place = this.#windows[base]!
    return place === NONE ? (this.#windows[base] = this.code.local('i32')) : place
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

  /** Adds to what is left: instructions that were taken off already and are not executed. */
  giveBack(instructions: number): void {
    if (instructions === 0) return
    this.code.get(LEFT).i32(instructions).op('i32_add').set(LEFT)
  }

  /** Leaves before or after an instruction; `instructions` of the block are not executed. */
  stopAt(pc: number, instructions: number): void {
    this.giveBack(instructions)
    this.storeDirty()
    this.code.i64(pc).set(this.exitPc).br(this.stop)
  }
}

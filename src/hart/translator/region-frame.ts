/** What the parts of a translated function share: its parameters, the guest's registers in locals, and its ways out. */
import type { Code, Label, ValueType } from '../../base/wasm/code.js'
import type { HartLayout } from '../hart-layout.js'
import { HartField } from '../hart-state.js'
import { i32, loadRaw, local, op, storeRaw } from '../value.js'

/** Index of a helper of the interpreter's module, by name, as a function of the module that is being made. */
export type HelperIndex = (name: string) => number

/** Registers of one kind that a function has in locals. */
class RegisterLocals {
  readonly #code: Code
  /** Offset of the first one in the hart's record. */
  readonly #base: number
  readonly #locals = new Map<number, number>()
  /** Those that the record does not have as they are now, a bit for each. */
  dirty = 0

  constructor(code: Code, base: number) {
    this.#code = code
    this.#base = base
  }

  /** The local of a register. */
  of(register: number): number {
    let index = this.#locals.get(register)
    if (index === undefined) this.#locals.set(register, (index = this.#code.local('i64')))
    return index
  }

  write(register: number): number {
    this.dirty |= 1 << register
    return this.of(register)
  }

  load(registers: number): void {
    this.#each(registers, (register) => {
      loadRaw('i64_load', local(0), this.#base + register * 8)(this.#code)
      this.#code.set(this.of(register))
    })
  }

  storeDirty(): void {
    this.#each(this.dirty, (register) => {
      storeRaw('i64_store', local(0), local(this.of(register)), this.#base + register * 8)(this.#code)
    })
  }

  #each(registers: number, act: (register: number) => void): void {
    for (let left = registers; left !== 0; left &= left - 1) act(31 - Math.clz32(left & -left))
  }
}

export class RegionFrame {
  readonly code: Code
  readonly layout: HartLayout
  readonly helper: HelperIndex
  readonly x: RegisterLocals
  readonly f: RegisterLocals
  /** Parameters: the hart's record, its TLB entries, what is left of the budget. */
  readonly hart = local(0)
  readonly tlb = local(1)
  readonly left = 2
  /** Whether registers are stored on the way out (register-flow.ts). */
  isLazy = false
  /** i64: where the guest goes on, on the way out. */
  readonly exitPc: number
  /** Outermost labels: leaves for `exitPc`, where there may be translated code; and leaves for the dispatcher. */
  exit!: Label
  stop!: Label
  readonly #windows = new Map<number, number>()
  readonly #temps: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [] }
  readonly #tempsUsed: Record<ValueType, number> = { i32: 0, i64: 0, f32: 0, f64: 0 }

  constructor(code: Code, layout: HartLayout, helper: HelperIndex) {
    this.code = code
    this.layout = layout
    this.helper = helper
    this.x = new RegisterLocals(code, HartField.x)
    this.f = new RegisterLocals(code, HartField.f)
    this.exitPc = code.local('i64')
  }

  /** The locals of the last instruction may be used again. */
  forgetTemps(): void {
    for (const type of ['i32', 'i64', 'f32', 'f64'] as const) this.#tempsUsed[type] = 0
  }

  tempLocal(type: ValueType): number {
    const pool = this.#temps[type]
    const used = this.#tempsUsed[type]++
    if (used === pool.length) pool.push(this.code.local(type))
    return pool[used]!
  }

  /** i32: where the window of a base register is in the buffer. */
  windowPlace(base: number): number {
    let place = this.#windows.get(base)
    if (place === undefined) this.#windows.set(base, (place = this.code.local('i32')))
    return place
  }

  storeDirty(): void {
    this.x.storeDirty()
    this.f.storeDirty()
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
    op('i32_add', local(this.left), i32(instructions))(this.code)
    this.code.set(this.left)
  }

  /** Leaves before or after an instruction; `instructions` of the block are not executed. */
  stopAt(pc: number, instructions: number): void {
    this.giveBack(instructions)
    this.storeDirty()
    this.code.i64(pc).set(this.exitPc).br(this.stop)
  }
}

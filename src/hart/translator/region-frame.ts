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
  readonly #locals = new Map<number, number>()
  readonly #written = new Set<number>()

  constructor(code: Code) {
    this.#code = code
  }

  read(register: number): number {
    let index = this.#locals.get(register)
    if (index === undefined) this.#locals.set(register, (index = this.#code.local('i64')))
    return index
  }

  write(register: number): number {
    this.#written.add(register)
    return this.read(register)
  }

  emitLoads(code: Code, base: number): void {
    for (const [register, index] of this.#locals) {
      loadRaw('i64_load', local(0), base + register * 8)(code)
      code.set(index)
    }
  }

  emitStores(code: Code, base: number): void {
    for (const register of this.#written) {
      storeRaw('i64_store', local(0), local(this.read(register)), base + register * 8)(code)
    }
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
  /** i64: where the guest goes on, on the way out. */
  readonly exitPc: number
  /** Outermost labels: leaves for `exitPc`, where there may be translated code; and leaves for the dispatcher. */
  exit!: Label
  stop!: Label
  readonly #temps: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [] }
  readonly #tempsUsed: Record<ValueType, number> = { i32: 0, i64: 0, f32: 0, f64: 0 }

  constructor(code: Code, layout: HartLayout, helper: HelperIndex) {
    this.code = code
    this.layout = layout
    this.helper = helper
    this.x = new RegisterLocals(code)
    this.f = new RegisterLocals(code)
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

  emitLoads(code: Code): void {
    this.x.emitLoads(code, HartField.x)
    this.f.emitLoads(code, HartField.f)
  }

  emitStores(): void {
    this.x.emitStores(this.code, HartField.x)
    this.f.emitStores(this.code, HartField.f)
  }

  /** Adds to what is left: instructions that were taken off already and are not executed. */
  giveBack(instructions: number): void {
    if (instructions === 0) return
    op('i32_add', local(this.left), i32(instructions))(this.code)
    this.code.set(this.left)
  }

  /** Goes to an address outside. */
  leaveFor(pc: number): void {
    this.code.i64(pc).set(this.exitPc).br(this.exit)
  }

  /** Leaves before or after an instruction; `instructions` of the block are not executed. */
  stopAt(pc: number, instructions: number): void {
    this.giveBack(instructions)
    this.code.i64(pc).set(this.exitPc).br(this.stop)
  }
}

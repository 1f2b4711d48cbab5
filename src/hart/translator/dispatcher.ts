/**
 * What runs the interpreter and translated code by turns: one WebAssembly function of the interpreter's module.
 *
 *     run(budget) → exit
 *       loop
 *         function = arrive(pc); HOT: leave, so that JavaScript translates
 *         if there is one: left = function(hart, tlb, left), and again unless it did nothing
 *         left = interpret(left), up to a jump that leads to translated code
 *
 * A translated function takes and returns what is left of the budget. It executes nothing and returns the complement when the
 * code that it was made from is not there any more. What has trapped has left its exit in the hart's record.
 */
import type { Code, Label, ValueType } from '../../base/wasm/code.js'
import { i32, loadRaw, local, op, storeRaw, type Value } from '../../base/wasm/value.js'
import { Exit } from '../exit.js'
import type { HartLayout } from '../hart-layout.js'
import { HartField } from '../hart-state.js'
import { tlbEntries } from '../mmu-access.js'
import { growEpoch } from './code-epoch.js'
import { HOT, INTERPRETED } from './entry-table.js'
import { CROSSED_PLACE } from './shared-globals.js'

/** (hart's record, hart's TLB entries, left) → left. */
export const REGION_PARAMETERS: readonly ValueType[] = ['i32', 'i32', 'i32']
export const REGION_RESULTS: readonly ValueType[] = ['i32']
/** Index of that signature in the modules of regions. */
export const REGION_TYPE = 0

export class Dispatcher {
  readonly #code: Code
  readonly #layout: HartLayout
  readonly #interpret: number
  readonly #region: number
  readonly #entries: ReadonlyMap<string, number> | undefined
  readonly #budget = 0
  readonly #left: number

  /** `interpret`: the interpreter's function; `region`: index of the signature; `entries`: functions of the entry table. */
  constructor(
    code: Code,
    layout: HartLayout,
    interpret: number,
    region: number,
    entries: ReadonlyMap<string, number> | undefined,
  ) {
    this.#code = code
    this.#layout = layout
    this.#interpret = interpret
    this.#region = region
    this.#entries = entries
    this.#left = code.local('i32')
  }

  emit(): void {
    const code = this.#code
    growEpoch(code, this.#layout)
    this.#store('i32_store', HartField.exit, i32(Exit.budget))
    this.#store('i32_store', HartField.budget, local(this.#budget))
    code.get(this.#budget).set(this.#left)
    if (this.#entries === undefined) this.#callInterpreter()
    else this.#turns(this.#entries)
    const retired = op('i64_extend_i32_u', op('i32_sub', local(this.#budget), local(this.#left)))
    this.#store(
      'i64_store',
      HartField.instret,
      op('i64_add', this.#load('i64_load', HartField.instret), retired),
    )
    this.#store('i32_store', HartField.budget, i32(0))
    this.#load('i32_load', HartField.exit)(code)
  }

  #turns(entries: ReadonlyMap<string, number>): void {
    const code = this.#code
    const place = code.local('i32')
    const done = code.block()
    const hot = code.block()
    const again = code.loop()
    this.#load('i64_load', HartField.pc)(code)
    code.call(entries.get('arrive')!).tee(place).i32(HOT).op('i32_eq').brIf(hot)
    code.get(place).if()
    this.#callRegion(place, entries.get('refuse')!, { again, done, hot })
    code.end()
    this.#interpretCounting()
    this.#leaveIfDone(done)
    code.br(again).end().end()
    this.#store('i32_store', HartField.exit, i32(Exit.hot))
    code.end()
  }

  #callInterpreter(): void {
    this.#code.get(this.#left).call(this.#interpret).set(this.#left)
  }

  #interpretCounting(): void {
    const before = this.#code.local('i32')
    this.#code.get(this.#left).set(before)
    this.#callInterpreter()
    const place = i32(this.#layout.codeEntries)
    const executed = op('i64_extend_i32_u', op('i32_sub', local(before), local(this.#left)))
    const sum = op('i64_add', loadRaw('i64_load', place, INTERPRETED), executed)
    storeRaw('i64_store', place, sum, INTERPRETED)(this.#code)
  }

  #callRegion(place: number, refuse: number, labels: { again: Label; done: Label; hot: Label }): void {
    const code = this.#code
    const [pc, result] = [code.local('i64'), code.local('i32')]
    this.#load('i64_load', HartField.pc)(code)
    code.set(pc).i32(this.#layout.hart)
    tlbEntries(this.#layout)(code)
    code.get(this.#left).get(place)
    code.callIndirect(this.#region).tee(result).i32(0).op('i32_lt_s').if()
    code.get(result).i32(-1).op('i32_xor').set(this.#left)
    this.#leaveIfDone(labels.done)
    this.#load('i64_load', HartField.pc)(code)
    code.call(refuse).brIf(labels.hot)
    code.else()
    this.#wasIdle(pc, result)(code)
    code.get(result).set(this.#left).set(result)
    this.#leaveIfDone(labels.done)
    code.globalGet(CROSSED_PLACE).op('i64_eqz').op('i32_eqz').brIf(labels.hot)
    code.get(result).op('i32_eqz').brIf(labels.again).end()
  }

  /** Nothing was executed: the budget is too short for the code. */
  #wasIdle(pc: number, result: number): Value {
    return op(
      'i32_and',
      op('i32_eq', local(result), local(this.#left)),
      op('i64_eq', local(pc), this.#load('i64_load', HartField.pc)),
    )
  }

  #leaveIfDone(done: Label): void {
    const code = this.#code
    this.#load('i32_load', HartField.exit)(code)
    code.brIf(done).get(this.#left).op('i32_eqz').brIf(done)
  }

  #load(name: 'i32_load' | 'i64_load', field: number): Value {
    return loadRaw(name, i32(this.#layout.hart), field)
  }

  #store(name: 'i32_store' | 'i64_store', field: number, value: Value): void {
    storeRaw(name, i32(this.#layout.hart), value, field)(this.#code)
  }
}

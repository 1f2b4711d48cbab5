/**
 * The interpreter: one WebAssembly function, made from the definitions. dispatcher.ts makes what calls it.
 *
 *     interpret(left) → left
 *       loop next
 *         leave when nothing is left
 *         word = the instruction; within the page of the last one that is one load
 *         entry = first-level decode table[low 16 bits]; from GROUP on: second-level table[high 12 bits]
 *         one block per definition | ILLEGAL, found by comparisons (dispatch-tree.ts)
 *         arrive: after a jump; leave when there is translated code
 *
 * There is one loop only: V8 checks for interrupts at each loop's head, and a second one around the blocks halved
 * the speed.
 */
import { PAGE_MASK, PAGE_SIZE } from '../base/numbers.js'
import type { Code, Label } from '../base/wasm/code.js'
import { DIGEST_PARAMETERS, DIGEST_RESULTS, emitDigest } from '../base/wasm/digest.js'
import { WasmModule } from '../base/wasm/module.js'
import { i32, i64, ifElse, loadRaw, local, op, storeRaw, type Value } from '../base/wasm/value.js'
import { TlbEntry } from '../paging/tlb-layout.js'
import type { Memory } from '../state/memory.js'
import { addCsrFunctions } from './csr.js'
import { FIRST_LEVEL, GROUP, SECOND_LEVEL } from './decode-table.js'
import { emitDispatch } from './dispatch-tree.js'
import { Cause, Exit } from './exit.js'
import { addFloatHelpers, floatImports } from './float/helpers.js'
import type { HartLayout } from './hart-layout.js'
import { HartField } from './hart-state.js'
import { shareOf } from './instructions/frequency.js'
import { instructions } from './instructions/index.js'
import { InterpreterEmitter } from './interpreter-emitter.js'
import { emitElsewhere, type InterpreterLabels, type InterpreterLocals } from './interpreter-locals.js'
import { addMmu } from './mmu.js'
import { MmuAccess, tlbEntries, tlbHits, tlbPlace, tlbSlot } from './mmu-access.js'
import { addMultiply } from './multiply-high.js'
import { Dispatcher, REGION_PARAMETERS, REGION_RESULTS } from './translator/dispatcher.js'
import { addEntryTable, emitUsualArrival } from './translator/entry-table.js'
import { exportSharedGlobals } from './translator/shared-globals.js'
import { addFindSpan } from './translator/span-finder.js'
import { addForgetSpans } from './translator/span-forgetter.js'
import { emitTakeWriteTags, TAKE_WRITE_TAGS_PARAMETERS } from './translator/write-tags.js'

export interface Interpreter {
  /** Executes at most `budget` instructions (up to 2^31 - 1); returns an Exit. */
  run(budget: number): number
}

/** What the interpreter of one hart (`interpreterBytes`) imports, but for the table, through which it calls translated code. */
export function interpreterImports(memory: Memory, layout: HartLayout): WebAssembly.Imports {
  return { env: { memory: memory.raw, ...floatImports(memory, layout.hart) } }
}

/** All of its functions that are called often have names, so that an engine can be told to compile them (HartParts). */
export function interpreterBytes(layout: HartLayout): Uint8Array {
  const module = new WasmModule()
  module.importMemory('memory', { shared: layout.inSharedBuffer })
  module.importTable('table', 0)
  exportSharedGlobals(module)
  const helpers = new Map([
    ...addFloatHelpers(module, layout.hart),
    ...addMmu(module, layout),
    ...addCsrFunctions(module, layout),
    ...addMultiply(module),
  ])
  for (const [name, index] of helpers) module.export(name, index)
  const entries = layout.translates ? addEntryTable(module, layout) : undefined
  if (layout.translates) {
    addFindSpan(module, layout)
    addForgetSpans(module)
    module.function('digest', DIGEST_PARAMETERS, DIGEST_RESULTS, emitDigest)
    module.function('takeWriteTags', TAKE_WRITE_TAGS_PARAMETERS, [], emitTakeWriteTags)
  }
  const interpret = module.function('interpret', ['i32'], ['i32'], (code) =>
    new InterpreterFunction(code, layout, helpers, entries?.get('arrive')).emit(),
  )
  const region = module.type(REGION_PARAMETERS, REGION_RESULTS)
  module.function('run', ['i32'], ['i32'], (code) =>
    new Dispatcher(code, layout, interpret, region, entries).emit(),
  )
  return module.bytes()
}

class InterpreterFunction {
  readonly #code: Code
  readonly #layout: HartLayout
  readonly #helpers: ReadonlyMap<string, number>
  readonly #locals: InterpreterLocals
  /** The function that says whether there is translated code; nothing without a translator. */
  readonly #arrive: number | undefined
  /** What was left of the budget at the last jump. */
  readonly #lastArrival: number

  constructor(
    code: Code,
    layout: HartLayout,
    helpers: ReadonlyMap<string, number>,
    arrive: number | undefined,
  ) {
    this.#code = code
    this.#layout = layout
    this.#helpers = helpers
    this.#arrive = arrive
    this.#lastArrival = code.local('i32')
    this.#locals = {
      left: 0,
      pointer: code.local('i32'),
      page: code.local('i32'),
      delta: code.local('i64'),
      word: code.local('i32'),
      entry: code.local('i32'),
      tlb: code.local('i32'),
    }
  }

  emit(): void {
    const code = this.#code
    const { left } = this.#locals
    this.#enter()
    code.get(left).set(this.#lastArrival)
    const done = code.block()
    const trap = code.block()
    const illegal = code.block()
    const next = code.loop()
    const arrive = this.#arrive === undefined ? next : code.block()
    code.get(left).op('i32_eqz').brIf(done).get(left).i32(1).op('i32_sub').set(left)
    this.#fetch(trap)
    this.#decode()
    this.#dispatch({ next, arrive, trap, illegal })
    if (this.#arrive !== undefined) this.#emitArrive(this.#arrive, next, done)
    code.end().end()
    this.#recordIllegal()
    code.end()
    // The instruction that trapped did not retire.
    code.get(left).i32(1).op('i32_add').set(left)
    code.end()
    this.#finish()
  }

  /** Leaves when the jump led to translated code, or to what should be. */
  #emitArrive(arrive: number, next: Label, done: Label): void {
    const code = this.#code
    code.end()
    const address = code.local('i64')
    this.#address()(code)
    code.set(address)
    const { left } = this.#locals
    const executed = code.local('i32')
    code.get(this.#lastArrival).get(left).op('i32_sub').set(executed).get(left).set(this.#lastArrival)
    emitUsualArrival(code, this.#layout, address, local(executed), next)
    code.get(address).call(arrive).op('i32_eqz').brIf(next).br(done)
  }

  #enter(): void {
    const pc = loadRaw('i64_load', i32(this.#layout.hart), HartField.pc)
    tlbEntries(this.#layout)(this.#code)
    this.#code.set(this.#locals.tlb)
    emitElsewhere(this.#code, this.#locals, op('i64_and', pc, i64(-2)))
  }

  /** The address of the instruction, also when a branch has left the page. */
  #address(): Value {
    const { pointer, page, delta } = this.#locals
    const start = op('i64_add', local(delta), op('i64_extend_i32_u', local(page)))
    return op('i64_add', start, op('i64_extend_i32_s', op('i32_sub', local(pointer), local(page))))
  }

  #fetch(trap: Label): void {
    const code = this.#code
    const { pointer, page, word } = this.#locals
    const distance = op('i32_sub', local(pointer), local(page))
    op('i32_gt_u', distance, i32(PAGE_SIZE - 4))(code)
    code.ifUnlikely('i32')
    op('i32_gt_u', distance, i32(PAGE_MASK))(code)
    code.ifLikely()
    this.#enterPage(trap)
    code.end()
    this.#fetchAtEnd(trap)
    code.else().get(pointer).memory('i32_load', 0, 0).end().set(word)
  }

  /** Looks the instruction's page up, in the TLB or else in the tables. */
  #enterPage(trap: Label): void {
    const code = this.#code
    const { pointer, page, delta, tlb } = this.#locals
    const [address, slot, found] = [code.local('i64'), code.local('i32'), code.local('i64')]
    this.#address()(code)
    code.set(address)
    tlbSlot(local(address), local(tlb))(code)
    code.set(slot)
    tlbHits(local(address), local(slot), 1, TlbEntry.executeTag)(code)
    code.if('i32')
    tlbPlace(local(address), local(slot))(code)
    code.else().get(address).i32(MmuAccess.execute).call(this.#helpers.get('walk')!)
    code.tee(found).i64(-1).op('i64_eq').brIf(trap).get(found).op('i32_wrap_i64').end()
    code.tee(pointer).i32(-PAGE_SIZE).op('i32_and').set(page)
    op('i64_sub', local(address), op('i64_extend_i32_u', local(pointer)))(code)
    code.set(delta)
  }

  /** Leaves the word; the last two bytes of a page may be half an instruction. */
  #fetchAtEnd(trap: Label): void {
    const { pointer, page, word } = this.#locals
    const isLast = op('i32_eq', op('i32_sub', local(pointer), local(page)), i32(PAGE_SIZE - 2))
    const first: Value = (code) => void code.get(pointer).memory('i32_load16_u', 0, 0).tee(word)
    const isWide = op('i32_eq', op('i32_and', first, i32(3)), i32(3))
    const second = op('i32_shl', this.#fetchNextPage(trap), i32(16))
    const whole: Value = (code) => void code.get(pointer).memory('i32_load', 0, 0)
    const last = ifElse('i32', isWide, op('i32_or', local(word), second), local(word))
    ifElse('i32', isLast, last, whole)(this.#code)
  }

  /** The first two bytes of the page after this one. */
  #fetchNextPage(trap: Label): Value {
    const { page, delta } = this.#locals
    const place = this.#code.local('i64')
    const next = op(
      'i64_add',
      op('i64_add', local(delta), op('i64_extend_i32_u', local(page))),
      i64(PAGE_SIZE),
    )
    return (code) => {
      next(code)
      code.i32(MmuAccess.execute).call(this.#helpers.get('translate')!)
      code.tee(place).i64(-1).op('i64_eq').brIf(trap)
      loadRaw('i32_load16_u', op('i32_wrap_i64', local(place)))(code)
    }
  }

  #decode(): void {
    const { word, entry } = this.#locals
    const index = op('i32_and', local(word), i32(0xffff))
    loadRaw('i32_load8_u', index, this.#layout.decode + FIRST_LEVEL)(this.#code)
    this.#code.set(entry)
  }

  #dispatch(labels: InterpreterLabels): void {
    const code = this.#code
    const emitter = new InterpreterEmitter(code, this.#layout, this.#locals, labels, this.#helpers)
    const entry = local(this.#locals.entry)
    op('i32_ge_u', entry, i32(GROUP))(code)
    code.if()
    this.#decodeGroup()
    code.end()
    const illegal = code.block()
    const definitions = instructions()
    const blocks = definitions.map(() => code.block()).reverse()
    emitDispatch(code, entry, definitions.map(shareOf), blocks, illegal)
    for (const definition of definitions) {
      code.end()
      emitter.emit(definition)
    }
    code.end().br(labels.illegal)
  }

  #decodeGroup(): void {
    const { word, entry } = this.#locals
    const table = op('i32_shl', op('i32_sub', local(entry), i32(GROUP)), i32(12))
    const index = op('i32_or', table, op('i32_shr_u', local(word), i32(20)))
    loadRaw('i32_load8_u', index, this.#layout.decode + SECOND_LEVEL)(this.#code)
    this.#code.set(entry)
  }

  /** tval gets the instruction's bits, 16 or 32 of them. */
  #recordIllegal(): void {
    const code = this.#code
    const { word } = this.#locals
    const hart = i32(this.#layout.hart)
    const isWide = op('i32_eq', op('i32_and', local(word), i32(3)), i32(3))
    const bits = op('i32_and', local(word), op('select', i32(-1), i32(0xffff), isWide))
    storeRaw('i64_store', hart, op('i64_extend_i32_u', bits), HartField.tval)(code)
    storeRaw('i32_store', hart, i32(Exit.illegal), HartField.exit)(code)
    storeRaw('i32_store', hart, i32(Cause.illegal), HartField.cause)(code)
  }

  #finish(): void {
    const code = this.#code
    storeRaw('i64_store', i32(this.#layout.hart), this.#address(), HartField.pc)(code)
    code.get(this.#locals.left)
  }
}

/**
 * The memory-management unit, emitted as functions of the interpreter's module. The fast path, a look at one TLB
 * entry, stands in each load and store; what is here is called when it misses.
 *
 *     walk(address, access) → place in the buffer, or -1   walks the tables (page-walk.ts)
 *     translate(address, access)                           the same by way of the TLB
 *     loadMiss, storeMiss, atomicAddress                   what loads, stores and atomics call
 *
 * Places are i64 here so that -1 is none of them. A -1 has left exit, cause and tval in the hart's record.
 */
import { PAGE_MASK, PAGE_SIZE } from '../base/numbers.js'
import type { Code } from '../base/wasm/code.js'
import type { WasmModule } from '../base/wasm/module.js'
import { i32, i64, loadRaw, local, op, select, storeRaw, type Value } from '../base/wasm/value.js'
import { Cause, Exit } from './exit.js'
import type { HartLayout } from './hart-layout.js'
import { HartField } from './hart-state.js'
import { MmuAccess, tlbEntries, tlbPlace, tlbSlot } from './mmu-access.js'
import { ANSWER_PARAMETERS, ANSWER_RESULTS, WalkEmitter } from './page-walk.js'

const NONE = i64(-1)
const PAGE_START = i64(-PAGE_SIZE)

/** Adds the functions; returns their indices by name. */
export function addMmu(module: WasmModule, layout: HartLayout): Map<string, number> {
  const fault = module.function('fault', ['i64', 'i32', 'i32'], ['i64'], (code) => emitFault(code, layout))
  const answer = module.type(ANSWER_PARAMETERS, ANSWER_RESULTS)
  const walk = module.function(undefined, ['i64', 'i32'], ['i64'], (code) =>
    new WalkEmitter(code, layout, fault, answer).emit(),
  )
  const translate = module.function(undefined, ['i64', 'i32'], ['i64'], (code) =>
    emitTranslate(code, layout, walk),
  )
  const loadMiss = module.function(undefined, ['i64', 'i32'], ['i64'], (code) =>
    emitLoadMiss(code, layout, translate),
  )
  const storeMiss = module.function(undefined, ['i64', 'i64', 'i32'], ['i32'], (code) =>
    emitStoreMiss(code, layout, translate),
  )
  const atomicAddress = module.function(undefined, ['i64', 'i32', 'i32'], ['i64'], (code) =>
    emitAtomicAddress(code, layout, translate),
  )
  return new Map(Object.entries({ walk, translate, loadMiss, storeMiss, atomicAddress }))
}

function emitRecord(code: Code, { hart }: HartLayout, exit: Value, cause: Value, tval: Value): void {
  storeRaw('i32_store', i32(hart), exit, HartField.exit)(code)
  storeRaw('i32_store', i32(hart), cause, HartField.cause)(code)
  storeRaw('i64_store', i32(hart), tval, HartField.tval)(code)
}

/** fault(address, access, outside RAM) → -1. */
function emitFault(code: Code, layout: HartLayout): void {
  const [address, access, isOutside] = [local(0), local(1), local(2)]
  const byAccess = (read: number, write: number, execute: number): Value =>
    select(
      op('i32_eq', access, i32(MmuAccess.read)),
      i32(read),
      select(op('i32_eq', access, i32(MmuAccess.write)), i32(write), i32(execute)),
    )
  emitRecord(
    code,
    layout,
    select(isOutside, i32(Exit.accessFault), byAccess(Exit.loadFault, Exit.storeFault, Exit.fetchFault)),
    select(
      isOutside,
      byAccess(Cause.loadAccess, Cause.storeAccess, Cause.fetchAccess),
      byAccess(Cause.loadPage, Cause.storePage, Cause.fetchPage),
    ),
    address,
  )
  NONE(code)
}

/** translate(address, access). */
function emitTranslate(code: Code, layout: HartLayout, walk: number): void {
  const [address, access] = [local(0), local(1)]
  const slot = code.local('i32')
  tlbSlot(address, tlbEntries(layout))(code)
  code.set(slot)
  const tagPlace = op('i32_add', local(slot), op('i32_shl', access, i32(3)))
  op('i64_eq', loadRaw('i64_load', tagPlace), op('i64_and', address, PAGE_START))(code)
  code.if()
  op('i64_extend_i32_u', tlbPlace(address, local(slot)))(code)
  code.op('return').end()
  code.get(0).get(1).call(walk)
}

/** Whether `bytes` (i32) from an address (i64) reach into the next page. */
function crosses(address: Value, bytes: Value): Value {
  const offset = op('i32_and', op('i32_wrap_i64', address), i32(PAGE_MASK))
  return op('i32_gt_u', op('i32_add', offset, bytes), i32(PAGE_SIZE))
}

/**
 * Translates both pages of a crossing access before a byte moves: the places are left in two locals, the bytes in
 * the first page in a third. Returns `failed` when one faults.
 */
function emitBothPages(code: Code, translate: number, access: number, bytes: Value, failed: Value) {
  const [first, second, length] = [code.local('i64'), code.local('i64'), code.local('i32')]
  const last = op('i64_sub', op('i64_add', local(0), op('i64_extend_i32_u', bytes)), i64(1))
  for (const [address, place] of [
    [local(0), first],
    [op('i64_and', last, PAGE_START), second],
  ] as const) {
    address(code)
    code.i32(access).call(translate).tee(place).i64(-1).op('i64_eq').if()
    failed(code)
    code.op('return').end()
  }
  op('i32_sub', i32(PAGE_SIZE), op('i32_and', op('i32_wrap_i64', local(0)), i32(PAGE_MASK)))(code)
  code.set(length)
  const place = (index: number): Value => op('i32_wrap_i64', local(index))
  return { first: place(first), second: place(second), length: local(length) }
}

function emitCopy(code: Code, destination: Value, source: Value, length: Value): void {
  destination(code)
  source(code)
  length(code)
  code.memoryCopy()
}

/** loadMiss(address, bytes): where the bytes are; those of a crossing access are gathered in the bounce buffer. */
function emitLoadMiss(code: Code, { hart }: HartLayout, translate: number): void {
  const bytes = local(1)
  op('i32_eqz', crosses(local(0), bytes))(code)
  code.if()
  code.get(0).i32(MmuAccess.read).call(translate).op('return').end()
  const { first, second, length } = emitBothPages(code, translate, MmuAccess.read, bytes, NONE)
  const bounce = i32(hart + HartField.bounce)
  emitCopy(code, bounce, first, length)
  emitCopy(code, op('i32_add', bounce, length), second, op('i32_sub', bytes, length))
  code.i64(hart + HartField.bounce)
}

/** storeMiss(address, value, bytes): the whole store; 1 when it faulted, else 0. */
function emitStoreMiss(code: Code, { hart }: HartLayout, translate: number): void {
  const [value, bytes] = [local(1), local(2)]
  const bounce = i32(hart + HartField.bounce)
  op('i32_eqz', crosses(local(0), bytes))(code)
  code.if()
  emitStoreWithin(code, translate, value, bytes)
  code.i32(0).op('return').end()
  const { first, second, length } = emitBothPages(code, translate, MmuAccess.write, bytes, i32(1))
  storeRaw('i64_store', bounce, value)(code)
  emitCopy(code, first, bounce, length)
  emitCopy(code, second, op('i32_add', bounce, length), op('i32_sub', bytes, length))
  code.i32(0)
}

/** A store inside one page, in one access so that other harts see it whole; returns when it faults. */
function emitStoreWithin(code: Code, translate: number, value: Value, bytes: Value): void {
  const place = code.local('i64')
  code.get(0).i32(MmuAccess.write).call(translate).tee(place).i64(-1).op('i64_eq')
  code.if()
  code.i32(1).op('return').end()
  const pointer = op('i32_wrap_i64', local(place))
  for (const [size, name] of [
    [1, 'i64_store8'],
    [2, 'i64_store16'],
    [4, 'i64_store32'],
    [8, 'i64_store'],
  ] as const) {
    op('i32_eq', bytes, i32(size))(code)
    code.if()
    pointer(code)
    value(code)
    code.memory(name, 0, 0).end()
  }
}

/** atomicAddress(address, bytes, write). */
function emitAtomicAddress(code: Code, layout: HartLayout, translate: number): void {
  const [address, bytes, write] = [local(0), local(1), local(2)]
  op('i32_and', op('i32_wrap_i64', address), op('i32_sub', bytes, i32(1)))(code)
  code.if()
  const cause = select(write, i32(Cause.storeMisaligned), i32(Cause.loadMisaligned))
  emitRecord(code, layout, i32(Exit.misaligned), cause, address)
  code.i64(-1).op('return').end()
  code.get(0).get(2).call(translate)
}

/**
 * Blocks of a zone, as WebAssembly: the same words change in the same way as by Zone and FreeLists. For memory that no other thread uses.
 * `table` is the address of the frame table, `zone` that of a zone's record.
 */
import type { Code } from '../base/wasm/code.js'
import type { WasmModule } from '../base/wasm/module.js'
import { i32, loadRaw, local, op, storeRaw, type Value } from '../base/wasm/value.js'
import { FRAME_ENTRY_BYTES, FrameField, FrameFlag, FrameMask } from './frame-table.js'
import { ListWord } from './free-lists.js'
import { ZONE_LISTS, ZoneWord } from './zone.js'

/** Indices of the functions. */
export interface ZoneFunctions {
  /** takeWhole(table, zone, block, order) → whether a free block of this order starts there: it is on no list then, and is no spare (Zone.remove). */
  readonly takeWhole: number
  /** put(table, zone, block, order): a block becomes free, a spare or else on its list (Zone, FreeLists.push). */
  readonly put: number
}

/** Both have names, so that an engine can be told to compile them (HartParts). */
export function addZoneFunctions(module: WasmModule): ZoneFunctions {
  return {
    takeWhole: module.function('takeWhole', ['i32', 'i32', 'i32', 'i32'], ['i32'], emitTakeWhole),
    put: module.function('put', ['i32', 'i32', 'i32', 'i32'], [], emitPut),
  }
}

export const FRAME_FIELD = {
  refCount: FrameField.refCount * 4,
  flags: FrameField.flags * 4,
  owner: FrameField.owner * 4,
  index: FrameField.index * 4,
} as const

/** Parameters of all functions of a zone. */
export const [TABLE, ZONE, PFN, ORDER] = [0, 1, 2, 3]
const HEADS = ZONE_LISTS + ListWord.heads * 4
const COUNTS = ZONE_LISTS + ListWord.counts * 4
const MASK = ZONE_LISTS + ListWord.mask * 4

/** Where a frame's entry is. */
export function frameEntry(table: Value, pfn: Value): Value {
  return op('i32_add', table, op('i32_shl', pfn, i32(Math.log2(FRAME_ENTRY_BYTES))))
}

export function zoneWord(word: number): Value {
  return loadRaw('i32_load', local(ZONE), word * 4)
}

export function setZoneWord(code: Code, word: number, value: Value): void {
  storeRaw('i32_store', local(ZONE), value, word * 4)(code)
}

const bit = op('i32_shl', i32(1), local(ORDER))
/** Of an order, in an array of words of the zone's record. */
const zoneSlot = op('i32_add', local(ZONE), op('i32_shl', local(ORDER), i32(2)))

/** Changes a word in the buffer. */
export function change(
  code: Code,
  pointer: Value,
  offset: number,
  operation: 'i32_add' | 'i32_and' | 'i32_or',
  by: Value,
) {
  storeRaw('i32_store', pointer, op(operation, loadRaw('i32_load', pointer, offset), by), offset)(code)
}

function emitTakeWhole(code: Code): void {
  const entry = code.local('i32')
  const has = (word: number): Value => op('i32_and', zoneWord(word), bit)
  const chained = op('i32_add', zoneWord(ZoneWord.base), bit)
  const alone = loadRaw('i32_load', zoneSlot, ZoneWord.spare * 4)
  has(ZoneWord.spares)(code)
  code.if()
  op('i32_eq', local(PFN), op('select', chained, alone, has(ZoneWord.chain)))(code)
  code.if()
  for (const word of [ZoneWord.spares, ZoneWord.chain]) {
    setZoneWord(code, word, op('i32_xor', zoneWord(word), has(word)))
  }
  code.i32(1).op('return').end().end()
  frameEntry(local(TABLE), local(PFN))(code)
  code.set(entry)
  const shape = op('i32_and', loadRaw('i32_load', local(entry), FRAME_FIELD.flags), i32(FrameMask.shape))
  op('i32_ne', shape, op('i32_or', local(ORDER), i32(FrameFlag.free)))(code)
  code.if()
  code.i32(0).op('return').end()
  emitUnlist(code, entry)
  code.i32(1)
}

/** FreeLists.remove. */
function emitUnlist(code: Code, entry: number): void {
  const [previous, next] = [code.local('i32'), code.local('i32')]
  const neighbour = (pfn: number): Value => frameEntry(local(TABLE), local(pfn))
  loadRaw('i32_load', local(entry), FRAME_FIELD.owner)(code)
  code.set(previous)
  loadRaw('i32_load', local(entry), FRAME_FIELD.index)(code)
  code.set(next)
  change(code, local(entry), FRAME_FIELD.flags, 'i32_and', i32(FrameMask.contents))
  change(code, zoneSlot, COUNTS, 'i32_add', i32(-1))
  code.get(next).if()
  storeRaw('i32_store', neighbour(next), local(previous), FRAME_FIELD.owner)(code)
  code.end().get(previous).if()
  storeRaw('i32_store', neighbour(previous), local(next), FRAME_FIELD.index)(code)
  code.else()
  storeRaw('i32_store', zoneSlot, local(next), HEADS)(code)
  code.end()
  op('i32_eqz', op('i32_or', local(next), local(previous)))(code)
  code.if()
  change(code, local(ZONE), MASK, 'i32_and', op('i32_xor', bit, i32(-1)))
  code.end()
}

function emitPut(code: Code): void {
  const [entry, head] = [code.local('i32'), code.local('i32')]
  const { spares, spare } = { spares: ZoneWord.spares, spare: ZoneWord.spare }
  op('i32_eqz', op('i32_and', zoneWord(spares), bit))(code)
  code.if()
  setZoneWord(code, spares, op('i32_or', zoneWord(spares), bit))
  storeRaw('i32_store', zoneSlot, local(PFN), spare * 4)(code)
  code.op('return').end()
  frameEntry(local(TABLE), local(PFN))(code)
  code.set(entry)
  loadRaw('i32_load', zoneSlot, HEADS)(code)
  code.set(head)
  const known = op('i32_and', loadRaw('i32_load', local(entry), FRAME_FIELD.flags), i32(FrameMask.contents))
  const flags = op('i32_or', known, op('i32_or', local(ORDER), i32(FrameFlag.free)))
  storeRaw('i32_store', local(entry), flags, FRAME_FIELD.flags)(code)
  storeRaw('i32_store', local(entry), i32(0), FRAME_FIELD.owner)(code)
  storeRaw('i32_store', local(entry), local(head), FRAME_FIELD.index)(code)
  code.get(head).if()
  storeRaw('i32_store', frameEntry(local(TABLE), local(head)), local(PFN), FRAME_FIELD.owner)(code)
  code.end()
  storeRaw('i32_store', zoneSlot, local(PFN), HEADS)(code)
  change(code, zoneSlot, COUNTS, 'i32_add', i32(1))
  change(code, local(ZONE), MASK, 'i32_or', bit)
}

/**
 * Taking single frames, as WebAssembly, for code that has to have them where no JavaScript runs (fault/answer-code.ts): the same words change in
 * the same way as by `FrameCache.take` and `FreeFrames.takeAt`. For memory that no other thread uses, and where nothing fails or is watched.
 *
 * `table` is the address of the frame table, `zone` that of a zone's record, `cache` that of a hart's cache.
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../base/numbers.js'
import type { Code } from '../base/wasm/code.js'
import type { WasmModule } from '../base/wasm/module.js'
import { i32, loadRaw, local, op, select, storeRaw, type Value } from '../base/wasm/value.js'
import { ORDER_MAX } from './frame-allocator.js'
import { CacheWord } from './frame-cache.js'
import { FrameFlag } from './frame-table.js'
import { ListWord } from './free-lists.js'
import { ZONE_LISTS, ZoneWord } from './zone.js'
import {
  addZoneFunctions,
  change,
  FRAME_FIELD,
  frameEntry,
  PFN,
  setZoneWord,
  TABLE,
  ZONE,
  zoneWord,
} from './zone-functions.js'

const CACHE = 1
const HEADS = ZONE_LISTS + ListWord.heads * 4
const MASK = ZONE_LISTS + ListWord.mask * 4

/** Indices of the functions. */
export interface FrameTaking {
  /** takeCached(table, cache) → frame, with one reference; of its flags dirtyMemory may stand, owner and index are anything. The cache is not empty. */
  readonly takeCached: number
  /** takeAt(table, zone, frame) → 1, and the frame is as takeCached gives it; 0, and nothing has changed, when it is in no free block, or memory is low. */
  readonly takeAt: number
  /** takeOut(table, cache, frame) → 1, and a frame of the cache is as takeCached gives it; 0, and nothing has changed, when it is not there. */
  readonly takeOut: number
  /** smallest(table, zone) → where the smallest free block starts, or NO_FRAME (smallestFree). */
  readonly smallest: number
  /** zero(table, frame): all its bytes are zero. Only a frame that was used before is written. */
  readonly zero: number
}

/** All have names, so that an engine can be told to compile them (HartParts). */
export function addFrameTaking(module: WasmModule): FrameTaking {
  const { takeWhole, put } = addZoneFunctions(module)
  return {
    takeCached: module.function('takeCached', ['i32', 'i32'], ['i32'], emitTakeCached),
    takeAt: module.function('takeAt', ['i32', 'i32', 'i32'], ['i32'], (code) =>
      emitTakeAt(code, takeWhole, put),
    ),
    takeOut: module.function('takeOut', ['i32', 'i32', 'i32'], ['i32'], emitTakeOut),
    smallest: module.function('smallest', ['i32', 'i32'], ['i32'], emitSmallest),
    zero: module.function('zero', ['i32', 'i32'], [], emitZero),
  }
}

function emitZero(code: Code): void {
  const pfn = 1
  const flags = loadRaw('i32_load', frameEntry(local(TABLE), local(pfn)), FRAME_FIELD.flags)
  op('i32_and', flags, i32(FrameFlag.dirtyMemory))(code)
  code.if()
  code.get(pfn).i32(PAGE_SHIFT).op('i32_shl').i32(0).i32(PAGE_SIZE).memoryFill()
  code.end()
}

/** One reference, and of the flags what is known of its bytes. */
function emitReference(code: Code, pfn: number): void {
  const entry = code.local('i32')
  frameEntry(local(TABLE), local(pfn))(code)
  code.set(entry)
  storeRaw('i32_store', local(entry), i32(1), FRAME_FIELD.refCount)(code)
  change(code, local(entry), FRAME_FIELD.flags, 'i32_and', i32(FrameFlag.dirtyMemory))
}

function emitTakeCached(code: Code): void {
  const [count, pfn] = [code.local('i32'), code.local('i32')]
  const cache = local(CACHE)
  op('i32_sub', loadRaw('i32_load', cache, CacheWord.count * 4), i32(1))(code)
  code.set(count)
  storeRaw('i32_store', cache, local(count), CacheWord.count * 4)(code)
  change(code, cache, CacheWord.taken * 4, 'i32_add', i32(1))
  const place = op('i32_add', cache, op('i32_shl', local(count), i32(2)))
  loadRaw('i32_load', place, CacheWord.stack * 4)(code)
  code.set(pfn)
  emitReference(code, pfn)
  code.get(pfn)
}

function emitTakeAt(code: Code, takeWhole: number, put: number): void {
  const [size, half] = [code.local('i32'), code.local('i32')]
  const reserve = op('i32_add', zoneWord(ZoneWord.high), zoneWord(ZoneWord.protection))
  op('i32_ge_s', reserve, zoneWord(ZoneWord.free))(code)
  code.if()
  code.i32(0).op('return').end()
  const block = op('i32_and', local(PFN), op('i32_shl', i32(-1), local(size)))
  const found = code.block()
  const larger = code.loop()
  code.get(TABLE).get(ZONE)
  block(code)
  code.get(size).call(takeWhole).brIf(found)
  code.get(size).i32(1).op('i32_add').tee(size).i32(ORDER_MAX).op('i32_le_u').brIf(larger).end()
  code.i32(0).op('return').end()
  setZoneWord(code, ZoneWord.free, op('i32_sub', zoneWord(ZoneWord.free), i32(1)))
  // Zone.takePart: first the halves below the frame, the largest first, then those above it, the smallest first.
  code.get(size).set(half)
  emitHalves(code, half, put, {
    isOver: op('i32_eqz', local(half)),
    before: () => code.get(half).i32(1).op('i32_sub').set(half),
    isFree: op('i32_and', op('i32_shr_u', local(PFN), local(half)), i32(1)),
    start: op('i32_and', local(PFN), op('i32_shl', i32(-2), local(half))),
  })
  emitHalves(code, half, put, {
    isOver: op('i32_eq', local(half), local(size)),
    after: () => code.get(half).i32(1).op('i32_add').set(half),
    isFree: op('i32_eqz', op('i32_and', op('i32_shr_u', local(PFN), local(half)), i32(1))),
    start: op('i32_shl', op('i32_or', op('i32_shr_u', local(PFN), local(half)), i32(1)), local(half)),
  })
  emitReference(code, PFN)
  code.i32(1)
}

interface Halves {
  readonly isOver: Value
  readonly before?: () => void
  readonly after?: () => void
  readonly isFree: Value
  readonly start: Value
}

function emitHalves(
  code: Code,
  half: number,
  put: number,
  { isOver, before, after, isFree, start }: Halves,
): void {
  const done = code.block()
  const again = code.loop()
  isOver(code)
  code.brIf(done)
  before?.()
  isFree(code)
  code.if()
  code.get(TABLE).get(ZONE)
  start(code)
  code.get(half).call(put).end()
  after?.()
  code.br(again).end().end()
}

/** FrameCache.takeOut. */
function emitTakeOut(code: Code): void {
  const [start, place] = [code.local('i32'), code.local('i32')]
  const count = loadRaw('i32_load', local(CACHE), CacheWord.count * 4)
  op('i32_add', local(CACHE), i32(CacheWord.stack * 4))(code)
  code.set(start)
  op('i32_add', local(start), op('i32_shl', count, i32(2)))(code)
  code.set(place)
  const found = code.block()
  const next = code.loop()
  op('i32_eq', local(place), local(start))(code)
  code.if()
  code.i32(0).op('return').end()
  code.get(place).i32(4).op('i32_sub').tee(place).memory('i32_load').get(PFN).op('i32_eq').brIf(found)
  code.br(next).end().end()
  const end = op('i32_add', local(start), op('i32_shl', count, i32(2)))
  const behind = op('i32_add', local(place), i32(4))
  code.get(place)
  behind(code)
  op('i32_sub', end, behind)(code)
  code.memoryCopy()
  change(code, local(CACHE), CacheWord.count * 4, 'i32_add', i32(-1))
  change(code, local(CACHE), CacheWord.taken * 4, 'i32_add', i32(1))
  emitReference(code, PFN)
  code.i32(1)
}

function emitSmallest(code: Code): void {
  const [sizes, order] = [code.local('i32'), code.local('i32')]
  op('i32_or', zoneWord(ZoneWord.spares), loadRaw('i32_load', local(ZONE), MASK))(code)
  code.tee(sizes).op('i32_eqz').if()
  code.i32(0).op('return').end()
  code.get(sizes).op('i32_ctz').set(order)
  const has = (word: number): Value => op('i32_and', zoneWord(word), op('i32_shl', i32(1), local(order)))
  const slot = op('i32_add', local(ZONE), op('i32_shl', local(order), i32(2)))
  const chained = op('i32_add', zoneWord(ZoneWord.base), op('i32_shl', i32(1), local(order)))
  const spare = select(has(ZoneWord.chain), chained, loadRaw('i32_load', slot, ZoneWord.spare * 4))
  select(has(ZoneWord.spares), spare, loadRaw('i32_load', slot, HEADS))(code)
}

/**
 * Frees many single frames at once, as WebAssembly: the same words change in the same way as by `FreeFrames.giveAll` where the frames go back to their
 * zones. For memory that no other thread uses. (V8 optimized what does it in TypeScript, ten functions, in every program that gives back some thousand frames
 * that lie hither and thither, and most programs end soon after.)
 */
import type { Code } from '../base/wasm/code.js'
import type { WasmModule } from '../base/wasm/module.js'
import { i32, loadRaw, local, op, select, type Value } from '../base/wasm/value.js'
import { region } from '../state/emitted-values.js'
import { Region } from '../state/layout.js'
import { ORDER_MAX } from './frame-allocator.js'
import { ZONE_BYTES, ZoneWord } from './zone.js'
import { addZoneFunctions, ORDER, PFN, setZoneWord, TABLE, ZONE, zoneWord } from './zone-functions.js'

/**
 * Adds giveRuns(list, count): frames of a list (u32), whose entries are those inside a free block, become free, neighbours in the list together. `zones`: how
 * many there are.
 */
export function addFrameGiving(module: WasmModule, zones: number): void {
  const { takeWhole, put } = addZoneFunctions(module)
  const merge = module.function('merge', ['i32', 'i32', 'i32', 'i32'], [], (code) =>
    emitMerge(code, takeWhole, put),
  )
  const add = module.function('add', ['i32', 'i32', 'i32'], [], (code) => emitAdd(code, merge))
  const give = module.function('give', ['i32', 'i32'], [], (code) => emitGive(code, zones, add))
  module.function('giveRuns', ['i32', 'i32'], [], (code) => emitGiveRuns(code, give))
}

/** merge(table, zone, block, order): Zone.merge, which takes what is left of a chain at once; here it goes one by one. */
function emitMerge(code: Code, takeWhole: number, put: number): void {
  const buddy = code.local('i32')
  const size = local(ORDER)
  const frames = op('i32_shl', i32(1), size)
  setZoneWord(code, ZoneWord.free, op('i32_add', zoneWord(ZoneWord.free), frames))
  const done = code.block()
  const again = code.loop()
  op('i32_ge_u', size, i32(ORDER_MAX))(code)
  code.brIf(done)
  op('i32_xor', local(PFN), frames)(code)
  code.set(buddy)
  op(
    'i32_or',
    op('i32_lt_u', local(buddy), zoneWord(ZoneWord.start)),
    op('i32_ge_u', local(buddy), zoneWord(ZoneWord.end)),
  )(code)
  code.brIf(done)
  code.get(TABLE).get(ZONE).get(buddy).get(ORDER).call(takeWhole).op('i32_eqz').brIf(done)
  code.get(PFN).get(buddy).op('i32_and').set(PFN)
  code.get(ORDER).i32(1).op('i32_add').set(ORDER).br(again).end().end()
  code.get(TABLE).get(ZONE).get(PFN).get(ORDER).call(put)
}

/** add(zone, start, end): Zone.add. */
function emitAdd(code: Code, merge: number): void {
  const [zone, start, end] = [0, 1, 2]
  const order = code.local('i32')
  const done = code.block()
  const again = code.loop()
  op('i32_ge_u', local(start), local(end))(code)
  code.brIf(done)
  // largestOrder
  const fits = op('i32_sub', i32(31), op('i32_clz', op('i32_sub', local(end), local(start))))
  const aligned = op('i32_ctz', local(start))
  const smaller = select(op('i32_lt_u', fits, aligned), fits, aligned)
  select(op('i32_lt_u', smaller, i32(ORDER_MAX)), smaller, i32(ORDER_MAX))(code)
  code.set(order)
  region(Region.frameTable)(code)
  code.get(zone).get(start).get(order).call(merge)
  code.get(start).i32(1).get(order).op('i32_shl').op('i32_add').set(start)
  code.br(again).end().end()
}

/** give(start, end): Zones.add. */
function emitGive(code: Code, zones: number, add: number): void {
  const [start, end] = [0, 1]
  const records = region(Region.zones)
  const upper = (zones - 1) * ZONE_BYTES
  if (zones > 1) {
    const border = loadRaw('i32_load', records, upper + ZoneWord.start * 4)
    op('i32_lt_u', local(start), border)(code)
    code.if()
    records(code)
    code.get(start)
    select(op('i32_lt_u', local(end), border), local(end), border)(code)
    code.call(add)
    border(code)
    code.set(start).end()
  }
  op('i32_add', records, i32(upper))(code)
  code.get(start).get(end).call(add)
}

function emitGiveRuns(code: Code, give: number): void {
  const [list, end] = [0, 1]
  const [first, step, next, last] = [0, 0, 0, 0].map(() => code.local('i32')) as [
    number,
    number,
    number,
    number,
  ]
  op('i32_add', local(list), op('i32_shl', local(end), i32(2)))(code)
  code.set(end)
  const done = code.block()
  const again = code.loop()
  op('i32_ge_u', local(list), local(end))(code)
  code.brIf(done)
  code.get(list).memory('i32_load').tee(first).set(last)
  code.i32(1).set(step)
  nextIs(op('i32_sub', local(first), i32(1)))
  code.if()
  code.i32(-1).set(step).end()
  const over = code.block()
  const more = code.loop()
  code.get(list).i32(4).op('i32_add').set(list)
  op('i32_ge_u', local(list), local(end))(code)
  code.brIf(over)
  op('i32_add', local(last), local(step))(code)
  code.set(next)
  op('i32_ne', loadRaw('i32_load', local(list)), local(next))(code)
  code.brIf(over).get(next).set(last).br(more).end().end()
  const isFalling = op('i32_lt_s', local(step), i32(0))
  select(isFalling, local(last), local(first))(code)
  op('i32_add', select(isFalling, local(first), local(last)), i32(1))(code)
  code.call(give).br(again).end().end()

  /** Whether there is a frame behind the first one of the run, and it is that one. */
  function nextIs(frame: Value): void {
    code.i32(0).set(next)
    op('i32_lt_u', op('i32_add', local(list), i32(4)), local(end))(code)
    code.if()
    op('i32_eq', loadRaw('i32_load', local(list), 4), frame)(code)
    code.set(next).end()
    code.get(next)
  }
}

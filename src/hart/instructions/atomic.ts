/**
 * The A extension. A reservation is an address and the value seen there: SC stores when the value is still the
 * same, by compare-exchange when harts run at once (as qemu does; a change back in between goes unseen). The widths of the two may differ, as in qemu.
 */
import type { AtomicOp, MemoryOp, NumericOp } from '../../base/wasm/opcodes.js'
import {
  atomic,
  i32,
  ifElse,
  loadRaw,
  op,
  select,
  signExtendWord,
  storeRaw,
  type Value,
} from '../../base/wasm/value.js'
import type { InstructionDefinition } from '../definition.js'
import type { Emitter } from '../emitter.js'
import { FORMAT } from '../format.js'
import { HartField } from '../hart-state.js'

/** Both widths of one operation are written with these. */
interface Width {
  readonly suffix: string
  readonly bytes: 4 | 8
  readonly type: 'i32' | 'i64'
  readonly load: MemoryOp
  readonly store: MemoryOp
  readonly source: (e: Emitter) => Value
  /** To and from the 64 bits of a register. */
  readonly extend: (value: Value) => Value
  readonly narrow: (value: Value) => Value
}

const WIDTHS: readonly Width[] = [
  {
    suffix: '.w',
    bytes: 4,
    type: 'i32',
    load: 'i32_load',
    store: 'i32_store',
    source: (e) => e.rs2Low,
    extend: signExtendWord,
    narrow: (value) => op('i32_wrap_i64', value),
  },
  {
    suffix: '.d',
    bytes: 8,
    type: 'i64',
    load: 'i64_load',
    store: 'i64_store',
    source: (e) => e.rs2,
    extend: (value) => value,
    narrow: (value) => value,
  },
]

/** aq and rl (bits 25, 26) are free: every atomic here is sequentially consistent. */
function encodingOf(funct5: number, { bytes }: Width): { match: number; mask: number } {
  return { match: ((funct5 << 27) | ((bytes === 8 ? 3 : 2) << 12) | 0x2f) >>> 0, mask: 0xf800707f }
}

type Combine = (type: 'i32' | 'i64', old: Value, value: Value) => Value

/** Loads, combines and stores; with harts running at once, again until nobody came between. */
function compareExchangeLoop(e: Emitter, width: Width, pointer: Value, combine: Combine): Value {
  const { type } = width
  const value = e.temp(type, width.source(e))
  return (code) => {
    const old = code.local(type)
    const get: Value = (c) => void c.get(old)
    atomic(`${type}_atomic_load`, pointer)(code)
    const again = code.set(old).loop(type)
    atomic(`${type}_atomic_rmw_cmpxchg`, pointer, get, combine(type, get, value))(code)
    const seen = code.local(type)
    code.tee(seen).get(old).op(`${type}_ne`).get(seen).set(old).brIf(again).get(old).end()
  }
}

function readModifyWrite(e: Emitter, width: Width, rmw: AtomicOp | undefined, combine: Combine): Value {
  const pointer = e.atomicAddress(width.bytes, e.rs1, true)
  if (e.shared && rmw !== undefined) return e.temp(width.type, atomic(rmw, pointer, width.source(e)))
  if (e.shared) return e.temp(width.type, compareExchangeLoop(e, width, pointer, combine))
  const old = e.temp(width.type, loadRaw(width.load, pointer))
  storeRaw(width.store, pointer, combine(width.type, old, width.source(e)))(e.code)
  return old
}

function amo(
  name: string,
  funct5: number,
  rmw: 'add' | 'and' | 'or' | 'xor' | 'xchg' | undefined,
  combine: Combine,
): InstructionDefinition[] {
  return WIDTHS.map((width) => ({
    name: `amo${name}${width.suffix}`,
    ...encodingOf(funct5, width),
    format: FORMAT.atomic,
    emit: (e) => {
      const operation = rmw && (`${width.type}_atomic_rmw_${rmw}` as AtomicOp)
      e.setRd(width.extend(readModifyWrite(e, width, operation, combine)))
    },
  }))
}

const choose =
  (comparison: 'lt_s' | 'gt_s' | 'lt_u' | 'gt_u'): Combine =>
  (type, old, value) =>
    select(op(`${type}_${comparison}` as NumericOp, old, value), old, value)

const combine =
  (operation: 'add' | 'and' | 'or' | 'xor'): Combine =>
  (type, old, value) =>
    op(`${type}_${operation}` as NumericOp, old, value)

function loadReserved(width: Width): InstructionDefinition {
  const { match, mask } = encodingOf(0x02, width)
  return {
    name: `lr${width.suffix}`,
    match,
    mask: (mask | (31 << 20)) >>> 0,
    format: FORMAT.loadReserved,
    emit: (e) => {
      const pointer = e.atomicAddress(width.bytes, e.rs1, false)
      const read = e.shared ? atomic(`${width.type}_atomic_load`, pointer) : loadRaw(width.load, pointer)
      const value = e.temp('i64', width.extend(read))
      e.storeField('i64_store', HartField.reservationAddress, e.rs1)
      e.storeField('i64_store', HartField.reservationValue, value)
      e.storeField('i32_store', HartField.isReserved, i32(1))
      e.setRd(value)
    },
  }
}

/** Stores if the place still holds what LR saw; 0 when it did, 1 when not. */
function storeIfUnchanged(e: Emitter, width: Width): Value {
  const pointer = e.atomicAddress(width.bytes, e.rs1, true)
  const expected = e.temp(width.type, width.narrow(e.loadField('i64_load', HartField.reservationValue)))
  if (e.shared) {
    const seen = atomic(`${width.type}_atomic_rmw_cmpxchg`, pointer, expected, width.source(e))
    return op(`${width.type}_ne`, seen, expected)
  }
  return ifElse(
    'i32',
    op(`${width.type}_eq`, loadRaw(width.load, pointer), expected),
    (code) => {
      storeRaw(width.store, pointer, width.source(e))(code)
      code.i32(0)
    },
    i32(1),
  )
}

/** Without a reservation of this address SC fails without looking at memory, as qemu's. */
function storeConditional(width: Width): InstructionDefinition {
  return {
    name: `sc${width.suffix}`,
    ...encodingOf(0x03, width),
    format: FORMAT.atomic,
    emit: (e) => {
      const isReserved = op(
        'i32_and',
        e.loadField('i32_load', HartField.isReserved),
        op('i64_eq', e.loadField('i64_load', HartField.reservationAddress), e.rs1),
      )
      const failed = e.temp(
        'i32',
        ifElse('i32', isReserved, (code) => storeIfUnchanged(e, width)(code), i32(1)),
      )
      e.storeField('i32_store', HartField.isReserved, i32(0))
      e.setRd(op('i64_extend_i32_u', failed))
    },
  }
}

export function atomicInstructions(): readonly InstructionDefinition[] {
  return [
    ...WIDTHS.map(loadReserved),
    ...WIDTHS.map(storeConditional),
    ...amo('swap', 0x01, 'xchg', (_type, _old, value) => value),
    ...amo('add', 0x00, 'add', combine('add')),
    ...amo('xor', 0x04, 'xor', combine('xor')),
    ...amo('and', 0x0c, 'and', combine('and')),
    ...amo('or', 0x08, 'or', combine('or')),
    ...amo('min', 0x10, undefined, choose('lt_s')),
    ...amo('max', 0x14, undefined, choose('gt_s')),
    ...amo('minu', 0x18, undefined, choose('lt_u')),
    ...amo('maxu', 0x1c, undefined, choose('gt_u')),
  ]
}

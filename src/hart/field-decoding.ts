/** Taking the fields of an instruction word apart at run time. */
import type { ValueType } from '../base/wasm/code.js'
import { MEMORY_OP, type MemoryOp } from '../base/wasm/opcodes.js'
import { i32, local, op, type Value } from '../base/wasm/value.js'
import type { Immediate } from './format.js'

/** `mask` bits of a local from bit `from`, as bits from `to` on. */
export function bits(word: number, from: number, to: number, mask: number): Value {
  const shifted =
    from >= to ? op('i32_shr_u', local(word), i32(from - to)) : op('i32_shl', local(word), i32(to - from))
  return op('i32_and', shifted, i32(mask << to))
}

/** An immediate of a 32-bit word. Every signed one has its sign in bit 31. */
export function immediate(word: number, { slices, signed }: Immediate): Value {
  const parts = slices.map(([from, width, to]) => {
    if (!signed || from + width < 32) return bits(word, from, to, 2 ** width - 1)
    if (from === to) return op('i32_and', local(word), i32(-1 << from))
    return op('i32_shl', op('i32_shr_s', local(word), i32(from)), i32(to))
  })
  return parts.reduce((all, part) => op('i32_or', all, part))
}

/** Bytes that a load or a store moves. */
export function accessBytes(name: MemoryOp): number {
  const width = /(8|16|32)(_[su])?$/.exec(name)
  return width ? Number(width[1]) / 8 : 2 ** MEMORY_OP[name][1]
}

/** What a load leaves on the stack. */
export function resultType(name: MemoryOp): ValueType {
  return name.slice(0, 3) as ValueType
}

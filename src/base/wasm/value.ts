/**
 * Expressions of emitted WebAssembly. A `Value` writes the instructions that leave one value on the stack; each
 * use of it writes them again, so what costs something or must be read before a write is held in a `temp`.
 */
import type { Code, ValueType } from './code.js'
import type { AtomicOp, MemoryOp, NumericOp } from './opcodes.js'

export type Value = (code: Code) => void

/** `op('i64_add', a, b)`: the operands from left to right, then the operation. */
export function op(name: NumericOp, ...operands: Value[]): Value {
  return (code) => {
    for (const operand of operands) operand(code)
    code.op(name)
  }
}

export function i32(value: number): Value {
  return (code) => void code.i32(value)
}

export function i64(value: number | bigint): Value {
  return (code) => void code.i64(value)
}

export function local(index: number): Value {
  return (code) => void code.get(index)
}

/** Both sides are evaluated: for cheap, harmless ones. */
export function select(condition: Value, then: Value, otherwise: Value): Value {
  return op('select', then, otherwise, condition)
}

export function ifElse(type: ValueType, condition: Value, then: Value, otherwise: Value): Value {
  return (code) => {
    condition(code)
    code.if(type)
    then(code)
    code.else()
    otherwise(code)
    code.end()
  }
}

/** The low 32 bits as a sign-extended 64-bit number: what a W instruction leaves. */
export function signExtendWord(value: Value): Value {
  return op('i64_extend_i32_s', value)
}

/** A load from the buffer; `pointer` is i32. */
export function loadRaw(name: MemoryOp, pointer: Value, offset = 0): Value {
  return (code) => {
    pointer(code)
    code.memory(name, offset)
  }
}

export function storeRaw(name: MemoryOp, pointer: Value, value: Value, offset = 0): Value {
  return (code) => {
    pointer(code)
    value(code)
    code.memory(name, offset)
  }
}

/** An atomic operation on a naturally aligned place in the buffer. */
export function atomic(name: AtomicOp, pointer: Value, ...operands: Value[]): Value {
  return (code) => {
    pointer(code)
    for (const operand of operands) operand(code)
    code.atomic(name)
  }
}

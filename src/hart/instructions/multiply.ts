/** The M extension. Division by zero and overflow give the values of the manual's table; nothing traps. */
import type { NumericOp } from '../../base/wasm/opcodes.js'
import { i32, i64, ifElse, op, select, signExtendWord, type Value } from '../../base/wasm/value.js'
import { encoding, type InstructionDefinition } from '../definition.js'
import type { Emitter } from '../emitter.js'
import { FORMAT } from '../format.js'

const OP = 0x33
const OP_32 = 0x3b

function define(
  name: string,
  opcode: number,
  funct3: number,
  result: (e: Emitter) => Value,
): InstructionDefinition {
  return {
    name,
    ...encoding(opcode, funct3, 0x01),
    format: FORMAT.register,
    emit: (e) => e.setRd(result(e)),
  }
}

interface Width {
  readonly type: 'i32' | 'i64'
  readonly constant: (value: number) => Value
  readonly operands: (e: Emitter) => [left: Value, right: Value]
  readonly extend: (value: Value) => Value
}

const DOUBLE_WORD: Width = {
  type: 'i64',
  constant: i64,
  operands: (e) => [e.temp('i64', e.rs1), e.temp('i64', e.rs2)],
  extend: (value) => value,
}
const WORD: Width = {
  type: 'i32',
  constant: i32,
  operands: (e) => [e.temp('i32', e.rs1Low), e.temp('i32', e.rs2Low)],
  extend: signExtendWord,
}

/** A quotient or remainder: what a divisor of 0 and (signed only) of -1 give is said, the rest is divided. */
function divide(
  { type, constant, operands, extend }: Width,
  operation: 'div_s' | 'div_u' | 'rem_s' | 'rem_u',
): (e: Emitter) => Value {
  const isQuotient = operation.startsWith('div')
  return (e) => {
    const [left, right] = operands(e)
    const divided = op(`${type}_${operation}` as NumericOp, left, right)
    const byMinusOne = isQuotient ? op(`${type}_sub`, constant(0), left) : constant(0)
    const byZero = isQuotient ? constant(-1) : left
    const nonZero = operation.endsWith('u')
      ? divided
      : ifElse(type, op(`${type}_eq`, right, constant(-1)), byMinusOne, divided)
    return extend(ifElse(type, op(`${type}_eqz`, right), byZero, nonZero))
  }
}

const isNegative = (value: Value): Value => op('i64_lt_s', value, i64(0))

/** The upper half of the unsigned product, less what each operand's sign contributes. */
function highProduct(leftSigned: boolean, rightSigned: boolean): (e: Emitter) => Value {
  return (e) => {
    const left = e.temp('i64', e.rs1)
    const right = e.temp('i64', e.rs2)
    let high = e.call('mulhu', left, right)
    if (leftSigned) high = op('i64_sub', high, select(isNegative(left), right, i64(0)))
    if (rightSigned) high = op('i64_sub', high, select(isNegative(right), left, i64(0)))
    return high
  }
}

export function multiplyInstructions(): readonly InstructionDefinition[] {
  return [
    define('mul', OP, 0, (e) => op('i64_mul', e.rs1, e.rs2)),
    define('mulh', OP, 1, highProduct(true, true)),
    define('mulhsu', OP, 2, highProduct(true, false)),
    define('mulhu', OP, 3, highProduct(false, false)),
    define('div', OP, 4, divide(DOUBLE_WORD, 'div_s')),
    define('divu', OP, 5, divide(DOUBLE_WORD, 'div_u')),
    define('rem', OP, 6, divide(DOUBLE_WORD, 'rem_s')),
    define('remu', OP, 7, divide(DOUBLE_WORD, 'rem_u')),
    define('mulw', OP_32, 0, (e) => signExtendWord(op('i32_mul', e.rs1Low, e.rs2Low))),
    define('divw', OP_32, 4, divide(WORD, 'div_s')),
    define('divuw', OP_32, 5, divide(WORD, 'div_u')),
    define('remw', OP_32, 6, divide(WORD, 'rem_s')),
    define('remuw', OP_32, 7, divide(WORD, 'rem_u')),
  ]
}

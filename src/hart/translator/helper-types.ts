/** Signatures of the functions of the interpreter's module that translated code calls. */
import type { ValueType } from '../../base/wasm/code.js'
import { SOFT_OPERATIONS } from '../float/soft-float.js'
import { FIND_SPAN_PARAMETERS } from './span-finder.js'

interface HelperType {
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
}

const floatHelpers = SOFT_OPERATIONS.map(({ name, operands }): [string, HelperType] => [
  name,
  { parameters: [...new Array<ValueType>(operands).fill('i64'), 'i32'], results: ['i64'] },
])

export const HELPER_TYPES: ReadonlyMap<string, HelperType> = new Map<string, HelperType>([
  ['csrAllows', { parameters: ['i32', 'i32'], results: ['i32'] }],
  ['csrRead', { parameters: ['i32', 'i64'], results: ['i64'] }],
  ['csrWrite', { parameters: ['i32', 'i64'], results: [] }],
  ['findSpan', { parameters: FIND_SPAN_PARAMETERS, results: [] }],
  ['mulhu', { parameters: ['i64', 'i64'], results: ['i64'] }],
  ...floatHelpers,
])

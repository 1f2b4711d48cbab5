/** How each helper avoids the exact path: see helpers.ts for when a result of the host may be taken. */
import { i32, i64, ifElse, op, select, type Value } from '../../base/wasm/value.js'
import { all, any, HOST_DOUBLE, HOST_SINGLE, type HostFormat } from './bits.js'
import {
  isExactDoubleProduct,
  isExactDoubleQuotient,
  isExactDoubleRoot,
  isExactSingleProduct,
  promoted,
  sumError,
} from './exactness.js'
import { inexactIsSet, isNearestEven, raise, raiseInexactIf } from './fcsr.js'
import { Flag } from './format.js'
import { fusedDouble, fusedSingle } from './fused.js'
import type { HelperFrame } from './helpers.js'
import { isInfinite, isNan, isSilent, takeInfinity, takeQuietNan } from './special-values.js'

type FastPath = (frame: HelperFrame) => void

/** A helper without an entry is exact only. */
export const FAST_PATHS: ReadonlyMap<string, FastPath> = new Map<string, FastPath>([
  ...[HOST_SINGLE, HOST_DOUBLE].flatMap(pathsOf),
  ['fma.s', fusedSingle],
  ['fma.d', fusedDouble],
  ['s.d', narrow],
])

function pathsOf(host: HostFormat): [string, FastPath][] {
  const { suffix } = host
  return [
    [`add.${suffix}`, (f) => sum(f, host, 'add')],
    [`sub.${suffix}`, (f) => sum(f, host, 'sub')],
    [`mul.${suffix}`, (f) => product(f, host)],
    [`div.${suffix}`, (f) => quotient(f, host)],
    [`sqrt.${suffix}`, (f) => root(f, host)],
    [`lt.${suffix}`, (f) => comparisonWithNan(f, host, false)],
    [`le.${suffix}`, (f) => comparisonWithNan(f, host, false)],
    [`eq.${suffix}`, (f) => comparisonWithNan(f, host, true)],
    [`w.${suffix}`, (f) => toInteger(f, host, -(2 ** 31), 2 ** 31 - 1, 'i64_trunc_f64_s')],
    [`wu.${suffix}`, (f) => toInteger(f, host, 0, 2 ** 32 - 1, 'i64_trunc_f64_s')],
    [`l.${suffix}`, (f) => toInteger(f, host, -(2 ** 63), 2 ** 63 - 1024, 'i64_trunc_f64_s')],
    [`lu.${suffix}`, (f) => toInteger(f, host, 0, 2 ** 64 - 2048, 'i64_trunc_f64_u')],
    [`class.${suffix}`, (f) => classOfOrdinary(f, host)],
    [`${suffix}.l`, (f) => fromInteger(f, host, true)],
    [`${suffix}.lu`, (f) => fromInteger(f, host, false)],
  ]
}

/** Takes `result` when it is plain and nothing is to be flagged, or when `exactZero` says that it is a due zero. */
function take(f: HelperFrame, host: HostFormat, result: Value, isExact: Value, exactZero: Value): void {
  const flagged = ifElse('i32', inexactIsSet(f.hart), i32(1), isExact)
  const plain = ifElse('i32', host.isPlain(result), flagged, exactZero)
  f.returnIf(all(isNearestEven(f.rounding), plain), host.bits(result))
}

/** A sum that is zero is exact, whatever the operands. */
function sum(f: HelperFrame, host: HostFormat, name: 'add' | 'sub'): void {
  const { type } = host
  const a = f.temp(type, host.number(f.a))
  const b = f.temp(type, name === 'add' ? host.number(f.b) : op(`${type}_neg`, host.number(f.b)))
  const result = f.temp(type, op(`${type}_add`, a, b))
  const isExact: Value = (code) => isZero(host, sumError(f, type, a, b, result))(code)
  take(f, host, result, isExact, isZero(host, result))
  takeQuietNan(f, host, [f.a, f.b])
  takeInfinity(f, host, result, [a, b])
}

function product(f: HelperFrame, host: HostFormat): void {
  const [a, b] = [f.temp(host.type, host.number(f.a)), f.temp(host.type, host.number(f.b))]
  const result = f.temp(host.type, op(host.op('mul'), a, b))
  const isExact = host === HOST_SINGLE ? isExactSingleProduct(a, b, result) : isExactDoubleProduct(a, b)
  take(f, host, result, isExact, all(isZero(host, result), any(isZero(host, a), isZero(host, b))))
  takeQuietNan(f, host, [f.a, f.b])
  takeInfinity(f, host, result, [a, b])
}

/** 0 / 0 is a NaN, so that a quotient of zero with a dividend of zero is exact; with an infinite divisor it is so too. */
function quotient(f: HelperFrame, host: HostFormat): void {
  const [a, b] = [f.temp(host.type, host.number(f.a)), f.temp(host.type, host.number(f.b))]
  const result = f.temp(host.type, op(host.op('div'), a, b))
  const isExact =
    host === HOST_SINGLE ? isExactSingleProduct(result, b, a) : isExactDoubleQuotient(a, b, result)
  const exactZero = all(isZero(host, result), any(isZero(host, a), isInfinite(host, b)))
  take(f, host, result, isExact, exactZero)
  takeQuietNan(f, host, [f.a, f.b])
  takeInfinity(f, host, result, [a])
}

function root(f: HelperFrame, host: HostFormat): void {
  const a = f.temp(host.type, host.number(f.a))
  const result = f.temp(host.type, op(host.op('sqrt'), a))
  const isExact =
    host === HOST_SINGLE ? isExactSingleProduct(result, result, a) : isExactDoubleRoot(a, result)
  take(f, host, result, isExact, isZero(host, result))
  takeQuietNan(f, host, [f.a])
  takeInfinity(f, host, result, [a])
}

/** What comes here has a NaN: nothing is less than or equal to it, and only `feq` suffers quiet ones in silence. */
function comparisonWithNan(f: HelperFrame, host: HostFormat, suffersQuiet: boolean): void {
  if (suffersQuiet) {
    f.returnIf(all(any(isNan(host, f.a), isNan(host, f.b)), isSilent(host, f.a), isSilent(host, f.b)), i64(0))
    return
  }
  f.returnIf(any(isNan(host, f.a), isNan(host, f.b)), (code) => {
    raise(f.hart, Flag.invalid)(code)
    code.i64(0)
  })
}

/**
 * A float that rounds into the target's range: `low` and `high` are its ends, or the last doubles before them. The
 * inexact flag is the only one that can be due.
 */
function toInteger(
  f: HelperFrame,
  host: HostFormat,
  low: number,
  high: number,
  truncate: 'i64_trunc_f64_s' | 'i64_trunc_f64_u',
): void {
  const x = f.temp('f64', host === HOST_SINGLE ? promoted(host.number(f.a)) : host.number(f.a))
  const rounded = f.temp('f64', roundedToIntegral(x, f.rounding))
  const inRange = all(op('f64_ge', rounded, f64(low)), op('f64_le', rounded, f64(high)))
  const integer = op(truncate, rounded)
  f.returnIf(all(inRange, op('i32_lt_u', f.rounding, i32(4))), (code) => {
    raiseInexactIf(f.hart, op('f64_ne', rounded, x))(code)
    // An unsigned word too is sign-extended to the register.
    ;(high < 2 ** 33 ? op('i64_extend32_s', integer) : integer)(code)
  })
}

/** Modes 0 to 3; mode 4 (ties away from zero) comes out as some integral number. */
function roundedToIntegral(x: Value, rounding: Value): Value {
  const directed = ifElse('f64', op('i32_eq', rounding, i32(2)), op('f64_floor', x), op('f64_ceil', x))
  const notNearest = ifElse('f64', op('i32_eq', rounding, i32(1)), op('f64_trunc', x), directed)
  return ifElse('f64', rounding, notNearest, op('f64_nearest', x))
}

/** Magnitudes up to 2^precision are exact, in every rounding. */
function fromInteger(f: HelperFrame, host: HostFormat, signed: boolean): void {
  const bound = 1n << (host === HOST_SINGLE ? 24n : 53n)
  const exact = signed
    ? op('i64_le_u', op('i64_add', f.a, i64(bound)), i64(2n * bound))
    : op('i64_le_u', f.a, i64(bound))
  const nearest = all(isNearestEven(f.rounding), inexactIsSet(f.hart))
  f.returnIf(any(exact, nearest), host.bits(op(`${host.type}_convert_i64_${signed ? 's' : 'u'}`, f.a)))
}

/** Double to single. What a single can hold is exact in every rounding, subnormals, zeroes and infinities too. */
function narrow(f: HelperFrame): void {
  const x = f.temp('f64', HOST_DOUBLE.number(f.a))
  const result = f.temp('f32', op('f32_demote_f64', x))
  const exact = op('f64_eq', promoted(result), x)
  const nearest = all(isNearestEven(f.rounding), inexactIsSet(f.hart), HOST_SINGLE.isPlain(result))
  f.returnIf(any(exact, nearest), HOST_SINGLE.bits(result))
}

/** fclass of plain numbers and of zeroes; its bits 1 and 6, 3 and 4 are those of the two signs. */
function classOfOrdinary(f: HelperFrame, host: HostFormat): void {
  const x = f.temp(host.type, host.number(f.a))
  const signBit = i64(host === HOST_SINGLE ? 31 : 63)
  const isNegative = op('i32_wrap_i64', op('i64_and', op('i64_shr_u', f.a, signBit), i64(1)))
  f.returnIf(host.isPlain(x), select(isNegative, i64(1 << 1), i64(1 << 6)))
  f.returnIf(isZero(host, x), select(isNegative, i64(1 << 3), i64(1 << 4)))
}

function isZero(host: HostFormat, x: Value): Value {
  return op(host.op('eq'), x, (code) => void (host === HOST_SINGLE ? code.f32(0) : code.f64(0)))
}

function f64(value: number): Value {
  return (code) => void code.f64(value)
}

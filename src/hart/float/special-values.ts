/** Fast paths of operations with NaNs and infinities that raise nothing, or only what is known. */
import { i64, op, type Value } from '../../base/wasm/value.js'
import { all, any, HOST_SINGLE, type HostFormat } from './bits.js'
import type { HelperFrame } from './helpers.js'

/** The canonical NaN when an operand is a NaN and none is a signaling one; `isValid`: what else must hold for no flag to be due. */
export function takeQuietNan(
  f: HelperFrame,
  host: HostFormat,
  operands: readonly Value[],
  ...isValid: Value[]
): void {
  const [first, ...others] = operands.map((bits) => isNan(host, bits))
  const noneSignals = operands.map((bits) => isSilent(host, bits))
  f.returnIf(all(any(first!, ...others), ...noneSignals, ...isValid), i64(canonicalNan(host)))
}

/** An infinity that comes of an infinite operand is exact. */
export function takeInfinity(
  f: HelperFrame,
  host: HostFormat,
  result: Value,
  operands: readonly Value[],
): void {
  const [first, ...others] = operands.map((number) => isInfinite(host, number))
  f.returnIf(all(isInfinite(host, result), any(first!, ...others)), host.bits(result))
}

export function isNan(host: HostFormat, bits: Value): Value {
  return op(host.op('ne'), host.number(bits), host.number(bits))
}

/** A number or a quiet NaN: the highest bit of the fraction says which. */
export function isSilent(host: HostFormat, bits: Value): Value {
  const quiet = i64(host === HOST_SINGLE ? 22 : 51)
  const isQuiet = op('i32_and', op('i32_wrap_i64', op('i64_shr_u', bits, quiet)), (code) => void code.i32(1))
  return any(op(host.op('eq'), host.number(bits), host.number(bits)), isQuiet)
}

export function isInfinite(host: HostFormat, number: Value): Value {
  return op(host.op('eq'), op(`${host.type}_abs`, number), infinity(host))
}

function infinity({ type }: HostFormat): Value {
  return (code) =>
    void (type === 'f32' ? code.f32(Number.POSITIVE_INFINITY) : code.f64(Number.POSITIVE_INFINITY))
}

function canonicalNan(host: HostFormat): bigint {
  return host === HOST_SINGLE ? 0x7fc0_0000n : 0x7ff8_0000_0000_0000n
}

import { expect, test } from 'vitest'
import { Random } from '../base/random.js'
import { SyscallArguments } from './syscall-arguments.js'

const words = new Uint32Array(12)
const args = new SyscallArguments({ u32: words })

function pass(value: bigint): SyscallArguments {
  const bits = BigInt.asUintN(64, value)
  words[6] = Number(bits & 0xffff_ffffn)
  words[7] = Number(bits >> 32n)
  return args
}

/** Every power of two with its neighbours, and random bits. */
function* values(): Generator<bigint> {
  for (let bit = 0n; bit < 64n; bit++)
    for (let d = -2n; d <= 2n; d++) yield BigInt.asUintN(64, (1n << bit) + d)
  const random = new Random(3)
  for (let i = 0; i < 2000; i++) yield (BigInt(random.uint32()) << 32n) | BigInt(random.uint32())
}

test('every reading agrees with 64-bit arithmetic', () => {
  for (const value of values()) {
    const a = pass(value)
    expect(a.isZero(3)).toBe(value === 0n)
    expect(BigInt(a.low(3))).toBe(value & 0xffff_ffffn)
    expect(BigInt(a.high(3))).toBe(value >> 32n)
    expect(BigInt(a.int(3))).toBe(BigInt.asIntN(32, value))
    expect(a.address(3)).toBe(Number(value))
    expect(a.signed(3)).toBe(Number(BigInt.asIntN(64, value)))
    expect(a.isPageAligned(3)).toBe((value & 4095n) === 0n)
    expect(BigInt(a.page(3))).toBe(value >> 12n)
    expect(BigInt(a.pagesUp(3))).toBe(BigInt.asUintN(64, value + 4095n) >> 12n)
    expect(a.is32Bit(3)).toBe(value < 1n << 32n)
  }
})

test('a record in the buffer is looked at where it is', () => {
  const u32 = new Uint32Array(64)
  u32[20] = 7
  expect(new SyscallArguments({ u32 }).at(72 as never).low(1)).toBe(7)
})

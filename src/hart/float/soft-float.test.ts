import { describe, expect, test } from 'vitest'
import { Random } from '../../base/random.js'
import { DOUBLE, Flag, type FloatContext, type FloatFormat, Rounding, SINGLE } from './format.js'
import { SOFT_OPERATIONS } from './soft-float.js'
import { bitsOfNumber, numberOfBits, sampleFloat, sampleOperands } from './testing/float-samples.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 8_000)
const SEED = Number(process.env.PAGODA_SEED ?? 1)
const FORMATS: [string, FloatFormat][] = [
  ['s', SINGLE],
  ['d', DOUBLE],
]

function run(name: string, operands: bigint[], rounding: Rounding = Rounding.nearestEven) {
  const context: FloatContext = { rounding, flags: 0 }
  const [a = 0n, b = 0n, c = 0n] = operands
  const bits = SOFT_OPERATIONS.find((operation) => operation.name === name)!.run(a, b, c, context)
  return { bits, flags: context.flags }
}

const HOST: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  sqrt: (a) => Math.sqrt(a),
}

describe.each(FORMATS)('soft float %s against the host, which rounds to nearest', (suffix, format) => {
  test.each(Object.entries(HOST))('%s', (name, operation) => {
    const random = new Random(SEED)
    for (let step = 0; step < STEPS; step++) {
      const [a, b] = sampleOperands(format, random)
      // Double arithmetic rounded to single is right for these five operations.
      const expected = operation(numberOfBits(format, a), numberOfBits(format, b))
      const bits = Number.isNaN(expected) ? format.canonicalNaN : bitsOfNumber(format, expected)
      const actual = run(`${name}.${suffix}`, [a, b]).bits
      if (actual !== bits) expect(actual, `seed ${SEED}: ${a.toString(16)} ${b.toString(16)}`).toBe(bits)
    }
  })

  test('the directed roundings enclose the exact result, one unit apart when it is inexact', () => {
    const random = new Random(SEED)
    for (let step = 0; step < STEPS / 4; step++) {
      const operands = sampleOperands(format, random)
      for (const name of ['add', 'mul', 'div', 'sqrt', 'fma']) {
        const down = run(`${name}.${suffix}`, operands, Rounding.down)
        const up = run(`${name}.${suffix}`, operands, Rounding.up)
        const [low, high] = [numberOfBits(format, down.bits), numberOfBits(format, up.bits)]
        const isRight =
          Number.isNaN(low) || (down.flags & Flag.inexact) === 0
            ? low === high || Number.isNaN(high)
            : ordinal(format, up.bits) - ordinal(format, down.bits) === 1n
        if (!isRight)
          expect.fail(`seed ${SEED}: ${name} of ${operands.map((x) => x.toString(16))}: ${low}, ${high}`)
      }
    }
  })
})

/** Consecutive floats have consecutive ordinals; both zeroes have 0. */
function ordinal(format: FloatFormat, bits: bigint): bigint {
  const sign = 1n << BigInt(format.width - 1)
  return bits < sign ? bits : sign - bits
}

describe('flags and values that the manual or IEEE 754 name', () => {
  const one = bitsOfNumber(DOUBLE, 1)
  const smallestNormal = 1n << 52n
  const infinite = bitsOfNumber(DOUBLE, Number.POSITIVE_INFINITY)
  const quiet = DOUBLE.canonicalNaN
  const signalling = infinite | 1n

  test('infinity times zero is invalid even when a quiet NaN is added', () => {
    expect(run('fma.d', [infinite, 0n, quiet])).toEqual({ bits: quiet, flags: Flag.invalid })
  })

  test('division by zero, zero by zero', () => {
    expect(run('div.d', [one, 0n])).toEqual({ bits: infinite, flags: Flag.divideByZero })
    expect(run('div.d', [0n, 0n])).toEqual({ bits: quiet, flags: Flag.invalid })
  })

  test('tininess is detected after rounding', () => {
    // An eighth of the smallest subnormal below the smallest normal: with an unbounded exponent it rounds up to it.
    const reachesNormal = run('fma.d', [
      bitsOfNumber(DOUBLE, -(2 ** -1074)),
      bitsOfNumber(DOUBLE, 1 / 8),
      smallestNormal,
    ])
    expect(reachesNormal).toEqual({ bits: smallestNormal, flags: Flag.inexact })
    // Half of it below: rounded to the smallest normal only because subnormals are coarser. Tiny.
    const tiny = run('mul.d', [smallestNormal, one - 1n])
    expect(tiny).toEqual({ bits: smallestNormal, flags: Flag.inexact | Flag.underflow })
  })

  test('an exact subnormal does not underflow', () => {
    expect(run('mul.d', [smallestNormal, bitsOfNumber(DOUBLE, 0.5)])).toEqual({ bits: 1n << 51n, flags: 0 })
  })

  test('overflow goes to infinity or to the largest number, as the mode says', () => {
    const largest = infinite - 1n
    const flags = Flag.overflow | Flag.inexact
    expect(run('add.d', [largest, largest])).toEqual({ bits: infinite, flags })
    expect(run('add.d', [largest, largest], Rounding.down)).toEqual({ bits: largest, flags })
    expect(run('add.d', [largest, largest], Rounding.towardsZero)).toEqual({ bits: largest, flags })
  })

  test('the sum of opposite numbers is -0 only when rounding down', () => {
    const minusOne = bitsOfNumber(DOUBLE, -1)
    expect(run('add.d', [one, minusOne]).bits).toBe(0n)
    expect(run('add.d', [one, minusOne], Rounding.down).bits).toBe(1n << 63n)
  })

  test('comparisons: feq is quiet, flt is not', () => {
    expect(run('eq.d', [quiet, one])).toEqual({ bits: 0n, flags: 0 })
    expect(run('eq.d', [signalling, one])).toEqual({ bits: 0n, flags: Flag.invalid })
    expect(run('lt.d', [quiet, one])).toEqual({ bits: 0n, flags: Flag.invalid })
  })

  test('minimum takes the number beside a NaN and tells zeroes apart', () => {
    expect(run('min.d', [quiet, one])).toEqual({ bits: one, flags: 0 })
    expect(run('min.d', [signalling, one])).toEqual({ bits: one, flags: Flag.invalid })
    expect(run('min.d', [0n, 1n << 63n]).bits).toBe(1n << 63n)
    expect(run('max.d', [1n << 63n, 0n]).bits).toBe(0n)
  })

  test('integers: rounding, range, and what does not fit', () => {
    const convert = (name: string, value: number, rounding?: Rounding) =>
      run(name, [bitsOfNumber(DOUBLE, value)], rounding)
    expect(convert('w.d', 2.5)).toEqual({ bits: 2n, flags: Flag.inexact })
    expect(convert('w.d', 2.5, Rounding.nearestAway)).toEqual({ bits: 3n, flags: Flag.inexact })
    expect(convert('wu.d', -0.5, Rounding.towardsZero)).toEqual({ bits: 0n, flags: Flag.inexact })
    expect(convert('wu.d', -1)).toEqual({ bits: 0n, flags: Flag.invalid })
    expect(convert('wu.d', 2 ** 32)).toEqual({ bits: 0xffff_ffff_ffff_ffffn, flags: Flag.invalid })
    expect(convert('l.d', Number.NaN)).toEqual({ bits: 0x7fff_ffff_ffff_ffffn, flags: Flag.invalid })
  })

  test('classes', () => {
    const bits = [
      infinite | (1n << 63n),
      one | (1n << 63n),
      (1n << 63n) | 1n,
      1n << 63n,
      0n,
      1n,
      one,
      infinite,
    ]
    const expected = bits.map((_, i) => 1n << BigInt(i))
    expect(bits.map((b) => run('class.d', [b]).bits)).toEqual(expected)
    expect([signalling, quiet].map((b) => run('class.d', [b]).bits)).toEqual([256n, 512n])
  })
})

test('a double that a single holds survives the way there and back', () => {
  const random = new Random(SEED)
  for (let step = 0; step < STEPS; step++) {
    const single = sampleFloat(SINGLE, random)
    const wide = run('d.s', [single])
    if (Number.isNaN(numberOfBits(SINGLE, single))) expect(wide.bits).toBe(DOUBLE.canonicalNaN)
    else expect(run('s.d', [wide.bits])).toEqual({ bits: single, flags: 0 })
  }
})

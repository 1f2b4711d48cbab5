import { expect, test } from 'vitest'
import type { Ptr } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { WasmModule } from '../../base/wasm/module.js'
import { Memory } from '../../state/memory.js'
import { HartField } from '../hart-state.js'
import { DOUBLE, type FloatContext, type Rounding, SINGLE } from './format.js'
import { addFloatHelpers, floatImports } from './helpers.js'
import { SOFT_OPERATIONS } from './soft-float.js'
import { operandsFor } from './testing/float-cases.js'
import { randomBits64 } from './testing/float-samples.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 5_000)
const SEED = Number(process.env.PAGODA_SEED ?? 1)
const HART = 4096 as Ptr
const MIB = 2 ** 20

type Helper = (...parameters: (bigint | number)[]) => bigint

/** The helpers in a module of their own; `slowCalls` counts how often the exact path was needed. */
class HelperBench {
  readonly memory = Memory.allocate(8 * MIB, false)
  readonly helpers: Record<string, Helper>
  slowCalls = 0

  constructor() {
    const module = new WasmModule()
    module.importMemory('memory', { pages: (8 * MIB) / 65536, shared: false })
    const indices = addFloatHelpers(module, HART)
    for (const { name, operands } of SOFT_OPERATIONS) {
      const parameters = [...new Array(operands).fill('i64'), 'i32']
      module.function(name, parameters, ['i64'], (code) => {
        for (let i = 0; i < parameters.length; i++) code.get(i)
        code.call(indices.get(name)!)
      })
    }
    const { softFloat } = floatImports(this.memory, HART)
    const counted = (...parameters: number[]) => {
      this.slowCalls++
      softFloat!(...parameters)
    }
    const compiled = new WebAssembly.Module(module.bytes() as BufferSource)
    const env = { memory: this.memory.raw, softFloat: counted }
    this.helpers = new WebAssembly.Instance(compiled, { env }).exports as Record<string, Helper>
  }

  run(name: string, operands: bigint[], rounding: Rounding, flags: number) {
    this.memory.u32[(HART + HartField.fcsr) >>> 2] = flags
    const bits = BigInt.asUintN(64, this.helpers[name]!(...operands, rounding))
    return { bits, flags: this.memory.u32[(HART + HartField.fcsr) >>> 2]! }
  }
}

const bench = new HelperBench()

test.each(SOFT_OPERATIONS)(
  '$name gives what the exact path gives, in value and flags',
  ({ name, operands, run }) => {
    const random = new Random(SEED)
    for (let step = 0; step < STEPS; step++) {
      const rounding = (random.chance(0.6) ? 0 : random.below(5)) as Rounding
      const flags = random.chance(0.5) ? 1 : random.below(32)
      const parameters = parametersOf(name, random).slice(0, operands)
      const context: FloatContext = { rounding, flags }
      const [a = 0n, b = 0n, c = 0n] = parameters
      const expected = run(a, b, c, context)
      const actual = bench.run(name, parameters, rounding, flags)
      if (actual.bits === expected && actual.flags === context.flags) continue
      const what = `seed ${SEED}: mode ${rounding} flags ${flags} ${parameters.map((x) => x.toString(16))}`
      expect(actual, what).toEqual({ bits: expected, flags: context.flags })
    }
  },
)

/** Integers of all lengths for conversions from one; else floats of the format read. */
function parametersOf(name: string, random: Random): bigint[] {
  const [operation, from] = name.split('.')
  if (!from!.startsWith('l')) return operandsFor(operation!, from === 's' ? SINGLE : DOUBLE, random)
  const bits = randomBits64(random) >> BigInt(random.below(64))
  return [random.chance(0.5) ? bits : BigInt.asUintN(64, -bits)]
}

test('programs that compute with integers in doubles never need the exact path', () => {
  const random = new Random(SEED)
  const before = bench.slowCalls
  for (let step = 0; step < 1000; step++) {
    const [a, b, c] = [1, 2, 3].map(() => BigInt(random.between(-1000, 1000)))
    const [x, y, z] = [a, b, c].map((value) => bench.run('d.l', [BigInt.asUintN(64, value!)], 0, 0).bits)
    for (const name of ['add.d', 'sub.d', 'mul.d']) expect(bench.run(name, [x!, y!], 0, 0).flags).toBe(0)
    const fused = bench.run('fma.d', [x!, y!, z!], 0, 0).bits
    expect(BigInt.asIntN(64, bench.run('l.d', [fused], 1, 0).bits)).toBe(a! * b! + c!)
    const square = bench.run('mul.d', [x!, x!], 0, 0).bits
    expect(bench.run('sqrt.d', [square], 0, 0).flags).toBe(0)
    if (a !== 0n) expect(bench.run('div.d', [square, x!], 0, 0)).toEqual({ bits: x!, flags: 0 })
  }
  expect(bench.slowCalls).toBe(before)
})

test('once the inexact flag is set, ordinary numbers never need the exact path', () => {
  const random = new Random(SEED)
  const before = bench.slowCalls
  for (let step = 0; step < 1000; step++) {
    const operands = [1, 2, 3].map(
      () => (1000n << 52n) | (randomBits64(random) & 0xfff_ffff_ffff_ffffn & ~(0xf00n << 52n)),
    )
    for (const { name, operands: count } of SOFT_OPERATIONS) {
      if (!/^(add|sub|mul|div|sqrt|fma|w|l)\.d$/.test(name)) continue
      expect(bench.run(name, operands.slice(0, count), 0, 1).flags).toBe(1)
    }
  }
  expect(bench.slowCalls).toBe(before)
})

test('quiet NaNs and infinities that go through a computation never need the exact path', () => {
  const [nan, otherNan, infinity, one] = [
    0x7ff8n << 48n,
    0xfff8_0000_0000_1234n,
    0x7ff0n << 48n,
    0x3ffn << 52n,
  ]
  const before = bench.slowCalls
  for (const name of ['add.d', 'sub.d', 'mul.d', 'div.d']) {
    expect(bench.run(name, [otherNan, one], 0, 0), name).toEqual({ bits: nan, flags: 0 })
    expect(bench.run(name, [one, otherNan], 2, 0), name).toEqual({ bits: nan, flags: 0 })
    expect(bench.run(name, [infinity, one], 3, 0), name).toEqual({ bits: infinity, flags: 0 })
  }
  expect(bench.run('fma.d', [one, one, otherNan], 0, 0)).toEqual({ bits: nan, flags: 0 })
  expect(bench.run('sqrt.d', [infinity], 0, 0)).toEqual({ bits: infinity, flags: 0 })
  expect(bench.run('lt.d', [one, nan], 0, 0)).toEqual({ bits: 0n, flags: 16 })
  expect(bench.run('eq.d', [one, nan], 0, 0)).toEqual({ bits: 0n, flags: 0 })
  expect(bench.slowCalls).toBe(before)
  // Infinity times zero is invalid whatever is added.
  expect(bench.run('fma.d', [infinity, 0n, nan], 0, 0)).toEqual({ bits: nan, flags: 16 })
})

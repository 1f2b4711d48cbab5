/** Code is what an engine reads it as: numbers at the borders of their lengths, code that is put together, many local variables. */
import { expect, test } from 'vitest'
import { Random } from '../random.js'
import { fuzzSteps, SEED } from '../testing.js'
import { Code } from './code.js'
import { WasmModule } from './module.js'

/** LEB128, by the definition. */
function leb(value: bigint, isSigned: boolean): number[] {
  const bytes: number[] = []
  for (let rest = value; ; ) {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    const isEnd = isSigned ? (rest === 0n && low < 64) || (rest === -1n && low >= 64) : rest === 0n
    bytes.push(isEnd ? low : low | 0x80)
    if (isEnd) return bytes
  }
}

function* numbers(): Generator<number> {
  for (let bits = 0; bits <= 53; bits++) {
    for (const near of [-2, -1, 0, 1, 2]) yield* [2 ** bits + near, -(2 ** bits) + near]
  }
  const random = new Random(SEED)
  for (let i = 0; i < fuzzSteps(20_000); i++) {
    const sign = random.chance(0.5) ? 1 : -1
    yield sign * (random.uint32() * 2 ** 20 + random.below(2 ** 20)) * 2 ** -random.below(40)
  }
}

test(`numbers as the definition of LEB128 says (PAGODA_SEED=${SEED})`, () => {
  for (const number of numbers()) {
    const value = Math.trunc(number)
    if (!Number.isSafeInteger(value)) continue
    expect([...new Code([], 1).i64(value).raw()], `i64 ${value}`).toEqual([0x42, ...leb(BigInt(value), true)])
    const low = BigInt.asIntN(32, BigInt(value))
    expect([...new Code([], 1).i32(Number(low)).raw()], `i32 ${low}`).toEqual([0x41, ...leb(low, true)])
    const word = BigInt.asUintN(32, BigInt(value))
    expect([...new Code([], 0).u32(Number(word)).raw()], `u32 ${word}`).toEqual(leb(word, false))
  }
})

/** The sum of 0 to 299 and the parameter, in as many local variables, with a way out that other code ends. */
function sum(): Uint8Array {
  const code = new Code(['i32'])
  const locals = Array.from({ length: 300 }, () => code.local('i32'))
  code.block()
  const end = new Code([])
  end.op('unreachable').end()
  locals.forEach((local, i) => {
    code.i32(i).tee(local).get(0).op('i32_add').set(0)
  })
  code.get(0).i32(0).op('i32_lt_s').ifUnlikely()
  code.i32(-1).op('return').end()
  code.br({ depth: 1 })
  end.get(locals[299]!).i32(299).op('i32_eq').ifLikely()
  end.get(0).op('return').end().i32(-2)
  code.append(end)
  expect(code.depth).toBe(0)
  expect(code.hintCount).toBe(2)
  const module = new WasmModule()
  module.export('sum', module.written(['i32'], ['i32'], code))
  return module.bytes()
}

test('code that other code ends, with more local variables than one byte names', () => {
  const bytes = sum()
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource))
  const call = exports.sum as (start: number) => number
  expect([call(0), call(5), call(-100_000)]).toEqual([44_850, 44_855, -1])
})

test('each hint stands at an `if`, counted from behind the size of its function', () => {
  const bytes = sum()
  const text = Buffer.from(bytes)
  const name = text.indexOf('metadata.code.branch_hint')
  // One function, its index, two hints of three numbers; the offsets take two bytes.
  const hints = text.subarray(name + 'metadata.code.branch_hint'.length)
  expect([hints[0], hints[1], hints[2]]).toEqual([1, 0, 2])
  const offset = (at: number) => (hints[at]! & 0x7f) | (hints[at + 1]! << 7)
  const entry = text.indexOf(Buffer.from([0xac, 0x02, 1, 0x7f])) // behind the size: 300 runs of local variables
  for (const [at, isLikely] of [
    [3, 0],
    [7, 1],
  ] as const) {
    expect(text[entry + offset(at)]).toBe(0x04)
    expect(hints[at + 3]).toBe(isLikely)
  }
})

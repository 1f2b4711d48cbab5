/** RV64I and M, and their compressed forms, against a model in BigInt, on edges and on random numbers. */
import { describe, expect, it } from 'vitest'
import { Random } from '../../base/random.js'
import { Exit } from '../exit.js'
import { BareMachine, CODE } from '../testing/bare-machine.js'

const SEED = Number(process.env.PAGODA_SEED ?? 1)
const machine = new BareMachine()
const signed = (value: bigint): bigint => BigInt.asIntN(64, value)
const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value)
const word = (value: bigint): bigint => BigInt.asIntN(32, value)
const wordUnsigned = (value: bigint): bigint => BigInt.asUintN(32, value)
const truth = (condition: boolean): bigint => (condition ? 1n : 0n)

// biome-ignore format: one value each
const EDGES: readonly bigint[] = [
  0n, 1n, 2n, -1n, -2n, 31n, 32n, 63n, 64n, 0x7fn, 0x80n, 0x7fff_ffffn, 0x8000_0000n, -0x8000_0000n,
  0xffff_ffffn, 0x1_0000_0000n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 63n) + 1n,
]

/** Operands as signed 64-bit numbers. */
type Model = (a: bigint, b: bigint) => bigint

const divide = (a: bigint, b: bigint): bigint => (b === 0n ? -1n : a / b)
const remainder = (a: bigint, b: bigint): bigint => (b === 0n ? a : a % b)

const MODELS: Readonly<Record<string, Model>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  sll: (a, b) => a << (b & 63n),
  slt: (a, b) => truth(a < b),
  sltu: (a, b) => truth(unsigned(a) < unsigned(b)),
  xor: (a, b) => a ^ b,
  srl: (a, b) => unsigned(a) >> (b & 63n),
  sra: (a, b) => a >> (b & 63n),
  or: (a, b) => a | b,
  and: (a, b) => a & b,
  addw: (a, b) => word(a + b),
  subw: (a, b) => word(a - b),
  sllw: (a, b) => word(a << (b & 31n)),
  srlw: (a, b) => word(wordUnsigned(a) >> (b & 31n)),
  sraw: (a, b) => word(a) >> (b & 31n),
  mul: (a, b) => a * b,
  mulh: (a, b) => (a * b) >> 64n,
  mulhsu: (a, b) => (a * unsigned(b)) >> 64n,
  mulhu: (a, b) => (unsigned(a) * unsigned(b)) >> 64n,
  div: divide,
  divu: (a, b) => divide(unsigned(a), unsigned(b)),
  rem: remainder,
  remu: (a, b) => remainder(unsigned(a), unsigned(b)),
  mulw: (a, b) => word(a * b),
  divw: (a, b) => word(divide(word(a), word(b))),
  divuw: (a, b) => word(divide(wordUnsigned(a), wordUnsigned(b))),
  remw: (a, b) => word(remainder(word(a), word(b))),
  remuw: (a, b) => word(remainder(wordUnsigned(a), wordUnsigned(b))),
}

const BRANCHES: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => a < b,
  bge: (a, b) => a >= b,
  bltu: (a, b) => unsigned(a) < unsigned(b),
  bgeu: (a, b) => unsigned(a) >= unsigned(b),
}

/** Pairs of edges and of random numbers of every size. */
function pairs(name: string): [bigint, bigint][] {
  const random = new Random(SEED + name.length * 977 + name.charCodeAt(0))
  const number = (): bigint => {
    const bits = (BigInt(random.uint32()) << 32n) | BigInt(random.uint32())
    return signed(BigInt.asIntN(random.between(1, 64), bits))
  }
  const edges = EDGES.flatMap((a) => EDGES.map((b): [bigint, bigint] => [a, b]))
  return [...edges, ...Array.from({ length: 200 }, (): [bigint, bigint] => [number(), number()])]
}

/** a2 after one instruction with a0 and a1. */
function result(text: string, a: bigint, b: bigint): bigint {
  machine.set({ a0: a, a1: b, a2: 0x5555 })
  expect(machine.run(text, 1)).toBe(Exit.budget)
  return signed(machine.get('a2'))
}

describe(`register operations (seed ${SEED})`, () => {
  it.each(Object.keys(MODELS))('%s', (name) => {
    for (const [a, b] of pairs(name)) {
      expect([a, b, result(`${name} a2, a0, a1`, a, b)]).toEqual([a, b, signed(MODELS[name]!(a, b))])
    }
  })

  it.each(['add', 'sub', 'xor', 'or', 'and', 'addw', 'subw'])('c.%s', (name) => {
    for (const [a, b] of pairs(name)) {
      machine.set({ a0: a, a1: b })
      machine.run(`c.${name} a0, a1`, 1)
      expect(signed(machine.get('a0'))).toBe(signed(MODELS[name]!(a, b)))
    }
  })
})

describe(`immediates (seed ${SEED})`, () => {
  it.each(['add', 'slt', 'sltu', 'xor', 'or', 'and', 'addw'])('%s', (name) => {
    const mnemonic = { sltu: 'sltiu', addw: 'addiw' }[name] ?? `${name}i`
    for (const [a] of pairs(name)) {
      for (const imm of [-2048n, -1n, 0n, 1n, 2047n]) {
        expect(result(`${mnemonic} a2, a0, ${imm}`, a, 0n)).toBe(signed(MODELS[name]!(a, imm)))
      }
    }
  })

  it.each(['sll', 'srl', 'sra', 'sllw', 'srlw', 'sraw'])('%s', (name) => {
    const isWord = name.endsWith('w')
    const mnemonic = isWord ? `${name.slice(0, 3)}iw` : `${name}i`
    for (const a of EDGES) {
      for (const count of isWord ? [0n, 1n, 31n] : [0n, 1n, 31n, 32n, 63n]) {
        expect(result(`${mnemonic} a2, a0, ${count}`, a, 0n)).toBe(signed(MODELS[name]!(a, count)))
      }
    }
  })

  it('compressed', () => {
    const after = (text: string, a: bigint): bigint => {
      machine.set({ a0: a, sp: a })
      expect(machine.run(text, 1)).toBe(Exit.budget)
      expect(machine.get('pc')).toBe(BigInt(CODE + 2))
      return signed(machine.get('a0'))
    }
    expect(after('c.addi a0, -32', 5n)).toBe(-27n)
    expect(after('c.addiw a0, 31', 0x7fff_fff0n)).toBe(word(0x8000_000fn))
    expect(after('c.li a0, -1', 5n)).toBe(-1n)
    expect(after('c.lui a0, -32', 5n)).toBe(-32n << 12n)
    expect(after('c.lui a0, 31', 5n)).toBe(31n << 12n)
    expect(after('c.slli a0, 63', 3n)).toBe(-(2n ** 63n))
    expect(after('c.srli a0, 33', -1n)).toBe(0x7fff_ffffn)
    expect(after('c.srai a0, 33', -(2n ** 40n))).toBe(-128n)
    expect(after('c.andi a0, -16', 0xffn)).toBe(0xf0n)
    expect(after('c.addi4spn a0, sp, 1020', 16n)).toBe(1036n)
    after('c.addi16sp sp, -512', 0n)
    expect(signed(machine.get('sp'))).toBe(-512n)
    machine.set({ t3: 99 })
    expect(after('c.mv a0, t3', 1n)).toBe(99n)
  })

  it('lui and auipc sign-extend', () => {
    expect(result('lui a2, 0x80000', 0n, 0n)).toBe(-0x8000_0000n)
    expect(result('lui a2, 0x7ffff', 0n, 0n)).toBe(0x7fff_f000n)
    expect(result('auipc a2, 0xfffff', 0n, 0n)).toBe(BigInt(CODE) - 4096n)
  })
})

describe('control flow', () => {
  it.each(Object.keys(BRANCHES))(
    '%s',
    (name) => {
      for (const a of EDGES) {
        for (const b of EDGES) {
          machine.set({ a0: a, a1: b })
          machine.run(`${name} a0, a1, 0x10800`, 1)
          expect(machine.hart.pc).toBe(BRANCHES[name]!(a, b) ? 0x10800 : CODE + 4)
        }
      }
    },
    20_000,
  )

  it('links and jumps', () => {
    machine.run('jal ra, 0x10800', 1)
    expect([machine.hart.pc, machine.get('ra')]).toEqual([0x10800, BigInt(CODE + 4)])
    machine.set({ a0: 0x10101 })
    machine.run('jalr a0, 16(a0)', 1)
    expect([machine.hart.pc, machine.get('a0')]).toEqual([0x10110, BigInt(CODE + 4)])
    machine.set({ a0: 0x10101 })
    machine.run('c.jalr a0', 1)
    expect([machine.hart.pc, machine.get('ra')]).toEqual([0x10100, BigInt(CODE + 2)])
    machine.run('c.jr a0', 1)
    expect(machine.hart.pc).toBe(0x10100)
    machine.run('c.j 0x10400', 1)
    expect(machine.hart.pc).toBe(0x10400)
    machine.set({ a0: 0 })
    machine.run('c.beqz a0, 0x10080', 1)
    expect(machine.hart.pc).toBe(0x10080)
    machine.run('c.bnez a0, 0x10080', 1)
    expect(machine.hart.pc).toBe(CODE + 2)
  })

  it('keeps x0 zero', () => {
    machine.run('addi zero, zero, 5\nlui zero, 1\njal zero, 0x1000c\nmul zero, sp, sp\nadd a0, zero, zero', 4)
    expect([machine.get('zero'), machine.get('a0')]).toEqual([0n, 0n])
  })

  it('jumps far and back across pages, also backwards from the first page', () => {
    const source = `
      li a0, 0
      lui t0, 0x18
      jalr ra, 8(t0)
      addi a0, a0, 1
      ecall`
    machine.run('addi a0, a0, 16\nret', 0, 0x18008)
    expect(machine.run(source)).toBe(Exit.ecall)
    expect(machine.get('a0')).toBe(17n)
    machine.run('jal zero, 0x0', 1)
    expect(machine.hart.pc).toBe(0)
  })
})

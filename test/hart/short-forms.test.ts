/** Loops of nothing but shifts and operations on bits, interpreted and translated, cut into runs of random lengths. */
import { expect, test } from 'vitest'
import { Random } from '../../src/base/random.js'
import { fuzzSteps, SEED } from '../../src/base/testing.js'
import { Exit } from '../../src/hart/exit.js'
import { randomBits64 } from '../../src/hart/float/testing/float-samples.js'
import { HartField } from '../../src/hart/hart-state.js'
import { BareMachine, CODE } from '../../src/hart/testing/bare-machine.js'
import { addi, typeB } from './encode.js'
import { bitsOp, type ItemContext } from './items.js'

const LOOPS = fuzzSteps(300)
const COUNTER = 31
const TURNS = 4

/** Few turns, few registers: what they hold is seen wherever a run ends. */
function makeLoop(random: Random): Uint8Array {
  const kept = new Set([COUNTER])
  while (kept.size < 26) kept.add(random.below(31))
  const context: ItemContext = { random, bases: [], stackIsBase: false, kept, recentFloats: [] }
  const halves: number[] = []
  for (let i = random.between(2, 8); i > 0; i--) {
    const item = bitsOp(context)
    if ('halves' in item) halves.push(...item.halves)
  }
  for (const word of [addi(COUNTER, COUNTER, -1), typeB(1, COUNTER, 0, -4 - halves.length * 2), 0x73]) {
    halves.push(word & 0xffff, word >>> 16)
  }
  return new Uint8Array(Uint16Array.from(halves).buffer)
}

function begin(machine: BareMachine, code: Uint8Array, registers: readonly bigint[]): void {
  machine.write(CODE, code)
  registers.forEach((value, register) => {
    const low = Number(BigInt.asUintN(32, value))
    if (register > 0) machine.hart.setHalves(HartField.x + register * 8, low, Number(value >> 32n))
  })
  machine.hart.setX(COUNTER, TURNS)
  machine.hart.pc = CODE
}

test(`${LOOPS} loops of shifts and operations on bits (PAGODA_SEED=${SEED})`, () => {
  const random = new Random(SEED)
  const machines = [0, 1].map((threshold) => new BareMachine({ threshold }))
  for (let loop = 0; loop < LOOPS; loop++) {
    const code = makeLoop(random)
    const registers = Array.from({ length: 32 }, () => {
      const value = randomBits64(random)
      return random.chance(0.5) ? value : BigInt.asUintN(64, BigInt.asIntN(32, value))
    })
    for (const machine of machines) begin(machine, code, registers)
    for (let left = TURNS * (code.length / 4); left > 0; ) {
      const budget = random.between(1, code.length / 2)
      left -= budget
      const [one, other] = machines.map(({ hart }) => {
        const exit = hart.run(budget)
        const values = Array.from({ length: 32 }, (_, x) => [hart.xHigh(x), hart.xLow(x)])
        return { exit, pc: hart.pc, values, instructions: hart.instructions() }
      })
      expect(other, `loop ${loop}`).toEqual(one)
      if (one!.exit !== Exit.budget) break
    }
  }
})

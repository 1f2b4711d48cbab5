import { describe, expect, test } from 'vitest'
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { Exit } from '../exit.js'
import { assemble } from '../testing/assembler.js'
import { BareMachine, CODE, DATA } from '../testing/bare-machine.js'

const THRESHOLD = 20
const TURNS = 1000

/** Too long to be taken into the loops that call it. */
const LONG = 40
const long = (amount: number) => new Array(LONG).fill(`addi a1, a1, ${amount}`).join('\n')

function run(machine: BareMachine, source: string): void {
  machine.set({ a0: TURNS, a1: 0, a2: 0 })
  expect(machine.run(source, 1e6)).toBe(Exit.ecall)
}

test('what a region begins with is not translated again with what leads there', () => {
  const machine = new BareMachine({ threshold: THRESHOLD })
  // In another page than the loops, which are written anew.
  const shared = CODE + 4096
  const heads = [shared + 0x100, shared + 0x180]
  machine.write(shared, assemble(`${long(1)}\njalr zero, 0(ra)`, shared))
  heads.forEach((head, i) => {
    machine.write(head, assemble(`addi a1, a1, ${i + 1}\njal zero, ${shared}`, head))
  })
  const before = machine.hart.instructions()
  for (const [i, target] of [shared, ...heads].entries()) {
    run(machine, `loop: jal ra, ${target}\naddi a0, a0, -1\nbne a0, zero, loop\necall`)
    expect(machine.get('a1')).toBe(BigInt(TURNS * (LONG + i)))
  }
  expect(machine.hart.instructions() - before).toBe(TURNS * (3 * (LONG + 4) + 4))
  expect(machine.hart.translation!.instructions).toBeGreaterThan(LONG)
  expect(machine.hart.translation!.instructions).toBeLessThan(2 * LONG)
})

test('what is warm is translated at once, however many functions it is', () => {
  const machine = new BareMachine({ threshold: THRESHOLD })
  const FUNCTIONS = 60
  const address = (i: number) => CODE + 4096 + i * 256
  for (let i = 0; i < FUNCTIONS; i++) {
    machine.write(address(i), assemble(`${long(i)}\njalr zero, 0(ra)`, address(i)))
  }
  const calls = Array.from({ length: FUNCTIONS }, (_, i) => `jal ra, ${address(i)}`).join('\n')
  machine.set({ a0: 2 * THRESHOLD, a1: 0 })
  const source = `loop: ${calls}\naddi a0, a0, -1\nbne a0, zero, loop\necall`
  expect(machine.run(source, 1e6)).toBe(Exit.ecall)
  expect(machine.get('a1')).toBe(BigInt(THRESHOLD * LONG * FUNCTIONS * (FUNCTIONS - 1)))
  const { modules, regions } = machine.hart.translation!
  expect(regions).toBeGreaterThanOrEqual(FUNCTIONS)
  expect(modules).toBeLessThanOrEqual(2)
})

/** A loop that is come to in two ways, one of them through the middle of an instruction: its upper half is a c.nop. */
describe.each([0, THRESHOLD])('two ways that meet, translated after %d arrivals', (threshold) => {
  const source = (accesses: string) => `
    addi a0, a0, -1
    add a3, a3, a6
    andi a2, a0, 1
    bne a2, zero, ${CODE + 18}
    .word 0x000107b7
    ${new Array(80).fill('addi a5, a5, 1').join('\n')}
    ${accesses}
    bne a0, zero, ${CODE}
    ecall`

  test('write to no page that is for reading only', () => {
    const machine = new BareMachine({ threshold })
    machine.set({ a0: TURNS, a3: DATA, a1: 7 })
    expect(machine.run(source('sw a1, 0(a3)\nsw a1, 4(a3)'))).toBe(Exit.ecall)
    const readOnly = DATA + 5 * 4096
    machine.map(readOnly, machine.frame(), EntryFlag.read | EntryFlag.user)
    const start = CODE + 4096
    // The page is in the TLB then, for reading, and the loop steps onto it from pages that it may write to.
    const enter = `lw a4, 0(a3)\nlui a3, ${(DATA - 4096) / 4096}\nlui a6, 1\njal zero, ${CODE}`
    machine.write(start, assemble(enter, start))
    machine.set({ a0: 9, a3: readOnly, a1: 7, a6: 0 })
    machine.hart.pc = start
    expect(machine.hart.run(100_000)).toBe(Exit.storeFault)
    expect(machine.read(readOnly, 4)).toBe(0n)
  })

  test('reach what is far from the rest', () => {
    const machine = new BareMachine({ threshold })
    machine.set({ a0: TURNS, a3: DATA + 2048, a1: 7 })
    expect(machine.run(source('lw a1, 0(a3)\nlw a1, 4(a3)\nlw a4, -2000(a3)'))).toBe(Exit.ecall)
  })
})

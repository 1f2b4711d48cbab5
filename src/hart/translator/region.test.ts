import { expect, test } from 'vitest'
import { Exit } from '../exit.js'
import { assemble } from '../testing/assembler.js'
import { BareMachine, CODE } from '../testing/bare-machine.js'

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

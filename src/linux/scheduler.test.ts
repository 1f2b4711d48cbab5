import { describe, expect, it } from 'vitest'
import { hashMemory } from '../state/snapshot.js'
import { call, li, program } from './testing/elf-image.js'
import { bootGuest, startGuest } from './testing/guest.js'

const CLONE = 220
const SIGCHLD = 17
const YIELD = 124
const CHILDREN = 5

/** Makes children; then every one of them, and the parent, does the same for ever. */
const fork = `${call(CLONE, SIGCHLD, 0, 0, 0, 0)} beq a0, zero, run\n`
const spinning = program(`${fork.repeat(CHILDREN)} run: j run`)
const yielding = program(`${fork.repeat(CHILDREN)} run: ${call(YIELD)} j run`)
/** The parent sleeps 1 ms again and again, and counts in s1. */
const sleeping = program(
  `${fork} addi sp, sp, -16\n sd zero, 0(sp)\n ${li('t0', 1_000_000)} sd t0, 8(sp)\n
  loop: addi s1, s1, 1\n mv a0, sp\n mv a1, zero\n ${li('a7', 101)} ecall\n j loop\n run: j run`,
)

function started(image: Uint8Array) {
  const guest = bootGuest()
  expect(startGuest(guest, image)).toBeUndefined()
  return guest
}

describe('threads that can run', () => {
  it('get the same time, whether they give up their turns or not', () => {
    const cases = [
      { image: spinning, instructions: 60_000_000, most: 2_000_100 },
      { image: yielding, instructions: 100_000, most: 100 },
    ]
    for (const { image, instructions, most } of cases) {
      const { linux } = started(image)
      linux.runSync({ instructions })
      const times = [...linux.threads].map((thread) => linux.scheduler.userTimeOf(thread))
      expect(times).toHaveLength(CHILDREN + 1)
      expect(Math.max(...times) - Math.min(...times)).toBeLessThan(most)
      linux.check()
      linux.stop()
      expect(linux.processes.size).toBe(0)
    }
  })

  it('let one that wakes have its turn soon', () => {
    const { linux, hart } = started(sleeping)
    linux.runSync({ instructions: 60_000_000 })
    const parent = linux.threads.byId(2)!
    const rounds = linux.mm.memory.u32[(linux.scheduler.contextOf(parent) + 9 * 8) >>> 2]!
    expect(hart.instructions()).toBe(60_000_000)
    expect(rounds).toBeGreaterThanOrEqual(19)
    linux.stop()
  })

  it('take turns in the same way each time, however long the slices of the host are', async () => {
    const whole = started(spinning)
    whole.linux.runSync({ instructions: 20_000_000 })
    const pieces = started(spinning)
    for (let i = 0; i < 8; i++) await pieces.linux.run({ instructions: 2_500_000 })
    expect(hashMemory(pieces.mm.memory)).toBe(hashMemory(whole.mm.memory))
  })
})

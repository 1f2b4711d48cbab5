import { describe, expect, it } from 'vitest'
import { EAGAIN, ENOEXEC, ENOMEM } from '../base/errno.js'
import { Random } from '../base/random.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { Hart } from '../hart/hart.js'
import { mmInit } from '../mm.js'
import { hashMemory } from '../state/snapshot.js'
import type { HostInput } from './host.js'
import { call, elfImage, li, program, TEXT } from './testing/elf-image.js'
import { bootGuest, type Guest, startGuest } from './testing/guest.js'

const SEED = Number(process.env.PAGODA_SEED ?? 11)
const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 150)

const EXIT = 93
const WRITE = 64
const READ = 63

/** Writes memory of every kind, so that a run touches most of what can fail. */
const busy = program(
  `${li('s0', TEXT + 0x1000)} sd s0, 0(s0)
   ${call(222, 0, 0x40_0000, 3, 0x22, 0, 0)} mv s1, a0
   ${li('t0', 0x3000)} add s1, s1, t0
   sd s0, 0(s1)
   sd s0, -2048(sp)
   ${call(WRITE, 1, TEXT, 4)}
   ${call(EXIT, 42)}`,
  0x3000,
)

function freshMachine() {
  const mm = mmInit({ bytes: 8 * 2 ** 20 })
  return { mm, hart: Hart.create(mm, 0) }
}

function run(image: Uint8Array, guest = bootGuest()) {
  expect(startGuest(guest, image)).toBeUndefined()
  return guest.linux.runSync({ instructions: 5_000_000 })
}

/** Frames in use, after what the caches keep was given back. */
function framesUsed({ mm }: Guest): number {
  mm.slab.shrink()
  return mm.buddy.totalFrames() - mm.buddy.freeFrames()
}

describe('between slices', () => {
  it.each(['run', 'runSync'] as const)(
    'somebody is called when a program goes on after a sleep: %s',
    async (how) => {
      let calls = 0
      const guest = bootGuest({ betweenSlices: () => void calls++ })
      const sleep = `addi sp, sp, -16\n sd zero, 0(sp)\n ${li('t0', 1000)}\n sd t0, 8(sp)\n mv a0, sp\n li a1, 0\n li a7, 101\n ecall\n`
      expect(startGuest(guest, program(`${sleep}${sleep}${call(EXIT, 0)}`))).toBeUndefined()
      await guest.linux[how]()
      expect(calls).toBe(2)
    },
  )
})

describe('a program', () => {
  it('runs to its exit code, and gives all of its memory back', () => {
    const guest = bootGuest()
    run(busy, guest)
    const before = framesUsed(guest)
    expect(guest.linux.start('/program', ['again'], [])).toBeUndefined()
    const report = guest.linux.runSync()
    expect(report).toMatchObject({ exitCode: 42, stuck: false, limited: false, crash: undefined })
    expect(guest.output()).toHaveLength(8)
    guest.mm.check()
    expect(framesUsed(guest)).toBe(before)
  })

  it('reports its address map, faults and calls as they were at its end', () => {
    const memory = run(busy).memory!
    expect(memory.maps).toMatch(/^00010000-00011000 rwxp 00001000 .* \/program\n00011000-00014000 rwxp/)
    expect(memory.maps).toMatch(/\[vvar\]\n.*\[vdso\]\n.*\[stack\]\n$/)
    expect(memory.systemCalls).toBe(3)
    const { faultAnonymous, hugeFault } = memory.stats.events
    expect(faultAnonymous + hugeFault).toBeGreaterThanOrEqual(3)
    expect(memory.instructions).toBeGreaterThan(20)
  })

  it('reports nothing of its memory when nobody wants to know', () => {
    const guest = bootGuest({ memoryReport: false })
    expect(run(busy, guest)).toMatchObject({ exitCode: 42, memory: undefined })
  })

  it('may make calls that are not there: ENOSYS, and counted by name', () => {
    const source = `${call(425)} sub s0, zero, a0\n${call(425)} ${call(4000)} ${li('a7', EXIT)} mv a0, s0\necall`
    const report = run(program(source))
    expect(report.exitCode).toBe(38)
    expect(report.memory!.missing).toEqual({ io_uring_setup: 2, 'syscall 4000': 1 })
  })

  it('runs twice the same, down to the last bit of RAM', () => {
    const hashes = [1, 2].map(() => {
      const guest = bootGuest()
      run(busy, guest)
      return hashMemory(guest.mm.memory)
    })
    expect(hashes[0]).toBe(hashes[1])
  })

  it('stops at a limit of instructions, goes on, and can be ended', () => {
    const guest = bootGuest()
    startGuest(guest, program('loop: j loop'))
    expect(guest.linux.runSync({ instructions: 1000 })).toMatchObject({ limited: true, exitCode: 124 })
    expect(guest.hart.instructions()).toBe(1000)
    expect(guest.linux.runSync({ instructions: 500 }).limited).toBe(true)
    guest.linux.stop()
    expect(guest.linux.runSync()).toMatchObject({ exitCode: 137, crash: { name: 'SIGKILL' } })
    guest.mm.check()
  })
})

describe('a program that dies of a signal', () => {
  it('is reported with what it hit', () => {
    const report = run(program('lui t0, 0x10\n sd zero, 0(t0)\n lui t1, 0x5000\n sd zero, 8(t1)'))
    expect(report.exitCode).toBe(139)
    expect(report.crash).toMatchObject({
      name: 'SIGSEGV',
      message: 'Segmentation fault',
      pc: TEXT + 12,
      address: 0x5000008,
      mapping: undefined,
    })
    expect(report.crash!.below).toMatch(/^00010000-/)
    expect(report.crash!.above).toMatch(/\[vvar\]/)
  })

  it('names the mapping whose protection it broke', () => {
    const image = elfImage({
      segments: [{ address: TEXT, bytes: program('lui t0, 0x10\n sw zero, 0(t0)').slice(-8), flags: 5 }],
    })
    const { crash } = run(image)
    expect(crash).toMatchObject({ name: 'SIGSEGV', address: TEXT })
    expect(crash!.mapping).toMatch(/^00010000-00011000 r-xp/)
  })

  it.each([
    ['.word 0', 'SIGILL', 132],
    ['ebreak', 'SIGTRAP', 133],
    ['jalr zero, 0(zero)', 'SIGSEGV', 139],
  ])('%s: %s', (source, name, exitCode) => {
    expect(run(program(source))).toMatchObject({
      exitCode,
      crash: { name, pc: name === 'SIGSEGV' ? 0 : TEXT },
    })
  })

  it('is killed when the machine has no more memory', () => {
    const map = call(222, 0, 0x2000_0000, 3, 0x4022, 0, 0)
    const report = run(program(`${map} lui t0, 1\n loop: sd zero, 0(a0)\n add a0, a0, t0\n j loop`))
    expect(report).toMatchObject({ exitCode: 137, crash: { name: 'SIGKILL', outOfMemory: true } })
  })
})

describe('waiting', () => {
  it('for what can never come ends the run as stuck', async () => {
    const guest = bootGuest()
    const suspend = program(`mv a0, sp\n ${li('a1', 8)} ${li('a7', 133)} ecall`)
    expect(run(suspend, guest)).toMatchObject({ stuck: true, exitCode: 124 })
    expect((await guest.linux.run()).stuck).toBe(true)
    guest.linux.stop()
    expect((await guest.linux.run()).exitCode).toBe(137)
  })

  it('for input parks the program and lets the host work', async () => {
    const waiting: (() => void)[] = []
    const chunks: string[] = []
    const stdin: HostInput = {
      read(target) {
        const chunk = chunks.shift()
        if (chunk === undefined) return -EAGAIN
        target.set(new TextEncoder().encode(chunk))
        return chunk.length
      },
      isReady: () => chunks.length > 0,
      ready: () => new Promise((resolve) => waiting.push(resolve)),
    }
    const guest = bootGuest({ stdin })
    const echo = `mv s0, sp\n addi s0, s0, -256\n ${li('a2', 100)} ${li('a0', 0)} mv a1, s0\n ${li('a7', READ)} ecall
      mv a2, a0\n ${li('a0', 1)} mv a1, s0\n ${li('a7', WRITE)} ecall\n ${call(EXIT, 5)}`
    startGuest(guest, program(echo))
    const run = guest.linux.run()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(waiting).toHaveLength(1)
    chunks.push('typed')
    for (const wake of waiting) wake()
    expect((await run).exitCode).toBe(5)
    expect(guest.output()).toBe('typed')
  })

  it('until a time is skipped, and the clocks agree', () => {
    const guest = bootGuest()
    const sleep = `addi sp, sp, -16\n ${li('t0', 3600)} sd t0, 0(sp)\n sd zero, 8(sp)\n mv a0, sp\n mv a1, zero
      ${li('a7', 101)} ecall\n csrrs s0, 0xc01, zero\n ${li('t0', 10_000_000)} divu a0, s0, t0\n srli a0, a0, 4
      ${li('a7', EXIT)} ecall`
    expect(run(program(sleep), guest).exitCode).toBe(3600 >> 4)
    expect(guest.linux.clock.now()).toBeGreaterThanOrEqual(3600e9)
    expect(guest.linux.clock.now()).toBeLessThan(3600e9 + 1e6)
  })
})

describe('a program that cannot be loaded', () => {
  it('says why', () => {
    const guest = bootGuest()
    expect(startGuest(guest, new TextEncoder().encode('text'))).toEqual({
      errno: -ENOEXEC,
      reason: 'not an ELF file',
    })
    expect(guest.linux.start('/none', [], [])?.reason).toBe('No such file or directory')
    expect(guest.linux.start('/', [], [])?.reason).toBe('Permission denied')
    const huge = startGuest(guest, program(call(EXIT, 0), 0x4000_0000))
    expect(huge).toMatchObject({
      errno: -ENOMEM,
      reason: expect.stringMatching(/needs 1025 MiB .* has \d MiB/),
    })
    guest.mm.check()
  })

  it(`is no danger, whatever its bytes are: mutated ${STEPS} times (seed ${SEED})`, () => {
    const random = new Random(SEED)
    let machine = freshMachine()
    let ran = 0
    for (let step = 0; step < STEPS; step++) {
      const image = busy.slice()
      for (let i = random.between(1, 6); i > 0; i--) {
        const place = random.chance(0.3) ? random.below(120) : 4096 + random.below(image.length - 4096)
        image[place] = random.below(256)
      }
      const guest = bootGuest(machine)
      if (startGuest(guest, image) === undefined) {
        ran++
        guest.linux.runSync({ instructions: 20_000 })
        guest.linux.stop()
      }
      expect(machine.mm.stats().spaces, `seed ${SEED} step ${step}`).toBe(0)
      if (step % 50 !== 49) continue
      machine.mm.check()
      machine = freshMachine()
    }
    expect(ran).toBeGreaterThan(STEPS / 4)
    expect(ran).toBeLessThan(STEPS)
  })
})

describe('an allocation that fails', () => {
  it('anywhere from start to end ends the program, not the machine', () => {
    const faults = new FaultInjector()
    const outcomes = new Set<number>()
    let n = 0
    for (let wasReached = true; wasReached; ) {
      faults.reset()
      const guest = bootGuest({ faults })
      guest.files.addFile('/program', busy, 0o755)
      faults.failAt(++n)
      const problem = guest.linux.start('/program', ['/program'], [])
      outcomes.add(problem?.errno ?? guest.linux.runSync({ instructions: 100_000 }).exitCode)
      wasReached = faults.count >= n
      faults.reset()
      guest.mm.check()
      expect(guest.mm.stats().spaces).toBe(0)
    }
    expect(n).toBeGreaterThan(30)
    expect(outcomes).toContain(-ENOMEM)
    expect(outcomes).toContain(137)
    expect(outcomes).toContain(42)
  })
})

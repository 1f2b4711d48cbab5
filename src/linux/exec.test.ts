import { describe, expect, it } from 'vitest'
import { EACCES, ELIBBAD, ENOENT, ENOEXEC, ENOMEM } from '../base/errno.js'
import { Random } from '../base/random.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { Hart } from '../hart/hart.js'
import { assemble } from '../hart/testing/assembler.js'
import { mmInit } from '../mm.js'
import { call, elfImage, TEXT } from './testing/elf-image.js'
import { bootGuest, type Guest } from './testing/guest.js'

const SEED = Number(process.env.PAGODA_SEED ?? 13)
const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 150)
const EXIT = 93
const SHARED = 3
const INTERP = 3

/** What an interpreter does, without libraries: goes to AT_ENTRY of the auxiliary vector. */
const toEntry = `
        ld t0, 0(sp)
        slli t0, t0, 3
        addi t1, sp, 16
        add t1, t1, t0
  env:  ld t2, 0(t1)
        addi t1, t1, 8
        bne t2, zero, env
  aux:  ld t2, 0(t1)
        ld t3, 8(t1)
        addi t1, t1, 16
        li t4, 9
        bne t2, t4, aux
        jalr zero, 0(t3)`

const code = (source: string) => assemble(source, 0)
const text = (value: string) => new TextEncoder().encode(value)
const segment = (address: number, bytes: Uint8Array, memoryBytes = bytes.length) => ({
  address,
  bytes,
  memoryBytes,
})

/** A position-independent interpreter, and a program that names it. */
const interpreter = elfImage({
  type: SHARED,
  entry: 0x1000,
  segments: [segment(0x1000, code(toEntry), 0x2800)],
})

function dynamicProgram(path = '/lib/ld.so', type = SHARED, address = 0x2000): Uint8Array {
  const program = segment(address, code(call(EXIT, 42)), 0x1800)
  const named = { ...segment(address + 0x800, text(`${path}\0`)), type: INTERP }
  return elfImage({ type, entry: address, segments: [program, named] })
}

function put(guest: Guest, files: Readonly<Record<string, Uint8Array>>): void {
  for (const [path, bytes] of Object.entries(files)) guest.files.addFile(path, bytes, 0o755)
}

function run(files: Readonly<Record<string, Uint8Array>>, path = '/program', guest = bootGuest()) {
  put(guest, files)
  const problem = guest.linux.start(path, [path, 'a'], [])
  if (problem !== undefined) return problem
  return guest.linux.runSync({ instructions: 1_000_000 })
}

const good = { '/lib/ld.so': interpreter, '/program': dynamicProgram() }

describe('a program with an interpreter', () => {
  it('is begun by it, two thirds up the address range; the interpreter lies highest', () => {
    const report = run(good, '/program', bootGuest({ aslr: false }))
    expect(report).toMatchObject({ exitCode: 42 })
    const lines = ('memory' in report ? report.memory!.maps : '').split('\n').map((line) => line.split(/ +/))
    const [first, bss] = lines
    expect(first![0]).toBe('2aaaaaa000-2aaaaab000')
    expect(bss![0]).toBe('2aaaaab000-2aaaaac000')
    expect(lines.map((parts) => parts[5] ?? '')).toEqual([
      '/program',
      '',
      '[vvar]',
      '[vdso]',
      '/lib/ld.so',
      '',
      '[stack]',
      '',
    ])
  })

  it('may stand where its file says', () => {
    expect(run({ ...good, '/program': dynamicProgram('/lib/ld.so', 2, TEXT) })).toMatchObject({
      exitCode: 42,
    })
  })

  it.each([
    ['/none', {}, -ENOENT, /needs the interpreter \/none: No such file.*--root.*-static/],
    ['/', {}, -EACCES, /needs the interpreter \/: Permission denied$/],
    ['', {}, -ENOEXEC, /path of its interpreter has 1 bytes/],
    ['/x', { '/x': new Uint8Array(64) }, -ELIBBAD, /its interpreter \/x is not an ELF file/],
  ])('that is %j cannot run', (path, more, errno, reason) => {
    const guest = bootGuest()
    const problem = run({ '/program': dynamicProgram(path), ...more }, '/program', guest)
    expect(problem).toMatchObject({ errno, reason: expect.stringMatching(reason) })
    guest.mm.check()
  })
})

describe('a script', () => {
  it('is run by its interpreter, which may be a script and dynamic', () => {
    const files = { ...good, '/1': text('#!/program x\n'), '/2': text('#! /1') }
    expect(run(files, '/2')).toMatchObject({ exitCode: 42 })
  })

  it.each([
    [
      '#!/none\n',
      'needs the interpreter /none: No such file or directory; give the guest a folder that has it with --root',
    ],
    [
      '#!/\x1b[2J\x7f\n',
      'needs the interpreter /\ufffd[2J\ufffd: No such file or directory; give the guest a folder that has it with --root',
    ],
    ['#!/\n', 'needs the interpreter /: Permission denied'],
    ['#!\n', 'a script whose first line names no interpreter'],
    ['#!/text\n', 'its interpreter /text is not an ELF file'],
    ['#!/script\n', 'a script of a script, and so on too often'],
  ])('%j cannot be run', (line, reason) => {
    expect(run({ '/script': text(line), '/text': text('text') }, '/script')).toMatchObject({ reason })
  })
})

/** One to six bytes of an ELF file changed, most of them in its headers; sometimes it is cut. */
function mutated(image: Uint8Array, random: Random): Uint8Array {
  const copy = image.slice(0, random.chance(0.05) ? random.below(image.length) : image.length)
  for (let i = random.between(1, 6); i > 0 && copy.length > 0; i--) {
    const place = random.chance(0.7) ? random.below(Math.min(176, copy.length)) : random.below(copy.length)
    copy[place] = random.chance(0.3) ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : random.below(256)
  }
  return copy
}

describe('mutated programs and interpreters', () => {
  it(`are no danger: ${STEPS} of them (seed ${SEED})`, { timeout: 60_000 + STEPS * 60 }, () => {
    const random = new Random(SEED)
    const ends = new Map<string, number>()
    const boot = () => {
      const mm = mmInit({ bytes: 8 * 2 ** 20 })
      return { mm, hart: Hart.create(mm, 0) }
    }
    let machine = boot()
    for (let step = 0; step < STEPS; step++) {
      const guest = bootGuest(machine)
      const which = random.pick(['/program', '/lib/ld.so'] as const)
      put(guest, { ...good, [which]: mutated(good[which], random) })
      const problem = guest.linux.start('/program', ['/program'], [])
      const end = problem === undefined ? guest.linux.runSync({ instructions: 20_000 }).exitCode : 'refused'
      ends.set(String(end), (ends.get(String(end)) ?? 0) + 1)
      guest.linux.stop()
      expect(machine.mm.stats().spaces, `seed ${SEED} step ${step}`).toBe(0)
      if (step % 50 !== 49) continue
      machine.mm.check()
      machine = boot()
    }
    for (const end of ['42', '139', 'refused']) expect(ends.get(end) ?? 0, end).toBeGreaterThan(STEPS / 50)
  })
})

describe('an allocation that fails while a dynamic program is loaded and runs', () => {
  it('ends the program, not the machine', () => {
    const faults = new FaultInjector()
    const outcomes = new Set<number>()
    for (let n = 1, wasReached = true; wasReached; n++) {
      faults.reset()
      const guest = bootGuest({ faults })
      put(guest, { ...good, '/script': text('#!/program\n') })
      faults.failAt(n)
      const problem = guest.linux.start('/script', ['/script'], [])
      outcomes.add(problem?.errno ?? guest.linux.runSync({ instructions: 100_000 }).exitCode)
      wasReached = faults.count >= n
      faults.reset()
      guest.mm.check()
      expect(guest.mm.stats().spaces).toBe(0)
    }
    expect(outcomes).toContain(-ENOMEM)
    expect(outcomes).toContain(42)
  })
})

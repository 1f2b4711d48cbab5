/**
 * Machines whose hart answers page faults by itself and such whose hart stops at each are the same: in virtual time, what timers do, what is counted, and all of
 * RAM, wherever a run is cut.
 */
import { expect, test } from 'vitest'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { Hart } from '../hart/hart.js'
import { mmInit } from '../mm.js'
import { hashMemory } from '../state/snapshot.js'
import { call, li, program } from './testing/elf-image.js'
import { bootGuest, type Guest, startGuest } from './testing/guest.js'

const PAGES = 512
const [SIGALRM, SIGVTALRM, SIGPROF] = [14, 26, 27]
const [SIGACTION, GETPPID, CLONE, MMAP, MADVISE] = [134, 173, 220, 222, 233]
const [EXIT, SETITIMER, WAIT4] = [93, 103, 260]

/**
 * Reads a page some times and mostly writes to it, by chance the last one again; now and then it gives some up, makes a child that writes to what both
 * have, or calls. What it writes is the time, and a timer's handler writes that down too. s0: the pages; s1: what is random; s5: the notes; s6: the
 * handler; s7: what it has read; s8: the page; s9: turns: at first no frames are freed, and all come from where their pages have their place.
 */
const touching = (timer: string) =>
  program(`
  jal s6, start
  csrrs t0, 0xc01, zero
  ld t1, 0(s5)
  addi t1, t1, 8
  andi t1, t1, 2047
  sd t1, 0(s5)
  add t1, t1, s5
  sd t0, 8(t1)
  ret
  start:
  ${map(PAGES)} mv s0, a0
  ${map(16)} mv s5, a0
  ${li('s1', 12345)}
  mv s8, s0
  ${timer}
  again:
  ${random('t1')} andi t2, t1, 1024
  beq t2, zero, look
  andi t1, t1, ${PAGES - 1}
  slli t1, t1, 12
  add s8, t1, s0
  csrrs t0, 0xc01, zero
  ${random('t2')} andi t2, t2, 1
  beq t2, zero, look
  sd t0, 0(s8)
  look: li t3, 9
  read: ld t4, 0(s8)
  add s7, s7, t4
  addi t3, t3, -1
  bne t3, zero, read
  csrrs t0, 0xc01, zero
  ${random('t2')} andi t3, t2, 3
  beq t3, zero, done
  sd t0, 0(s8)
  done: addi s9, s9, 1
  andi t3, t2, 255
  ${li('t4', 77)} beq t3, t4, drop
  ${li('t4', 78)} beq t3, t4, child
  ${li('t4', 79)} bne t3, t4, again
  ${call(GETPPID)} j again
  drop: ${li('t0', 700)} blt s9, t0, again
  mv a0, s0
  ${random('t2')} andi t2, t2, 255
  slli t2, t2, 12
  add a0, a0, t2
  ${li('a1', 64 * 4096)} li a2, 4
  ${call(MADVISE)} j again
  child: ${li('t0', 700)} blt s9, t0, again
  li a0, 17
  mv a1, zero
  ${call(CLONE)} beq a0, zero, born
  li a0, -1
  mv a1, zero
  mv a2, zero
  mv a3, zero
  ${call(WAIT4)} j again
  born: mv t1, s0
  ${li('t0', 4096)} ${'sd s1, 0(t1)\n ld t2, 8(t1)\n add t1, t1, t0\n'.repeat(16)}
  mv a0, zero
  ${call(EXIT)}
  `)

function map(pages: number, prot = 3): string {
  return `mv a0, zero\n ${li('a1', pages * 4096)} li a2, ${prot}\n li a3, 0x22\n li a4, -1\n mv a5, zero\n ${call(MMAP)}`
}

/** The upper bits of the next number of a series. */
function random(register: string): string {
  return `${li('t6', 1103515245)} mul s1, s1, t6\n addi s1, s1, 1013\n srli ${register}, s1, 16\n`
}

/** setitimer(which, so many microseconds each time), and the handler for its signal. */
function timer(which: number, signal: number, microseconds: number): string {
  return `addi sp, sp, -64
  sd s6, 0(sp)
  sd zero, 8(sp)
  sd zero, 16(sp)
  li a0, ${signal}
  mv a1, sp
  mv a2, zero
  li a3, 8
  ${call(SIGACTION)}
  ${li('t1', microseconds)} sd zero, 0(sp)
  sd t1, 8(sp)
  sd zero, 16(sp)
  sd t1, 24(sp)
  li a0, ${which}
  mv a1, sp
  mv a2, zero
  ${call(SETITIMER)}`
}

/**
 * Waits for a timer's signals, each on a page of the stack that is not there: the delivery takes frames before the handler's first store, to a page that
 * is not there either, behind which it looks at the time. s3: pages to begin with; s7: the stack.
 */
const delivering = program(`
  jal s6, start
  ld t1, 0(s5)
  slli t2, t1, 12
  add t2, t2, s0
  sd t1, 0(t2)
  csrrs t0, 0xc01, zero
  addi t1, t1, 1
  sd t1, 0(s5)
  slli t1, t1, 3
  add t1, t1, s5
  sd t0, 0(t1)
  ret
  start:
  ${map(400)} mv s0, a0
  ${map(15)} mv s5, a0
  ${map(400, 7)} ${li('t1', 400 * 4096)} add s7, a0, t1
  ${timer(0, SIGALRM, 30)}
  mv sp, s7
  ${li('s8', 4096)} ${li('s9', 190)} ${li('t3', 200 * 4096)} add s3, s0, t3
  warm: sd s9, 0(s3)
  add s3, s3, s8
  addi s9, s9, -1
  bne s9, zero, warm
  sd zero, 0(s5)
  again: ld s10, 0(s5)
  wait: ld t0, 0(s5)
  beq s10, t0, wait
  sub sp, sp, s8
  j again
  `)

function started(image: Uint8Array, answerFaults: boolean, threshold: number, mebibytes = 32) {
  const mm = mmInit({ bytes: mebibytes * 2 ** 20 })
  const guest = bootGuest({ mm, hart: Hart.create(mm, 0, { threshold }), answerFaults })
  expect(startGuest(guest, image)).toBeUndefined()
  return guest
}

const TIMERS: [string, string][] = [
  ['no timer', ''],
  ['a timer of the clock', timer(0, SIGALRM, 37)],
  ['a slow timer of the clock', timer(0, SIGALRM, 900)],
  ['a timer of the program', timer(1, SIGVTALRM, 41)],
  ['a timer of the program and the kernel', timer(2, SIGPROF, 43)],
]

function stateOf({ linux, mm, hart }: Guest) {
  return {
    clock: linux.clock.now(),
    time: linux.clock.registerBase(),
    kernel: linux.kernelTime.total,
    times: linux.machineTimes(),
    instructions: hart.instructions(),
    events: mm.stats().events,
    hash: hashMemory(mm.memory),
  }
}

test('frames that the delivery of a signal took are paid for by the next fault', () => {
  const [stopping, answering] = [started(delivering, false, 0, 64), started(delivering, true, 0, 64)]
  for (let cut = 0; cut < 60; cut++) {
    for (const { linux } of [stopping, answering]) linux.runSync({ instructions: 20_000 })
    expect(stateOf(answering), `cut ${cut}`).toEqual(stateOf(stopping))
  }
  expect(answering.linux.scheduler.answeredFaults).toBeGreaterThan(20)
})

test.each(TIMERS)('with %s', (_, setting) => {
  const rng = new Random(SEED)
  const image = touching(setting)
  const stopping = started(image, false, 0)
  const answering = [0, 3].map((threshold) => started(image, true, threshold))
  for (let cut = 0; cut < fuzzSteps(40); cut++) {
    const instructions = rng.below(3) === 0 ? rng.between(1, 300) : rng.between(1000, 20_000)
    for (const { linux } of [stopping, ...answering]) linux.runSync({ instructions })
    const expected = stateOf(stopping)
    for (const each of answering) expect(stateOf(each), `seed ${SEED}, cut ${cut}`).toEqual(expected)
  }
  for (const { mm } of answering) mm.check()
  const { faultCopy, faultAnonymous, faultZeroPage } = stopping.mm.stats().events
  for (const faults of [faultCopy, faultAnonymous, faultZeroPage]) expect(faults).toBeGreaterThan(50)
  expect(stopping.linux.scheduler.answeredFaults).toBe(0)
  for (const { linux } of answering) expect(linux.scheduler.answeredFaults).toBeGreaterThan(100)
})

import { expect, test } from 'vitest'
import { hashMemory, restoreSnapshot, takeSnapshot } from '../state/snapshot.js'
import { TICK_NANOSECONDS } from './clock.js'
import { CALL_TICKS, TRAP_TICKS } from './kernel-time.js'
import { call, li, program } from './testing/elf-image.js'
import { bootGuest, startGuest } from './testing/guest.js'

const GETPPID = 173
const CALLS = 100
/** Calls, then stores to pages of its stack, each of which is missing; then it spins. Between, `time` is read to s2, s3 and s4. */
const image = program(
  `csrrs s2, 0xc01, zero\n${call(GETPPID).repeat(CALLS)} csrrs s3, 0xc01, zero\n lui t0, 8
 sub sp, sp, t0
  sd zero, 0(sp)
 sub sp, sp, t0
 sd zero, 0(sp)
 csrrs s4, 0xc01, zero\n run: j run`,
)

function started() {
  const guest = bootGuest()
  expect(startGuest(guest, image)).toBeUndefined()
  const thread = guest.linux.threads.byId(2)!
  return { ...guest, thread, atStart: thread.systemTime }
}

test('calls and faults take virtual time, which the `time` register shows, and count as system time', () => {
  const { linux, hart, thread, atStart } = started()
  linux.runSync({ instructions: 10_000 })
  const [before, between, after] = [18, 19, 20].map((register) => hart.x(register)) as [
    number,
    number,
    number,
  ]
  const ownTicks = Math.ceil((CALLS * 10) / TICK_NANOSECONDS)
  expect(between - before).toBeGreaterThanOrEqual(CALLS * CALL_TICKS)
  expect(between - before).toBeLessThanOrEqual(CALLS * CALL_TICKS + ownTicks)
  expect(after - between).toBeGreaterThanOrEqual(2 * TRAP_TICKS)
  const system = thread.systemTime - atStart
  expect(system).toBeGreaterThanOrEqual((CALLS * CALL_TICKS + 2 * TRAP_TICKS) * TICK_NANOSECONDS)
  expect(linux.scheduler.timeOf(thread)).toBe(linux.scheduler.userTimeOf(thread) + thread.systemTime)
  const { user, system: all, idle } = linux.machineTimes()
  expect([user, all]).toEqual([10_000, linux.kernelTime.total])
  expect(idle).toBeLessThan(TICK_NANOSECONDS)
  expect(linux.clock.now()).toBeGreaterThanOrEqual(user + all - TICK_NANOSECONDS)
})

test('a frame that is taken costs more than a call, and the same each time', () => {
  const times = [1, 2].map(() => {
    const { linux, thread } = started()
    linux.runSync({ instructions: 10_000 })
    return thread.systemTime
  })
  expect(times[0]).toBe(times[1])
  expect(times[0]).toBeGreaterThan((CALLS * CALL_TICKS + 2 * TRAP_TICKS) * TICK_NANOSECONDS)
})

/** Sleeps, faults and calls, again and again; what the clocks say goes to pages of its stack. */
const sleeper = program(
  `${li('t0', 0x10000)} sub sp, sp, t0
  mv s1, sp
  again: ${li('t1', 1_000_000)}
  sd zero, 0(sp)
  sd t1, 8(sp)
  mv a0, sp
  mv a1, zero
  li a7, 101
  ecall
  li a0, 1
  addi a1, s1, 64
  li a7, 113
  ecall
  ${li('t0', 4096)} add s1, s1, t0
  ${call(GETPPID)} j again`,
)

test('a snapshot that is put back puts the time back too, and what follows is the same', () => {
  const guest = bootGuest()
  expect(startGuest(guest, sleeper)).toBeUndefined()
  const { linux, mm } = guest
  const state = () => [
    linux.clock.now(),
    linux.clock.registerBase(),
    linux.kernelTime.total,
    linux.machineTimes(),
    hashMemory(mm.memory),
  ]
  linux.runSync({ instructions: 100 })
  const snapshot = takeSnapshot(mm.memory)
  const before = state()
  linux.runSync({ instructions: 100 })
  const after = state()
  restoreSnapshot(mm.memory, snapshot)
  expect(state()).toEqual(before)
  linux.runSync({ instructions: 100 })
  expect(state()).toEqual(after)
})

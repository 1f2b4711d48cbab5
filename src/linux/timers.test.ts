import { describe, expect, it } from 'vitest'
import { EAGAIN, ENOMEM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { copyToUser } from '../fault/user-copy.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { SyscallArguments } from '../syscall/syscall-arguments.js'
import { killCalls } from './calls/kill-calls.js'
import { timerCalls } from './calls/timer-calls.js'
import { Limit } from './limits.js'
import { SIGINFO_BYTES } from './signal-queue.js'
import { threadPending } from './signal-sender.js'
import type { SyscallContext } from './syscall-context.js'
import { call, program, TEXT } from './testing/elf-image.js'
import { bootGuest, startGuest } from './testing/guest.js'

const EXIT = 93
const TIMER_CREATE = 107
const TIMER_SETTIME = 110
const TIMERFD_CREATE = 85
const SIGQUEUE = 138
const MONOTONIC = 1
const DATA = TEXT + PAGE_SIZE
const SIGRTMIN = 32

/** A process that has not run yet, whose calls are made from here. */
function setUp() {
  const faults = new FaultInjector()
  const guest = bootGuest({ faults })
  const { linux, mm, files } = guest
  expect(startGuest(guest, program(call(EXIT, 0), 0x3000))).toBeUndefined()
  const process = linux.processes.get(2)!
  const thread = linux.threads.byId(2)!
  const args = new SyscallArguments(mm.memory)
  const at = mm.slab.createCache('test_arguments', 48, 8).allocateZeroed()
  const table = new Map(
    [...timerCalls, ...killCalls, ...files.syscalls.flat()].map((entry) => [entry.number, entry]),
  )
  const put = (address: number, words: number[]) =>
    expect(copyToUser(mm, process.space, address, new Uint8Array(Uint32Array.from(words).buffer))).toBe(0)
  const make = (number: number, ...values: number[]): number => {
    values.forEach((value, i) => {
      mm.memory.u32[(at >>> 2) + i * 2] = value
      mm.memory.u32[(at >>> 2) + i * 2 + 1] = value < 0 ? 0xffff_ffff : 0
    })
    args.at(at as Ptr)
    const context: SyscallContext = {
      mm,
      linux,
      process,
      thread,
      space: process.space,
      args,
      fileBacking: () => -1,
    }
    return table.get(number)!.handler(context)
  }
  put(DATA, new Array(64).fill(0))
  return { ...guest, faults, process, thread, put, make }
}

describe('calls that make timers', () => {
  it.each([
    ['timer_create', TIMER_CREATE, [MONOTONIC, 0, DATA], -EAGAIN],
    ['timerfd_create', TIMERFD_CREATE, [MONOTONIC, 0], -ENOMEM],
  ] as const)('%s leaves nothing behind when an allocation fails', (_, number, values, errno) => {
    const { linux, mm, faults, make } = setUp()
    let failures = 0
    for (let n = 1; ; n++) {
      faults.failAt(n)
      const result = make(number, ...values)
      faults.reset()
      if (result >= 0) break
      failures++
      expect(result).toBe(errno)
      linux.check()
      mm.check()
      expect(linux.signals.queues.used).toBe(0)
    }
    expect(failures).toBeGreaterThan(0)
    linux.check()
    linux.runSync()
    linux.check()
    expect(
      mm.slab.stats().filter(({ name, objects }) => /^(timer|signal)$/.test(name) && objects > 0),
    ).toEqual([])
  })

  it('count the records of their signals against RLIMIT_SIGPENDING', () => {
    const { linux, process, make } = setUp()
    process.setLimit(Limit.pendingSignals, 2, 2)
    expect([1, 2, 3].map(() => make(TIMER_CREATE, MONOTONIC, 0, DATA))).toEqual([0, 0, -EAGAIN])
    linux.check()
  })

  it('are the same after a thousand expirations that nobody took as after one', () => {
    const { linux, put, make } = setUp()
    put(DATA + 64, [0, 0, 1000, 0, 0, 0, 1000, 0])
    make(TIMER_CREATE, MONOTONIC, 0, DATA)
    expect(make(TIMER_SETTIME, 0, 0, DATA + 64, 0)).toBe(0)
    for (let i = 1; i <= 1000; i++) {
      linux.clock.skipTo(i * 10_000)
      linux.time.passTime()
    }
    expect(linux.signals.queues.used).toBe(1)
    linux.check()
  })
})

describe('signals with something to tell', () => {
  it('are refused without a record, and nothing is pending then', () => {
    const { linux, thread, faults, make, put } = setUp()
    linux.signals.setBlocked(thread, 0, 1)
    put(DATA, [0, 0, -1])
    faults.failFrom(1)
    expect(make(SIGQUEUE, 2, SIGRTMIN + 1, DATA)).toBe(-EAGAIN)
    expect(linux.signals.takeOf(linux.processOf(thread), thread, -1, -1, new Uint8Array(SIGINFO_BYTES))).toBe(
      0,
    )
    faults.reset()
    expect(make(SIGQUEUE, 2, SIGRTMIN + 1, DATA)).toBe(0)
    expect(linux.signals.queues.first(threadPending(thread), -1, -1)).toBe(0)
    expect(linux.signals.takeOf(linux.processOf(thread), thread, -1, -1, new Uint8Array(SIGINFO_BYTES))).toBe(
      33,
    )
    expect(linux.signals.queues.used).toBe(0)
    expect(thread.queue).toBe(NULL)
  })
})

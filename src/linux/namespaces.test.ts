import { expect, it } from 'vitest'
import { EAGAIN, ENOMEM } from '../base/errno.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { call, program } from './testing/elf-image.js'
import { bootGuest, startGuest } from './testing/guest.js'

const NEW_TIME = 0x80
const NEW_PID = 0x2000_0000
const SIGCHLD = 17
const UNSHARE = 97
const CLONE = 220
const WAIT = 260
const EXIT = 93
/** Added to the error of the second call. */
const SECOND = 100

/** Its children are born into namespaces of their own, one is, and one of it. Ends with what failed, or 42. */
const namespaces = program(
  `${call(UNSHARE, NEW_PID | NEW_TIME)}
   bne a0, zero, failed
   ${call(CLONE, SIGCHLD, 0, 0, 0, 0)}
   blt a0, zero, second
   beq a0, zero, child
   ${call(WAIT, -1, 0, 0, 0)}
   ${call(EXIT, 42)}
   child: ${call(UNSHARE, NEW_PID | NEW_TIME)}
   ${call(CLONE, SIGCHLD, 0, 0, 0, 0)}
   ${call(EXIT, 0)}
   second: addi a0, a0, -${SECOND}
   failed: sub a0, zero, a0
   li a7, ${EXIT}
   ecall`,
  0x1000,
)

it('namespaces go with those who are in them, whatever could not be allocated', () => {
  const faults = new FaultInjector()
  const outcomes = new Set<number>()
  let n = 0
  for (let wasReached = true; wasReached; ) {
    faults.reset()
    const guest = bootGuest({ faults })
    const problem = startGuest(guest, namespaces)
    expect(problem).toBeUndefined()
    faults.reset()
    faults.failAt(++n)
    outcomes.add(guest.linux.runSync({ instructions: 100_000 }).exitCode)
    wasReached = faults.count >= n
    faults.reset()
    guest.mm.check()
    guest.linux.check()
    expect(guest.linux.processes.size).toBe(0)
    expect(guest.linux.namespaces.times.used).toBe(0)
    expect(guest.linux.namespaces.pids.used).toBe(0)
    expect(guest.linux.pids.used).toBe(0)
    expect(guest.mm.stats().spaces).toBe(0)
  }
  expect(outcomes).toContain(42)
  expect(outcomes).toContain(ENOMEM)
  expect([...outcomes].some((code) => code === SECOND + ENOMEM || code === SECOND + EAGAIN)).toBe(true)
})

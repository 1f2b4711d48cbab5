/** /proc/cpuinfo and stat: the processors and what they have done, in the order of fs/proc. */

import { ThreadState } from '../../thread.js'
import { ClockBase } from '../../time-offset.js'
import type { FileEnvironment } from '../environment.js'

const NANOSECONDS_PER_TICK = 1e7
/** As Linux 6.12 calls a hart of this kind (arch/riscv/kernel/cpu.c). */
const ISA = 'rv64imafdc_zicntr_zicsr_zifencei_zihpm_zca_zcd'

export function cpuinfoText({ mm }: FileEnvironment): string {
  let text = ''
  for (let hart = 0; hart < mm.tlbs.hartCount; hart++) {
    text += `processor\t: ${hart}\nhart\t\t: ${hart}\nisa\t\t: ${ISA}\nmmu\t\t: sv39\n`
    text += `mvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: ${ISA}\n\n`
  }
  return text
}

/** In ticks: user, nice, system, idle; nobody waits for devices. */
export function statisticsText(env: FileEnvironment): string {
  const { clock, processes } = env
  const { user, system, idle } = env.machineTimes()
  const [userTicks, systemTicks, idleTicks] = [user, system, idle].map((time) =>
    Math.floor(time / NANOSECONDS_PER_TICK),
  )
  const row = `${userTicks} 0 ${systemTicks} ${idleTicks} 0 0 0 0 0 0`
  const offset = env.namespaces.offset(env.currentProcess(), ClockBase.boottime)
  const started = clock.epochSeconds - offset.seconds - (offset.nanoseconds > clock.epochNanoseconds ? 1 : 0)
  const running = [...processes.values()].filter(({ ptr }) =>
    [...env.threads.ofProcess(ptr)].some(({ state }) => state === ThreadState.ready),
  ).length
  const newest = Math.max(0, ...processes.keys())
  return (
    `cpu  ${row}\ncpu0 ${row}\nintr 0\nctxt 0\nbtime ${BigInt.asUintN(64, BigInt(started))}\nprocesses ${newest}\n` +
    `procs_running ${Math.max(1, running)}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  )
}

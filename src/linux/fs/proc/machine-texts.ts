/** /proc/meminfo, vmstat, cpuinfo and stat: the machine in numbers, in the order of fs/proc. */
import { PAGE_SIZE } from '../../../base/numbers.js'
import { ThreadState } from '../../thread.js'
import type { FileEnvironment } from '../environment.js'

const KIB = PAGE_SIZE / 1024
const NANOSECONDS_PER_TICK = 1e7
/** As Linux 6.12 calls a hart of this kind (arch/riscv/kernel/cpu.c). */
const ISA = 'rv64imafdc_zicntr_zicsr_zifencei_zihpm_zca_zcd'

/** Pages of all processes. */
interface Resident {
  anonymous: number
  shared: number
  mapped: number
}

function resident({ processes }: FileEnvironment): Resident {
  const sum = { anonymous: 0, shared: 0, mapped: 0 }
  for (const { isZombie, space } of processes.values()) {
    if (isZombie) continue
    sum.anonymous += space.rssAnonymous
    sum.shared += space.rssShared
    sum.mapped += space.rssFile + space.rssShared
  }
  return sum
}

export function meminfoText(env: FileEnvironment): string {
  const { mm } = env
  const { anonymous, mapped } = resident(env)
  const total = mm.buddy.totalFrames()
  const free = mm.buddy.freeFrames()
  const cached = mm.objects.stats().pages
  const slab = mm.slab.stats().reduce((sum, { slabs, framesPerSlab }) => sum + slabs * framesPerSlab, 0)
  const rows: readonly (readonly [string, number])[] = [
    ['MemTotal', total],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', cached],
    ['SwapCached', 0],
    ['Active', anonymous + cached],
    ['Inactive', 0],
    ['Active(anon)', anonymous],
    ['Inactive(anon)', 0],
    ['Active(file)', cached],
    ['Inactive(file)', 0],
    ['Unevictable', 0],
    ['Mlocked', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', anonymous],
    ['Mapped', mapped],
    ['Shmem', cached],
    ['KReclaimable', 0],
    ['Slab', slab],
    ['SReclaimable', 0],
    ['SUnreclaim', slab],
    ['KernelStack', 0],
    ['PageTables', mm.stats().tableFrames],
    ['Bounce', 0],
    ['WritebackTmp', 0],
    ['CommitLimit', Math.floor(total / 2)],
    ['Committed_AS', anonymous],
    ['VmallocTotal', 67108864 / KIB],
    ['VmallocUsed', 0],
    ['VmallocChunk', 0],
    ['Percpu', 0],
    ['AnonHugePages', 0],
  ]
  const lines = rows.map(([name, pages]) => `${`${name}:`.padEnd(16)}${`${pages * KIB}`.padStart(8)} kB\n`)
  const huge = ['Total', 'Free', 'Rsvd', 'Surp'].map((name) => `HugePages_${name}:       0\n`)
  return `${lines.join('')}${huge.join('')}Hugepagesize:       2048 kB\nHugetlb:               0 kB\n`
}

export function vmstatText(env: FileEnvironment): string {
  const { mm } = env
  const { anonymous, shared, mapped } = resident(env)
  const faults = [...env.processes.values()].reduce(
    (sum, process) => sum + (process.isZombie ? 0 : process.space.minorFaults),
    0,
  )
  const rows: Record<string, number> = {
    nr_free_pages: mm.buddy.freeFrames(),
    nr_anon_pages: anonymous,
    nr_mapped: mapped,
    nr_file_pages: mm.objects.stats().pages,
    nr_dirty: 0,
    nr_writeback: 0,
    nr_shmem: shared,
    nr_page_table_pages: mm.stats().tableFrames,
    pgpgin: 0,
    pgpgout: 0,
    pswpin: 0,
    pswpout: 0,
    pgfault: faults,
    pgmajfault: 0,
  }
  return Object.entries(rows)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}

export function cpuinfoText({ mm }: FileEnvironment): string {
  let text = ''
  for (let hart = 0; hart < mm.tlbs.hartCount; hart++) {
    text += `processor\t: ${hart}\nhart\t\t: ${hart}\nisa\t\t: ${ISA}\nmmu\t\t: sv39\n`
    text += `mvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: ${ISA}\n\n`
  }
  return text
}

/** All time counts as user time: nobody measures the kernel's. */
export function statisticsText(env: FileEnvironment): string {
  const { clock, processes } = env
  const row = `${Math.floor(clock.now() / NANOSECONDS_PER_TICK)} 0 0 0 0 0 0 0 0 0`
  const started = clock.timeOfDay().seconds - Math.floor(clock.now() / 1e9)
  const running = [...processes.values()].filter(({ ptr }) =>
    [...env.threads.ofProcess(ptr)].some(({ state }) => state === ThreadState.ready),
  ).length
  const newest = Math.max(0, ...processes.keys())
  return (
    `cpu  ${row}\ncpu0 ${row}\nintr 0\nctxt 0\nbtime ${started}\nprocesses ${newest}\n` +
    `procs_running ${Math.max(1, running)}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  )
}

/** The files of /proc that belong to no process. */
import { PAGE_SIZE } from '../../../base/numbers.js'
import { LINUX_RELEASE } from '../../release.js'
import type { FileEnvironment } from '../environment.js'
import { directory, file, link, type ProcDirectory, type ProcNode } from './proc-node.js'

function constant(text: string): ProcNode {
  return file(() => text)
}

const sysKernel = directory({
  ostype: constant('Linux\n'),
  osrelease: constant(`${LINUX_RELEASE}\n`),
  hostname: constant('pagoda\n'),
  domainname: constant('(none)\n'),
  version: constant('#1 SMP Pagoda\n'),
  pid_max: constant('4194304\n'),
  threads_max: constant('16384\n'),
  randomize_va_space: constant('0\n'),
  cap_last_cap: constant('40\n'),
  ngroups_max: constant('65536\n'),
})

const sysVm = directory({
  overcommit_memory: constant('0\n'),
  overcommit_ratio: constant('50\n'),
  max_map_count: constant('65530\n'),
  mmap_min_addr: constant('32768\n'),
  swappiness: constant('60\n'),
})

const sysFs = directory({
  'file-max': constant('9223372036854775807\n'),
  nr_open: constant('1048576\n'),
  'pipe-max-size': constant('1048576\n'),
})

/** The top of /proc but for the processes. */
export const SYSTEM_TREE: ProcDirectory = directory({
  self: link((_vfs, _process, pid) => `${pid}`),
  'thread-self': link((_vfs, _process, pid) => `${pid}/task/${pid}`),
  mounts: link(() => 'self/mounts'),
  meminfo: file((_vfs, _process, env) => meminfo(env)),
  cpuinfo: file((_vfs, _process, env) => cpuinfo(env)),
  uptime: file((_vfs, _process, env) => uptime(env)),
  stat: file((_vfs, _process, env) => statistics(env)),
  loadavg: constant('0.00 0.00 0.00 1/1 1\n'),
  version: constant(`Linux version ${LINUX_RELEASE} (pagoda@pagoda) #1 SMP Pagoda\n`),
  filesystems: constant('nodev\tproc\nnodev\ttmpfs\nnodev\t9p\n'),
  cmdline: constant('console=ttyS0\n'),
  devices: constant('Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n'),
  swaps: constant('Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'),
  sys: directory({ kernel: sysKernel, vm: sysVm, fs: sysFs }),
})

function meminfo({ mm }: FileEnvironment): string {
  const kib = PAGE_SIZE / 1024
  const free = mm.buddy.freeFrames() * kib
  const cached = mm.objects.stats().pages * kib
  const rows: [string, number][] = [
    ['MemTotal', mm.buddy.totalFrames() * kib],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', cached],
    ['SwapCached', 0],
    ['Active', 0],
    ['Inactive', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Shmem', cached],
  ]
  return rows.map(([name, value]) => `${`${name}:`.padEnd(16)}${`${value}`.padStart(8)} kB\n`).join('')
}

function cpuinfo({ mm }: FileEnvironment): string {
  const harts = mm.tlbs.hartCount
  let text = ''
  for (let hart = 0; hart < harts; hart++) {
    text += `processor\t: ${hart}\nhart\t\t: ${hart}\nisa\t\t: rv64imafdc_zicsr_zifencei\nmmu\t\t: sv39\n\n`
  }
  return text
}

function uptime({ clock }: FileEnvironment): string {
  const seconds = (clock.now() / 1e9).toFixed(2)
  return `${seconds} 0.00\n`
}

function statistics({ clock }: FileEnvironment): string {
  const ticks = Math.floor(clock.now() / 1e7)
  const row = `${ticks} 0 0 0 0 0 0 0 0 0`
  const started = clock.timeOfDay().seconds - Math.floor(clock.now() / 1e9)
  return `cpu  ${row}\ncpu0 ${row}\nctxt 0\nbtime ${started}\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n`
}

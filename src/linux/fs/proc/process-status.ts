/** /proc/PID/status, stat, statm and limits, worded as fs/proc/array.c words them. */
import { PAGE_SIZE } from '../../../base/numbers.js'
import { Process } from '../../process.js'
import type { FileEnvironment } from '../environment.js'
import { userOf } from '../file-user.js'
import { fromUnicode } from '../text.js'
import type { Vfs } from '../vfs.js'

const KIB_PER_PAGE = PAGE_SIZE / 1024
const ALL_CAPABILITIES = '000001ffffffffff'
const CLOCK_TICKS = 100

function kib(pages: number): string {
  return `${pages * KIB_PER_PAGE}`.padStart(8)
}

export function statusText(process: Process, _vfs: Vfs, env: FileEnvironment): string {
  const { id, parentId, name } = process
  const { files, umask: mask } = userOf(process)
  const umask = mask.toString(8).padStart(4, '0')
  return (
    `Name:\t${fromUnicode(name)}\nUmask:\t${umask}\nState:\tR (running)\nTgid:\t${id}\nNgid:\t0\nPid:\t${id}\n` +
    `PPid:\t${parentId}\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t${files.capacity}\nGroups:\t \n` +
    `NStgid:\t${id}\nNSpid:\t${id}\nNSpgid:\t${id}\nNSsid:\t${id}\nKthread:\t0\n` +
    `${memoryLines(process)}CoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\nThreads:\t1\n` +
    `NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n${capabilityLines()}` +
    `Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n` +
    `voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t${Math.floor(env.clock.now() / 1e9)}\n`
  )
}

function capabilityLines(): string {
  const sets = ['Prm', 'Eff', 'Bnd'].map((set) => `Cap${set}:\t${ALL_CAPABILITIES}\n`)
  return `CapInh:\t0000000000000000\n${sets.join('')}CapAmb:\t0000000000000000\n`
}

function memoryLines({ space }: Process): string {
  const peak = Math.max(space.peakPages, space.totalPages)
  const rows: [string, number][] = [
    ['VmPeak', peak],
    ['VmSize', space.totalPages],
    ['VmLck', space.lockedPages],
    ['VmPin', 0],
    ['VmHWM', space.rssPages],
    ['VmRSS', space.rssPages],
    ['RssAnon', space.rssAnonymous],
    ['RssFile', space.rssFile],
    ['RssShmem', space.rssShared],
    ['VmData', space.dataPages],
    ['VmStk', space.stackPages],
    ['VmExe', space.execPages],
    ['VmLib', 0],
    ['VmPTE', 0],
    ['VmSwap', 0],
  ]
  return `${rows.map(([name, pages]) => `${name}:\t${kib(pages)} kB\n`).join('')}HugetlbPages:\t       0 kB\n`
}

/** 52 fields (proc_pid_stat(5)); those that Pagoda does not keep are 0. */
export function statText(process: Process, _vfs: Vfs, env: FileEnvironment): string {
  const { id, parentId, name, space } = process
  const fields: (number | string)[] = new Array(53).fill(0)
  const values: Record<number, number | string> = {
    1: id,
    2: `(${fromUnicode(name)})`,
    3: 'R',
    4: parentId,
    5: id,
    6: id,
    8: -1,
    10: space.minorFaults,
    12: space.majorFaults,
    14: Math.floor((env.clock.now() / 1e9) * CLOCK_TICKS),
    18: 20,
    20: 1,
    23: space.totalPages * PAGE_SIZE,
    24: space.rssPages,
    25: '18446744073709551615',
    28: space.stackStart,
    38: 17,
    47: space.brkStart,
  }
  for (const [field, value] of Object.entries(values)) fields[Number(field)] = value
  return `${fields.slice(1).join(' ')}\n`
}

/** In pages: size, resident, shared, text, 0, data, 0. */
export function statmText({ space }: Process): string {
  const shared = space.rssFile + space.rssShared
  const data = space.dataPages + space.stackPages
  return `${[space.totalPages, space.rssPages, shared, space.execPages, 0, data, 0].join(' ')}\n`
}

/** In the order of the resource numbers. */
const LIMITS = [
  ['Max cpu time', 'seconds'],
  ['Max file size', 'bytes'],
  ['Max data size', 'bytes'],
  ['Max stack size', 'bytes'],
  ['Max core file size', 'bytes'],
  ['Max resident set', 'bytes'],
  ['Max processes', 'processes'],
  ['Max open files', 'files'],
  ['Max locked memory', 'bytes'],
  ['Max address space', 'bytes'],
  ['Max file locks', 'locks'],
  ['Max pending signals', 'signals'],
  ['Max msgqueue size', 'bytes'],
  ['Max nice priority', ''],
  ['Max realtime priority', ''],
  ['Max realtime timeout', 'us'],
] as const

export function limitsText(process: Process): string {
  const row = (name: string, soft: string, hard: string, units: string) =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${units.padEnd(10)}\n`
  const show = (limit: number) => (limit === Number.POSITIVE_INFINITY ? 'unlimited' : `${limit}`)
  return LIMITS.slice(0, Process.limitCount).reduce(
    (text, [name, units], i) =>
      text + row(name, show(process.softLimit(i)), show(process.hardLimit(i)), units),
    row('Limit', 'Soft Limit', 'Hard Limit', 'Units'),
  )
}

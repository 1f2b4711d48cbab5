/** The memory report at the end of a run, for people (on standard error) and for programs (--json). */
import { PAGE_SIZE } from '../base/numbers.js'
import type { ProfileSummary } from '../linux/profiler.js'
import type { CrashReport, ExitReport, MemoryReport } from '../linux/report.js'
import { Signal } from '../linux/signal-numbers.js'
import { grouped } from './grouped.js'
import { formatSize } from './size.js'
import { style } from './style.js'

const FAULTS: readonly (readonly [keyof MemoryReport['stats']['events'], string])[] = [
  ['faultZeroPage', 'zero page mapped (first read)'],
  ['faultAnonymous', 'fresh zeroed frame (first write)'],
  ['hugeFault', 'fresh huge page, 512 frames (first write)'],
  ['faultCopy', 'copied on write'],
  ['faultReuse', 'made writable in place (last owner)'],
  ['faultFile', 'page of a file or shared object'],
  ['faultAround', '… and mapped beside it'],
  ['faultMajor', 'of those, read from the host'],
  ['faultStackGrowth', 'stack grown on the way'],
  ['faultSpurious', 'spurious'],
  ['faultSegv', 'ended in SIGSEGV'],
  ['faultBus', 'ended in SIGBUS'],
  ['faultOutOfMemory', 'found no memory'],
]

const heading = (text: string) => style('bold', text)

function faultLines({ stats }: MemoryReport): string[] {
  return FAULTS.filter(([event]) => stats.events[event] > 0).map(
    ([event, what]) => `  ${grouped(stats.events[event]).padStart(9)}  ${what}`,
  )
}

function frameLines({ stats, residentPages, mappings }: MemoryReport): string[] {
  const { frames } = stats
  const used = frames.total - frames.free
  const size = (pages: number) => formatSize(pages * PAGE_SIZE)
  return [
    `  ${grouped(used).padStart(9)}  of ${grouped(frames.total)} frames in use (${size(used)} of ${size(frames.total)})`,
    `  ${grouped(residentPages).padStart(9)}  pages resident in ${grouped(mappings)} mappings`,
    `  ${grouped(stats.tableFrames).padStart(9)}  page-table frames, the kernel's too`,
  ]
}

function callLines({ instructions, systemCalls, missing }: MemoryReport): string[] {
  const calls = Object.entries(missing).map(([name, times]) => `${name} (${times})`)
  return [
    `  ${grouped(instructions).padStart(9)}  instructions`,
    `  ${grouped(systemCalls).padStart(9)}  system calls`,
    ...(calls.length > 0 ? [`  not there (ENOSYS): ${calls.join(', ')}`] : []),
  ]
}

/** The whole report as text. */
export function reportText(memory: MemoryReport): string {
  return [
    heading('Address map at exit'),
    ...memory.maps
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
    heading('Page faults'),
    ...faultLines(memory),
    heading('Memory'),
    ...frameLines(memory),
    heading('Work'),
    ...callLines(memory),
    '',
  ].join('\n')
}

const hex = (address: number) => `0x${(address < 0 ? address + 2 ** 64 : address).toString(16)}`

function missLines({ below, above }: CrashReport): string[] {
  return [
    '  no mapping there',
    ...(below === undefined ? [] : [`  below it: ${below}`]),
    ...(above === undefined ? [] : [`  above it: ${above}`]),
  ]
}

/** Signals whose default action is to dump core: the program went wrong, and where is worth knowing. */
const FAULT_SIGNALS: ReadonlySet<number> = new Set([
  Signal.QUIT,
  Signal.ILL,
  Signal.TRAP,
  Signal.ABRT,
  Signal.BUS,
  Signal.FPE,
  Signal.SEGV,
  Signal.SYS,
])

/**
 * What to say of a program that died of a signal: all of it when it went wrong, a line when somebody ended it and the
 * report is wanted, nothing when the reader of its output had enough (as shells do).
 */
export function deathText(crash: CrashReport, wanted: boolean): string {
  if (crash.outOfMemory || FAULT_SIGNALS.has(crash.signal)) return crashText(crash)
  if (!wanted || crash.signal === Signal.PIPE) return ''
  return `pagoda: ${crash.name} (${crash.message}), signal ${crash.signal}\n`
}

function crashText(crash: CrashReport): string {
  const place = crash.symbol === undefined ? hex(crash.pc) : `${hex(crash.pc)} (${crash.symbol})`
  const lines = [
    `pagoda: ${style('red', crash.name)} (${crash.message}), signal ${crash.signal}, at pc ${place}`,
  ]
  if (crash.outOfMemory) lines.push('  the machine is out of memory: --memory gives it more')
  if (crash.address !== undefined) {
    lines.push(`  address ${hex(crash.address)}`)
    lines.push(...(crash.mapping === undefined ? missLines(crash) : [`  in ${crash.mapping}`]))
  }
  return `${lines.join('\n')}\n`
}

/** What --profile says besides its file. */
export function profileText(summary: ProfileSummary): string {
  const shares = (['translated', 'interpreted', 'translating', 'kernel', 'waiting'] as const)
    .filter((part) => summary[part] >= 0.005)
    .map((part) => `${part} ${Math.round(summary[part] * 100)} %`)
  const lines = [
    `  ${grouped(Math.round(summary.milliseconds)).padStart(9)}  milliseconds: ${shares.join(', ')}`,
    `  ${grouped(summary.samples).padStart(9)}  samples`,
    `  ${grouped(summary.regions).padStart(9)}  functions translated, and ${grouped(summary.restored)} of earlier runs used`,
  ]
  return `${heading('Profile')}\n${lines.join('\n')}\n`
}

/** What --json writes. */
export function reportJson(report: ExitReport): string {
  return `${JSON.stringify({ pagoda: PAGODA_VERSION, ...report }, null, 2)}\n`
}

/** /proc/PID/status, worded as fs/proc/array.c words it; a zombie has no memory any more. */
import { NULL, PAGE_SIZE, type Ptr, pagesFor } from '../../../base/numbers.js'
import { UserMapper } from '../../../paging/user-mapper.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { numbersOf } from '../../pid-namespace.js'
import { PROCESS_PENDING, type Process, ProcessFlag } from '../../process.js'
import { ACTION_BYTES, FIRST_ACTION } from '../../signal-actions.js'
import { SIGNAL_MAX } from '../../signal-numbers.js'
import { type Thread, ThreadState } from '../../thread.js'
import { THREAD_BLOCKED, THREAD_PENDING, ThreadFlag } from '../../thread-record.js'
import type { FileEnvironment } from '../environment.js'
import { userOf } from '../file-user.js'
import { byteString } from '../text.js'

const KIB_PER_PAGE = PAGE_SIZE / 1024
const PENDING_SIGNALS_LIMIT = 11

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'disk sleep',
  T: 'stopped',
  t: 'tracing stop',
  Z: 'zombie',
}

/** The letter that ps shows. */
export function stateOf(process: Process, thread: Thread | undefined): string {
  if (process.isZombie) return 'Z'
  if (thread?.state === ThreadState.stopped) return 'T'
  if (thread?.state === ThreadState.traced) return 't'
  if (thread?.state === ThreadState.parked) return thread.hasFlag(ThreadFlag.killable) ? 'D' : 'S'
  return thread?.state === ThreadState.exited ? 'Z' : 'R'
}

/** A thread by its number. */
export function threadWith(process: Process, env: FileEnvironment, id: number): Thread | undefined {
  for (const thread of env.threads.ofProcess(process.ptr)) if (thread.id === id) return thread
  return undefined
}

/** Undefined when the process has ended. */
export const firstThread = (process: Process, env: FileEnvironment) => threadWith(process, env, process.id)

/** The first thread may end before others, and has no memory then. */
export function hasEnded(process: Process, thread: Thread | undefined): boolean {
  return process.isZombie || thread?.state === ThreadState.exited
}

/** A first thread that has ended counts as long as there are others. */
export function shownThreads(process: Process, env: FileEnvironment): number {
  if (process.isZombie) return 1
  let ended = 0
  for (const { state } of env.threads.ofProcess(process.ptr)) if (state === ThreadState.exited) ended++
  return Math.max(1, process.threadCount + ended)
}

/** The name of one thread; of the first one it is that of the process. */
export function nameOf(process: Process, thread: Thread | undefined): string {
  const isFirst = thread === undefined || thread.id === process.id
  return isFirst ? process.name : byteString(thread.name)
}

/** Here, and only here, a name keeps to its line. */
function escapedName(process: Process, thread: Thread | undefined): string {
  return nameOf(process, thread).replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

export function statusText(process: Process, thread: Thread | undefined, env: FileEnvironment): string {
  const { id, parentId, groupId, sessionId } = process
  const isGone = hasEnded(process, thread)
  const number = thread?.id ?? id
  const tracer = thread && env.tracing.tracerOf(thread)
  const row = (of: number) => numbersOf(process.namespace, of).join('\t')
  const letter = stateOf(process, thread)
  const { files, umask: mask } = userOf(process)
  const umask = isGone ? '' : `Umask:\t${mask.toString(8).padStart(4, '0')}\n`
  const size = isGone ? 0 : files.capacity
  return (
    `Name:\t${escapedName(process, thread)}\n${umask}State:\t${letter} (${STATES[letter]})\n` +
    `Tgid:\t${id}\nNgid:\t0\nPid:\t${number}\nPPid:\t${parentId}\nTracerPid:\t${tracer?.id ?? 0}\n` +
    `${identityLines(process)}FDSize:\t${size}\nGroups:\t${userOf(process).credentials.groups.join(' ')} \n` +
    `NStgid:\t${row(id)}\nNSpid:\t${row(number)}\nNSpgid:\t${row(groupId)}\nNSsid:\t${row(sessionId)}\nKthread:\t0\n` +
    `${isGone ? '' : memoryLines(process, env)}Threads:\t${shownThreads(process, env)}\n` +
    `${signalLines(process, thread, env)}${securityLines(process)}` +
    'Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n' +
    'voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n'
  )
}

function identityLines(process: Process): string {
  const { user, group } = userOf(process).credentials
  const row = (ids: { real: number; effective: number; saved: number; files: number }) =>
    [ids.real, ids.effective, ids.saved, ids.files].join('\t')
  return `Uid:\t${row(user)}\nGid:\t${row(group)}\n`
}

/** Pages that the program's code spans, with what lies between its parts. */
export function textPages({ parts: { codeStart, codeEnd } }: AddressSpace): number {
  return Math.max(0, pagesFor(codeEnd) - Math.floor(codeStart / PAGE_SIZE))
}

/** The root of the page table does not count (mm_pgtables_bytes). */
function memoryLines(process: Process, env: FileEnvironment): string {
  const { space } = process
  const text = Math.min(textPages(space), space.counts.execPages)
  const pages: [string, number][] = [
    ['VmPeak', Math.max(space.counts.peakPages, space.counts.totalPages)],
    ['VmSize', space.counts.totalPages],
    ['VmLck', space.counts.lockedPages],
    ['VmPin', 0],
    ['VmHWM', space.counts.peakRssPages],
    ['VmRSS', space.counts.rssPages],
    ['RssAnon', space.counts.rssAnonymous],
    ['RssFile', space.counts.rssFile],
    ['RssShmem', space.counts.rssShared],
    ['VmData', space.counts.dataPages],
    ['VmStk', space.counts.stackPages],
    ['VmExe', text],
    ['VmLib', space.counts.execPages - text],
    ['VmPTE', new UserMapper(env.mm, space.root).tableFrames() - 1],
    ['VmSwap', 0],
    ['HugetlbPages', 0],
  ]
  const lines = pages.map(([name, count]) => `${name}:\t${`${count * KIB_PER_PAGE}`.padStart(8)} kB\n`)
  const huge = space.hugePagesDisabled ? 0 : 1
  return `${lines.join('')}CoreDumping:\t0\nTHP_enabled:\t${huge}\nuntag_mask:\t0xffffffffffffffff\n`
}

function signalLines(process: Process, thread: Thread | undefined, { mm }: FileEnvironment): string {
  const set = (record: Ptr, offset: number) => {
    const at = (record + offset) >>> 2
    return record === NULL ? hexadecimal(0, 0) : hexadecimal(mm.memory.u32[at]!, mm.memory.u32[at + 1]!)
  }
  const own = thread?.ptr ?? NULL
  const handled = handledSignals(process, mm.memory.u32)
  return (
    `SigQ:\t0/${process.softLimit(PENDING_SIGNALS_LIMIT)}\nSigPnd:\t${set(own, THREAD_PENDING)}\n` +
    `ShdPnd:\t${set(process.ptr ?? NULL, PROCESS_PENDING)}\nSigBlk:\t${set(own, THREAD_BLOCKED)}\n` +
    `SigIgn:\t${handled.ignored}\nSigCgt:\t${handled.caught}\n`
  )
}

/** SIG_IGN is handler 1; what has another one is caught. */
export function handledSignals({ actions }: Process, u32: Uint32Array): { ignored: string; caught: string } {
  const [ignored, caught] = [
    [0, 0],
    [0, 0],
  ]
  for (let signal = 1; signal <= SIGNAL_MAX && actions; signal++) {
    const at = (actions + FIRST_ACTION + (signal - 1) * ACTION_BYTES) >>> 2
    const isIgnored = u32[at] === 1 && u32[at + 1] === 0
    if (u32[at] === 0 && u32[at + 1] === 0) continue
    const half = signal > 32 ? 1 : 0
    ;(isIgnored ? ignored! : caught!)[half]! |= 1 << ((signal - 1) & 31)
  }
  return { ignored: hexadecimal(ignored![0]!, ignored![1]!), caught: hexadecimal(caught![0]!, caught![1]!) }
}

function hexadecimal(low: number, high: number): string {
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0')
}

function capabilities([low = 0, high = 0]: readonly number[]): string {
  return hexadecimal(low, high)
}

function securityLines(process: Process): string {
  const { effective, permitted, inheritable, bounding, ambient } = userOf(process).credentials.capabilities
  const noNew = (process.flags & ProcessFlag.noNewPrivileges) !== 0 ? 1 : 0
  return (
    `CapInh:\t${capabilities(inheritable)}\nCapPrm:\t${capabilities(permitted)}\nCapEff:\t${capabilities(effective)}\n` +
    `CapBnd:\t${capabilities(bounding)}\nCapAmb:\t${capabilities(ambient)}\n` +
    `NoNewPrivs:\t${noNew}\nSeccomp:\t0\nSeccomp_filters:\t0\n` +
    'Speculation_Store_Bypass:\tunknown\nSpeculationIndirectBranch:\tunsupported\n'
  )
}

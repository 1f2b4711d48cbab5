/** The files of /proc/PID, and of each of its threads. */
import { EACCES, EINVAL, ENOENT, EPERM, ESRCH } from '../../../base/errno.js'
import type { Process } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import type { Thread } from '../../thread.js'
import { nameThread } from '../../thread-name.js'
import { timeOf } from '../../usage.js'
import { pathOf } from '../describe.js'
import type { FileEnvironment } from '../environment.js'
import { operationsOf } from '../file-operations.js'
import { type FileUser, userOf } from '../file-user.js'
import type { Dentry } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { clearRefs } from './clear-refs.js'
import { ownLocksText } from './lock-texts.js'
import { mapFiles } from './map-files.js'
import { maps, numaMaps, smaps, smapsRollup } from './mapping-files.js'
import { mountInfoText, mountsText } from './mounts-text.js'
import { namespaceFiles } from './namespace-files.js'
import { writeNumber } from './number-file.js'
import { outOfMemoryFiles } from './oom-files.js'
import { pagemap } from './pagemap.js'
import {
  changingDirectory,
  type DynamicEntries,
  directory,
  file,
  link,
  type OnceEnded,
  type ProcDirectory,
  type ProcEntries,
  type ProcFile,
  type ProcNode,
  processFile,
  WITHOUT_MEMORY,
} from './proc-node.js'
import { auxiliaryVectorText, commandLine, environment, memory } from './process-memory.js'
import { limitsText, statmText, statText } from './process-numbers.js'
import { hasEnded, nameOf, statusText } from './process-status.js'
import { timerSlack } from './slack-file.js'
import { callText, childrenText, timersText } from './thread-files.js'
import { timeOffsets } from './time-offsets.js'
import { userMaps } from './user-maps.js'

const CORE_FILTER_BITS = 0x1ff

const constants = (): ProcEntries => ({
  cgroup: file(() => ''),
  loginuid: { ...file(() => '4294967295', 0o644), seeks: 'plain' },
  sessionid: { ...file(() => '4294967295'), seeks: 'plain' },
  wchan: processFile(() => '0'),
  ...outOfMemoryFiles(),
  io: processFile((process, _vfs, env) => (mayLook(process, env) ? IO_COUNTS : -EACCES), 0o400),
})

/** Whether who reads may look at a process's memory. */
function mayLook(process: Process, env: FileEnvironment): boolean {
  const caller = env.currentProcess()
  return caller === undefined || mayAccess(caller, process, 'files') === 0
}

const NOTHING: OnceEnded = { text: '' }
/** It is in no namespace of mounts any more. */
const NOWHERE: OnceEnded = { open: -EINVAL }

/** Nobody looks for equal pages, as on a kernel where KSM was not started. */
const NOTHING_MERGED = 'ksm_rmap_items 0\nksm_zero_pages 0\nksm_merging_pages 0\nksm_process_profit 0\n'

/** Nobody counts these. */
const IO_COUNTS =
  'rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n'

const texts = (): ProcEntries => ({
  maps,
  smaps,
  smaps_rollup: smapsRollup,
  numa_maps: numaMaps,
  clear_refs: clearRefs,
  auxv: {
    ...processFile(auxiliaryVectorText, 0o400),
    memory: 'look',
    onceEnded: WITHOUT_MEMORY,
    kept: true,
    seeks: 'plain',
  },
  statm: { ...processFile(statmText), onceEnded: { text: '0 0 0 0 0 0 0\n' } },
  ksm_merging_pages: { ...processFile(() => '0\n', 0o400), onceEnded: NOTHING },
  ksm_stat: { ...processFile(() => NOTHING_MERGED, 0o400), onceEnded: NOTHING },
  limits: processFile(limitsText),
  cmdline: commandLine,
  environ: environment,
  personality: processFile(
    (process, _vfs, env) =>
      mayLook(process, env) ? `${process.personality.toString(16).padStart(8, '0')}\n` : -EPERM,
    0o400,
  ),
  mounts: { ...processFile((_process, vfs) => mountsText(vfs)), onceEnded: NOWHERE },
  mountinfo: { ...processFile((_process, vfs) => mountInfoText(vfs)), onceEnded: NOWHERE },
  schedstat: processFile((process, _vfs, env) => `${Math.floor(timeOf(env.usageOf(process)))} 0 0\n`),
  pagemap,
  mem: memory,
})

const coreFilter = (): ProcFile => ({
  seeks: 'plain',
  onceEnded: NOTHING,
  ...processFile(({ coreFilter }) => `${coreFilter.toString(16).padStart(8, '0')}\n`, 0o644),
  write: writeNumber((process, value) => {
    if (value < 0) return -EINVAL
    process.coreFilter = value & CORE_FILTER_BITS
    return 0
  }),
})

type ThreadOf = (process: Process, env: FileEnvironment) => Thread | undefined

/** What a first thread that has ended has no more, although its process has it. */
function whileAlive(
  threadOf: ThreadOf,
  entries: (vfs: Vfs, process: Process) => Record<string, ProcNode>,
): DynamicEntries {
  return (vfs, process) => {
    const isGone = process === undefined || hasEnded(process, threadOf(process, vfs.env))
    return isGone ? {} : entries(vfs, process)
  }
}

/** The links both in /proc/PID and in /proc/PID/task/TID; `threadOf` finds the thread that they are about. */
function linksFor(threadOf: ThreadOf): ProcEntries {
  return {
    exe: userLink(threadOf, (user) => user.executable),
    cwd: userLink(threadOf, (user) => user.cwd),
    root: userLink(threadOf, (user) => user.root),
  }
}

/** And all else that stands in both. */
function filesFor(threadOf: ThreadOf, whose: 'process' | 'thread'): ProcEntries {
  return {
    ...constants(),
    ...texts(),
    ...userMaps(),
    status: processFile((process, _vfs, env) => statusText(process, threadOf(process, env), env)),
    stat: processFile((process, _vfs, env) => statText(process, threadOf(process, env), env, whose)),
    comm: nameFile(threadOf),
    syscall: processFile((process, _vfs, env) => callText(process, threadOf(process, env), env), 0o400),
    fd: changingDirectory(whileAlive(threadOf, descriptorLinks), 0o500),
    fdinfo: changingDirectory(whileAlive(threadOf, descriptorTexts)),
    ns: namespaceFiles(threadOf),
  }
}

function threadsOf(process: Process, env: FileEnvironment): Thread[] {
  return [...env.threads.ofProcess(process.ptr)]
}

/** A thread's name: one of its own process gives it another one (-EINVAL for others). */
function nameFile(threadOf: ThreadOf): ProcFile {
  return {
    ...processFile((process, _vfs, env) => `${nameOf(process, threadOf(process, env))}\n`, 0o644),
    write: (source, process, env) => {
      if (process === undefined) return -ESRCH
      const thread = threadOf(process, env)
      if (thread === undefined) return -ESRCH
      const caller = env.currentProcess()
      if (caller !== undefined && caller !== process) return -EINVAL
      nameThread(thread, process, source)
      return source.length
    },
  }
}

/** The first thread has the number of its process. */
const firstThreadOf: ThreadOf = (process, env) => threadsOf(process, env).find(({ id }) => id === process.id)

function processLinks(): ProcEntries {
  return linksFor(firstThreadOf)
}

function processFiles(): ProcEntries {
  return {
    ...filesFor(firstThreadOf, 'process'),
    map_files: mapFiles,
    coredump_filter: coreFilter(),
    timens_offsets: timeOffsets,
    timers: processFile((process, _vfs, env) => timersText(process, env)),
    timerslack_ns: timerSlack,
    task: changingDirectory(taskDirectories),
  }
}

/** /proc/PID. A C library follows `exe` whenever it starts. */
export const PROCESS_TREE: ProcDirectory = directory(processLinks, processFiles)

function taskDirectories(vfs: Vfs, process: Process | undefined): Record<string, ProcNode> {
  if (process === undefined) return {}
  const found: Record<string, ProcNode> = { [process.id]: threadDirectory(process.id) }
  for (const { id } of threadsOf(process, vfs.env)) found[id] ??= threadDirectory(id)
  return found
}

function threadDirectory(id: number): ProcDirectory {
  const threadOf = (process: Process, env: FileEnvironment) =>
    threadsOf(process, env).find((thread) => thread.id === id)
  const children = processFile((process, _vfs, env) => childrenText(process, threadOf(process, env), env))
  return directory(
    () => linksFor(threadOf),
    () => ({ ...filesFor(threadOf, 'thread'), children }),
  )
}

/** Who has ended is nowhere. */
function userLink(threadOf: ThreadOf, of: (user: FileUser) => Dentry | undefined): ProcNode {
  const target = (vfs: Vfs, process: Process | undefined) =>
    process === undefined || hasEnded(process, threadOf(process, vfs.env)) ? undefined : of(userOf(process))
  return link(
    (vfs, process) => target(vfs, process) ?? -ENOENT,
    (vfs, process) => {
      const dentry = target(vfs, process)
      return dentry === undefined ? -ENOENT : pathOf(dentry, vfs.root)
    },
  )
}

/** /proc/PID/fd: every open file, a link to what it is. */
function descriptorLinks(vfs: Vfs, process: Process): Record<string, ProcNode> {
  const found: Record<string, ProcNode> = {}
  const { files } = userOf(process)
  for (const fd of files.numbers()) {
    const { dentry } = files.get(fd)!
    found[fd] = link(
      () => dentry,
      () => pathOf(dentry, vfs.root),
    )
  }
  return found
}

function descriptorTexts(vfs: Vfs, process: Process): Record<string, ProcNode> {
  const found: Record<string, ProcNode> = {}
  const { files } = userOf(process)
  for (const fd of files.numbers()) {
    found[fd] = file(() => {
      const open = files.get(fd)
      if (open === undefined) return ''
      return descriptorText(vfs, process, open, files.descriptor(fd)!.closeOnExec)
    })
  }
  return found
}

const CLOSE_ON_EXEC = 0o2000000

function descriptorText(vfs: Vfs, process: Process, open: OpenFile, closeOnExec: boolean): string {
  const { position, flags, dentry } = open
  const { filesystem, number } = dentry.inode
  const shown = (closeOnExec ? flags | CLOSE_ON_EXEC : flags).toString(8)
  const mount = vfs.state.filesystems.indexOf(filesystem) + 1
  const special = operationsOf(open).channel?.information?.(open, vfs) ?? ''
  return `pos:\t${position}\nflags:\t0${shown}\nmnt_id:\t${mount}\nino:\t${number}\n${ownLocksText(vfs, process, open)}${special}`
}

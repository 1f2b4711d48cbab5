/** Process groups and sessions: setpgid(2), setsid(2) and what asks for them (kernel/sys.c of Linux). */
import { EACCES, EINVAL, EPERM, ESRCH } from '../../base/errno.js'
import { type Process, ProcessFlag } from '../process.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'

/** The process that a number names, 0 being the caller's. A number of a thread names its process. */
export function processNamed(c: SyscallContext, id: number): Process | undefined {
  if (id === 0 || id === c.process.id) return c.process
  const { linux } = c
  const thread = linux.threads.byId(id)
  return linux.processes.get(id) ?? (thread && linux.processOf(thread))
}

function setpgid(c: SyscallContext): number {
  const group = c.args.int(1)
  if (group < 0) return -EINVAL
  const process = c.args.int(0) === 0 ? c.process : c.linux.processes.get(c.args.int(0))
  if (process === undefined) return -ESRCH
  const problem = checkMove(c, process)
  if (problem < 0) return problem
  const wanted = group === 0 ? process.id : group
  if (wanted !== process.id && !hasGroup(c, wanted)) return -EPERM
  process.groupId = wanted
  return 0
}

/** Whether the caller may move a process to another group: its own children until they call execve, and itself. */
function checkMove(c: SyscallContext, process: Process): number {
  if (process.parent === c.process) {
    if (process.sessionId !== c.process.sessionId) return -EPERM
    if (process.hasFlag(ProcessFlag.executed)) return -EACCES
  } else if (process !== c.process) return -ESRCH
  return process.sessionId === process.id ? -EPERM : 0
}

/** Whether a group exists in the caller's session. */
function hasGroup(c: SyscallContext, id: number): boolean {
  for (const { sessionId } of c.linux.processTable.group(id))
    if (sessionId === c.process.sessionId) return true
  return false
}

function getpgid(c: SyscallContext): number {
  return processNamed(c, c.args.int(0))?.groupId ?? -ESRCH
}

function getsid(c: SyscallContext): number {
  return processNamed(c, c.args.int(0))?.sessionId ?? -ESRCH
}

function setsid(c: SyscallContext): number {
  const { process } = c
  for (const _ of c.linux.processTable.group(process.id)) return -EPERM
  process.groupId = process.id
  process.sessionId = process.id
  return process.id
}

export const groupCalls: readonly Syscall[] = [
  { number: 154, name: 'setpgid', trace: 'dd', handler: setpgid },
  { number: 155, name: 'getpgid', trace: 'd', handler: getpgid },
  { number: 156, name: 'getsid', trace: 'd', handler: getsid },
  { number: 157, name: 'setsid', trace: '', handler: setsid },
]

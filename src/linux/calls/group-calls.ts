/** Process groups and sessions: setpgid(2), setsid(2) and what asks for them (kernel/sys.c of Linux). */
import { EACCES, EINVAL, EPERM, ESRCH } from '../../base/errno.js'
import { type Process, ProcessFlag } from '../process.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { idOf, numberOf, processNamed } from './numbers.js'

function setpgid(c: SyscallContext): number {
  const group = c.args.int(1)
  if (group < 0) return -EINVAL
  const process = c.args.int(0) === 0 ? c.process : c.linux.processes.get(idOf(c, c.args.int(0)))
  if (process === undefined) return -ESRCH
  const problem = checkMove(c, process)
  if (problem < 0) return problem
  const wanted = group === 0 ? process.id : idOf(c, group)
  if (wanted !== process.id && !hasGroup(c, wanted)) return -EPERM
  moveTo(c, process, wanted, process.sessionId)
  return 0
}

/** Nobody may be left who is called by the number of the group or session before. */
function moveTo(c: SyscallContext, process: Process, groupId: number, sessionId: number): void {
  const before = [process.groupId, process.sessionId]
  process.groupId = groupId
  process.sessionId = sessionId
  for (const id of before) c.linux.ends.release(id)
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
  const process = processNamed(c, c.args.int(0))
  return process === undefined ? -ESRCH : numberOf(c, process.groupId)
}

function getsid(c: SyscallContext): number {
  const process = processNamed(c, c.args.int(0))
  return process === undefined ? -ESRCH : numberOf(c, process.sessionId)
}

function setsid(c: SyscallContext): number {
  const { process } = c
  for (const _ of c.linux.processTable.group(process.id)) return -EPERM
  moveTo(c, process, process.id, process.id)
  return process.number
}

export const groupCalls: readonly Syscall[] = [
  syscall(154, 'setpgid', 'dd', setpgid),
  syscall(155, 'getpgid', 'd', getpgid),
  syscall(156, 'getsid', 'd', getsid),
  syscall(157, 'setsid', '', setsid),
]

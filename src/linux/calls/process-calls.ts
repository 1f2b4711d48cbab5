/** System calls that begin and end programs: execve(2), exit(2), and what a thread tells the kernel about its end. */
import { E2BIG, EFAULT, EINVAL, ESRCH } from '../../base/errno.js'
import { loadUser64, readUserString } from '../../fault/user-copy.js'
import { Signal } from '../signal-numbers.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { REGISTERS_SET } from '../wait.js'
import { numberOf, threadAt } from './numbers.js'
import { StructWriter } from './user-data.js'

const PATH_BYTES_MAX = 4096
/** MAX_ARG_STRLEN: one argument. */
const ARGUMENT_BYTES_MAX = 131_072
/** All arguments together cannot be more pointers than this. */
const ARGUMENTS_MAX = 1 << 20
const ROBUST_HEAD_BYTES = 24

function exit(c: SyscallContext): number {
  const status = (c.args.low(0) & 0xff) << 8
  c.linux.tracing.calls.showEnding(c.thread)
  c.linux.ends.leaveThread(c.process, c.thread, status)
  return REGISTERS_SET
}

function exitGroup(c: SyscallContext): number {
  const status = (c.args.low(0) & 0xff) << 8
  c.linux.tracing.calls.showEnding(c.thread)
  c.linux.ends.endGroup(c.process, status)
  return REGISTERS_SET
}

/** A NULL-terminated array of strings; NULL itself is an empty one. */
function readStrings(c: SyscallContext, address: number): string[] | number {
  const strings: string[] = []
  const pointer = new Uint32Array(2)
  for (let at = address; address !== 0; at += 8) {
    if (loadUser64(c.mm, c.space, at, pointer) < 0) return -EFAULT
    const target = pointer[1]! * 0x1_0000_0000 + pointer[0]!
    if (target === 0) break
    if (strings.length >= ARGUMENTS_MAX) return -E2BIG
    const text = readUserString(c.mm, c.space, target, ARGUMENT_BYTES_MAX)
    if (typeof text === 'number') return text === -EFAULT ? -EFAULT : -E2BIG
    strings.push(text)
  }
  return strings
}

function execve(c: SyscallContext): number {
  const path = readUserString(c.mm, c.space, c.args.address(0), PATH_BYTES_MAX)
  if (typeof path === 'number') return path
  const argv = readStrings(c, c.args.address(1))
  if (typeof argv === 'number') return argv
  const envp = readStrings(c, c.args.address(2))
  if (typeof envp === 'number') return envp
  const request = { path, arguments: argv.length === 0 ? [''] : argv, environment: envp }
  const { id } = c.thread
  const problem = c.linux.programs.load(c.process, c.thread, request)
  if (problem === undefined) c.linux.tracing.executed(c.process, c.thread, id)
  if (problem?.fatal !== true) return problem?.errno ?? REGISTERS_SET
  c.linux.ends.endGroup(c.process, Signal.SEGV)
  return REGISTERS_SET
}

function setTidAddress(c: SyscallContext): number {
  c.thread.clearChildTid = c.args.address(0)
  return numberOf(c, c.thread.id)
}

function setRobustList(c: SyscallContext): number {
  if (c.args.address(1) !== ROBUST_HEAD_BYTES) return -EINVAL
  c.thread.robustList = c.args.address(0)
  return 0
}

function getRobustList(c: SyscallContext): number {
  const id = c.args.int(0)
  const thread = id === 0 ? c.thread : threadAt(c, id)
  if (thread === undefined) return -ESRCH
  if (new StructWriter(8).u64(0, ROBUST_HEAD_BYTES).copyTo(c, c.args.address(2)) < 0) return -EFAULT
  return new StructWriter(8).u64(0, thread.robustList).copyTo(c, c.args.address(1))
}

export const processCalls: readonly Syscall[] = [
  syscall(93, 'exit', 'd', exit),
  syscall(94, 'exit_group', 'd', exitGroup),
  syscall(96, 'set_tid_address', 'p', setTidAddress),
  syscall(99, 'set_robust_list', 'pu', setRobustList),
  syscall(100, 'get_robust_list', 'dpp', getRobustList),
  syscall(221, 'execve', 'spp', execve),
]

/** System calls that begin and end programs, and what little of threads a program with one of them needs. */
import { E2BIG, ECHILD, EFAULT, EINVAL } from '../../base/errno.js'
import { loadUser64, readUserString } from '../../fault/user-copy.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'
import { REGISTERS_SET } from '../wait.js'
import { StructWriter } from './user-data.js'

const PATH_BYTES_MAX = 4096
/** MAX_ARG_STRLEN: one argument. */
const ARGUMENT_BYTES_MAX = 131_072
/** All arguments together cannot be more pointers than this. */
const ARGUMENTS_MAX = 1 << 20
const ROBUST_HEAD_BYTES = 24

function exit(c: SyscallContext): number {
  c.linux.exit(c.process, (c.args.low(0) & 0xff) << 8)
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
  const result = c.linux.execute(c.process, c.thread, path, argv, envp)
  return result < 0 ? result : REGISTERS_SET
}

function setTidAddress(c: SyscallContext): number {
  c.thread.clearChildTid = c.args.address(0)
  return c.thread.id
}

function setRobustList(c: SyscallContext): number {
  if (c.args.address(1) !== ROBUST_HEAD_BYTES) return -EINVAL
  return 0
}

const GRND_FLAGS = 7
const GRND_RANDOM = 2
const GRND_INSECURE = 4
const RANDOM_CHUNK = 4096

function getrandom(c: SyscallContext): number {
  const flags = c.args.low(2)
  const both = GRND_RANDOM | GRND_INSECURE
  if ((flags & ~GRND_FLAGS) !== 0 || (flags & both) === both) return -EINVAL
  const length = Math.min(c.args.address(1), 2 ** 31 - 4096)
  for (let done = 0; done < length; ) {
    const chunk = new StructWriter(Math.min(RANDOM_CHUNK, length - done))
    c.linux.randomBytes(chunk.bytes)
    if (chunk.copyTo(c, c.args.address(0) + done) < 0) return done === 0 ? -EFAULT : done
    done += chunk.bytes.length
  }
  return length
}

/** membarrier(2): what the one hart of today can promise is all of it. */
const MEMBARRIER_QUERY = 0
const MEMBARRIER_KNOWN = 0x1ff

function membarrier(c: SyscallContext): number {
  const command = c.args.int(0)
  if (c.args.low(1) !== 0) return -EINVAL
  if (command === MEMBARRIER_QUERY) return MEMBARRIER_KNOWN
  const isOneKnown = (command & MEMBARRIER_KNOWN) === command && (command & (command - 1)) === 0
  return isOneKnown ? 0 : -EINVAL
}

/** The hart fetches every instruction from memory, so there is nothing to flush; the flags' only bit says for which threads. */
function flushInstructions(c: SyscallContext): number {
  return c.args.address(2) > 1 ? -EINVAL : 0
}

export const processCalls: readonly Syscall[] = [
  { number: 93, name: 'exit', trace: 'd', handler: exit },
  { number: 94, name: 'exit_group', trace: 'd', handler: exit },
  { number: 96, name: 'set_tid_address', trace: 'p', handler: setTidAddress },
  { number: 99, name: 'set_robust_list', trace: 'pu', handler: setRobustList },
  { number: 221, name: 'execve', trace: 'spp', handler: execve },
  { number: 259, name: 'riscv_flush_icache', trace: 'ppx', handler: flushInstructions },
  { number: 260, name: 'wait4', trace: 'dpdp', handler: () => -ECHILD },
  { number: 278, name: 'getrandom', trace: 'Bux', handler: getrandom },
  { number: 283, name: 'membarrier', trace: 'ddd', handler: membarrier },
]

/** System calls about the machine: random numbers, barriers, the instruction cache. */
import { EFAULT, EINVAL, EPERM } from '../../base/errno.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { StructWriter } from './user-data.js'

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

/**
 * membarrier(2). On the one hart every barrier holds by itself; what is left is to say so in the right words. A command
 * to a process's own threads must have been registered before.
 */
const Barrier = { query: 0, global: 1, globalExpedited: 2, privateRseq: 128, getRegistrations: 512 } as const
const BARRIERS_KNOWN = 0x3ff
/** Commands that must be registered, by the command that does it. */
const REGISTRATIONS: readonly number[] = [4, 16, 64, 256]
const REGISTER_PRIVATE = 16
const SPECIAL_REGISTRATIONS = 64 | 256
const FLAG_CPU = 1

function membarrier(c: SyscallContext): number {
  const command = c.args.int(0)
  const flags = c.args.low(1)
  if (flags !== 0 && !(command === Barrier.privateRseq && flags === FLAG_CPU)) return -EINVAL
  if (command === Barrier.query) return BARRIERS_KNOWN
  if (command === Barrier.global || command === Barrier.globalExpedited) return 0
  if (command === Barrier.getRegistrations) return registrationsOf(c)
  const isOneKnown = (command & BARRIERS_KNOWN) === command && (command & (command - 1)) === 0
  if (!isOneKnown) return -EINVAL
  if (REGISTRATIONS.includes(command)) c.space.barriers |= command
  else if ((c.space.barriers & (command << 1)) === 0) return -EPERM
  return 0
}

/** Who has registered for either of the two special ones counts as registered for the plain one too, though it may not use it. */
function registrationsOf(c: SyscallContext): number {
  const { barriers } = c.space
  return (barriers & SPECIAL_REGISTRATIONS) === 0 ? barriers : barriers | REGISTER_PRIVATE
}

/** The hart fetches every instruction from memory, so there is nothing to flush; the flags' only bit says for which threads. */
function flushInstructions(c: SyscallContext): number {
  return c.args.address(2) > 1 ? -EINVAL : 0
}

export const machineCalls: readonly Syscall[] = [
  syscall(259, 'riscv_flush_icache', 'ppx', flushInstructions),
  syscall(278, 'getrandom', 'Bux', getrandom),
  syscall(283, 'membarrier', 'ddd', membarrier),
]

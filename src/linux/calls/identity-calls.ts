/** System calls that ask who and where: numbers of the process, the system's name and personality. */

import { isLinux32, Personality } from '../personality.js'
import { LINUX_RELEASE, LINUX_RELEASE_26 } from '../release.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { numberOf } from './numbers.js'
import { StructWriter } from './user-data.js'

const NAME_BYTES = 65

function uname(c: SyscallContext): number {
  const { personality } = c.process
  const release = (personality & Personality.uname26) !== 0 ? LINUX_RELEASE_26 : LINUX_RELEASE
  const machine = isLinux32(personality) ? 'riscv32' : 'riscv64'
  const fields = ['Linux', '(none)', release, '#1 SMP Pagoda', machine, '(none)']
  const out = new StructWriter(NAME_BYTES * fields.length)
  fields.forEach((field, i) => {
    out.text(i * NAME_BYTES, field)
  })
  return out.copyTo(c, c.args.address(0))
}

function setPersonality(c: SyscallContext): number {
  const previous = c.process.personality
  if (c.args.low(0) !== 0xffff_ffff) c.process.personality = c.args.low(0)
  return previous
}

export const identityCalls: readonly Syscall[] = [
  syscall(92, 'personality', 'x', setPersonality),
  syscall(160, 'uname', 'p', uname),
  syscall(172, 'getpid', '', (c) => c.process.number),
  syscall(173, 'getppid', '', (c) => numberOf(c, c.process.parentId)),
  syscall(178, 'gettid', '', (c) => numberOf(c, c.thread.id)),
]

/** System calls that ask who and where: numbers of the process, the system's name and personality. */

import { isLinux32, Personality } from '../personality.js'
import { LINUX_RELEASE, LINUX_RELEASE_26 } from '../release.js'
import type { Syscall, SyscallContext } from '../syscall-context.js'
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
  { number: 92, name: 'personality', trace: 'x', handler: setPersonality },
  { number: 160, name: 'uname', trace: 'p', handler: uname },
  { number: 172, name: 'getpid', trace: '', handler: (c) => c.process.number },
  { number: 173, name: 'getppid', trace: '', handler: (c) => numberOf(c, c.process.parentId) },
  { number: 178, name: 'gettid', trace: '', handler: (c) => numberOf(c, c.thread.id) },
]

/** System calls about memory: decoded and done by syscall/, entered into the table here. */
import type { FaultEnv } from '../../fault/fault.js'
import type { AddressSpace } from '../../space/address-space.js'
import { sysMadvise } from '../../syscall/advise.js'
import { sysBrk } from '../../syscall/brk.js'
import { sysMlock, sysMlock2, sysMlockall, sysMunlock, sysMunlockall } from '../../syscall/lock.js'
import { sysMmap } from '../../syscall/map.js'
import { sysMincore } from '../../syscall/mincore.js'
import { sysMsync } from '../../syscall/msync.js'
import { sysMprotect } from '../../syscall/protect.js'
import { sysMremap } from '../../syscall/remap.js'
import type { SyscallArguments } from '../../syscall/syscall-arguments.js'
import { sysMunmap } from '../../syscall/unmap.js'
import type { Syscall, SyscallContext, SyscallHandler } from '../syscall-context.js'

type MemoryCall = (mm: FaultEnv, space: AddressSpace, args: SyscallArguments) => number

const on =
  (call: MemoryCall): SyscallHandler =>
  (c) =>
    call(c.mm, c.space, c.args)

function mmap(c: SyscallContext): number {
  return sysMmap(c.mm, c.space, c.args, (fd) => c.linux.files.fileBacking(c.process, fd))
}

function mincore(c: SyscallContext): number {
  return sysMincore(c.mm, c.space, c.args, (object) => c.linux.files.mayLookAt(c.process, object))
}

export const memoryCalls: readonly Syscall[] = [
  { number: 214, name: 'brk', trace: 'p', handler: on(sysBrk) },
  { number: 215, name: 'munmap', trace: 'pu', handler: on(sysMunmap) },
  { number: 216, name: 'mremap', trace: 'puuRp', handler: on(sysMremap) },
  { number: 222, name: 'mmap', trace: 'puPMfx', handler: mmap },
  { number: 226, name: 'mprotect', trace: 'puP', handler: on(sysMprotect) },
  { number: 227, name: 'msync', trace: 'pux', handler: on(sysMsync) },
  { number: 228, name: 'mlock', trace: 'pu', handler: on(sysMlock) },
  { number: 229, name: 'munlock', trace: 'pu', handler: on(sysMunlock) },
  { number: 230, name: 'mlockall', trace: 'x', handler: on(sysMlockall) },
  { number: 231, name: 'munlockall', trace: '', handler: on(sysMunlockall) },
  { number: 232, name: 'mincore', trace: 'pup', handler: mincore },
  { number: 233, name: 'madvise', trace: 'puA', handler: on(sysMadvise) },
  { number: 284, name: 'mlock2', trace: 'pux', handler: on(sysMlock2) },
]

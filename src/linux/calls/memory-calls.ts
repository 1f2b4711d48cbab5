/** System calls about memory: decoded and done by syscall/, entered into the table here. */
import { ENOSYS } from '../../base/errno.js'
import type { FaultEnv } from '../../fault/fault.js'
import type { AddressSpace } from '../../space/address-space.js'
import { sysMadvise } from '../../syscall/advise.js'
import { sysBrk } from '../../syscall/brk.js'
import { sysMlock, sysMlock2, sysMlockall, sysMunlock, sysMunlockall } from '../../syscall/lock.js'
import { sysMmap } from '../../syscall/map.js'
import { sysMincore } from '../../syscall/mincore.js'
import { MAP_ANONYMOUS } from '../../syscall/mman.js'
import { sysMsync } from '../../syscall/msync.js'
import { sysMprotect } from '../../syscall/protect.js'
import { sysMremap } from '../../syscall/remap.js'
import { sysRemapFilePages } from '../../syscall/remap-file-pages.js'
import { sysMseal } from '../../syscall/seal.js'
import type { SyscallArguments } from '../../syscall/syscall-arguments.js'
import { sysMunmap } from '../../syscall/unmap.js'
import { applyLimits } from '../limits.js'
import type { Syscall, SyscallContext, SyscallHandler } from '../syscall-context.js'

type MemoryCall = (mm: FaultEnv, space: AddressSpace, args: SyscallArguments) => number

/** The call is judged by the limits and rights of the process that makes it. */
const on =
  (call: MemoryCall): SyscallHandler =>
  (c) => {
    applyLimits(c.process, c.space)
    return call(c.mm, c.space, c.args)
  }

// Those that programs make by the thousand have functions of their own: V8 then knows what is called.

function mmap(c: SyscallContext): number {
  applyLimits(c.process, c.space)
  const result = sysMmap(c.mm, c.space, c.args, c.fileBacking)
  if (result >= 0 && (c.args.low(3) & MAP_ANONYMOUS) === 0) c.linux.files.wasMapped(c.process, c.args.int(4))
  return result
}

/** No limit is asked. */
function munmap(c: SyscallContext): number {
  return sysMunmap(c.mm, c.space, c.args)
}

function mprotect(c: SyscallContext): number {
  applyLimits(c.process, c.space)
  return sysMprotect(c.mm, c.space, c.args)
}

function madvise(c: SyscallContext): number {
  applyLimits(c.process, c.space)
  return sysMadvise(c.mm, c.space, c.args)
}

function mincore(c: SyscallContext): number {
  return sysMincore(c.mm, c.space, c.args, (object) => c.linux.files.mayLookAt(c.process, object))
}

export const memoryCalls: readonly Syscall[] = [
  { number: 214, name: 'brk', trace: 'p', handler: on(sysBrk) },
  { number: 215, name: 'munmap', trace: 'pu', handler: munmap },
  { number: 216, name: 'mremap', trace: 'puuRp', handler: on(sysMremap) },
  { number: 222, name: 'mmap', trace: 'puPMfx', handler: mmap },
  { number: 226, name: 'mprotect', trace: 'puP', handler: mprotect },
  { number: 227, name: 'msync', trace: 'pux', handler: on(sysMsync) },
  { number: 228, name: 'mlock', trace: 'pu', handler: on(sysMlock) },
  { number: 229, name: 'munlock', trace: 'pu', handler: on(sysMunlock) },
  { number: 230, name: 'mlockall', trace: 'x', handler: on(sysMlockall) },
  { number: 231, name: 'munlockall', trace: '', handler: on(sysMunlockall) },
  { number: 232, name: 'mincore', trace: 'pup', handler: mincore },
  { number: 233, name: 'madvise', trace: 'puA', handler: madvise },
  { number: 234, name: 'remap_file_pages', trace: 'puxux', handler: on(sysRemapFilePages) },
  { number: 284, name: 'mlock2', trace: 'pux', handler: on(sysMlock2) },
  // riscv64 has no protection keys: Linux knows the calls, and has them not.
  { number: 288, name: 'pkey_mprotect', trace: 'puPd', handler: () => -ENOSYS },
  { number: 289, name: 'pkey_alloc', trace: 'xx', handler: () => -ENOSYS },
  { number: 290, name: 'pkey_free', trace: 'd', handler: () => -ENOSYS },
  { number: 462, name: 'mseal', trace: 'pux', handler: on(sysMseal) },
]

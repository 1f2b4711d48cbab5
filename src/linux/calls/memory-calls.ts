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
import { type Syscall, type SyscallHandler, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'

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
  syscall(214, 'brk', 'p', on(sysBrk)),
  syscall(215, 'munmap', 'pu', munmap),
  syscall(216, 'mremap', 'puuRp', on(sysMremap)),
  syscall(222, 'mmap', 'puPMfx', mmap),
  syscall(226, 'mprotect', 'puP', mprotect),
  syscall(227, 'msync', 'pux', on(sysMsync)),
  syscall(228, 'mlock', 'pu', on(sysMlock)),
  syscall(229, 'munlock', 'pu', on(sysMunlock)),
  syscall(230, 'mlockall', 'x', on(sysMlockall)),
  syscall(231, 'munlockall', '', on(sysMunlockall)),
  syscall(232, 'mincore', 'pup', mincore),
  syscall(233, 'madvise', 'puA', madvise),
  syscall(234, 'remap_file_pages', 'puxux', on(sysRemapFilePages)),
  syscall(284, 'mlock2', 'pux', on(sysMlock2)),
  // riscv64 has no protection keys: Linux knows the calls, and has them not.
  syscall(288, 'pkey_mprotect', 'puPd', () => -ENOSYS),
  syscall(289, 'pkey_alloc', 'xx', () => -ENOSYS),
  syscall(290, 'pkey_free', 'd', () => -ENOSYS),
  syscall(462, 'mseal', 'pux', on(sysMseal)),
]

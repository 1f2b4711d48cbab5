import { EAGAIN, EBADF, EFAULT, EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { copyFromUserPartial } from '../fault/user-copy.js'
import type { AddressSpace } from '../space/address-space.js'
import { type Advice, adviseRange } from '../space/dont-need.js'
import { modifyFlags } from '../space/modify-flags.js'
import { ObjectKind } from '../space/page-object.js'
import { Special } from '../space/vma.js'
import { NAME_BYTES_MAX } from '../space/vma-names.js'
import { LockRank } from '../state/atomics.js'
import type { SyscallArguments } from './syscall-arguments.js'

const PR_SET_VMA_ANON_NAME = 0
/** What no name may have, besides what cannot be seen (is_valid_name_char). */
const NOT_IN_NAMES = /[^\x20-\x7e]|[\\`$[\]]/

/**
 * prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, length, name): names anonymous memory, or takes its name away (NULL). 0;
 * -EINVAL (another option, a name that is too long or has forbidden characters, unaligned, wraps around), -EFAULT (the
 * name), -ENOMEM (a hole; the rest is done), -EBADF (a file is mapped there), -EAGAIN (no memory to cut a mapping).
 */
export function sysSetVmaName(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  if (args.low(1) !== PR_SET_VMA_ANON_NAME || args.high(1) !== 0) return -EINVAL
  const name = args.isZero(4) ? NULL : readName(mm, space, args.address(4))
  if (name < 0) return name
  const result = nameRange(mm, space, args, name as Ptr)
  mm.names.release(name as Ptr)
  return result
}

/** A record of the name, with one reference. */
function readName(mm: FaultEnv, space: AddressSpace, address: number): Ptr | number {
  const bytes = new Uint8Array(NAME_BYTES_MAX + 1)
  const there = copyFromUserPartial(mm, space, address, bytes)
  const end = bytes.subarray(0, there).indexOf(0)
  if (end < 0) return there < bytes.length ? -EFAULT : -EINVAL
  const text = bytes.subarray(0, end)
  if (NOT_IN_NAMES.test(String.fromCharCode(...text))) return -EINVAL
  return mm.names.create(text) || -ENOMEM
}

/** madvise_set_anon_name. */
function nameRange(mm: FaultEnv, space: AddressSpace, args: SyscallArguments, name: Ptr): number {
  const start = args.page(2)
  const pages = args.pagesUp(3)
  if (!args.isPageAligned(2) || (pages === 0 && !args.isZero(3)) || start + pages >= 2 ** 52) return -EINVAL
  mm.atomics.lock(space.lock, LockRank.space)
  const result = adviseRange(mm, space, start as Vpn, (start + pages) as Vpn, nameMapping(name))
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function nameMapping(name: Ptr): Advice {
  return (mm, space, vma, start, end) => {
    const isFile = vma.object !== NULL && vma.special === Special.none
    if (isFile && mm.objects.kind(vma.object) !== ObjectKind.anonymousShared) return -EBADF
    if (mm.names.equal(vma.name, name)) return 0
    const result = modifyFlags(mm, space, vma, start, end, vma.flags, name)
    return result === -ENOMEM ? -EAGAIN : Math.min(result, 0)
  }
}

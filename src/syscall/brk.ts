import { pageOf, pagesFor, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { populateQuietly } from '../fault/populate.js'
import type { AddressSpace } from '../space/address-space.js'
import { setBrk } from '../space/set-brk.js'
import { VM_LOCKED } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** brk(addr): the new program break, or the old one when it cannot be moved there. Never an errno. */
export function sysBrk(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  mm.atomics.lock(space.lock, LockRank.space)
  const before = space.parts.brk
  const after = setBrk(mm, space, args.address(0))
  const locks = (space.defaultFlags & VM_LOCKED) !== 0
  mm.atomics.unlock(space.lock, LockRank.space)
  if (locks && after > before) populateQuietly(mm, space, pageOf(before), pagesFor(after) as Vpn)
  return after
}

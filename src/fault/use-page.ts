/**
 * Pages of a program in the kernel's hands while other harts fault in the same space, and drop pages of it: the space's lock is held together with
 * them. A page is used under the lock of its table: else another hart could put a copy in its place, or drop it, and its frame be somebody's who
 * is written to. A huge page only goes when somebody has the space for himself.
 */
import { NULL, type Ptr, ptrToFrame, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { LockRank } from '../state/atomics.js'
import { Access } from './access.js'
import type { FaultEnv } from './fault.js'
import { faultShared } from './handle-fault.js'
import { noteWritten, presentFrame } from './present-frame.js'

/** Another hart may drop the page again between the fault and its use. */
const ATTEMPTS_MAX = 3

/** Calls `use` with where the page is in the buffer, faulted in for the access if need be. False without a call: who has the space for himself must do it. */
export function usePage(
  mm: FaultEnv,
  space: AddressSpace,
  vpn: Vpn,
  access: Access,
  use: (frame: Ptr) => void,
): boolean {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (usePresent(mm, space, vpn, access, use)) return true
    if (!faultShared(mm, space, vpn, access)) return false
  }
  return false
}

function usePresent(
  mm: FaultEnv,
  space: AddressSpace,
  vpn: Vpn,
  access: Access,
  use: (frame: Ptr) => void,
): boolean {
  if (vpn < 0 || vpn >= mm.arch.userEnd) return false
  const { atomics, frames } = mm
  const mapper = mm.userMappers.of(space.root)
  const entry = mapper.leaf(vpn)
  if (entry === NULL && mapper.hugeLeaf(vpn) === NULL) return false
  const [lock, rank] =
    entry === NULL
      ? [space.upperTables, LockRank.upperTables]
      : [frames.ownerPtr(ptrToFrame(entry)), LockRank.leafTable]
  atomics.lock(lock, rank)
  const frame = presentFrame(mm, space, vpn, access)
  if (frame !== NULL) use(frame)
  if (frame !== NULL && access === Access.write) noteWritten(mm, frame)
  atomics.unlock(lock, rank)
  return frame !== NULL
}

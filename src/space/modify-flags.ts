import { EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { extentOf, splitVma } from './extent.js'
import { cutProblem } from './huge-pool.js'
import { mergeExisting } from './merge.js'
import type { SpaceEnv } from './space-env.js'
import { mapCountMax } from './tunables.js'
import type { Vma } from './vma.js'

/**
 * Gives a part of one mapping other flags, another name, memory policy or context of userfaultfd(2): merges it with a neighbour or cuts the mapping
 * (vma_modify_flags_name). Accounts nothing. `vma` is a view that may be left anywhere. Returns the mapping that holds `start` afterwards, or
 * -EINVAL (a huge page of a pool, or pages of the kernel's, would be cut) or -ENOMEM; at the limit of mappings the first of two cuts may have been made, as in Linux.
 */
export function modifyFlags(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  flags: number,
  name = vma.name,
  policy = vma.policy,
  userfault = vma.userfault,
): Ptr | number {
  if (start === vma.start || end === vma.end) {
    const extent = extentOf(vma, start, end, flags)
    extent.name = name
    extent.policy = policy
    extent.userfault = userfault
    const merged = mergeExisting(mm, space, vma, extent)
    if (merged !== NULL) return merged
  }
  const result = setApart(mm, space, vma, start, end)
  if (result > 0) {
    change(mm, vma.at(result as Ptr), flags, name, policy)
    vma.userfault = userfault
  }
  return result
}

/** Makes a part of a mapping one of its own, and returns it; or -ENOMEM, -EINVAL, as modifyFlags does. */
export function setApart(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): Ptr | number {
  const cutsStart = start > vma.start
  const cutsEnd = end < vma.end
  if (!cutsStart && !cutsEnd) return vma.ptr
  if ((cutsStart && cutProblem(mm, vma, start) < 0) || (cutsEnd && cutProblem(mm, vma, end) < 0))
    return -EINVAL
  const middle = cutsStart ? mm.vmas.allocateVma() : NULL
  const upper = cutsEnd ? mm.vmas.allocateVma() : NULL
  const hasMemory = (middle !== NULL || !cutsStart) && (upper !== NULL || !cutsEnd)
  if (!hasMemory || !mm.vmas.reserve(space, 2)) return giveBack(mm, middle, upper)
  if (cutsStart) {
    if (space.vmaCount >= mapCountMax(mm)) return giveBack(mm, middle, upper)
    splitVma(mm, space, vma, start, middle)
    vma.at(middle)
  }
  if (cutsEnd) {
    if (space.vmaCount >= mapCountMax(mm)) return giveBack(mm, NULL, upper)
    splitVma(mm, space, vma, end, upper)
  }
  return vma.ptr
}

/** Records that were not needed after all. */
function giveBack(mm: SpaceEnv, middle: Ptr, upper: Ptr): number {
  mm.vmas.freeVma(middle)
  mm.vmas.freeVma(upper)
  return -ENOMEM
}

function change(mm: SpaceEnv, vma: Vma, flags: number, name: Ptr, policy: number): void {
  vma.flags = flags
  vma.policy = policy
  if (name === vma.name) return
  mm.names.release(vma.name)
  vma.name = mm.names.retain(name)
}

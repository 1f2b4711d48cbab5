import { ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { type Extent, extentOf, splitVma } from './extent.js'
import { mergeExisting } from './merge.js'
import type { SpaceEnv } from './space-env.js'
import { mapCountMax } from './tunables.js'
import type { Vma } from './vma.js'

/**
 * Gives a part of one mapping other flags, another name or memory policy: merges it with a neighbour or cuts the mapping
 * (vma_modify_flags_name). Accounts nothing. `vma` is a view that may be left anywhere. Returns the mapping that holds `start` afterwards, or -ENOMEM; at
 * the limit of mappings the first of two cuts may have been made, as in Linux.
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
): Ptr | number {
  const extent: Extent = { ...extentOf(vma, start, end), flags, name, policy }
  const merged = mergeExisting(mm, space, vma, extent)
  if (merged !== NULL) return merged
  const result = setApart(mm, space, vma, start, end)
  if (result > 0) change(mm, vma.at(result as Ptr), flags, name, policy)
  return result
}

/** Makes a part of a mapping one of its own, and returns it; or -ENOMEM, as modifyFlags does. */
export function setApart(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): Ptr | number {
  const cuts = (start > vma.start ? 1 : 0) + (end < vma.end ? 1 : 0)
  const fresh = allocateCuts(mm, space, cuts)
  if (fresh === undefined) return -ENOMEM
  const result = cutOut(mm, space, vma, start, end, fresh)
  for (const unused of fresh) mm.vmas.freeVma(unused)
  return result
}

function change(mm: SpaceEnv, vma: Vma, flags: number, name: Ptr, policy: number): void {
  vma.flags = flags
  vma.policy = policy
  if (name === vma.name) return
  mm.names.release(vma.name)
  vma.name = mm.names.retain(name)
}

/** Records and nodes for so many cuts, or undefined (and none) without memory. */
function allocateCuts(mm: SpaceEnv, space: AddressSpace, cuts: number): Ptr[] | undefined {
  if (cuts > 0 && !mm.vmas.reserve(space, cuts)) return undefined
  const fresh: Ptr[] = []
  while (fresh.length < cuts) {
    const vma = mm.vmas.allocateVma()
    if (vma === NULL) {
      for (const given of fresh) mm.vmas.freeVma(given)
      return undefined
    }
    fresh.push(vma)
  }
  return fresh
}

/** Makes the range a mapping of its own. Takes what it needs from `fresh`. */
function cutOut(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  fresh: Ptr[],
): Ptr | number {
  let middle = vma.ptr
  if (start > vma.start) {
    if (space.vmaCount >= mapCountMax(mm)) return -ENOMEM
    middle = fresh.pop()!
    splitVma(mm, space, vma, start, middle)
    vma.at(middle)
  }
  if (end < vma.end) {
    if (space.vmaCount >= mapCountMax(mm)) return -ENOMEM
    splitVma(mm, space, vma, end, fresh.pop()!)
  }
  return middle
}

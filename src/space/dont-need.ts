import { EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { VM_LOCKED, VM_PFNMAP } from './vm-flags.js'
import { Vma } from './vma.js'
import { zapRange } from './zap-range.js'

/** What an advice does to the part `start` to `end` - 1 of one mapping: 0 or a negative errno, which ends the walk. */
export type Advice = (mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn) => number

/**
 * Gives an advice to every mapping of a range (madvise_walk_vmas). Holes are skipped, and make the result -ENOMEM when
 * nothing worse happens.
 */
export function adviseRange(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn, advice: Advice): number {
  let result = 0
  for (let at = start; at < end; ) {
    const vma = new Vma(mm.memory, mm.vmas.find(space, at))
    if (vma.ptr === NULL || vma.start >= end) return -ENOMEM
    if (vma.start > at) result = -ENOMEM
    const stop = Math.min(vma.end, end) as Vpn
    const problem = advice(mm, space, vma, Math.max(vma.start, at) as Vpn, stop)
    if (problem < 0) return problem
    at = stop
  }
  return result
}

/** MADV_DONTNEED: the pages are forgotten. -EINVAL for locked memory, -ENOMEM for holes, after what came before them. */
export function adviseDontNeed(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  return adviseRange(mm, space, start, end, dropPages)
}

function dropPages(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): number {
  if ((vma.flags & (VM_LOCKED | VM_PFNMAP)) !== 0) return -EINVAL
  const batch = mm.flusher.batch(space.root)
  zapRange(mm, space, vma, start, end, batch)
  batch.finish()
  return 0
}

import { ENOMEM } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { modifyFlags } from './modify-flags.js'
import type { SpaceEnv } from './space-env.js'
import { VM_DROPPABLE, VM_LOCKED, VM_LOCKED_MASK, VM_SPECIAL } from './vm-flags.js'
import { Vma } from './vma.js'

/**
 * mlock and munlock: gives a range VM_LOCKED, VM_LOCKED | VM_LOCKONFAULT or neither (apply_vma_lock_flags). Faults nothing
 * in. -ENOMEM at a hole or without memory; what lies before it stays changed.
 */
export function lockRange(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn, lock: number): number {
  const vma = new Vma(mm.memory)
  for (let at = start; at < end; ) {
    const holding = mm.vmas.findHolding(space, at)
    if (holding === NULL) return -ENOMEM
    const stop = Math.min(vma.at(holding).end, end) as Vpn
    const result = lockMapping(mm, space, vma, at, stop, lock)
    if (result < 0) return result
    at = stop
  }
  return 0
}

/** What is secret is never paged out, so that it has no need to be locked. */
function isSecret(mm: SpaceEnv, { object }: Vma): boolean {
  return object !== NULL && mm.objects.isSecret(object)
}

function lockMapping(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  lock: number,
): number {
  const old = vma.flags
  const flags = (old & ~VM_LOCKED_MASK) | lock
  if (flags === old || (old & (VM_SPECIAL | VM_DROPPABLE)) !== 0 || isSecret(mm, vma)) return 0
  const result = modifyFlags(mm, space, vma, start, end, flags)
  if (result < 0) return result
  const wasLocked = (old & VM_LOCKED) !== 0
  const isLocked = (flags & VM_LOCKED) !== 0
  if (wasLocked !== isLocked) space.counts.lockedPages += isLocked ? end - start : start - end
  return 0
}

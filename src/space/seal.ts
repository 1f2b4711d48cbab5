/** mseal: mappings that stay as and where they are until the space ends (mm/mseal.c of Linux 6.12). */
import { ENOMEM, EPERM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { type AddressSpace, SpaceFlag } from './address-space.js'
import { splitVma } from './extent.js'
import { modifyFlags } from './modify-flags.js'
import type { SpaceEnv } from './space-env.js'
import { mapCountMax } from './tunables.js'
import { VM_SEALED, VM_SHARED, VM_WRITE } from './vm-flags.js'
import { Vma } from './vma.js'

export function isSealed(vma: Vma): boolean {
  return (vma.flags & VM_SEALED) !== 0
}

/** What a sealed mapping may not lose its contents by: private anonymous memory that cannot be written (is_ro_anon). */
export function keepsContents(vma: Vma): boolean {
  return isSealed(vma) && vma.object === NULL && (vma.flags & (VM_SHARED | VM_WRITE)) === 0
}

/** Seals a range: 0; -ENOMEM and no effect when there is a hole in it, or for want of memory with a part of it sealed. */
export function sealRange(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  const vma = new Vma(mm.memory)
  for (let at = start; at < end; at = vma.end) {
    const holding = mm.vmas.findHolding(space, at)
    if (holding === NULL) return -ENOMEM
    vma.at(holding)
  }
  for (let at = start; at < end; ) {
    vma.at(mm.vmas.findHolding(space, at))
    const stop = Math.min(vma.end, end) as Vpn
    if (!isSealed(vma)) {
      const result = modifyFlags(mm, space, vma, at, stop, vma.flags | VM_SEALED)
      if (result < 0) return result
      space.flags |= SpaceFlag.hasSeals
    }
    at = stop
  }
  return 0
}

/**
 * Whether nothing in a range keeps it from being unmapped: 0, or -EPERM. As Linux has cut the mapping that reaches into the
 * range from below when it meets the first sealed one, so is it here (vms_gather_munmap_vmas); -ENOMEM when it cannot.
 */
export function checkSeals(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  if ((space.flags & SpaceFlag.hasSeals) === 0) return 0
  const first = new Vma(mm.memory, mm.vmas.find(space, start))
  if (first.ptr === NULL || !meetsSeal(mm, first.ptr, end)) return 0
  if (first.start >= start) return -EPERM
  if (first.end > end && space.vmaCount >= mapCountMax(mm)) return -ENOMEM
  return isSealed(first) ? -EPERM : cutStart(mm, space, first, start) || -EPERM
}

function meetsSeal(mm: SpaceEnv, first: Ptr, end: Vpn): boolean {
  const vma = new Vma(mm.memory, first)
  while (vma.ptr !== NULL && vma.start < end) {
    if (isSealed(vma)) return true
    vma.at(mm.vmas.next(vma.ptr))
  }
  return false
}

/** Cuts the mappings that reach beyond the ends of a range, as far as mappings and memory allow. */
export function cutEnds(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): void {
  const vma = new Vma(mm.memory)
  for (const at of [start, end]) {
    vma.at(mm.vmas.findHolding(space, at))
    if (vma.ptr !== NULL && vma.start < at && cutStart(mm, space, vma, at) < 0) return
  }
}

/** 0 or -ENOMEM. */
function cutStart(mm: SpaceEnv, space: AddressSpace, vma: Vma, at: Vpn): number {
  const fresh = mm.vmas.reserve(space, 1) ? mm.vmas.allocateVma() : NULL
  if (fresh === NULL) return -ENOMEM
  splitVma(mm, space, vma, at, fresh)
  return 0
}

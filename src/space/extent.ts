/** The parts of an address range that a mapping is made of, and the steps by which mappings change. None can fail. */
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { splitHugeAt } from './split-huge.js'
import { Vma } from './vma.js'

/** What decides whether a mapping can be merged with its neighbour. */
export interface Extent {
  readonly start: Vpn
  readonly end: Vpn
  readonly pageOffset: number
  readonly flags: number
  readonly object: Ptr
  readonly file: number
  readonly family: Ptr
  name: Ptr
  policy: number
  userfault: Ptr
}

/** What the pages `start` to `end` - 1 of a mapping are, or those above its end would be if it grew; or with other flags. */
export function extentOf(vma: Vma, start: Vpn, end: Vpn, flags = vma.flags): Extent {
  const { object, file, family, name, policy, userfault } = vma
  return { start, end, pageOffset: vma.offsetOf(start), flags, object, file, family, name, policy, userfault }
}

/** Makes `fresh` a mapping of the space, below `above`. Nodes are reserved; object and name get a reference. */
export function insertVma(
  mm: SpaceEnv,
  space: AddressSpace,
  fresh: Vma,
  extent: Extent,
  above = mm.vmas.find(space, extent.start),
): void {
  fresh.start = extent.start
  fresh.end = extent.end
  fresh.pageOffset = extent.pageOffset
  fresh.flags = extent.flags
  fresh.object = extent.object
  fresh.file = extent.file
  fresh.name = mm.names.retain(extent.name)
  fresh.policy = extent.policy
  fresh.userfault = extent.userfault
  mm.vmas.insert(space, fresh.ptr, above)
  if (extent.object !== NULL) mm.objects.attachVma(extent.object, fresh.ptr)
  if (extent.family !== NULL) mm.families.join(fresh, extent.family)
}

/** Takes a mapping away and frees its record. Its pages are somebody else's by now, or gone. */
export function removeVma(mm: SpaceEnv, space: AddressSpace, vma: Vma): void {
  mm.families.leave(vma)
  mm.vmas.remove(space, vma.ptr)
  freeRecord(mm, vma)
}

/** `vma` takes everything up to the end of the mapping that follows it, which disappears. */
export function absorbVma(mm: SpaceEnv, space: AddressSpace, vma: Vma, next: Vma): void {
  mm.families.leave(next)
  mm.vmas.absorb(space, vma.ptr, next.ptr)
  freeRecord(mm, next)
}

function freeRecord(mm: SpaceEnv, vma: Vma): void {
  if (vma.object !== NULL) mm.objects.detachVma(vma.object, vma.ptr)
  mm.names.release(vma.name)
  mm.vmas.freeVma(vma.ptr)
}

/** Cuts pages off the start of a mapping, or adds some. */
export function moveStart(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn): void {
  splitHugeAt(mm, space, vma, start)
  vma.pageOffset += start - vma.start
  mm.vmas.setBounds(space, vma.ptr, start, vma.end)
}

export function moveEnd(mm: SpaceEnv, space: AddressSpace, vma: Vma, end: Vpn): void {
  splitHugeAt(mm, space, vma, end)
  mm.vmas.setBounds(space, vma.ptr, vma.start, end)
}

/** Moves the border of two mappings, the second of which begins where the first one ends, to a page in one of them. */
export function moveBorder(mm: SpaceEnv, space: AddressSpace, below: Vma, above: Vma, at: Vpn): void {
  splitHugeAt(mm, space, at < below.end ? below : above, at)
  above.pageOffset += at - above.start
  mm.vmas.moveBorder(space, below.ptr, above.ptr, at)
}

/** Cuts a mapping in two at a page inside it; `fresh` (one node is reserved) becomes the upper part. */
export function splitVma(mm: SpaceEnv, space: AddressSpace, vma: Vma, at: Vpn, fresh: Ptr): void {
  splitHugeAt(mm, space, vma, at)
  const { object, family } = vma
  const upper = new Vma(mm.memory, fresh)
  upper.pageOffset = vma.offsetOf(at)
  upper.flags = vma.flags
  upper.object = object
  upper.file = vma.file
  upper.special = vma.special
  upper.policy = vma.policy
  upper.userfault = vma.userfault
  upper.name = mm.names.retain(vma.name)
  mm.vmas.split(space, vma.ptr, at, fresh)
  if (object !== NULL) mm.objects.attachVma(object, fresh)
  else upper.bias = vma.bias
  if (family !== NULL) mm.families.join(upper, family)
}

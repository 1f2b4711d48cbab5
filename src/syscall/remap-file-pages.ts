import { EINVAL, EOVERFLOW, EPERM } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { populateQuietly } from '../fault/populate.js'
import type { AddressSpace } from '../space/address-space.js'
import { type MapRequest, mapRegion, placeMapping } from '../space/map-region.js'
import { unmapRange } from '../space/unmap-range.js'
import {
  VM_ACCESS_FLAGS,
  VM_DONTDUMP,
  VM_LOCKED,
  VM_MAY_ACCESS,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_SHARED,
  VM_WRITE,
} from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { FILE_PAGES_MAX } from './map-flags.js'
import { MAP_NONBLOCK } from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** Of a shared mapping's flags, those that the mapping in its place gets too. */
const KEPT = VM_ACCESS_FLAGS | VM_MAY_ACCESS | VM_SHARED | VM_MAYSHARE | VM_LOCKED
const HIGH = 2n ** 64n

/**
 * remap_file_pages(addr, size, prot, pgoff, flags): shows another part of the object that is mapped there. Emulated, as since
 * Linux 4.0: a mapping of its own takes the place. 0; -EINVAL, -EOVERFLOW (beyond the largest file), -EPERM (seals of the file), or what mmap says.
 */
export function sysRemapFilePages(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const start = args.page(0)
  const pages = args.page(1)
  if (!args.isZero(2) || pages === 0 || start + pages >= 2 ** 52) return -EINVAL
  const offset = (BigInt(args.high(3)) << 32n) | BigInt(args.low(3))
  if (offset + BigInt(pages) >= HIGH) return -EINVAL
  mm.atomics.lock(space.lock, LockRank.space)
  const result = remapLocked(mm, space, start as Vpn, pages, Number(offset))
  mm.atomics.unlock(space.lock, LockRank.space)
  if (result < 0) return result
  const waits = (args.low(4) & MAP_NONBLOCK) === 0
  if (waits) populateQuietly(mm, space, start as Vpn, (start + pages) as Vpn)
  return 0
}

function remapLocked(
  mm: FaultEnv,
  space: AddressSpace,
  start: Vpn,
  pages: number,
  pageOffset: number,
): number {
  const holding = start < mm.arch.userEnd ? mm.vmas.findHolding(space, start) : NULL
  if (holding === NULL) return -EINVAL
  const vma = new Vma(mm.memory, holding)
  if ((vma.flags & VM_SHARED) === 0 || !isOneView(mm, vma, start + pages)) return -EINVAL
  if (pageOffset > FILE_PAGES_MAX - pages) return -EOVERFLOW
  const { object, file } = vma
  const isSealed = mm.objects.isWriteSealed(object)
  if (isSealed && (vma.flags & VM_WRITE) !== 0) return -EPERM
  const kept = vma.flags & (isSealed ? KEPT & ~VM_MAYWRITE : KEPT)
  const flags = kept | (mm.objects.isSecret(object) ? VM_DONTDUMP : 0) | space.defaultFlags
  const request = { start, pages, flags, object, pageOffset, fixed: true, file }
  if (mm.objects.endsUnmapped(object) && isAllOfIt(mm, vma, start, start + pages)) {
    return unmapForGood(mm, space, request)
  }
  mm.objects.retain(object)
  const result = mapRegion(mm, space, request)
  mm.objects.release(object)
  return result
}

/** What is there goes before the other part can be mapped, and with it the object (shm_mmap): -EINVAL, or what hinders it before. */
function unmapForGood(mm: FaultEnv, space: AddressSpace, request: MapRequest): number {
  const place = placeMapping(mm, space, request)
  if (place < 0) return place
  const unmapped = unmapRange(mm, space, request.start, (request.start + request.pages) as Vpn)
  return unmapped < 0 ? unmapped : -EINVAL
}

/** Whether nobody maps the object but the mappings in the range, the first of which is given, and these not outside of it. */
function isAllOfIt(mm: FaultEnv, first: Vma, start: number, end: number): boolean {
  const vma = new Vma(mm.memory, first.ptr)
  if (vma.start !== start) return false
  let inside = 1
  for (; vma.end < end; inside++) vma.at(mm.vmas.next(vma.ptr))
  return vma.end === end && mm.objects.mappings(first.object) === inside
}

/** Whether the range up to `end` is mapped without a hole, from one open file, with one set of flags. */
function isOneView(mm: FaultEnv, first: Vma, end: number): boolean {
  const vma = new Vma(mm.memory, first.ptr)
  while (vma.end < end) {
    const below = vma.end
    vma.at(mm.vmas.next(vma.ptr))
    if (vma.ptr === NULL || vma.start !== below) return false
    if (vma.object !== first.object || !vma.hasFile(first.file) || vma.flags !== first.flags) return false
  }
  return true
}

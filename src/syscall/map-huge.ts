/** mmap of huge pages from a pool that is empty: MAP_HUGETLB, files of MFD_HUGETLB, segments of SHM_HUGETLB (mm/hugetlb.c, fs/hugetlbfs). */
import { EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import type { AddressSpace } from '../space/address-space.js'
import { findHugePlace, hugeKind, pagesOfKind } from '../space/huge-pool.js'
import { mapAt, placeMapping, type MapRequest as RegionRequest } from '../space/map-region.js'
import { unmapRange } from '../space/unmap-range.js'
import { VM_NORESERVE, VM_WRITE } from '../space/vm-flags.js'
import type { FileBacking } from './file-backing.js'
import type { MapRequest } from './map-flags.js'
import * as mman from './mman.js'

/** The kernel's own file behind MAP_ANONYMOUS | MAP_HUGETLB; -EINVAL for a size that there is not. */
export function hugeFile(flags: number): FileBacking | number {
  const huge = hugeKind((flags >>> mman.MAP_HUGE_SHIFT) & mman.MAP_HUGE_MASK)
  if (huge === undefined) return -EINVAL
  return { object: NULL, readable: true, writable: true, executable: true, mappable: true, huge }
}

/** Where the mapping goes: -EINVAL for an order that is no multiple of a huge page (hugetlb_get_unmapped_area). */
export function placeHuge(
  mm: FaultEnv,
  space: AddressSpace,
  request: MapRequest,
  region: RegionRequest,
): Vpn | number {
  const unit = pagesOfKind(request.file!.huge!)
  const { pages } = region
  if (pages > mm.arch.userEnd) return -ENOMEM
  if (region.fixed || region.noReplace === true) {
    return region.start % unit === 0 ? placeMapping(mm, space, region) : -EINVAL
  }
  const start = findHugePlace(mm, space, request.page, pages, unit)
  return start < 0 ? start : placeMapping(mm, space, { ...region, start: start as Vpn, fixed: true })
}

/**
 * Maps at `start` with `vmFlags` (hugetlbfs_file_mmap). What was in its place is gone when it turns out that the offset is no
 * multiple of a huge page (-EINVAL), or that there is none to be reserved (-ENOMEM).
 */
export function mapHuge(
  mm: FaultEnv,
  space: AddressSpace,
  start: Vpn,
  request: MapRequest,
  region: RegionRequest,
  vmFlags: number,
): Vpn | number {
  const { flags, offset, pages } = request
  const isReserved = request.file?.reserved === true
  const granted = isReserved ? vmFlags : vmFlags | VM_NORESERVE
  const page = mapAt(mm, space, start, region, granted)
  if (page < 0) return page
  const isMisplaced = offset % pagesOfKind(request.file!.huge!) !== 0
  if (isMisplaced || (!isReserved && (flags & mman.MAP_NORESERVE) === 0)) {
    unmapRange(mm, space, start, (start + pages) as Vpn)
    return isMisplaced ? -EINVAL : -ENOMEM
  }
  if ((granted & VM_WRITE) !== 0) grow(mm, region.object, (offset + pages) * PAGE_SIZE)
  return page
}

function grow(mm: FaultEnv, object: Ptr, bytes: number): void {
  if (bytes > mm.objects.size(object)) mm.objects.extend(object, bytes)
}

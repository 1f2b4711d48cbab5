import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn, Ptr } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { AddressSpace } from './address-space.js'
import { forEachSpaceOf, forEachViewIn, type ObjectSpacesEnv } from './object-spaces.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES } from './vm-flags.js'

/** Whether anybody but page tables has one of the pages that are or could be a huge page, from `first` on: a pipe, or the kernel at work. */
export function isHeld(mm: ObjectSpacesEnv, object: Ptr, first: number): boolean {
  const mappings = new Uint32Array(HUGE_PAGES)
  forEachSpaceOf(mm, object, (space) => countMappings(mm, space, object, first, mappings))
  let isHeld = false
  mm.objects.lock(object)
  const look = (index: number, pfn: Pfn) => {
    isHeld ||= mm.frames.refCount(pfn) > 1 + mappings[index - first]!
  }
  mm.objects.forEachPage(object, look, first, first + HUGE_PAGES)
  mm.objects.unlock(object)
  return isHeld
}

function countMappings(
  mm: SpaceEnv,
  space: AddressSpace,
  object: Ptr,
  first: number,
  mappings: Uint32Array,
): void {
  const mapper = mm.userMappers.of(space.root)
  forEachViewIn(mm, space, object, first, first + HUGE_PAGES, (vma, from, to) => {
    mapper.walkPages(from, to, (vpn, pfn, flags) => {
      const isCounted = (flags & EntryFlag.special) === 0
      if (isCounted && (mm.frames.flags(pfn) & FrameFlag.file) !== 0) mappings[vma.offsetOf(vpn) - first]!++
    })
  })
}

import type { Ptr, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { AddressSpace } from './address-space.js'
import { forEachSpaceOf, forEachViewIn, type ObjectSpacesEnv } from './object-spaces.js'
import type { SpaceEnv } from './space-env.js'
import type { Vma } from './vma.js'
import { zapRange } from './zap-range.js'

/**
 * Takes the object's own pages out of every address space that maps them, copies stay. `visit` is told of each mapping that shows any of
 * them, mapped or not.
 */
export function unmapOriginals(
  mm: ObjectSpacesEnv,
  object: Ptr,
  first: number,
  end: number,
  visit?: (vma: Vma) => void,
): void {
  forEachSpaceOf(mm, object, (space) => {
    const batch = mm.flusher.batch(space.root)
    forEachViewIn(mm, space, object, first, end, (vma, from, to) => {
      visit?.(vma)
      zapOriginals(mm, space, vma, from, to, batch)
    })
    batch.finish()
  })
}

/** zapRange of the object's own pages only. */
export function zapOriginals(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  batch: FlushBatch,
): void {
  const mapper = mm.userMappers.of(space.root)
  mapper.eachHuge(start, end, (vpn) => zapRange(mm, space, vma, vpn, (vpn + 1) as Vpn, batch))
  mapper.walk(start, end, (vpn, entry) => {
    const isOriginal = (mm.frames.flags(mapper.pfn(entry)) & FrameFlag.file) !== 0
    if (isOriginal) zapRange(mm, space, vma, vpn, (vpn + 1) as Vpn, batch)
  })
}

import { NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES } from './vm-flags.js'
import type { Vma } from './vma.js'
import { countZapped } from './zap-range.js'

/**
 * A mapping is about to begin or end at `at`: the huge leaf of `vma` that has this page inside is split, so that none ever
 * reaches over the end of its mapping (vma_adjust_trans_huge).
 */
export function splitHugeAt(mm: SpaceEnv, space: AddressSpace, vma: Vma, at: Vpn): void {
  if (vma.pages < HUGE_PAGES) return
  const first = Math.floor(at / HUGE_PAGES) * HUGE_PAGES
  if (first === at) return
  const isObjects = vma.object !== NULL && mm.objects.hasFolios(vma.object)
  if (vma.family === NULL && !isObjects) return
  if (first < vma.start || first + HUGE_PAGES > vma.end) return
  if (isObjects) {
    dropHugeAt(mm, space, vma, at)
    return
  }
  const batch = mm.flusher.batch(space.root)
  mm.userMappers.of(space.root).splitAt(at, batch)
  batch.finish()
}

/** Takes the huge leaf of an object's pages away that maps a page, if one does: its pages are faulted in again, each as it is used. */
export function dropHugeAt(mm: SpaceEnv, space: AddressSpace, vma: Vma, at: Vpn): void {
  const mapper = mm.userMappers.of(space.root)
  const leaf = mapper.hugeLeaf(at)
  if (leaf === NULL) return
  const batch = mm.flusher.batch(space.root)
  const tally = { anonymous: 0, others: 0 }
  mapper.dropHuge(leaf, at, batch, tally)
  batch.finish()
  countZapped(mm, space, vma, tally)
}

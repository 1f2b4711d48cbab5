import { NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES } from './vm-flags.js'
import type { Vma } from './vma.js'

/**
 * A mapping is about to begin or end at `at`: the huge leaf of `vma` that has this page inside is split, so that none ever
 * reaches over the end of its mapping (vma_adjust_trans_huge).
 */
export function splitHugeAt(mm: SpaceEnv, space: AddressSpace, vma: Vma, at: Vpn): void {
  const first = Math.floor(at / HUGE_PAGES) * HUGE_PAGES
  if (first === at || vma.family === NULL) return
  if (first < vma.start || first + HUGE_PAGES > vma.end) return
  const batch = mm.flusher.batch(space.root)
  mm.userMappers.of(space.root).splitAt(at, batch)
  batch.finish()
}

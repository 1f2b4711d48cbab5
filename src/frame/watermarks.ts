/**
 * How few free frames are few: the watermarks of a zone, from its size (mm/page_alloc.c: init_per_zone_wmark_min and
 * __setup_per_zone_wmarks, raised for huge pages by set_recommended_min_free_kbytes of mm/khugepaged.c).
 */
export interface Watermarks {
  /** Pages. */
  readonly min: number
  readonly low: number
  readonly high: number
  readonly promotion: number
}

const KIB_PER_PAGE = 4
const MIN_KIB = { least: 128, most: 262_144 }
/** vm.watermark_scale_factor, of 10,000. */
const SCALE = 10
/** Two page blocks and nine more, so that each kind of page finds one of its own: 11 × 512 pages. */
const FOR_HUGE_PAGES = 5632

/** vm.min_free_kbytes of a machine that has so many pages to give. */
export function minimumFreeKib(pages: number): number {
  const root = Math.floor(Math.sqrt(pages * KIB_PER_PAGE * 16))
  const plain = Math.min(Math.max(root, MIN_KIB.least), MIN_KIB.most)
  const { high } = watermarksFor(pages, plain)
  const recommended = Math.min(FOR_HUGE_PAGES, Math.floor((pages - high) / 20))
  return Math.max(plain, recommended * KIB_PER_PAGE)
}

/** Of one zone that has all pages of the machine. */
export function watermarksFor(pages: number, minimumKib = minimumFreeKib(pages)): Watermarks {
  const min = Math.floor(minimumKib / KIB_PER_PAGE)
  const step = Math.max(Math.floor(min / 4), Math.floor((pages * SCALE) / 10_000))
  return { min, low: min + step, high: min + 2 * step, promotion: min + 3 * step }
}

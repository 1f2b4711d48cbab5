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
/** vm.watermark_scale_factor of a machine that nobody has tuned, of 10,000. */
export const WATERMARK_SCALE = 10
/** Two page blocks and nine more, so that each kind of page finds one of its own: 11 × 512 pages. */
const FOR_HUGE_PAGES = 5632

/** vm.min_free_kbytes of a machine that has so many pages to give, in so many zones. */
export function minimumFreeKib(pages: number, zones = 1): number {
  const root = Math.floor(Math.sqrt(pages * KIB_PER_PAGE * 16))
  const plain = Math.min(Math.max(root, MIN_KIB.least), MIN_KIB.most)
  const { high } = watermarksFor(pages, plain)
  const recommended = Math.min(FOR_HUGE_PAGES * zones, Math.floor((pages - high) / 20))
  return Math.max(plain, recommended * KIB_PER_PAGE)
}

/** Of a zone that has `pages` of the `total` that the machine's zones have. */
export function watermarksFor(
  pages: number,
  minimumKib = minimumFreeKib(pages),
  scale = WATERMARK_SCALE,
  total = pages,
): Watermarks {
  const min = Math.floor((Math.floor(minimumKib / KIB_PER_PAGE) * pages) / total)
  const step = Math.max(Math.floor(min / 4), Math.floor((pages * scale) / 10_000))
  return { min, low: min + step, high: min + 2 * step, promotion: min + 3 * step }
}

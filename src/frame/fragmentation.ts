/** How free memory is broken up, in the numbers of Linux (mm/vmstat.c; extfrag_index and unusable_index of debugfs). */

/** Whether a block of 2^order frames cannot be had, and why: -1000 it can; towards 0 memory is short; towards 1000 it is in pieces. */
export function fragmentationIndex(perOrder: readonly number[], order: number): number {
  const { frames, blocks, suitable } = contiguity(perOrder, order)
  if (blocks === 0) return 0
  if (suitable > 0) return -1000
  const wanted = Math.floor((frames * 1000) / 2 ** order)
  return 1000 - Math.floor((1000 + wanted) / blocks)
}

/** The part of free memory, of 1000, that lies in blocks too small for 2^order frames. */
export function unusableIndex(perOrder: readonly number[], order: number): number {
  const { frames, suitable } = contiguity(perOrder, order)
  if (frames === 0) return 1000
  return Math.floor(((frames - suitable * 2 ** order) * 1000) / frames)
}

interface Contiguity {
  readonly frames: number
  readonly blocks: number
  /** Blocks of 2^order frames that the larger ones hold. */
  readonly suitable: number
}

function contiguity(perOrder: readonly number[], order: number): Contiguity {
  let frames = 0
  let blocks = 0
  let suitable = 0
  perOrder.forEach((count, size) => {
    frames += count * 2 ** size
    blocks += count
    if (size >= order) suitable += count * 2 ** (size - order)
  })
  return { frames, blocks, suitable }
}

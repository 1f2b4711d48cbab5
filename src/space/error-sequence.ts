/**
 * Errors of write-back, so that everybody who has the file open hears of each once (errseq_t, lib/errseq.c):
 *
 *     bits 0-11   the last error, a positive errno; 0 = none ever
 *     bit 12      somebody has looked since
 *     bits 13-31  counts errors that somebody had looked at before the next came
 *
 * Whoever opens the file keeps what stood here then (`sampleErrors`) and compares later (`checkErrors`).
 */
const ERRNO_MASK = 0xfff
const SEEN = 1 << 12
const COUNTER = 1 << 13

/** The word after another error (errseq_set). `errno` is negative. */
export function noteError(word: number, errno: number): number {
  const next = (word & ~(ERRNO_MASK | SEEN)) | -errno
  return ((word & SEEN) === 0 ? next : next + COUNTER) >>> 0
}

/** What somebody who opens the file now keeps: an error that nobody has seen yet is news (errseq_sample). */
export function sampleErrors(word: number): number {
  return (word & SEEN) === 0 ? 0 : word
}

/** The word once somebody has looked at it, and the negative errno that is news for who kept `since`, or 0 (errseq_check_and_advance). */
export function checkErrors(word: number, since: number): { word: number; errno: number } {
  if (word === since) return { word, errno: 0 }
  return { word: (word | SEEN) >>> 0, errno: -(word & ERRNO_MASK) || 0 }
}

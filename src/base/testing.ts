/**
 * What all fuzzers share. PAGODA_SEED repeats a run, PAGODA_FUZZ_STEPS makes it longer. Without a seed the standard tests always do the
 * same, so that a change is what breaks them, and the full ones (PAGODA_FULL) something new every time.
 */
export const SEED = Number(process.env.PAGODA_SEED ?? (process.env.PAGODA_FULL ? Date.now() % 2 ** 31 : 1))

export function fuzzSteps(standard: number): number {
  return Number(process.env.PAGODA_FUZZ_STEPS ?? standard)
}

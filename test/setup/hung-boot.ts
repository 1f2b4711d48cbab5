/** A boot of the real kernel that hangs, as one in many hundreds does on a busy host: it is tried once more, and not more often. */

/** What rv-exec says when the machine did not finish: it was given RV_TIMEOUT seconds, 600 unless told. */
export const UNFINISHED = 125

/** Boots, and again when the first boot hung; says so on stderr. What else goes wrong is the caller's. */
export function bootPatiently<T>(what: string, boot: () => T, isHung: (problem: unknown) => boolean): T {
  try {
    return boot()
  } catch (problem) {
    if (!isHung(problem)) throw problem
    process.stderr.write(`*** THE REAL KERNEL HUNG: ${what}: it is booted once more ***\n`)
    return boot()
  }
}

/** Of an error of execFileSync. */
export function isUnfinished(problem: unknown): boolean {
  return (problem as { status?: unknown }).status === UNFINISHED
}

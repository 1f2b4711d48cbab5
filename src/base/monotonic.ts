/** Milliseconds of the host's monotonic clock, with fractions, from an arbitrary start. */
export const monotonic: () => number =
  typeof globalThis.process?.hrtime === 'function' ? fromNode : () => performance.now()

/** Node loads its `performance` when it is first named, for some milliseconds; this clock is there. */
function fromNode(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1_000_000
}

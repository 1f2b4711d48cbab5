/** What a benchmark is, and how its sides are measured: in turns, the minimum of several rounds. */

/** One side of a comparison. It keeps the smallest figure of its rounds. */
export interface Contender {
  /** Measures once more. */
  round(): void
  /** The figure so far, in the benchmark's unit. */
  best(): number
}

/** What must hold for a benchmark's goal: everything that is given. */
export interface Goal {
  /** The figure itself, in the benchmark's unit. */
  readonly atMost?: number
  /** Its share of the native figure. */
  readonly ofNative?: number
}

/** Sides to compare with. A key whose value is undefined is a peer that is absent here; no key: there is no such peer. */
export interface Peers<T> {
  readonly native?: T
  readonly qemu?: T
}

export interface Benchmark {
  readonly group: string
  readonly name: string
  /** Of all figures, such as `ns`. */
  readonly unit: string
  readonly goal: Goal | null
  /** At most so many rounds: where a round repeats enough by itself. */
  readonly roundsMax?: number
  /** Made only when the benchmark is run. */
  readonly sides: () => Sides
}

export interface Sides {
  readonly ours: Contender
  readonly peers: Peers<Contender | undefined>
}

/** As written by --json: one line of the table. A peer that is absent is null. */
export interface Row {
  readonly group: string
  readonly name: string
  readonly unit: string
  readonly ours: number
  readonly peers: Peers<number | null>
  readonly goal: Goal | null
  readonly met: boolean | null
}

export interface Rounds {
  /** At least so many, */
  readonly least: number
  /** and for at least so long, in milliseconds of the wall clock, unless the benchmark has a limit of its own. */
  readonly time: number
}

/**
 * Measures all sides in turns (A B C A B C …), so that what else the machine does meets all alike. A virtual machine's core does
 * the same work in up to twice the time while the core's other half is busy, for a second and more: three rounds of 30 ms may know
 * nothing else, so rounds that take little time are many.
 */
export function runBenchmark(
  benchmark: Benchmark,
  { least, time }: Rounds,
  now = () => performance.now(),
): Row {
  const most = benchmark.roundsMax ?? Number.POSITIVE_INFINITY
  const { ours, peers } = benchmark.sides()
  const present = Object.values(peers).filter((side) => side !== undefined)
  const start = now()
  for (let round = 0; round < most && (round < least || now() - start < time); round++) {
    for (const side of [ours, ...present]) side.round()
  }
  return makeRow(
    benchmark,
    ours.best(),
    mapPeers(peers, (side) => side?.best() ?? null),
  )
}

function mapPeers<A, B>(peers: Peers<A>, change: (peer: A) => B): Peers<B> {
  return Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, change(peer)]))
}

export function makeRow(
  { group, name, unit, goal }: Omit<Benchmark, 'sides' | 'roundsMax'>,
  ours: number,
  peers: Peers<number | null>,
): Row {
  return { group, name, unit, ours, peers, goal, met: isMet(goal, ours, peers.native ?? null) }
}

/** Null without a goal, and when the goal is a share of a native figure that nobody could measure. */
export function isMet(goal: Goal | null, ours: number, native: number | null): boolean | null {
  if (goal === null) return null
  if (goal.atMost !== undefined && ours > goal.atMost) return false
  if (goal.ofNative === undefined) return true
  return native === null ? null : ours <= goal.ofNative * native
}

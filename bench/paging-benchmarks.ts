/** Page tables: the walk to an entry, unmapping what was touched, the tables' part of a fork, and faults on two threads at once. */
import { NULL, type Ptr, type Vpn } from '../src/base/numbers.js'
import type { PageTable } from '../src/paging/page-table.js'
import { BareSpace } from './bare-space.js'
import type { Benchmark } from './benchmark.js'
import { CallTimer, inShortLoops } from './call-timer.js'
import { difference } from './difference.js'
import { FaultStormRun } from './fault-storm-run.js'
import type { MmBench } from './mm-bench.js'
import { PartTimer, type TimedTurn } from './part-timer.js'

const WALKED_PAGES = 2048
const UNMAPPED_PAGES = 4096
const FORKED_PAGES = 16_384

function walks(): (count: number) => void {
  const space = new BareSpace(32)
  const first = space.map(WALKED_PAGES)
  space.touchAll(first, WALKED_PAGES)
  const { tables } = space
  return inShortLoops((count) => walk(tables, first, count))
}

/** Pages in an order that no prefetcher knows, all mapped. */
function walk(tables: PageTable, first: Vpn, count: number): void {
  let missing = 0
  for (let i = 0; i < count; i++) {
    const entry = tables.leaf((first + ((i * 997) & (WALKED_PAGES - 1))) as Vpn)
    if (entry === NULL || !tables.isPresent(entry)) missing++
  }
  if (missing > 0) throw new Error('a page is not mapped')
}

function unmaps(): TimedTurn {
  const space = new BareSpace(64)
  let first = 0 as Vpn
  return {
    before: () => {
      first = space.map(UNMAPPED_PAGES)
      space.touchAll(first, UNMAPPED_PAGES)
    },
    timed: () => space.unmap(first, UNMAPPED_PAGES),
    after: () => {},
  }
}

/** The call of fork, of a space with so many pages. */
function forks(pages: number): TimedTurn {
  const space = new BareSpace(128)
  space.touchAll(space.map(pages), pages)
  let child = NULL as Ptr
  return {
    before: () => {},
    timed: () => {
      child = space.fork()
    },
    after: () => space.endFork(child),
  }
}

export function pagingBenchmarks(bench: MmBench): Benchmark[] {
  const group = 'page tables'
  return [
    {
      group,
      name: 'walk of three levels, no trap',
      unit: 'ns',
      goal: { atMost: 8 },
      sides: () => ({ ours: new CallTimer(1_000_000, walks), peers: {} }),
    },
    {
      group,
      name: 'munmap of 4,096 touched pages, per page, no trap',
      unit: 'ns',
      goal: { ofNative: 0.25 },
      sides: () => ({
        ours: new PartTimer(20, UNMAPPED_PAGES, unmaps),
        peers: { native: bench.nativeRun('unmap_touched', 40 * UNMAPPED_PAGES), qemu: undefined },
      }),
    },
    {
      group,
      name: 'the call of fork, what 64 MiB add, no trap',
      unit: 'ns',
      goal: { ofNative: 0.1 },
      sides: () => ({
        ours: difference(
          new PartTimer(10, 1, () => forks(FORKED_PAGES)),
          new PartTimer(10, 1, () => forks(1)),
        ),
        peers: {
          native: difference(bench.nativeRun('fork_call_64', 50), bench.nativeRun('fork_call', 200)),
          qemu: undefined,
        },
      }),
    },
    ...(['private', 'one'] as const).map((spaces) => ({
      group: 'faults on two threads, wall time as a multiple of one',
      name: spaces === 'private' ? 'each in a space of its own' : 'both in one space',
      unit: 'times',
      goal: { atMost: spaces === 'private' ? 0.59 : 0.77 },
      roundsMax: 3,
      sides: () => ({ ours: new FaultStormRun(spaces), peers: {} }),
    })),
  ]
}

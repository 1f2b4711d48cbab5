/** Page faults and mappings (untouched: 16 pages, touched: one): each called from TypeScript, and as a guest program's own through trap and system call. */
import type { Ptr, Vpn } from '../src/base/numbers.js'
import { PROT_READ, PROT_WRITE } from '../src/syscall/mman.js'
import { BareSpace } from './bare-space.js'
import type { Benchmark, Goal } from './benchmark.js'
import { CallTimer } from './call-timer.js'
import { difference } from './difference.js'
import type { MmBench } from './mm-bench.js'

/** One operation that mm_bench.c knows too. */
interface Operation {
  readonly group: string
  readonly name: string
  /** Its name in mm_bench.c. */
  readonly operation: string
  readonly goal: Goal | null
  /** Operations a round: from TypeScript, in the guest, beside it. */
  readonly calls: number
  readonly guest: number
  readonly peers: number
  readonly prepare: () => (count: number) => void
}

/** Pages that a machine of 1 GiB has for fault_fresh; when they are used up, another one is booted. */
const FRESH_PAGES = 240_000
/** Pages that go round in fault_recycled of mm_bench.c, and pages of its untouched mappings. */
const RECYCLED_PAGES = 256
const UNTOUCHED_PAGES = 16
/** Pages of the region that protect_page changes one of, and of what is copied and forked. */
const REGION_PAGES = 64
const COPIED_PAGES = 4096
const FORKED_PAGES = 16_384
const HUGE_PAGES = 512
const PAGE_BYTES = 4096
/** Where a machine's own state is not, aligned as a huge page is. */
const FILLED = (8 * 2 ** 20) as Ptr
/** Pages that the host faults in a round, and those of a unit of WebAssembly.Memory. */
const HOST_PAGES = 2048
const HOST_PAGES_PER_UNIT = 16
const READ_WRITE = PROT_READ | PROT_WRITE

/** Frames that were used are not known to be zero any more, so no round gives any back. */
function faultFresh(): (count: number) => void {
  let space = new BareSpace(1024)
  let left = FRESH_PAGES
  return (count) => {
    if (left < count) {
      space = new BareSpace(1024)
      left = FRESH_PAGES
    }
    left -= count
    space.touchAll(space.map(count), count)
  }
}

function faultRecycled(): (count: number) => void {
  const space = new BareSpace(16)
  const first = space.map(RECYCLED_PAGES)
  return (count) => {
    for (let done = 0; done < count; done += RECYCLED_PAGES) {
      space.touchAll(first, RECYCLED_PAGES)
      space.discard(first, RECYCLED_PAGES)
    }
  }
}

function mapUnmap(mappings: number): (count: number) => void {
  const space = new BareSpace(16)
  if (mappings > 0) makeMappings(space, mappings)
  return (count) => {
    for (let i = 0; i < count; i++) space.unmap(space.map(UNTOUCHED_PAGES), UNTOUCHED_PAGES)
  }
}

/** As make_mappings of mm_bench.c: every other page of a region is writable, so that nothing merges. */
function makeMappings(space: BareSpace, mappings: number): void {
  const first = space.map(mappings, 0)
  for (let i = 1; i < mappings; i += 2) space.makeWritable((first + i) as Vpn)
}

function mapTouchUnmap(): (count: number) => void {
  const space = new BareSpace(16)
  return (count) => {
    for (let i = 0; i < count; i++) {
      const page = space.map(1)
      space.touch(page)
      space.unmap(page, 1)
    }
  }
}

function protectPage(): (count: number) => void {
  const space = new BareSpace(16)
  const first = space.map(REGION_PAGES)
  space.touchAll(first, REGION_PAGES)
  const middle = (first + REGION_PAGES / 2) as Vpn
  return (count) => {
    for (let i = 0; i < count; i++) space.protect(middle, (i & 1) !== 0 ? READ_WRITE : PROT_READ)
  }
}

function copyOnWrite(): (count: number) => void {
  const space = new BareSpace(64)
  const first = space.map(COPIED_PAGES)
  space.touchAll(first, COPIED_PAGES)
  return (count) => {
    for (let done = 0; done < count; done += COPIED_PAGES)
      space.inFork(() => space.touchAll(first, COPIED_PAGES))
  }
}

function hugeFault(): (count: number) => void {
  const space = new BareSpace(64, true)
  const first = space.map(HUGE_PAGES)
  return (count) => {
    for (let i = 0; i < count; i++) {
      space.touch(first)
      space.discard(first, HUGE_PAGES)
    }
  }
}

function forkTouched(): (count: number) => void {
  const space = new BareSpace(128)
  space.touchAll(space.map(FORKED_PAGES), FORKED_PAGES)
  return (count) => {
    for (let i = 0; i < count; i++) space.inFork(() => {})
  }
}

const operations: readonly Operation[] = [
  {
    group: 'page fault',
    name: 'fresh frame, known to be zero',
    operation: 'fault_fresh',
    goal: { ofNative: 0.5 },
    calls: 8192,
    guest: 8192,
    peers: 8192,
    prepare: faultFresh,
  },
  {
    group: 'page fault',
    name: 'recycled frame, and its madvise',
    operation: 'fault_recycled',
    goal: { ofNative: 0.2 },
    calls: 65_536,
    guest: 16_384,
    peers: 8192,
    prepare: faultRecycled,
  },
  {
    group: 'mapping',
    name: 'mmap + munmap',
    operation: 'map_unmap',
    goal: { ofNative: 0.25 },
    calls: 16_384,
    guest: 8192,
    peers: 4096,
    prepare: () => mapUnmap(0),
  },
  {
    group: 'mapping',
    name: 'mmap + munmap, 1,000 VMAs',
    operation: 'map_unmap_1000',
    goal: { ofNative: 0.25 },
    calls: 16_384,
    guest: 8192,
    peers: 4096,
    prepare: () => mapUnmap(1000),
  },
  {
    group: 'mapping',
    name: 'mmap + touch + munmap',
    operation: 'map_touch_unmap',
    goal: { ofNative: 0.2 },
    calls: 16_384,
    guest: 8192,
    peers: 4096,
    prepare: mapTouchUnmap,
  },
  {
    group: 'mapping',
    name: 'mprotect of a page in a region',
    operation: 'protect_page',
    goal: { ofNative: 0.2 },
    calls: 16_384,
    guest: 8192,
    peers: 8192,
    prepare: protectPage,
  },
  {
    group: 'page fault',
    name: 'copy-on-write, and its part of the fork',
    operation: 'copy_on_write',
    goal: { ofNative: 0.5 },
    calls: 16_384,
    guest: 8192,
    peers: 8192,
    prepare: copyOnWrite,
  },
  {
    group: 'page fault',
    name: 'huge page, recycled, and its madvise',
    operation: 'huge_fault',
    goal: null, // 2 MiB must be filled: see fillBenchmark
    calls: 256,
    guest: 128,
    peers: 256,
    prepare: hugeFault,
  },
]

/** The memory part of a fork: beside it what a fork with 64 MiB costs more than one of a small process. */
function forkBenchmark(bench: MmBench): Benchmark {
  return {
    group: 'processes',
    name: 'fork of 64 MiB touched, memory part, no trap',
    unit: 'ns',
    goal: { ofNative: 0.15 },
    sides: () => ({
      ours: new CallTimer(10, forkTouched),
      peers: {
        native: difference(bench.nativeRun('fork_wait_64', 50), bench.nativeRun('fork_wait', 200)),
        qemu: undefined,
      },
    }),
  }
}

/** The part of a recycled huge page that nobody can do without. */
function fillBenchmark(): Benchmark {
  return hostBenchmark('of a huge page: filling 2 MiB', 32, () => {
    const { memory } = new BareSpace(16).mm
    return (count) => {
      for (let i = 0; i < count; i++) memory.fill(FILLED, 0, HUGE_PAGES * PAGE_BYTES)
    }
  })
}

/** The part of a fresh frame "with trap" that is the host's: it gives its process a page of zeroes at the first touch. */
function hostTouchBenchmark(): Benchmark {
  return hostBenchmark("of a fresh frame: the host's own fault", HOST_PAGES, () => (count) => {
    const u32 = new Uint32Array(new WebAssembly.Memory({ initial: count / HOST_PAGES_PER_UNIT }).buffer)
    for (let page = 0; page < count; page++) u32[(page * PAGE_BYTES) / 4] = 1
  })
}

function hostBenchmark(name: string, count: number, prepare: () => (count: number) => void): Benchmark {
  const sides = () => ({ ours: new CallTimer(count, prepare), peers: {} })
  return { group: 'page fault', name, unit: 'ns', goal: null, sides }
}

/** Every operation twice: `no trap`, and `with trap`, whose goal is that of all storms of a guest. */
export function memoryBenchmarks(bench: MmBench): Benchmark[] {
  const rows = operations.flatMap((of) =>
    bench.hasGuest ? [noTrap(of, bench), withTrap(of, bench)] : [noTrap(of, bench)],
  )
  return [...rows, fillBenchmark(), hostTouchBenchmark(), forkBenchmark(bench)]
}

function noTrap(
  { group, name, operation, goal, calls, peers, prepare }: Operation,
  bench: MmBench,
): Benchmark {
  return {
    group,
    name: `${name}, no trap`,
    unit: 'ns',
    goal,
    sides: () => ({ ours: new CallTimer(calls, prepare), peers: bench.peers(operation, peers) }),
  }
}

function withTrap({ group, name, operation, goal, guest, peers }: Operation, bench: MmBench): Benchmark {
  return {
    group,
    name: `${name}, with trap`,
    unit: 'ns',
    goal: goal && { ofNative: 0.6 },
    sides: () => ({ ours: bench.guest(operation, guest), peers: bench.peers(operation, peers) }),
  }
}

/** Frames and slab objects in pairs, in the pattern of malloc_free of mm_bench.c: 64 are held, the oldest goes. */
import { NO_FRAME, type Pfn, type Ptr } from '../src/base/numbers.js'
import type { BuddyAllocator } from '../src/frame/buddy-allocator.js'
import { ORDER_MAX } from '../src/frame/frame-allocator.js'
import { mmInit } from '../src/mm.js'
import type { GeneralAllocator } from '../src/slab/general-allocator.js'
import type { SlabCache } from '../src/slab/slab-cache.js'
import type { Benchmark } from './benchmark.js'
import { CallTimer, inShortLoops } from './call-timer.js'
import type { MmBench } from './mm-bench.js'

const HELD = 64
const OBJECT_BYTES = 64
const CALLS = 200_000
const NATIVE_CALLS = 1_000_000
const MEMORY_BYTES = 16 * 2 ** 20
/** Some block of the largest order is free on such a machine. */
const LARGE_MEMORY_BYTES = 2 ** 32 - 65536

type Pairs = (count: number) => void

function framePairs(shared: boolean): Pairs {
  const { buddy } = mmInit({ bytes: MEMORY_BYTES, shared })
  const held = Array.from({ length: HELD }, () => buddy.allocate(0))
  return inShortLoops((count) => exchangeFrames(buddy, held, count))
}

function exchangeFrames(buddy: BuddyAllocator, held: Pfn[], count: number): void {
  for (let i = 0; i < count; i++) {
    buddy.free(held[i & 63]!, 0)
    held[i & 63] = buddy.allocate(0)
  }
}

/** One block of the largest order is left, and a pair of two frames splits it all the way down and merges it again. */
function splitPairs(): Pairs {
  const { buddy } = mmInit({ bytes: LARGE_MEMORY_BYTES })
  const last = buddy.allocate(ORDER_MAX)
  for (let order = ORDER_MAX; order >= 0; order--) {
    let pfn: Pfn
    do pfn = buddy.allocate(order)
    while (pfn !== NO_FRAME)
  }
  buddy.free(last, ORDER_MAX)
  return inShortLoops((count) => splitAndMerge(buddy, count))
}

function splitAndMerge(buddy: BuddyAllocator, count: number): void {
  for (let i = 0; i < count; i++) buddy.free(buddy.allocate(1), 1)
}

function slabPairs(zeroed: boolean): Pairs {
  const { slab } = mmInit({ bytes: MEMORY_BYTES })
  const cache = slab.createCache('bench', OBJECT_BYTES)
  const held = Array.from({ length: HELD }, () => cache.allocate())
  const exchange = zeroed ? exchangeZeroedObjects : exchangeObjects
  return inShortLoops((count) => exchange(cache, held, count))
}

function exchangeObjects(cache: SlabCache, held: Ptr[], count: number): void {
  for (let i = 0; i < count; i++) {
    cache.free(held[i & 63]!)
    held[i & 63] = cache.allocate()
  }
}

function exchangeZeroedObjects(cache: SlabCache, held: Ptr[], count: number): void {
  for (let i = 0; i < count; i++) {
    cache.free(held[i & 63]!)
    held[i & 63] = cache.allocateZeroed()
  }
}

function heapPairs(): Pairs {
  const { heap } = mmInit({ bytes: MEMORY_BYTES })
  const held = Array.from({ length: HELD }, () => heap.allocate(OBJECT_BYTES))
  return inShortLoops((count) => exchangeBytes(heap, held, count))
}

function exchangeBytes(heap: GeneralAllocator, held: Ptr[], count: number): void {
  for (let i = 0; i < count; i++) {
    heap.free(held[i & 63]!)
    held[i & 63] = heap.allocate(OBJECT_BYTES)
  }
}

export function allocatorBenchmarks(bench: MmBench): Benchmark[] {
  const row = (name: string, prepare: () => Pairs, goal: Benchmark['goal'], peers = true): Benchmark => ({
    group: 'allocator',
    name: `${name}, no trap`,
    unit: 'ns',
    goal,
    sides: () => ({
      ours: new CallTimer(CALLS, prepare),
      peers: peers ? { native: bench.nativeRun('malloc_free', NATIVE_CALLS) } : {},
    }),
  })
  return [
    row('frame alloc + free', () => framePairs(false), { atMost: 10 }),
    row('the same in shared memory, with locks', () => framePairs(true), null),
    row('buddy split + merge, 18 orders', splitPairs, { atMost: 80 }, false),
    row('slab alloc + free, 64 bytes', () => slabPairs(false), { atMost: 8, ofNative: 0.6 }),
    row('slab alloc + free, 64 zeroed bytes', () => slabPairs(true), null),
    row('kmalloc + kfree, 64 bytes', heapPairs, null),
  ]
}

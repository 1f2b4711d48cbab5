/** Frames and slab objects in pairs, in the pattern of malloc_free of mm_bench.c: 64 are held, the oldest goes. */
import { NO_FRAME, type Pfn, type Ptr } from '../src/base/numbers.js'
import { ORDER_MAX } from '../src/frame/frame-allocator.js'
import { mmInit } from '../src/mm.js'
import type { Benchmark } from './benchmark.js'
import { CallTimer } from './call-timer.js'
import type { MmBench } from './mm-bench.js'

const HELD = 64
const OBJECT_BYTES = 64
const CALLS = 200_000
const NATIVE_CALLS = 1_000_000
const MEMORY_BYTES = 16 * 2 ** 20
/** Some block of the largest order is free on such a machine. */
const LARGE_MEMORY_BYTES = 2 ** 32 - 65536

function framePairs(shared: boolean): (count: number) => void {
  const { buddy } = mmInit({ bytes: MEMORY_BYTES, shared })
  const held = Array.from({ length: HELD }, () => buddy.allocate(0))
  return (count) => {
    for (let i = 0; i < count; i++) {
      buddy.free(held[i % HELD]!, 0)
      held[i % HELD] = buddy.allocate(0)
    }
  }
}

/** One block of the largest order is left, and a pair of two frames splits it all the way down and merges it again. */
function splitPairs(): (count: number) => void {
  const { buddy } = mmInit({ bytes: LARGE_MEMORY_BYTES })
  const last = buddy.allocate(ORDER_MAX)
  for (let order = ORDER_MAX; order >= 0; order--) {
    let pfn: Pfn
    do pfn = buddy.allocate(order)
    while (pfn !== NO_FRAME)
  }
  buddy.free(last, ORDER_MAX)
  return (count) => {
    for (let i = 0; i < count; i++) buddy.free(buddy.allocate(1), 1)
  }
}

function slabPairs(zeroed: boolean): (count: number) => void {
  const { slab } = mmInit({ bytes: MEMORY_BYTES })
  const cache = slab.createCache('bench', OBJECT_BYTES)
  const held = Array.from({ length: HELD }, () => slab.allocate(cache))
  if (zeroed) {
    return (count) => {
      for (let i = 0; i < count; i++) {
        slab.free(cache, held[i % HELD]!)
        held[i % HELD] = slab.allocateZeroed(cache)
      }
    }
  }
  return (count) => {
    for (let i = 0; i < count; i++) {
      slab.free(cache, held[i % HELD]!)
      held[i % HELD] = slab.allocate(cache)
    }
  }
}

function heapPairs(): (count: number) => void {
  const { heap } = mmInit({ bytes: MEMORY_BYTES })
  const held: Ptr[] = Array.from({ length: HELD }, () => heap.allocate(OBJECT_BYTES))
  return (count) => {
    for (let i = 0; i < count; i++) {
      heap.free(held[i % HELD]!)
      held[i % HELD] = heap.allocate(OBJECT_BYTES)
    }
  }
}

export function allocatorBenchmarks(bench: MmBench): Benchmark[] {
  const row = (
    name: string,
    prepare: () => (count: number) => void,
    goal: Benchmark['goal'],
    peers = true,
  ): Benchmark => ({
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

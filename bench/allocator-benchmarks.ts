/** Frames and slab objects in pairs, in the pattern of malloc_free of mm_bench.c: 64 are held, the oldest goes. */
import { mmInit } from '../src/mm.js'
import type { Benchmark } from './benchmark.js'
import { CallTimer } from './call-timer.js'
import type { MmBench } from './mm-bench.js'

const HELD = 64
const OBJECT_BYTES = 64
const CALLS = 200_000
const NATIVE_CALLS = 1_000_000
const MEMORY_BYTES = 16 * 2 ** 20

function framePairs(): (count: number) => void {
  const { buddy } = mmInit({ bytes: MEMORY_BYTES })
  const held = Array.from({ length: HELD }, () => buddy.allocate(0))
  return (count) => {
    for (let i = 0; i < count; i++) {
      buddy.free(held[i % HELD]!, 0)
      held[i % HELD] = buddy.allocate(0)
    }
  }
}

function slabPairs(): (count: number) => void {
  const { slab } = mmInit({ bytes: MEMORY_BYTES })
  const cache = slab.createCache('bench', OBJECT_BYTES)
  const held = Array.from({ length: HELD }, () => slab.allocate(cache))
  return (count) => {
    for (let i = 0; i < count; i++) {
      slab.free(cache, held[i % HELD]!)
      held[i % HELD] = slab.allocate(cache)
    }
  }
}

export function allocatorBenchmarks(bench: MmBench): Benchmark[] {
  const peers = () => ({ native: bench.nativeRun('malloc_free', NATIVE_CALLS) })
  return [
    {
      group: 'allocator',
      name: 'frame alloc + free, no trap',
      unit: 'ns',
      goal: { atMost: 10 },
      sides: () => ({ ours: new CallTimer(CALLS, framePairs), peers: peers() }),
    },
    {
      group: 'allocator',
      name: 'slab alloc + free, 64 zeroed bytes, no trap',
      unit: 'ns',
      goal: { atMost: 8, ofNative: 0.6 },
      sides: () => ({ ours: new CallTimer(CALLS, slabPairs), peers: peers() }),
    },
  ]
}

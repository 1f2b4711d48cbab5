/** Harts on real threads that allocate and free frames, blocks and objects at once, alone and many together, and hand them to each other. */
import { frameToPtr, NO_FRAME, NULL, type Pfn, type Ptr } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { mmAttach } from '../../mm.js'
import type { RawMemory } from '../../state/memory.js'

export interface StormData {
  readonly memory: RawMemory
  readonly hart: number
  readonly seed: number
  readonly steps: number
  /** SLOTS words: what somebody has put there for anybody. Frames are odd. */
  readonly exchange: SharedArrayBuffer
}

export const SLOTS = 64
export const OBJECT_BYTES = 96
const STAMP = 4
/** References that are given up together, as at the end of a mapping. */
const TOGETHER = 300

/** Returns a problem, or nothing. Whatever it still has at the end it gives back. */
export function stormHart({ memory: raw, hart, seed, steps, exchange }: StormData): string | undefined {
  const { memory, buddy, frames, slab } = mmAttach(raw, { hart })
  const cache = slab.createCache('storm', OBJECT_BYTES)
  const random = new Random(seed + hart)
  const slots = new Int32Array(exchange)
  const stampOf = (item: number) => ((item & 1) === 1 ? frameToPtr((item >>> 1) as Pfn) : item) + STAMP
  const allocate = (): number => {
    const isFrame = random.chance(0.5)
    const order = random.chance(0.9) ? 0 : random.below(4)
    const got = isFrame ? buddy.allocate(order) : cache.allocate()
    if (got === (isFrame ? NO_FRAME : NULL)) return 0
    return isFrame ? got * 2 + 1 : got
  }
  const gone = new Uint32Array(TOGETHER)
  let waiting = 0
  const releaseWaiting = () => {
    buddy.releaseAll(gone, waiting)
    waiting = 0
  }
  const freeFrame = (pfn: Pfn) => {
    if (random.chance(0.3)) {
      buddy.free(pfn, frames.order(pfn))
      return
    }
    if (waiting + 2 > TOGETHER) releaseWaiting()
    gone[waiting++] = pfn
    if (random.chance(0.8)) return
    buddy.retain(pfn)
    gone[waiting++] = pfn
  }
  const free = (item: number) => {
    if ((item & 1) === 1) freeFrame((item >>> 1) as Pfn)
    else cache.free(item as Ptr)
  }
  for (let step = 0; step < steps; step++) {
    const mine = allocate()
    if (mine !== 0 && Atomics.exchange(memory.i32, stampOf(mine) >>> 2, 1) === 1)
      return `step ${step}: given out twice`
    const got = Atomics.exchange(slots, random.below(SLOTS), mine)
    if (got === 0) continue
    if (Atomics.exchange(memory.i32, stampOf(got) >>> 2, 0) !== 1)
      return `step ${step}: lost while it was in use`
    free(got)
    if (random.chance(0.001)) buddy.drainCaches()
    if (random.chance(0.0005)) slab.shrink()
  }
  releaseWaiting()
  return undefined
}

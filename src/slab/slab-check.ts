/**
 * The invariants of the slab allocator. Slabs are found through the frame table, not through the caches' lists,
 * so that a slab which a list lost is found.
 */
import { assert } from '../base/assert.js'
import { frameToPtr, NULL, PAGE_SIZE, type Pfn, type Ptr, ptrToFrame } from '../base/numbers.js'
import { FrameFlag, type FrameTable, ORDER_MASK } from '../frame/frame-table.js'
import type { Memory } from '../state/memory.js'
import { CacheField, type CacheId, type CacheTable } from './cache-table.js'
import { CacheFlag } from './geometry.js'
import type { HartMagazines } from './hart-magazines.js'
import type { SlabDebug } from './slab-debug.js'
import { SlabField } from './slab-header.js'
import type { SlabPool } from './slab-pool.js'

interface Found {
  slabs: number
  used: number
  partial: number
  empty: number
}

interface Env {
  readonly memory: Memory
  readonly frames: FrameTable
  readonly caches: CacheTable
  readonly debug: SlabDebug
}

/** Throws an InvariantError on the first contradiction. The caller holds the slab lock. */
export function checkSlabs(
  memory: Memory,
  frames: FrameTable,
  { caches, debug }: SlabPool,
  all: readonly HartMagazines[],
): void {
  const env = { memory, frames, caches, debug }
  const found = Array.from({ length: caches.count }, () => ({ slabs: 0, used: 0, partial: 0, empty: 0 }))
  for (let pfn = 0 as Pfn; pfn < frames.frameCount; pfn++) {
    if ((frames.flags(pfn) & FrameFlag.slab) !== 0) checkSlab(env, pfn, found)
  }
  found.forEach((seen, i) => {
    const cache = i as CacheId
    assert(caches.get(cache, CacheField.slabs) === seen.slabs, 'slab: a cache counts its slabs wrong')
    assert(caches.get(cache, CacheField.used) === seen.used, 'slab: a cache counts its objects wrong')
    assert(caches.get(cache, CacheField.empty) === seen.empty, 'slab: a cache counts its empty slabs wrong')
    checkList(memory, frames, caches, cache, seen.partial)
    checkMagazines(env, cache, all)
  })
}

/** What magazines hold is used, and in one of them once. */
function checkMagazines(
  { memory, frames, caches }: Env,
  cache: CacheId,
  all: readonly HartMagazines[],
): void {
  const held = all.flatMap((magazines) => magazines.of(cache).objects())
  assert(new Set(held).size === held.length, 'slab: an object is twice in a magazine')
  const limit = caches.get(cache, CacheField.limit)
  assert(
    all.every((magazines) => magazines.of(cache).count <= limit),
    'slab: a magazine holds too many objects',
  )
  for (const object of held) {
    const slab = (object & -(PAGE_SIZE << caches.get(cache, CacheField.order))) >>> 0
    const isSlab = (frames.flags(ptrToFrame(slab as Ptr)) & FrameFlag.slab) !== 0
    const isOurs = isSlab && memory.u32[(slab >>> 2) + SlabField.cache] === cache + 1
    assert(isOurs && isUsed(memory, caches, cache, slab, object), 'slab: a magazine holds what is not used')
  }
}

function checkSlab({ memory, frames, caches, debug }: Env, pfn: Pfn, found: Found[]): void {
  const slab = frameToPtr(pfn)
  const cache = (memory.u32[(slab >>> 2) + SlabField.cache]! - 1) as CacheId
  const seen = found[cache]
  assert(seen !== undefined, 'slab: a slab belongs to no cache')
  const shape = FrameFlag.slab | caches.get(cache, CacheField.order)
  assert((frames.flags(pfn) & (FrameFlag.slab | ORDER_MASK)) === shape, 'slab: a slab has a wrong order')
  assert(frames.refCount(pfn) === 1, 'slab: a slab does not have one reference')
  const used = checkObjects(memory, caches, cache, slab, debug)
  seen.slabs++
  seen.used += used
  if (used === 0) seen.empty++
  if (used < caches.get(cache, CacheField.capacity)) seen.partial++
}

function isUsed(memory: Memory, caches: CacheTable, cache: CacheId, slab: number, slot: number): boolean {
  const bit = (slot - slab - caches.get(cache, CacheField.first)) >>> caches.get(cache, CacheField.shift)
  return (memory.u32[(slab >>> 2) + SlabField.map + (bit >>> 5)]! >>> (bit & 31)) % 2 === 1
}

/** Every slot is used, recycled or fresh, and just one of them. Returns how many are used. */
function checkObjects(
  memory: Memory,
  caches: CacheTable,
  cache: CacheId,
  slab: Ptr,
  debug: SlabDebug,
): number {
  const header = slab >>> 2
  const recycled = recycledObjects(memory, caches, cache, slab)
  const fresh = memory.u32[header + SlabField.fresh]!
  const first = slab + caches.get(cache, CacheField.first)
  const isDebug = (caches.get(cache, CacheField.flags) & CacheFlag.debug) !== 0
  let used = 0
  for (let i = 0; i < caches.get(cache, CacheField.capacity); i++) {
    const slot = first + i * caches.get(cache, CacheField.stride)
    const isInUse = isUsed(memory, caches, cache, slab, slot)
    const states = Number(isInUse) + Number(recycled.has(slot)) + Number(slot >= fresh)
    assert(states === 1, 'slab: an object is not just one of used, recycled and fresh')
    if (isInUse) used++
    if (isDebug) debug.verify(cache, (slot + caches.get(cache, CacheField.margin)) as Ptr, isInUse)
  }
  assert(memory.u32[header + SlabField.used] === used, 'slab: a slab counts its objects wrong')
  assert(mapBits(memory, caches, cache, slab) === used, 'slab: the map has bits where no object starts')
  return used
}

function recycledObjects(memory: Memory, caches: CacheTable, cache: CacheId, slab: Ptr): Set<number> {
  const first = slab + caches.get(cache, CacheField.first)
  const stride = caches.get(cache, CacheField.stride)
  const objects = new Set<number>()
  let object = memory.u32[(slab >>> 2) + SlabField.recycled]!
  while (object !== NULL) {
    const index = (object - first) / stride
    const within = index >= 0 && index < caches.get(cache, CacheField.capacity) && Number.isInteger(index)
    assert(within && !objects.has(object), 'slab: the list of recycled objects is corrupt')
    objects.add(object)
    object = memory.u32[(object + caches.get(cache, CacheField.link)) >>> 2]!
  }
  return objects
}

function mapBits(memory: Memory, caches: CacheTable, cache: CacheId, slab: Ptr): number {
  const bits = (4096 << caches.get(cache, CacheField.order)) >>> caches.get(cache, CacheField.shift)
  const start = (slab >>> 2) + SlabField.map
  let set = 0
  for (let word = start; word < start + Math.ceil(bits / 32); word++) {
    for (let rest = memory.u32[word]!; rest !== 0; rest &= rest - 1) set++
  }
  return set
}

/** The list holds the slabs that have a free object, all of them, and at most one of them is empty. */
function checkList(
  memory: Memory,
  frames: FrameTable,
  caches: CacheTable,
  cache: CacheId,
  partial: number,
): void {
  let length = 0
  let empty = 0
  let previous = NULL
  let slab = caches.get(cache, CacheField.partial) as Ptr
  while (slab !== NULL) {
    assert((frames.flags(ptrToFrame(slab)) & FrameFlag.slab) !== 0, 'slab: a list holds what is not a slab')
    const header = slab >>> 2
    assert(memory.u32[header + SlabField.cache] === cache + 1, 'slab: a list holds another cache’s slab')
    assert(memory.u32[header + SlabField.previous] === previous, 'slab: a backward link is wrong')
    const used = memory.u32[header + SlabField.used]!
    assert(used < caches.get(cache, CacheField.capacity), 'slab: a full slab is on the list')
    if (used === 0) empty++
    assert(++length <= partial, 'slab: a list is longer than there are slabs')
    previous = slab
    slab = memory.u32[header + SlabField.next]! as Ptr
  }
  assert(length === partial, 'slab: a slab with a free object is on no list')
  assert(empty <= 1, 'slab: a cache keeps two empty slabs')
}

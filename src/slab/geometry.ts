import { PAGE_SIZE } from '../base/numbers.js'
import { HEADER_BYTES } from './slab-header.js'

/** What a cache is like (CacheField.flags). */
export const enum CacheFlag {
  /** Objects keep what their constructor made of them while they are free. */
  constructed = 1,
  /** Objects have red zones and are poisoned while they are free (slab-debug.ts). No magazine holds them. */
  debug = 2,
}

const SLOT_BYTES_MIN = 8
/** A slab is at most so many frames, 2^3. */
export const SLAB_ORDER_MAX = 3
/** Bytes of red zone behind an object, at least. */
export const RED_ZONE_BYTES = 8
const LINK_BYTES = 4
/** A magazine holds some two frames of small objects. */
const MAGAZINE_BYTES = 2 * PAGE_SIZE
const MAGAZINE_OBJECTS = { least: 2, most: 60 }

/** What a cache is asked for. */
export interface CacheShape {
  readonly size: number
  readonly align: number
  /** CacheFlag. */
  readonly flags: number
}

/** How slots lie in a slab, in the terms of CacheTable. */
export interface Geometry {
  readonly stride: number
  readonly order: number
  readonly first: number
  readonly shift: number
  readonly capacity: number
  readonly link: number
  readonly margin: number
  readonly limit: number
}

/**
 * The smallest slab that wastes at most an eighth of itself; the largest when none does. (What a slot has besides its object, because objects are
 * constructed or watched, a larger slab would have too: it is no waste.) The pointer to the next free slot lies over a free object's first bytes, or behind
 * them when they must stay; with red zones, in the one before the object:
 *
 *     plain         object, rounded up
 *     constructed   object | link, rounded up
 *     debug         red zone (link while free) | object | red zone, rounded up
 */
export function chooseGeometry({ size, align, flags }: CacheShape): Geometry {
  const isDebug = (flags & CacheFlag.debug) !== 0
  const margin = isDebug ? align : 0
  const isBehind = !isDebug && (flags & CacheFlag.constructed) !== 0
  const link = isBehind ? roundUp(size, LINK_BYTES) : 0
  const bytes = isBehind ? link + LINK_BYTES : size + (isDebug ? margin + RED_ZONE_BYTES : 0)
  const stride = roundUp(Math.max(bytes, SLOT_BYTES_MIN), align)
  const fits = Math.floor(MAGAZINE_BYTES / stride)
  const limit = isDebug ? 0 : Math.min(Math.max(fits, MAGAZINE_OBJECTS.least), MAGAZINE_OBJECTS.most)
  for (let order = 0; ; order++) {
    const { first, shift, capacity } = slabOf(stride, align, order)
    const waste = (PAGE_SIZE << order) - capacity * (isDebug || isBehind ? stride : size)
    if (order === SLAB_ORDER_MAX || waste <= (PAGE_SIZE << order) / 8) {
      return { stride, order, first, shift, capacity, link, margin, limit }
    }
  }
}

/** The map of used slots has a bit for each 2^shift bytes, the largest power of two that divides the stride. */
function slabOf(stride: number, align: number, order: number) {
  const bytes = PAGE_SIZE << order
  const shift = 31 - Math.clz32(stride & -stride)
  const mapBytes = Math.ceil((bytes >>> shift) / 32) * 4
  const first = roundUp(HEADER_BYTES + mapBytes, align)
  return { first, shift, capacity: Math.floor((bytes - first) / stride) }
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to
}

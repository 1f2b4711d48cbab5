/**
 * Areas of the kernel's vmalloc window: adjacent pages of frames from anywhere (vmalloc), or windows on frames that are there already
 * (vmap, ioremap). Behind each area a page stays unmapped, so that who runs over its end faults.
 *
 *     area   +0   f64  start     first page
 *     32 B   +8   u32  pages     without the guard page
 *            +12  u32  owned     1: the frames are the area's, and go with it
 *            +16  u32  next      area above; the list's head is Word.kernelAreas
 *
 * Guarded by: the lock `kernelTables` (KernelMapper.enter).
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NO_FRAME, NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import type { FlushBatch } from './flush-batch.js'
import type { KernelMapper } from './kernel-mapper.js'
import type { PageFlusher } from './page-flusher.js'
import type { TableAllocator } from './paging-env.js'

const AREA_BYTES = 32
const GUARD_PAGES = 1
const HEAD = wordIndex(Word.kernelAreas)
export const KERNEL_DATA =
  EntryFlag.read | EntryFlag.write | EntryFlag.global | EntryFlag.accessed | EntryFlag.dirty

export interface KernelAreasEnv {
  readonly memory: Memory
  readonly kernelMapper: KernelMapper
  readonly flusher: PageFlusher
  readonly buddy: Pick<TableAllocator, 'allocateZeroed'>
  readonly slab: Pick<SlabAllocator, 'createCache'>
}

export class KernelAreas {
  readonly #env: KernelAreasEnv
  readonly #cache: SlabCache
  readonly #start: number
  readonly #end: number

  /** A view: the list is in the buffer. */
  constructor(env: KernelAreasEnv) {
    this.#env = env
    this.#cache = env.slab.createCache('vmap_area', AREA_BYTES)
    const { start, pages } = env.kernelMapper.window('vmalloc')
    this.#start = start
    this.#end = start + pages
  }

  /** So many zeroed pages side by side; returns the first, or 0 without memory, without room, or inside another change of the tables. */
  allocate(pages: number): Vpn {
    return this.#make(pages, true, () => this.#env.buddy.allocateZeroed(0), KERNEL_DATA)
  }

  /** A window on adjacent frames, or a device's pages; the same answers. */
  mapFrames(first: Pfn, pages: number, flags: number): Vpn {
    return this.#make(pages, false, (index) => (first + index) as Pfn, flags)
  }

  /** An area for each of some harts, of so many pages; `forHart` says where a hart's is. Returns the first, or 0. */
  allocateForHarts(harts: number, pages: number): Vpn {
    return this.allocate(harts * pages)
  }

  forHart(area: Vpn, hart: number, pages: number): Vpn {
    return (area + hart * pages) as Vpn
  }

  /** Takes an area away, given its first page. TLBs forget it on every hart before its frames go back. */
  free(start: Vpn): void {
    const { kernelMapper, flusher } = this.#env
    const batch = flusher.batch(kernelMapper.root)
    assert(kernelMapper.enter(), 'an area is freed in the midst of another change')
    const area = this.#unlink(start)
    this.#clear(start, this.#pages(area), this.#isOwned(area), batch)
    this.#cache.free(area)
    // Before anybody else can have the pages, nobody knows what they were.
    batch.finish()
    kernelMapper.leave()
  }

  /** All areas, rising. `isOwned`: their frames are theirs alone. */
  areas(): { readonly start: Vpn; readonly pages: number; readonly isOwned: boolean }[] {
    const areas = []
    for (let area = this.#head; area !== NULL; area = this.#next(area)) {
      areas.push({ start: this.#first(area), pages: this.#pages(area), isOwned: this.#isOwned(area) })
    }
    return areas
  }

  /** First page and number of pages of the area that holds a page. */
  find(vpn: Vpn): { readonly start: Vpn; readonly pages: number } | undefined {
    for (let area = this.#head; area !== NULL; area = this.#next(area)) {
      const [start, pages] = [this.#first(area), this.#pages(area)]
      if (vpn >= start && vpn < start + pages) return { start, pages }
    }
    return undefined
  }

  #make(pages: number, isOwned: boolean, frameOf: (index: number) => Pfn, flags: number): Vpn {
    const { kernelMapper, flusher } = this.#env
    assert(pages > 0, 'an area has pages')
    const batch = flusher.batch(kernelMapper.root)
    const start = kernelMapper.enter() ? this.#makeLocked(pages, isOwned, frameOf, flags, batch) : (0 as Vpn)
    batch.finish()
    kernelMapper.leave()
    return start
  }

  #makeLocked(
    pages: number,
    isOwned: boolean,
    frameOf: (index: number) => Pfn,
    flags: number,
    batch: FlushBatch,
  ): Vpn {
    const area = this.#link(pages, isOwned)
    if (area === NULL) return 0 as Vpn
    const start = this.#first(area)
    for (let index = 0; index < pages; index++) {
      const pfn = frameOf(index)
      if (this.#mapPage((start + index) as Vpn, pfn, isOwned, flags, batch)) continue
      this.#clear(start, index, isOwned, batch)
      this.#cache.free(this.#unlink(start))
      return 0 as Vpn
    }
    return start
  }

  #mapPage(vpn: Vpn, pfn: Pfn, isOwned: boolean, flags: number, batch: FlushBatch): boolean {
    if (isOwned && pfn === NO_FRAME) return false
    if (this.#env.kernelMapper.map(vpn, pfn, flags, batch) === 0) return true
    if (isOwned) batch.releaseFrame(pfn)
    return false
  }

  #clear(start: Vpn, pages: number, isOwned: boolean, batch: FlushBatch): void {
    const { kernelMapper } = this.#env
    kernelMapper.walk(start, (start + pages) as Vpn, (vpn, entry) => {
      const pfn = kernelMapper.pfn(entry)
      kernelMapper.clear(entry, vpn, batch)
      if (isOwned) batch.releaseFrame(pfn)
    })
    kernelMapper.prune(start, (start + pages) as Vpn, batch)
  }

  /** A record in the first gap that has room for the pages and the guard page; NULL without. */
  #link(pages: number, isOwned: boolean): Ptr {
    const { memory } = this.#env
    let below = NULL as Ptr
    let start = this.#start
    for (let area = this.#head; area !== NULL; area = this.#next(area)) {
      if (this.#first(area) - start >= pages + GUARD_PAGES) break
      start = this.#first(area) + this.#pages(area) + GUARD_PAGES
      below = area
    }
    if (start + pages + GUARD_PAGES > this.#end) return NULL
    const made = this.#cache.allocate()
    if (made === NULL) return NULL
    memory.f64[made >>> 3] = start
    memory.u32[(made >>> 2) + 2] = pages
    memory.u32[(made >>> 2) + 3] = isOwned ? 1 : 0
    memory.u32[(made >>> 2) + 4] = below === NULL ? this.#head : this.#next(below)
    this.#setNext(below, made)
    return made
  }

  #unlink(start: Vpn): Ptr {
    let below = NULL as Ptr
    let area = this.#head
    while (area !== NULL && this.#first(area) !== start) {
      below = area
      area = this.#next(area)
    }
    assert(area !== NULL, 'there is no area at this page')
    this.#setNext(below, this.#next(area))
    return area
  }

  /** Asserts that areas rise, keep their guard pages, and are mapped in whole. */
  check(): void {
    const { kernelMapper } = this.#env
    let above = this.#start
    let areas = 0
    for (let area = this.#head; area !== NULL; area = this.#next(area)) {
      const [start, pages] = [this.#first(area), this.#pages(area)]
      assert(
        start >= above && start + pages + GUARD_PAGES <= this.#end,
        'areas rise, with a guard page between',
      )
      let mapped = 0
      kernelMapper.walk(above as Vpn, (start + pages + GUARD_PAGES) as Vpn, (vpn) => {
        assert(vpn >= start && vpn < start + pages, 'nothing is mapped outside the areas')
        mapped++
      })
      assert(mapped === pages, 'every page of an area is mapped')
      above = start + pages + GUARD_PAGES
      areas++
    }
    kernelMapper.walk(above as Vpn, this.#end as Vpn, () =>
      assert(false, 'nothing is mapped above the areas'),
    )
    assert(this.#cache.used === areas, 'every area is in the list')
  }

  get #head(): Ptr {
    return this.#env.memory.u32[HEAD]! as Ptr
  }

  #first(area: Ptr): Vpn {
    return this.#env.memory.f64[area >>> 3]! as Vpn
  }

  #pages(area: Ptr): number {
    return this.#env.memory.u32[(area >>> 2) + 2]!
  }

  #isOwned(area: Ptr): boolean {
    return this.#env.memory.u32[(area >>> 2) + 3] === 1
  }

  #next(area: Ptr): Ptr {
    return this.#env.memory.u32[(area >>> 2) + 4]! as Ptr
  }

  #setNext(area: Ptr, next: Ptr): void {
    this.#env.memory.u32[area === NULL ? HEAD : (area >>> 2) + 4] = next
  }
}

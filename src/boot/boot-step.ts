import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import { PAGE_SIZE } from '../base/numbers.js'
import type { BootMemoryMap, RangeKind } from '../frame/boot-memory-map.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { BumpAllocator } from '../frame/bump-allocator.js'
import { CACHE_FRAMES_MAX, refillFrames } from '../frame/frame-cache.js'
import { FRAME_ENTRY_BYTES, type FrameTable } from '../frame/frame-table.js'
import { minimumFreeKib, WATERMARK_SCALE, watermarksFor } from '../frame/watermarks.js'
import { type KernelMapper, WINDOWS } from '../paging/kernel-mapper.js'
import type { Tlbs } from '../paging/tlb.js'
import { CACHES_MAX } from '../slab/cache-table.js'
import { Region, regionBytes, regionPtr } from '../state/layout.js'
import type { Memory } from '../state/memory.js'

/** Something that a step of the boot found or made. A number counts what its name says: bytes, frames, pages. */
export interface BootFact {
  readonly what: string
  readonly value: number | string
}

/** One step of a boot, once it is done. */
export interface BootStep {
  readonly name: string
  readonly facts: readonly BootFact[]
}

/** Tells whoever listens what each layer made of the machine. */
export class BootReporter {
  readonly #listener: ((step: BootStep) => void) | undefined
  readonly #memory: Memory
  readonly #arch: MemoryManagementArch

  constructor(listener: ((step: BootStep) => void) | undefined, memory: Memory, arch: MemoryManagementArch) {
    this.#listener = listener
    this.#memory = memory
    this.#arch = arch
  }

  /** What each frame of RAM is for, also the holes. */
  memoryMap(map: BootMemoryMap): void {
    this.#tell('memory map', () => {
      const kinds: RangeKind[] = ['usable', 'reserved', 'noMap']
      const ranges = kinds.flatMap((kind) => map.ranges(kind).map(({ start, end }) => ({ kind, start, end })))
      ranges.sort((a, b) => a.start - b.start)
      const facts: BootFact[] = []
      let covered = 0
      for (const { kind, start, end } of [
        ...ranges,
        { kind: '', start: map.frameCount, end: map.frameCount },
      ]) {
        if (covered < start) facts.push({ what: this.#range(covered, start), value: 'hole' })
        if (start < end) facts.push({ what: this.#range(start, end), value: kind })
        covered = end
      }
      const start = `0x${(this.#arch.physBasePfn * PAGE_SIZE).toString(16)}`
      return [
        { what: 'RAM begins at', value: start },
        ...facts,
        { what: 'usable frames', value: map.usableFrames() },
      ]
    })
  }

  bump(bump: BumpAllocator): void {
    this.#tell('bump allocator', () => [
      ...this.#region('harts', Region.harts),
      ...this.#region('scratch', Region.scratch),
      { what: 'frames taken', value: bump.taken.reduce((sum, { start, end }) => sum + end - start, 0) },
    ])
  }

  frameTable({ frameCount }: FrameTable): void {
    this.#tell('frame table', () => [
      ...this.#region('entries', Region.frameTable),
      { what: 'frames', value: frameCount },
      { what: 'bytes a frame', value: FRAME_ENTRY_BYTES },
    ])
  }

  tlbs(tlbs: Tlbs): void {
    this.#tell('TLBs', () => [
      ...this.#region('entries', Region.tlbs),
      { what: 'harts', value: tlbs.hartCount },
      { what: 'address-space identifiers of each', value: tlbs.asids },
    ])
  }

  buddy(buddy: BuddyAllocator): void {
    this.#tell('buddy allocator', () => {
      const zones = buddy.zones.all.flatMap((zone, i): BootFact[] => [
        { what: `zone ${i}`, value: this.#range(zone.start, zone.end) },
        { what: `zone ${i} managed frames`, value: zone.managedFrames },
        { what: `zone ${i} reserved frames`, value: zone.reservedFrames },
        { what: `zone ${i} protected frames`, value: zone.protection },
      ])
      const { perOrder, cached } = buddy.stats()
      const blocks = perOrder.map((count, order) => ({
        what: `free blocks of ${2 ** order} frames`,
        value: count,
      }))
      return [
        ...zones,
        ...blocks.filter(({ value }) => value > 0),
        { what: 'hart caches', value: `${cached.length} × up to ${CACHE_FRAMES_MAX} frames` },
        { what: 'frames a refill', value: refillFrames(this.#memory.bytes / PAGE_SIZE) },
      ]
    })
  }

  slab(): void {
    this.#tell('slab allocator', () => [
      ...this.#region('cache descriptors', Region.slabCaches),
      { what: 'caches at most', value: CACHES_MAX },
      ...this.#region('magazines', Region.magazines),
    ])
  }

  kernelMapper(mapper: KernelMapper): void {
    this.#tell('kernel mapper', () => [
      { what: 'paging', value: this.#arch.name },
      { what: 'root', value: this.#range(mapper.root, mapper.root + 1) },
      { what: 'table frames', value: mapper.tableFrames() },
      { what: 'linear map', value: pages(this.#arch.kernelLayout.linearMap.start) },
      ...WINDOWS.map((name) => {
        const { start, pages: length } = mapper.window(name)
        return { what: name, value: `${pages(start)}, ${length} pages` }
      }),
    ])
  }

  /** The machine is there. The watermarks are those that a kernel which reclaims will set. */
  done(buddy: BuddyAllocator): void {
    this.#tell('done', () => {
      const { all } = buddy.zones
      const total = buddy.totalFrames()
      const minimum = minimumFreeKib(total, all.length)
      const marks = all.map(({ managedFrames }, i) => {
        const { min, low, high } = watermarksFor(managedFrames, minimum, WATERMARK_SCALE, total)
        return { what: `zone ${i} watermarks min, low, high`, value: `${min}, ${low}, ${high}` }
      })
      return [{ what: 'free frames', value: buddy.freeFrames() }, ...marks]
    })
  }

  #tell(name: string, facts: () => readonly BootFact[]): void {
    if (this.#listener !== undefined) this.#listener({ name, facts: facts() })
  }

  #region(what: string, region: Region): BootFact[] {
    const start = regionPtr(this.#memory, region) / PAGE_SIZE
    const bytes = regionBytes(this.#memory, region)
    return [
      { what, value: this.#range(start, start + Math.ceil(bytes / PAGE_SIZE)) },
      { what: `${what} bytes`, value: bytes },
    ]
  }

  /** Byte offsets in RAM, as the boot memory map has them; the last one is not in it. */
  #range(start: number, end: number): string {
    const hex = (frame: number) => `0x${(frame * PAGE_SIZE).toString(16)}`
    return `${hex(start)}-${hex(end)}`
  }
}

/** The address of a page of the kernel's half, all 64 bits. */
function pages(vpn: number): string {
  return `0x${BigInt.asUintN(64, BigInt(vpn) * BigInt(PAGE_SIZE)).toString(16)}`
}

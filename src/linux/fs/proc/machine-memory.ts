/** The memory of the machine in numbers, taken once for one text. In pages, if nothing else is said. */
import { type Watermarks, watermarksFor } from '../../../frame/watermarks.js'
import type { MemoryManager } from '../../../mm.js'
import { FrameCensus, lockedFrames } from '../../../space/frame-census.js'
import { readSetting, Setting } from '../../../state/settings.js'

/** Slab caches whose objects go with the pages that they are for. */
const RECLAIMABLE = new Set(['page_cache_node', 'page_object'])

export class MachineMemory {
  readonly total: number
  /** Without those that the processors keep for themselves. */
  readonly free: number
  readonly census: FrameCensus
  /** Locked in memory by mlock(2) and its kin. */
  readonly locked: number
  /** Page tables of programs, without their roots. */
  readonly tables: number
  readonly slabReclaimable: number
  readonly watermarks: Watermarks

  constructor(mm: MemoryManager) {
    this.total = mm.buddy.totalFrames()
    this.free = mm.buddy.zones.freeFrames
    this.census = new FrameCensus(mm)
    this.locked = lockedFrames(mm, mm.spaces).size
    this.tables = this.census.tables - rootsOf(mm)
    this.slabReclaimable = mm.slab
      .stats()
      .filter(({ name }) => RECLAIMABLE.has(name))
      .reduce((sum, { slabs, framesPerSlab }) => sum + slabs * framesPerSlab, 0)
    const [minimum, scale] = [Setting.minimumFreeKbytes, Setting.watermarkScale].map((it) =>
      readSetting(mm.memory, it),
    )
    this.watermarks = watermarksFor(this.total, minimum, scale)
  }

  /** Pages of files that are not shared memory. */
  get files(): number {
    return this.census.cached - this.census.shmem
  }

  /** There is one list, that of active pages: reclaim looks at all. Shared memory is on the list of anonymous pages, as in Linux. */
  get activeAnonymous(): number {
    return this.census.anonymous + this.census.shmem - this.locked
  }

  get activeFiles(): number {
    return this.files - this.census.secret
  }

  get unevictable(): number {
    return this.locked + this.census.secret
  }

  get slabUnreclaimable(): number {
    return this.census.slabs - this.slabReclaimable
  }

  /** What programs could get without swap (si_mem_available): free, and of caches what is above the low watermark or half of them. */
  get available(): number {
    const { low, high } = this.watermarks
    const part = (pages: number) => pages - Math.min(Math.floor(pages / 2), low)
    return Math.max(0, this.free - high + part(this.files) + part(this.slabReclaimable))
  }

  /** Above these many dirty pages writers write back themselves; above the other the kernel begins (domain_dirty_limits). */
  dirtyThresholds(ratio: number, backgroundRatio: number): { dirty: number; background: number } {
    const usable = Math.max(0, this.free - this.watermarks.high) + this.files
    return {
      dirty: Math.floor((usable * ratio) / 100),
      background: Math.floor((usable * backgroundRatio) / 100),
    }
  }
}

/** Roots do not count (pgd_alloc). */
function rootsOf({ spaces }: MemoryManager): number {
  let roots = 0
  spaces.forEach(() => {
    roots++
  })
  return roots
}

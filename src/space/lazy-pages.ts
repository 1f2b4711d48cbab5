/** Advice about pages that are there: given up (MADV_FREE), not needed soon (MADV_COLD), not needed now (MADV_PAGEOUT). */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { Counter, count } from '../state/counters.js'
import type { AddressSpace } from './address-space.js'
import {
  folioStart,
  foliosRun,
  isLikelyShared,
  isLikelySharedObjects,
  isOfFolio,
  isOfObjectsFolio,
  mappingsOfObjectsFolio,
} from './large-folio.js'
import { forEachMapper, foundAnonymous } from './mappers.js'
import type { ObjectSpacesEnv } from './object-spaces.js'
import { isDirtyFrame, mappingsOf } from './page-usage.js'
import { isPoison } from './poisoned-entry.js'
import type { SpaceEnv } from './space-env.js'
import { dropHugeAt } from './split-huge.js'
import { HUGE_PAGES, VM_LOCKED } from './vm-flags.js'
import type { Vma } from './vma.js'

const USED = EntryFlag.accessed | EntryFlag.dirty

/** What is left to do when the space's lock is given back, in this order. */
export class Unfinished {
  /** First frames of folios to split for good; they count as split already. */
  readonly split = new Set<Pfn>()
  /** Frames of such folios that were given up since: whether they had been written to before. */
  readonly givenUp: Map<Pfn, boolean> = new Map()
  /** First frames of an object's huge pages to split, with a reference to the object: where each begins. Whoever maps pages of one has them no more then. */
  readonly splitObjects: Map<Pfn, ObjectPage> = new Map()
  /** Single frames that were given up, and that somebody else may have locked. */
  readonly doubtful: Pfn[] = []
  /** MADV_PAGEOUT: first frames of folios that were given up, to be freed. */
  readonly lazy: Pfn[] = []
  /** MADV_PAGEOUT: single frames to be freed. */
  readonly frames: Pfn[] = []
}

/** A page of an object. */
export interface ObjectPage {
  readonly object: Ptr
  readonly index: number
}

/** A part of a mapping that advice is about. */
export interface AdvisedPart {
  readonly space: AddressSpace
  readonly vma: Vma
  readonly from: Vpn
  readonly to: Vpn
  readonly unfinished: Unfinished
}

/** What is done to a page, by its entry; to a huge page as a whole, by its leaf; to one that small entries map, by the first of them. */
interface Visitor {
  readonly page: (vpn: Vpn, entry: Ptr) => void
  readonly hugePage: (vpn: Vpn, leaf: Ptr) => void
  readonly folio: (vpn: Vpn, entry: Ptr) => void
  /** Whether a whole huge page of an object is unmapped. Without swap it stays in its object. */
  readonly takesOut?: boolean
  /** Whether the marks of lost pages (UFFDIO_POISON) go. */
  readonly takesPoison?: boolean
}

/** A walk over the counted pages of such a part. A huge page of which only some are in it is split for good. */
class Walk {
  readonly mapper: UserMapper
  readonly batch: FlushBatch
  readonly #mm: SpaceEnv
  readonly #part: AdvisedPart

  constructor(mm: SpaceEnv, part: AdvisedPart) {
    this.#mm = mm
    this.#part = part
    this.mapper = mm.userMappers.of(part.space.root)
    this.batch = mm.flusher.batch(part.space.root)
  }

  run(visitor: Visitor): void {
    const { from, to } = this.#part
    for (let at = from; at < to; ) {
      const next = Math.min(to, at - (at % HUGE_PAGES) + HUGE_PAGES) as Vpn
      const leaf = this.mapper.hugeLeaf(at)
      if (leaf === NULL) this.#eachSmall(at, next, visitor)
      else if (this.mapper.isObjects(leaf)) this.#visitObjects(leaf, at, next, visitor)
      else if (this.#isOwn(leaf)) this.#visitHuge(leaf, at, next, visitor)
      at = next
    }
    this.batch.finish()
  }

  /** Huge pages that somebody else has a page of are left alone (folio_likely_mapped_shared), and so is that of zeroes. */
  #isOwn(leaf: Ptr): boolean {
    const { mapper } = this
    if ((mapper.flags(leaf) & EntryFlag.special) !== 0) return false
    return this.#mm.buddy.isRunAlone(mapper.pfn(leaf), mapper.hugeOrder)
  }

  /** A huge page of an object: one that nobody else maps. A part of it splits it. */
  #visitObjects(leaf: Ptr, from: Vpn, to: Vpn, visitor: Visitor): void {
    const { space, vma } = this.#part
    const first = this.mapper.pfn(leaf)
    for (let i = 0; i < HUGE_PAGES; i++) if (mappingsOf(this.#mm, (first + i) as Pfn) > 1) return
    if (to - from < HUGE_PAGES) {
      this.#splitLater(from, first)
      return
    }
    if (!visitor.takesOut) this.mapper.changeHuge(leaf, from, EntryFlag.accessed, 0, this.batch)
    else if (!this.#mm.objects.isUnevictable(vma.object)) dropHugeAt(this.#mm, space, vma, from)
  }

  #visitHuge(leaf: Ptr, from: Vpn, to: Vpn, visitor: Visitor): void {
    if (to - from === HUGE_PAGES) {
      visitor.hugePage(from, leaf)
      return
    }
    this.#part.unfinished.split.add(this.mapper.pfn(leaf))
    this.mapper.split(leaf, from, this.batch)
    this.#eachSmall(from, to, visitor)
  }

  /** For pages of one table. */
  #eachSmall(from: Vpn, to: Vpn, visitor: Visitor): void {
    const first = this.mapper.leaf(from)
    if (first === NULL) return
    for (let i = 0; i < to - from; )
      i += this.#visit((from + i) as Vpn, this.mapper.neighbour(first, i), to - from - i, visitor)
  }

  /** Returns how many of the `left` entries that has done with. */
  #visit(vpn: Vpn, entry: Ptr, left: number, visitor: Visitor): number {
    const { mapper } = this
    if (!mapper.isPresent(entry)) return 1
    if ((mapper.flags(entry) & EntryFlag.special) !== 0) {
      const isTaken = visitor.takesPoison === true && isPoison(mapper.flags(entry))
      if (isTaken) mapper.clear(entry, vpn, this.batch)
      return 1
    }
    const first = folioStart(mapper.pfn(entry))
    if (isOfObjectsFolio(this.#mm.frames, mapper.pfn(entry)))
      return this.#visitObjectsFolio(vpn, entry, left, visitor)
    const { split } = this.#part.unfinished
    if (isOfFolio(this.#mm.frames, mapper.pfn(entry)) && !split.has(first)) {
      const pages = foliosRun(mapper, entry, left)
      if (pages === HUGE_PAGES) visitor.folio(vpn, entry)
      if (pages === HUGE_PAGES || isLikelyShared(this.#mm.frames, first)) return pages
      split.add(first)
    }
    visitor.page(vpn, entry)
    return 1
  }

  /** The same for small entries of an object's huge page: all of them, or they split it. */
  #visitObjectsFolio(vpn: Vpn, entry: Ptr, left: number, visitor: Visitor): number {
    const { mapper } = this
    const first = folioStart(mapper.pfn(entry))
    const pages = foliosRun(mapper, entry, left)
    if (this.#part.unfinished.splitObjects.has(first)) return pages
    const mappings = mappingsOfObjectsFolio(this.#mm.frames, first)
    if (pages < HUGE_PAGES) {
      if (!isLikelySharedObjects(this.#mm.frames, first, mappings)) this.#splitLater(vpn, first)
    } else if (mappings === HUGE_PAGES) {
      for (let i = 0; i < pages; i++) visitor.page((vpn + i) as Vpn, mapper.neighbour(entry, i))
    }
    return pages
  }

  /** Others may map it, too, whose spaces are not locked. */
  #splitLater(vpn: Vpn, first: Pfn): void {
    const { vma, unfinished } = this.#part
    this.#mm.objects.retain(vma.object)
    unfinished.splitObjects.set(first, { object: vma.object, index: vma.offsetOf(vpn) })
  }
}

/**
 * MADV_FREE: private pages may be dropped when memory runs out, unless they are written to before: their entries are clean
 * from now on, and a store makes them dirty again (madvise_free_pte_range).
 */
export function freeLazily(mm: SpaceEnv, part: AdvisedPart): void {
  const { frames } = mm
  const walk = new Walk(mm, part)
  const { mapper, batch } = walk
  const giveUp = (pfn: Pfn) => {
    if (isDirtyFrame(mm, pfn)) mm.atomics.and(frames.flagsPtr(pfn), ~FrameFlag.dirtyPage)
    const flags = mm.atomics.or(frames.flagsPtr(pfn), FrameFlag.lazyFree)
    if ((flags & FrameFlag.lazyFree) === 0) count(mm.memory, Counter.givenUp)
  }
  const giveUpAll = (first: Pfn) => {
    for (let i = 0; i < HUGE_PAGES; i++) giveUp((first + i) as Pfn)
  }
  walk.run({
    page: (vpn, entry) => {
      const pfn = mapper.pfn(entry)
      if ((frames.flags(pfn) & FrameFlag.anonymous) === 0) return
      if (isDirtyFrame(mm, pfn) && mappingsOf(mm, pfn) > 1) return
      giveUp(pfn)
      if (mappingsOf(mm, pfn) > 1 && hasLockedPlace(mm, pfn)) part.unfinished.doubtful.push(pfn)
      const had = mapper.changeFlags(entry, vpn, USED, 0, batch)
      if (isOfFolio(frames, pfn)) part.unfinished.givenUp.set(pfn, (had & EntryFlag.dirty) !== 0)
    },
    hugePage: (vpn, leaf) => {
      giveUpAll(mapper.pfn(leaf))
      mapper.changeHuge(leaf, vpn, USED, 0, batch)
    },
    folio: (vpn, entry) => {
      const pfn = mapper.pfn(entry)
      if (!mm.buddy.isRunAlone(pfn, mapper.hugeOrder)) return
      giveUpAll(pfn)
      mapper.changeRun(entry, vpn, HUGE_PAGES, USED, 0, batch)
    },
    takesPoison: true,
  })
}

/** Whether a mapping is locked that would show the page of a frame: maybe another one, since the page was copied. */
function hasLockedPlace(mm: SpaceEnv, pfn: Pfn): boolean {
  const index = mm.frames.index(pfn)
  let isLocked = false
  mm.families.visitIfLive(mm.frames.owner(pfn), ({ flags, start, end, pageOffset }) => {
    const vpn = start + index - pageOffset
    if ((flags & VM_LOCKED) !== 0 && vpn >= start && vpn < end) isLocked = true
  })
  return isLocked
}

/** A frame that was given up is wanted after all where a mapping has it locked (folio_mark_lazyfree of one that is unevictable). Holds no lock. */
export function keepLocked(mm: ObjectSpacesEnv, pfn: Pfn): void {
  const found = foundAnonymous(mm, pfn)
  if (found === undefined) return
  forEachMapper(mm, found, (_space, { flags }) => {
    if ((flags & VM_LOCKED) !== 0) mm.atomics.and(mm.frames.flagsPtr(pfn), ~FrameFlag.lazyFree)
  })
}

/** MADV_COLD: pages that nobody else maps count as not accessed (madvise_cold_or_pageout_pte_range). */
export function coolDown(mm: SpaceEnv, part: AdvisedPart): void {
  const walk = new Walk(mm, part)
  const { mapper, batch } = walk
  const cool = (pages: number) => count(mm.memory, Counter.deactivated, pages)
  walk.run({
    page: (vpn, entry) => {
      if (mappingsOf(mm, mapper.pfn(entry)) !== 1) return
      mapper.changeFlags(entry, vpn, EntryFlag.accessed, 0, batch)
      cool(1)
    },
    hugePage: (vpn, leaf) => {
      mapper.changeHuge(leaf, vpn, EntryFlag.accessed, 0, batch)
      cool(HUGE_PAGES)
    },
    folio: (vpn, entry) => {
      if (!mm.buddy.isRunAlone(mapper.pfn(entry), mapper.hugeOrder)) return
      mapper.changeRun(entry, vpn, HUGE_PAGES, EntryFlag.accessed, 0, batch)
      cool(HUGE_PAGES)
    },
  })
}

/**
 * The first half of MADV_PAGEOUT: the frames that nobody else maps; whether they were accessed is not asked, and stays. A huge page is split for
 * good, because there is no swap to take it as a whole; one that was given up is only dropped.
 */
export function takeOut(mm: SpaceEnv, part: AdvisedPart): void {
  const walk = new Walk(mm, part)
  const { mapper } = walk
  const { split, lazy, frames } = part.unfinished
  const takeFolio = (pfn: Pfn) => {
    if ((mm.frames.flags(pfn) & FrameFlag.lazyFree) !== 0) lazy.push(pfn)
    else split.add(pfn)
  }
  walk.run({
    page: (_vpn, entry) => {
      const pfn = mapper.pfn(entry)
      if (mappingsOf(mm, pfn) !== 1) return
      frames.push(pfn)
    },
    hugePage: (_vpn, leaf) => {
      takeFolio(mapper.pfn(leaf))
    },
    folio: (_vpn, entry) => {
      const pfn = mapper.pfn(entry)
      if (!mm.buddy.isRunAlone(pfn, mapper.hugeOrder)) return
      takeFolio(pfn)
    },
    takesOut: true,
  })
}

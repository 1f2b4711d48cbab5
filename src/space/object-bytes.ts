import { EFBIG, ENXIO } from '../base/errno.js'
import { frameToPtr, NO_FRAME, PAGE_MASK, PAGE_SIZE, type Pfn, type Ptr, pagesFor } from '../base/numbers.js'
import { ObjectFolios } from './object-folios.js'
import { ObjectKind } from './object-records.js'
import { OBJECT_PAGES_MAX } from './page-cache.js'
import { Reading } from './read-ahead.js'
import { allowsObjectFolio, mayMakeObjectFolios, writeEnd } from './shmem-policy.js'
import { HUGE_PAGES } from './vm-flags.js'

/** Largest size of an object in bytes (2^63, which stands for 2^63 - 1); more is EFBIG. Pages beyond 4 TiB have no place: ENOSPC. */
export const OBJECT_BYTES_MAX = 2 ** 63

/** The bytes of objects: what is read, written, cleared and cut, page by page. */
export class ObjectBytes extends ObjectFolios {
  /**
   * Copies from the object, up to its end, or that of what its provider has (a file that somebody else made shorter). Bytes
   * copied, or a negative errno when not even one could be.
   */
  read(object: Ptr, offset: number, target: Uint8Array): number {
    this.lock(object)
    const length = Math.max(0, Math.min(target.length, this.size(object) - offset))
    let done = 0
    let problem = 0
    while (done < length && problem === 0) {
      const count = bytesInPage(offset + done, length - done)
      problem = this.#readPart(object, offset + done, part(target, done, count))
      if (problem === 0) done += count
    }
    this.unlock(object)
    return done > 0 || problem === -ENXIO ? done : problem
  }

  /** Copies into the object, growing it. Bytes copied, or -ENOMEM, -EFBIG, -EIO when not even one could be. */
  write(object: Ptr, offset: number, source: Uint8Array): number {
    if (offset >= OBJECT_BYTES_MAX && source.length > 0) return -EFBIG
    const length = Math.min(source.length, OBJECT_BYTES_MAX - offset)
    let done = 0
    let problem = 0
    this.lock(object)
    while (done < length && problem === 0) {
      const count = bytesInPage(offset + done, length - done)
      if (mayMakeObjectFolios(this.env.memory)) this.#makeFolio(object, offset + done, offset + length)
      const wholePages = count === PAGE_SIZE ? wholeWithin(offset + done, length - done) : 0
      if (wholePages > 1) {
        const added = this.addBlock(
          object,
          (offset + done) / PAGE_SIZE,
          part(source, done, wholePages * PAGE_SIZE),
        )
        done += added * PAGE_SIZE
        if (added > 0) continue
      }
      problem = this.#writePart(object, offset + done, part(source, done, count))
      if (problem === 0) done += count
    }
    if (done > 0) this.#grow(object, offset + done, offset)
    this.unlock(object)
    return done > 0 ? done : problem
  }

  /**
   * Takes over bytes that the provider has already: pages that are in the cache get them and stay as clean as they were. The
   * object grows if need be. `offset + source.length` ≤ OBJECT_BYTES_MAX.
   */
  update(object: Ptr, offset: number, source: Uint8Array): void {
    this.lock(object)
    this.#grow(object, offset + source.length, offset)
    for (let done = 0; done < source.length; ) {
      const at = offset + done
      const count = bytesInPage(at, source.length - done)
      const pfn = this.find(object, Math.floor(at / PAGE_SIZE))
      if (pfn !== NO_FRAME) {
        this.env.memory.u8.set(source.subarray(done, done + count), frameToPtr(pfn) + (at % PAGE_SIZE))
        this.env.frames.forgetWritten(pfn)
      }
      done += count
    }
    this.unlock(object)
  }

  /** Zeroes bytes `from` to `to` - 1 of one page, if it is in the cache. */
  clear(object: Ptr, from: number, to: number): void {
    this.lock(object)
    const page = from < to ? this.find(object, Math.floor(from / PAGE_SIZE)) : NO_FRAME
    if (page !== NO_FRAME) {
      this.env.memory.fill((frameToPtr(page) + (from % PAGE_SIZE)) as Ptr, 0, to - from)
      this.env.frames.forgetWritten(page)
      this.markDirty(page)
    }
    this.unlock(object)
  }

  /** Makes the object larger, with zeroes. */
  extend(object: Ptr, bytes: number): void {
    this.lock(object)
    this.#grow(object, bytes, bytes)
    this.unlock(object)
  }

  /**
   * Raises the size to `bytes`, of which those from `written` on have their contents already. Stores beyond the old end in its
   * page were nobody's: a file that a provider has reads as zeroes there. (tmpfs of Linux 6.12 shows them.)
   */
  #grow(object: Ptr, bytes: number, written: number): void {
    const before = this.size(object)
    if (bytes <= before) return
    this.setSize(object, bytes)
    if (this.isShmem(object) || written <= before || (before & PAGE_MASK) === 0) return
    const page = this.find(object, Math.floor(before / PAGE_SIZE))
    const length = Math.min(written, before + PAGE_SIZE - (before % PAGE_SIZE)) - before
    if (page === NO_FRAME) return
    this.env.memory.fill((frameToPtr(page) + (before % PAGE_SIZE)) as Ptr, 0, length)
    this.env.frames.forgetWritten(page)
  }

  /** Copies part of one page; a hole of a file that is only here reads as zeroes and stays a hole. */
  #readPart(object: Ptr, offset: number, target: Uint8Array): number {
    const index = Math.floor(offset / PAGE_SIZE)
    if (this.isShmem(object) && !this.isFilled(object, index)) {
      target.fill(0)
      return 0
    }
    const pfn = this.getOrAdd(object, index, Reading.inOrder)
    if (pfn < 0) return pfn
    const start = frameToPtr(pfn as Pfn) + (offset % PAGE_SIZE)
    target.set(this.env.memory.u8.subarray(start, start + target.length))
    return 0
  }

  /** The first page of a huge one is about to be written, as far as byte `end`: where Linux makes a huge page, so do we. */
  #makeFolio(object: Ptr, offset: number, end: number): void {
    const index = Math.floor(offset / PAGE_SIZE)
    if (this.find(object, index) !== NO_FRAME) return
    const bytes = Math.max(this.size(object), writeEnd(offset, end))
    if (allowsObjectFolio({ memory: this.env.memory, objects: this }, { object, index, bytes }))
      this.addFolioLocked(object, index)
  }

  #writePart(object: Ptr, offset: number, source: Uint8Array): number {
    const pfn = this.getOrAdd(object, Math.floor(offset / PAGE_SIZE))
    if (pfn < 0) return pfn
    this.env.memory.u8.set(source, frameToPtr(pfn as Pfn) + (offset % PAGE_SIZE))
    this.env.frames.forgetWritten(pfn as Pfn)
    if (this.kind(object) !== ObjectKind.kernel) this.markDirty(pfn as Pfn)
    return 0
  }

  /**
   * Takes the pages from byte `from` on out of the cache and zeroes the rest of the page that `from` cuts. The
   * second half of truncateObject: no address space maps these pages any more. False, and nothing is done: another hart has made a huge page
   * meanwhile that `from` cuts, and may have mapped it.
   */
  dropFrom(object: Ptr, from: number): boolean {
    this.lock(object)
    const isHuge =
      from % (HUGE_PAGES * PAGE_SIZE) !== 0 && this.folioOf(object, Math.floor(from / PAGE_SIZE)) !== NO_FRAME
    if (!isHuge) this.#dropFromLocked(object, from)
    this.unlock(object)
    return !isHuge
  }

  #dropFromLocked(object: Ptr, from: number): void {
    const start = from % PAGE_SIZE
    this.cutAllocated(object, pagesFor(from), OBJECT_PAGES_MAX)
    this.dropLocked(object, pagesFor(from), OBJECT_PAGES_MAX)
    const cut = (from & PAGE_MASK) === 0 ? NO_FRAME : this.find(object, Math.floor(from / PAGE_SIZE))
    if (cut !== NO_FRAME) {
      this.env.memory.fill((frameToPtr(cut) + start) as Ptr, 0, PAGE_SIZE - start)
      this.env.frames.forgetWritten(cut)
      if (this.isShmem(object)) this.markDirty(cut)
    }
  }
}

/** Mostly it is all: a new view takes as long as copying some thousand bytes. */
function part(bytes: Uint8Array, start: number, count: number): Uint8Array {
  return count === bytes.length ? bytes : bytes.subarray(start, start + count)
}

/** How many whole pages from `offset` on `length` bytes have, but not into the next huge one: that may be made as one. */
function wholeWithin(offset: number, length: number): number {
  const toHuge = HUGE_PAGES - ((offset / PAGE_SIZE) % HUGE_PAGES)
  return Math.min(Math.floor(length / PAGE_SIZE), toHuge)
}

/** How many of `length` bytes from `offset` on lie in its page. */
function bytesInPage(offset: number, length: number): number {
  return Math.min(length, PAGE_SIZE - (offset % PAGE_SIZE))
}

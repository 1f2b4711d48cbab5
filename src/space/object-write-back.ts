import { EIO } from '../base/errno.js'
import { PAGE_SIZE, type Pfn, type Ptr } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { noteError } from './error-sequence.js'
import type { PageProvider } from './object-cache.js'
import { ObjectPages } from './object-pages.js'

/** Changed pages of objects on their way back to the provider: what write-back.ts does to one object. */
export class ObjectWriteBack extends ObjectPages {
  #markClean(pfn: Pfn): void {
    const { atomics, frames } = this.env
    if ((frames.flags(pfn) & FrameFlag.dirtyPage) === 0) return
    const flags = atomics.and(frames.flagsPtr(pfn), ~FrameFlag.dirtyPage)
    if ((flags & FrameFlag.dirtyPage) !== 0) this.countDirty(frames.owner(pfn) as Ptr, -1)
  }

  /** Whether changed pages have somewhere to go. */
  takesWrites(object: Ptr): boolean {
    return this.providers.get(this.provider(object))?.writePage !== undefined
  }

  /** One hart at a time writes pages of an object: what it marks, another one must not take for its own. The caller holds no lock. */
  lockWriteBack(object: Ptr): void {
    this.env.atomics.lock(this.writeBackLock(object), LockRank.writeBack)
  }

  /** For a caller who holds locks: takes it if nobody has it, and says whether. */
  tryLockWriteBack(object: Ptr): boolean {
    return this.env.atomics.tryLock(this.writeBackLock(object), LockRank.writeBack)
  }

  unlockWriteBack(object: Ptr): void {
    this.env.atomics.unlock(this.writeBackLock(object), LockRank.writeBack)
  }

  /** Marks the changed pages of a range as being written; false when there are none. The first step of writeBackObject. */
  beginWriteBack(object: Ptr, first: number, end: number): boolean {
    const { atomics, frames } = this.env
    const before = this.dirtyPages(object)
    if (before === 0) return false
    this.lock(object)
    const begin = (_index: number, pfn: Pfn) => {
      if ((frames.flags(pfn) & FrameFlag.dirtyPage) === 0) return
      this.#markClean(pfn)
      atomics.or(frames.flagsPtr(pfn), FrameFlag.writeBack)
    }
    this.forEachPage(object, begin, first, end)
    this.unlock(object)
    return this.dirtyPages(object) < before
  }

  /** The last step: writes the pages that were marked. 0 or the first negative errno. */
  finishWriteBack(object: Ptr, first: number, end: number): number {
    const provider = this.providers.get(this.provider(object))
    let problem = 0
    this.lock(object)
    const finish = (index: number, pfn: Pfn) => {
      problem = this.#writePage(object, provider, index, pfn) || problem
    }
    this.forEachPage(object, finish, first, end)
    if (problem !== 0) this.setErrors(object, noteError(this.errors(object), problem))
    this.unlock(object)
    return problem
  }

  /** What could not be written stays changed: it is tried again, and its frame is not taken away. */
  #writePage(object: Ptr, provider: PageProvider | undefined, index: number, pfn: Pfn): number {
    const { atomics, frames } = this.env
    if ((frames.flags(pfn) & FrameFlag.writeBack) === 0) return 0
    const length = Math.min(PAGE_SIZE, this.size(object) - index * PAGE_SIZE)
    const source = this.bytes(pfn, Math.max(0, length))
    const result = length <= 0 ? 0 : (provider?.writePage?.(this.identity(object), index, source) ?? -EIO)
    atomics.and(frames.flagsPtr(pfn), ~FrameFlag.writeBack)
    if (result !== 0) this.markDirty(pfn)
    else count(this.env.memory, Counter.pagesWritten)
    return result
  }
}

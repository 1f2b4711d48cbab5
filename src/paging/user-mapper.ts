import { assert } from '../base/assert.js'
import { ENOMEM } from '../base/errno.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from './flush-batch.js'
import { HugeMapper } from './huge-mapper.js'
import { newTable } from './page-mapper.js'
import type { PagingEnv } from './paging-env.js'

const USER_START = 0 as Vpn

/**
 * The page tables of one address space: the user's half is its own, the kernel's half of the root is a copy of the
 * kernel's root. That copy never goes stale, because the kernel's root never changes after boot.
 */
export class UserMapper extends HugeMapper {
  /** A view; makes nothing. */
  constructor(env: PagingEnv, root: Pfn) {
    super(env, root, USER_START, env.arch.userEnd)
  }

  /** The root of a new, empty space; NO_FRAME without frames. */
  static create(env: PagingEnv, kernelRoot: Pfn): Pfn {
    const root = newTable(env)
    if (root === NO_FRAME) return NO_FRAME
    const offset = kernelHalfOffset(env)
    const source = (frameToPtr(kernelRoot) + offset) as Ptr
    env.memory.copy((frameToPtr(root) + offset) as Ptr, source, PAGE_SIZE - offset)
    return root
  }

  /**
   * Moves the mapped pages of a range to another one, which does not overlap it and has none: entries move as they are,
   * accessed and dirty too (move_page_tables). What lies alike in tables on both sides moves as whole tables and huge
   * leaves; other huge leaves are split. All tables are made first, so that -ENOMEM means nothing has moved. Tables that
   * are left empty stay until somebody prunes.
   */
  move(from: Vpn, to: Vpn, pages: number, batch: FlushBatch): number {
    assert(from + pages <= to || to + pages <= from, 'the ranges overlap')
    const end = (from + pages) as Vpn
    if (!this.#makeTablesFor(from, end, to, batch)) {
      this.prune(to, (to + pages) as Vpn, batch)
      return -ENOMEM
    }
    this.#eachExtent(from, end, to, (vpn, slot, target, length) =>
      this.#moveExtent(vpn, slot, target, length, batch),
    )
    return 0
  }

  /** Calls `visit` for the parts of a range that lie in one table here and in one there, where there is a table or leaf. */
  #eachExtent(
    from: Vpn,
    end: Vpn,
    to: Vpn,
    visit: (vpn: Vpn, slot: Ptr, target: Vpn, length: number) => void,
  ): void {
    for (let vpn = from; vpn < end; ) {
      const target = (vpn - from + to) as Vpn
      const there = this.nextAt(target, 1) - to + from
      const stop = Math.min(this.nextAt(vpn, 1), there, end) as Vpn
      const slot = this.slot(vpn)
      if (slot !== NULL && this.isPresent(slot)) visit(vpn, slot, target, stop - vpn)
      vpn = slot === NULL ? (Math.min(this.nextAt(vpn, 2), end) as Vpn) : stop
    }
  }

  /** Makes the tables that moving the range to `to` needs. False when frames ran out. */
  #makeTablesFor(from: Vpn, end: Vpn, to: Vpn, batch: FlushBatch): boolean {
    let enough = true
    this.#eachExtent(from, end, to, (vpn, slot, target, length) => {
      if (!enough) return
      const above = length === this.hugePages ? this.makeSlot(target) : NULL
      const isWhole = above !== NULL && !this.isPresent(above)
      if (!isWhole && this.isLeaf(slot)) this.split(slot, vpn, batch)
      enough = isWhole || this.makeLeaf(target) !== NULL
    })
    return enough
  }

  #moveExtent(vpn: Vpn, slot: Ptr, target: Vpn, length: number, batch: FlushBatch): void {
    const above = length === this.hugePages ? this.slot(target) : NULL
    const isWhole = above !== NULL && !this.isPresent(above)
    if (isWhole && this.isLeaf(slot)) this.moveHuge(slot, vpn, above, batch)
    else if (isWhole) this.#moveTable(vpn, above, batch)
    else
      this.walk(vpn, (vpn + length) as Vpn, (page, entry) =>
        this.#moveEntry(entry, page, page - vpn + target, batch),
      )
  }

  /** A table with all its pages (move_normal_pmd). */
  #moveTable(vpn: Vpn, target: Ptr, batch: FlushBatch): void {
    this.linkTable(target, this.takeTable(vpn, batch))
  }

  #moveEntry(entry: Ptr, vpn: Vpn, target: number, batch: FlushBatch): void {
    const pfn = this.pfn(entry)
    const destination = this.leaf(target as Vpn)
    assert(!this.isPresent(destination), 'the destination is mapped already')
    this.set(destination, target as Vpn, pfn, this.clear(entry, vpn, batch), batch)
  }

  /** Gives back all tables and the root. Every page was unmapped before. */
  destroy(batch: FlushBatch): void {
    this.prune(this.start, this.end, batch)
    assert(this.env.frames.index(this.root) === 0, 'a space with mapped pages is destroyed')
    batch.freeTable(this.root)
  }
}

/** Where in a root the kernel's entries start, in bytes. */
export function kernelHalfOffset({ arch }: PagingEnv): number {
  return arch.index(arch.kernelStart, arch.levels - 1) * 8
}

import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { frameToPtr, NO_FRAME, type Pfn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { Word, wordIndex } from '../state/layout.js'
import type { PageTable } from './page-table.js'
import type { PagingEnv } from './paging-env.js'

const ACCESS = EntryFlag.read | EntryFlag.write | EntryFlag.execute

/** Throws an InvariantError unless all tables below the root, their counts and entries are sound. */
export function checkTables(table: PageTable, env: PagingEnv): void {
  new TableCheck(table, env).run()
}

/** Walks on its own, entry by entry: it shares no code with what it checks but the architecture. */
class TableCheck {
  readonly #table: PageTable
  readonly #env: PagingEnv
  readonly #seen = new Set<Pfn>()
  readonly #isUser: boolean

  constructor(table: PageTable, env: PagingEnv) {
    this.#table = table
    this.#env = env
    this.#isUser = table.end === env.arch.userEnd
  }

  run(): void {
    const { arch } = this.#env
    const first = this.#isUser ? 0 : arch.index(arch.kernelStart, arch.levels - 1)
    const half = 2 ** (arch.indexBits - 1)
    this.#checkTable(this.#table.root, arch.levels - 1, first, first + half)
    if (this.#isUser) this.#checkKernelHalf(half, 2 * half)
    else this.#checkAbsent(this.#table.root, 0, half)
  }

  #checkTable(pfn: Pfn, level: number, first: number, end: number): void {
    const { frames } = this.#env
    assert(pfn > NO_FRAME && pfn < frames.frameCount, 'a table is outside RAM')
    assert(!this.#seen.has(pfn), 'a table is reachable twice')
    this.#seen.add(pfn)
    assert((frames.flags(pfn) & FrameFlag.table) !== 0, 'a table frame is not marked as one')
    assert(frames.refCount(pfn) === 1, 'a table frame has one reference')
    let present = 0
    let huge = 0
    for (let index = first; index < end; index++) {
      if (!this.#checkEntry(pfn, level, index)) continue
      present++
      if (level > 0 && this.#isUser && this.#env.arch.isLeaf(this.#words(pfn, index)[0])) huge++
    }
    assert(frames.index(pfn) === present, 'the count of present entries is wrong')
    if (this.#isUser && level > 0) this.#checkDeposits(frames.owner(pfn) as Pfn, huge)
  }

  /** A table is set aside for every huge leaf: empty, and in no other use. */
  #checkDeposits(first: Pfn, expected: number): void {
    const { frames } = this.#env
    let count = 0
    for (let table = first; table !== NO_FRAME; table = frames.owner(table) as Pfn) {
      assert(++count <= expected, 'more tables are set aside than there are huge leaves')
      assert(table < frames.frameCount && !this.#seen.has(table), 'a table that is set aside is in use')
      this.#seen.add(table)
      assert((frames.flags(table) & FrameFlag.table) !== 0, 'what is set aside is a table')
      assert(frames.refCount(table) === 1 && frames.index(table) === 0, 'a table that is set aside is empty')
      for (let index = 0; index < 2 ** this.#env.arch.indexBits; index++) {
        const [low, high] = this.#words(table, index)
        assert(low === 0 && high === 0, 'a table that is set aside is all zero')
      }
    }
    assert(count === expected, 'a huge leaf has no table set aside')
  }

  /** Whether the entry is present. */
  #checkEntry(table: Pfn, level: number, index: number): boolean {
    const { arch } = this.#env
    const [low, high] = this.#words(table, index)
    if (!arch.isPresent(low)) {
      assert(low === 0 && high === 0, 'an absent entry is all zero')
      return false
    }
    if (level === 0 || arch.isLeaf(low)) {
      assert(arch.isLeaf(low), 'an entry of level 0 is a leaf')
      this.#checkLeaf(low, high, level)
    } else {
      const child = arch.tableOf(low, high)
      assert(low === arch.tableLow(child) && high === arch.tableHigh(child), 'an entry has reserved bits')
      this.#checkTable(child, level - 1, 0, 2 ** arch.indexBits)
    }
    return true
  }

  #checkLeaf(low: number, high: number, level: number): void {
    const { arch, frames } = this.#env
    const pfn = arch.pfnOf(low, high)
    const flags = arch.flagsOf(low, high)
    assert(low === arch.leafLow(pfn, flags) && high === arch.leafHigh(pfn, flags), 'a leaf has reserved bits')
    const pageNumber = pfn + arch.physBasePfn
    assert(pageNumber % arch.span(level) === 0, 'a superpage is aligned to its size')
    const isUserPage = (flags & EntryFlag.user) !== 0
    const isMark = this.#isUser && (flags & EntryFlag.special) !== 0
    assert(
      isUserPage === this.#isUser || (flags & ACCESS) === 0 || isMark,
      'user pages are in the user half only',
    )
    assert(!this.#isUser || level <= 1, 'users have leaves of level 0 and 1')
    if ((flags & EntryFlag.special) !== 0) return
    assert(pfn > NO_FRAME || !this.#isUser, 'frame 0 is never mapped for a user')
    assert(pfn >= 0 && pfn < frames.frameCount, 'a mapped frame is outside RAM and not special')
    if (!this.#isUser) return
    for (let frame = pfn; frame < pfn + arch.span(level); frame++) {
      const isFree = (frames.flags(frame) & FrameFlag.free) !== 0 || frames.refCount(frame) === 0
      assert(!isFree, 'a free frame is mapped')
    }
  }

  #checkKernelHalf(first: number, end: number): void {
    const kernelRoot = this.#env.memory.u32[wordIndex(Word.kernelRoot)] as Pfn
    for (let index = first; index < end; index++) {
      const [low, high] = this.#words(this.#table.root, index)
      const [kernelLow, kernelHigh] = this.#words(kernelRoot, index)
      assert(low === kernelLow && high === kernelHigh, 'a root differs from the kernel in its half')
    }
  }

  #checkAbsent(table: Pfn, first: number, end: number): void {
    for (let index = first; index < end; index++) {
      assert(this.#words(table, index)[0] === 0, 'the kernel root has a user half')
    }
  }

  #words(table: Pfn, index: number): [low: number, high: number] {
    const word = (frameToPtr(table) >>> 2) + index * 2
    return [this.#env.memory.u32[word]!, this.#env.memory.u32[word + 1]!]
  }
}

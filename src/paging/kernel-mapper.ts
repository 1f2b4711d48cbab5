import { EntryFlag, type PageRange } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { EAGAIN } from '../base/errno.js'
import { NO_FRAME, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { FrameRange } from '../frame/frame-allocator.js'
import { LockRank } from '../state/atomics.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'
import type { FlushBatch } from './flush-batch.js'
import { LargeMapper } from './large-mapper.js'
import { newTable } from './page-mapper.js'
import type { KernelPagingEnv } from './paging-env.js'

const LOCK = lockPtr(LockWord.kernelTables)
const KERNEL_END = 0 as Vpn
const DATA = EntryFlag.read | EntryFlag.write | EntryFlag.global | EntryFlag.accessed | EntryFlag.dirty

/** Names of the ranges in which pages come and go. */
export type KernelWindow = 'vmalloc' | 'mmio' | 'modules' | 'fixmap' | 'pciIo'
export const WINDOWS: readonly KernelWindow[] = ['vmalloc', 'mmio', 'modules', 'fixmap', 'pciIo']

/**
 * The kernel's half of every address space: all RAM in the linear map, with the largest leaves that fit, and windows
 * for vmalloc, devices, modules and fixed mappings. The windows' entries in the root get their tables at boot and keep
 * them for ever, so each user root copies the kernel's half once and shares it from then on.
 *
 * Changes need `enter()`. A second `enter()` on the same hart (an allocation on the way of a change) is nested: until its
 * `leave()` the mapper is read-only, `map` answers -EAGAIN, because the outer change is half done.
 */
export class KernelMapper extends LargeMapper {
  readonly #kernel: KernelPagingEnv
  /** How often this thread has entered: part of its call stack, so it is not in the buffer. */
  #depth = 0

  private constructor(env: KernelPagingEnv, root: Pfn) {
    super(env, root, env.arch.kernelStart, KERNEL_END)
    this.#kernel = env
  }

  /** Makes the kernel's tables. RAM in `noMap` stays out of the linear map. Asserts that there are frames enough. */
  static boot(env: KernelPagingEnv, noMap: readonly FrameRange[] = []): KernelMapper {
    const root = newTable(env)
    assert(root !== NO_FRAME, 'RAM is too small for the kernel page tables')
    env.memory.u32[wordIndex(Word.kernelRoot)] = root
    const mapper = new KernelMapper(env, root)
    for (const name of WINDOWS) mapper.#fillRootSlots(mapper.window(name))
    let start = 0 as Pfn
    for (const hole of [...noMap].sort((a, b) => a.start - b.start)) {
      mapper.#mapLinear(start, hole.start)
      start = hole.end
    }
    mapper.#mapLinear(start, (env.memory.bytes / PAGE_SIZE) as Pfn)
    return mapper
  }

  static attach(env: KernelPagingEnv): KernelMapper {
    const root = env.memory.u32[wordIndex(Word.kernelRoot)] as Pfn
    assert(root !== NO_FRAME, 'the kernel page tables were not made at boot')
    return new KernelMapper(env, root)
  }

  /**
   * The usable part of a window. vmalloc is cut to twice RAM (every area has a guard page at most as large as
   * itself): the tables of 63 GiB would be a waste.
   */
  window(name: KernelWindow): PageRange {
    const { start, pages } = this.arch.kernelLayout[name]
    if (name !== 'vmalloc') return { start, pages }
    const needed = (2 * this.memory.bytes) / PAGE_SIZE
    const slot = this.arch.span(this.top)
    return { start, pages: Math.min(pages, Math.ceil(needed / slot) * slot) }
  }

  /** Where the linear map has a frame. */
  linearPage(pfn: Pfn): Vpn {
    return (this.arch.kernelLayout.linearMap.start + pfn) as Vpn
  }

  /** Takes the lock; nested calls only count. Returns whether changes are allowed. */
  enter(): boolean {
    if (this.#depth === 0) this.#kernel.atomics.lock(LOCK, LockRank.tables)
    this.#depth++
    return !this.readOnly
  }

  leave(): void {
    assert(this.#depth > 0, 'leave without enter')
    this.#depth--
    if (this.#depth === 0) this.#kernel.atomics.unlock(LOCK, LockRank.tables)
  }

  /** Changes are allowed in the outermost `enter()` only. */
  get readOnly(): boolean {
    return this.#depth !== 1
  }

  /** Maps one page: 0, -ENOMEM, or -EAGAIN when nested. */
  override map(vpn: Vpn, pfn: Pfn, flags: number, batch: FlushBatch): number {
    return this.readOnly ? -EAGAIN : super.map(vpn, pfn, flags, batch)
  }

  /** As LargeMapper's, or -EAGAIN when nested. */
  override mapLarge(vpn: Vpn, level: number, pfn: Pfn, flags: number, batch: FlushBatch): number {
    return this.readOnly ? -EAGAIN : super.mapLarge(vpn, level, pfn, flags, batch)
  }

  override splitLarge(vpn: Vpn, batch: FlushBatch): number {
    return this.readOnly ? -EAGAIN : super.splitLarge(vpn, batch)
  }

  override mergeLarge(vpn: Vpn, level: number, batch: FlushBatch): boolean {
    this.#assertWritable()
    return super.mergeLarge(vpn, level, batch)
  }

  override makeLeaf(vpn: Vpn): Ptr {
    this.#assertWritable()
    return super.makeLeaf(vpn)
  }

  override set(entry: Ptr, vpn: Vpn, pfn: Pfn, flags: number, batch: FlushBatch): void {
    this.#assertWritable()
    super.set(entry, vpn, pfn, flags, batch)
  }

  override changeFlags(entry: Ptr, vpn: Vpn, clear: number, set: number, batch: FlushBatch): number {
    this.#assertWritable()
    return super.changeFlags(entry, vpn, clear, set, batch)
  }

  override clear(entry: Ptr, vpn: Vpn, batch: FlushBatch): number {
    this.#assertWritable()
    return super.clear(entry, vpn, batch)
  }

  override prune(start: Vpn, end: Vpn, batch: FlushBatch): void {
    this.#assertWritable()
    super.prune(start, end, batch)
  }

  #assertWritable(): void {
    assert(!this.readOnly, 'kernel tables are changed in the outermost enter() only')
  }

  /** The tables right below the root are shared by every address space: none is added or removed after boot. */
  protected override isFixed(level: number): boolean {
    return level === this.top - 1
  }

  #fillRootSlots({ start, pages }: PageRange): void {
    const end = start + pages
    for (let vpn = start; vpn < end; vpn = this.nextAt(vpn, this.top)) this.#tableAt(this.root, vpn, this.top)
  }

  /** Maps frames at their linear addresses. */
  #mapLinear(start: Pfn, end: Pfn): void {
    for (let pfn = start; pfn < end; ) pfn = this.#mapLargest(pfn, end)
  }

  /** Maps one leaf, the largest that starts at `pfn` and fits. Returns the frame after it. */
  #mapLargest(pfn: Pfn, end: Pfn): Pfn {
    const vpn = this.linearPage(pfn)
    let level = this.top
    while (!this.#fits(pfn, vpn, end, level)) level--
    let table = this.root
    for (let above = this.top; above > level; above--) table = this.#tableAt(table, vpn, above)
    this.install(this.entryAt(table, vpn, level), pfn, DATA)
    return (pfn + this.arch.span(level)) as Pfn
  }

  /** A leaf is aligned to its size, virtually and physically. */
  #fits(pfn: Pfn, vpn: Vpn, end: Pfn, level: number): boolean {
    const span = this.arch.span(level)
    return pfn + span <= end && vpn % span === 0 && (pfn + this.arch.physBasePfn) % span === 0
  }

  /** The table below an entry, made when absent. */
  #tableAt(table: Pfn, vpn: Vpn, level: number): Pfn {
    const slot = this.entryAt(table, vpn, level)
    const child = this.childOf(slot)
    if (child !== NO_FRAME) return child
    const made = this.newTable()
    assert(made !== NO_FRAME, 'RAM is too small for the kernel page tables')
    this.linkTable(slot, made)
    return made
  }
}

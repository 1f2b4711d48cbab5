/**
 * The emulator's look-up tables: one for each hart, in the buffer, read by the WebAssembly of hart/ on every load,
 * store and fetch. (What a guest is told about TLBs is another thing.)
 *
 *     region   hart 0: header, entries | hart 1: header, entries | …
 *
 *     header   +0   u32  activeRoot: root frame whose pages are in here; 0 = none, then every entry is empty
 *     64 B     +4   u32  generation: changes whenever something was forgotten
 *              +8   u32  full flushes so far     +12  u32  pages flushed one by one so far
 *
 *     entry    +0   i64  readTag       a tag is the page-aligned virtual address, or -1 (empty);
 *     32 B     +8   i64  writeTag      writeTag stands only when the page-table entry is writable *and* dirty,
 *              +16  i64  executeTag    so that the first store walks and sets D
 *              +24  i32  addend        (low32(address) + addend) >>> 0 is the offset in the buffer
 *              +28       unused
 *
 * The entry of a page is number `vpn & (TLB_ENTRIES - 1)`. 4,096 entries reach 16 MiB, where 1,024 reach 4 MiB, less than
 * many programs touch between two switches. Forgetting all of them costs 1.2 µs instead of 0.3 µs: some dozens of
 * walks, which the larger table saves many times over. Forgetting one page costs 2 ns.
 *
 * Guarded by: the hart that owns it. Others ask it to forget (shootdown.ts); when harts take turns on one thread, they edit it.
 */
import { archById } from '../arch/arch-by-id.js'
import { EntryFlag, type MemoryManagementArch } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NO_FRAME, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { headerArchId, Region, regionBytes, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { Mailboxes } from './mailboxes.js'
import { PageTable } from './page-table.js'

export const TLB_ENTRIES = 4096
export const TLB_ENTRY_BYTES = 32
export const TLB_HEADER_BYTES = 64
/** From one hart's header to the next hart's. */
export const TLB_BYTES = TLB_HEADER_BYTES + TLB_ENTRIES * TLB_ENTRY_BYTES

/** Byte offsets in the header. */
export const TlbHeader = { activeRoot: 0, generation: 4, fullFlushes: 8, pageFlushes: 12 } as const
/** Byte offsets in an entry. */
export const TlbEntry = { readTag: 0, writeTag: 8, executeTag: 16, addend: 24 } as const

const EMPTY = -1
const TAGS = [
  { offset: TlbEntry.readTag, needs: EntryFlag.read },
  { offset: TlbEntry.writeTag, needs: EntryFlag.write | EntryFlag.dirty },
  { offset: TlbEntry.executeTag, needs: EntryFlag.execute },
] as const

/** The part of the BumpAllocator that is used here. */
interface BootAllocator {
  allocateBytes(bytes: number): Ptr
}

export class Tlbs {
  readonly hartCount: number
  readonly #memory: Memory
  readonly #region: Ptr

  private constructor(memory: Memory) {
    this.#memory = memory
    this.#region = regionPtr(memory, Region.tlbs)
    this.hartCount = Math.floor(regionBytes(memory, Region.tlbs) / TLB_BYTES)
  }

  static boot(memory: Memory, bump: BootAllocator, hartCount: number): Tlbs {
    const bytes = hartCount * TLB_BYTES
    Mailboxes.boot(memory, bump, hartCount)
    setRegion(memory, Region.tlbs, bump.allocateBytes(bytes), bytes)
    const tlbs = new Tlbs(memory)
    for (let hart = 0; hart < hartCount; hart++) tlbs.#forgetAll(hart)
    return tlbs
  }

  static attach(memory: Memory): Tlbs {
    return new Tlbs(memory)
  }

  /** The header of a hart's table. */
  ptr(hart: number): Ptr {
    return (this.#region + hart * TLB_BYTES) as Ptr
  }

  entries(hart: number): Ptr {
    return (this.#region + hart * TLB_BYTES + TLB_HEADER_BYTES) as Ptr
  }

  /** Root of the tables that the hart translates by; NO_FRAME = none. */
  activeRoot(hart: number): Pfn {
    return this.#memory.u32[this.ptr(hart) >>> 2] as Pfn
  }

  /** The hart translates by `root` from now on (a store to satp). */
  activate(hart: number, root: Pfn): void {
    if (this.activeRoot(hart) === root) return
    this.flushAll(hart)
    this.#memory.u32[this.ptr(hart) >>> 2] = root
  }

  /** No hart translates by `root` any more: its frame may be another's next. */
  deactivateRoot(root: Pfn): void {
    for (let hart = 0; hart < this.hartCount; hart++) {
      if (this.activeRoot(hart) === root) this.activate(hart, NO_FRAME)
    }
  }

  /** Forgets one page (and no other, but for the entry's wholly unrelated tenant, which costs it one walk). */
  flushPage(hart: number, vpn: Vpn): void {
    const { i32, u32 } = this.#memory
    const word = (this.entries(hart) + (vpn & (TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES) >>> 2
    i32[word] = EMPTY
    i32[word + 1] = EMPTY
    i32[word + 2] = EMPTY
    i32[word + 3] = EMPTY
    i32[word + 4] = EMPTY
    i32[word + 5] = EMPTY
    const header = this.ptr(hart) >>> 2
    u32[header + 1]! += 1
    u32[header + 3]! += 1
  }

  /** Forgets the pages of a huge leaf (a power of two, aligned to it), and whoever stands in their entries. */
  flushRun(hart: number, vpn: Vpn, pages: number): void {
    const { u32 } = this.#memory
    const first = this.entries(hart) + (vpn & (TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES
    this.#memory.fill(first as Ptr, 0xff, pages * TLB_ENTRY_BYTES)
    const header = this.ptr(hart) >>> 2
    u32[header + 1]! += 1
    u32[header + 3]! += pages
  }

  flushAll(hart: number): void {
    const { u32 } = this.#memory
    this.#forgetAll(hart)
    const header = this.ptr(hart) >>> 2
    u32[header + 1]! += 1
    u32[header + 2]! += 1
  }

  #forgetAll(hart: number): void {
    this.#memory.fill(this.entries(hart), 0xff, TLB_ENTRIES * TLB_ENTRY_BYTES)
  }

  /**
   * Every live tag must agree with the page tables as they are now: a forgotten flush is found here. A hart that has not caught up
   * yet (Shootdown.isCurrent) is left out.
   */
  check(
    arch: MemoryManagementArch = archById(headerArchId(this.#memory)),
    isCurrent: (hart: number) => boolean = () => true,
  ): void {
    for (let hart = 0; hart < this.hartCount; hart++) {
      if (!isCurrent(hart)) continue
      const table = new PageTable(this.#memory, arch, this.activeRoot(hart))
      for (let index = 0; index < TLB_ENTRIES; index++) this.#checkEntry(hart, index, table)
    }
  }

  #checkEntry(hart: number, index: number, table: PageTable): void {
    const { i32, u32 } = this.#memory
    const entry = this.entries(hart) + index * TLB_ENTRY_BYTES
    for (const { offset, needs } of TAGS) {
      const low = u32[(entry + offset) >>> 2]!
      const high = i32[(entry + offset + 4) >>> 2]!
      if (high === EMPTY && low === 0xffff_ffff) continue
      const vpn = (high * 2 ** 20 + (low >>> 12)) as Vpn
      assert(low % PAGE_SIZE === 0, 'a tag is an address of a page')
      assert((vpn & (TLB_ENTRIES - 1)) === index, 'a tag stands in the entry of its page')
      assert(table.root !== NO_FRAME, 'a hart without tables has an empty TLB')
      assert(table.translate(vpn), 'a TLB entry outlived its mapping')
      assert((table.lastFlags & needs) === needs, 'a TLB entry allows more than the page table')
      assert((table.lastFlags & EntryFlag.accessed) !== 0, 'a page in the TLB is marked as accessed')
      const target = (low + i32[(entry + TlbEntry.addend) >>> 2]!) >>> 0
      assert(target === table.lastPfn * PAGE_SIZE, 'a TLB entry leads to another frame than the page table')
    }
  }

  /** Per hart: the active root, live entries, flushes so far. */
  stats(): { hart: number; root: Pfn; live: number; fullFlushes: number; pageFlushes: number }[] {
    return Array.from({ length: this.hartCount }, (_, hart) => {
      const header = this.ptr(hart) >>> 2
      const { u32 } = this.#memory
      const [fullFlushes, pageFlushes] = [u32[header + 2]!, u32[header + 3]!]
      return { hart, root: this.activeRoot(hart), live: this.#live(hart), fullFlushes, pageFlushes }
    })
  }

  #live(hart: number): number {
    const first = this.entries(hart) >>> 2
    const entries = this.#memory.i32.subarray(first, first + (TLB_ENTRIES * TLB_ENTRY_BYTES) / 4)
    let live = 0
    for (let word = 0; word < entries.length; word += TLB_ENTRY_BYTES / 4) {
      if (entries.subarray(word, word + 6).some((half) => half !== EMPTY)) live++
    }
    return live
  }

  dump(): string {
    return this.stats()
      .map((s) => `hart ${s.hart} root ${s.root} live ${s.live} full ${s.fullFlushes} pages ${s.pageFlushes}`)
      .join('\n')
  }
}

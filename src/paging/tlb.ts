import { archById } from '../arch/arch-by-id.js'
import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { headerArchId, Region, regionBytes, regionPtr, setRegion } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { Mailboxes } from './mailboxes.js'
import { checkTlbs } from './tlb-check.js'
import {
  ALL_FORGOTTEN,
  BANK_BYTES,
  BankState,
  EMPTY,
  ENTRIES_BYTES,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_HEADER_BYTES,
  TlbBank,
  TlbHeader,
} from './tlb-layout.js'

/** The part of the BumpAllocator that is used here. */
interface BootAllocator {
  allocateBytes(bytes: number): Ptr
}

export class Tlbs {
  readonly hartCount: number
  /** Address-space identifiers of each hart. */
  readonly asids: number
  readonly #memory: Memory
  readonly #headers: Ptr
  readonly #region: Ptr

  private constructor(memory: Memory) {
    this.#memory = memory
    this.#headers = regionPtr(memory, Region.tlbHeaders)
    this.#region = regionPtr(memory, Region.tlbs)
    this.hartCount = regionBytes(memory, Region.tlbHeaders) / TLB_HEADER_BYTES
    this.asids = regionBytes(memory, Region.tlbs) / (this.hartCount * BANK_BYTES)
  }

  /** The places that harts look at, which do not grow with RAM. */
  static bootHeaders(memory: Memory, bump: BootAllocator, hartCount: number): void {
    const bytes = hartCount * TLB_HEADER_BYTES
    setRegion(memory, Region.tlbHeaders, bump.allocateBytes(bytes), bytes)
  }

  /** After `bootHeaders`. */
  static boot(memory: Memory, bump: BootAllocator, asids = 1): Tlbs {
    const hartCount = regionBytes(memory, Region.tlbHeaders) / TLB_HEADER_BYTES
    const bytes = hartCount * asids * BANK_BYTES
    Mailboxes.boot(memory, bump, hartCount)
    setRegion(memory, Region.tlbs, bump.allocateBytes(bytes), bytes)
    const tlbs = new Tlbs(memory)
    for (let hart = 0; hart < hartCount; hart++) {
      for (let asid = 1; asid < asids; asid++) tlbs.#set(hart, asid, TlbBank.state, BankState.spoilt)
      tlbs.flushBank(hart, 0)
      tlbs.#enter(hart, 0)
    }
    return tlbs
  }

  static attach(memory: Memory): Tlbs {
    return new Tlbs(memory)
  }

  /** A hart's header. */
  ptr(hart: number): Ptr {
    return (this.#headers + hart * TLB_HEADER_BYTES) as Ptr
  }

  /** The entries of a bank, that of the active address space if no other is named. */
  entries(hart: number, asid = this.activeAsid(hart)): Ptr {
    return (this.#bank(hart, asid) + TLB_HEADER_BYTES) as Ptr
  }

  #bank(hart: number, asid: number): Ptr {
    return (this.#region + (hart * this.asids + asid) * BANK_BYTES) as Ptr
  }

  #get(hart: number, asid: number, field: number): number {
    return this.#memory.u32[(this.#bank(hart, asid) + field) >>> 2]!
  }

  #set(hart: number, asid: number, field: number, value: number): void {
    this.#memory.u32[(this.#bank(hart, asid) + field) >>> 2] = value
  }

  /** Root of the tables that the hart translates by; NO_FRAME = none. */
  activeRoot(hart: number): Pfn {
    return this.#memory.u32[this.ptr(hart) >>> 2] as Pfn
  }

  activeAsid(hart: number): number {
    return this.#memory.u32[(this.ptr(hart) + TlbHeader.asid) >>> 2]!
  }

  /** Whose pages a bank knows; NO_FRAME = nobody's. */
  rootOf(hart: number, asid: number): Pfn {
    return this.#get(hart, asid, TlbBank.root) as Pfn
  }

  /** Whether what is in a bank may be used, at once or when its space is active again. */
  isInUse(hart: number, asid: number): boolean {
    if (asid === this.activeAsid(hart)) return true
    return this.rootOf(hart, asid) !== NO_FRAME && this.#get(hart, asid, TlbBank.state) === BankState.used
  }

  /** Where it stands of which generation of the space's tables, or the kernel's, a bank knows: the active one's if no other is named. */
  seen(hart: number, isKernel: boolean, asid = this.activeAsid(hart)): Ptr {
    return (this.#bank(hart, asid) + (isKernel ? TlbBank.seenKernel : TlbBank.seen)) as Ptr
  }

  /** Where the era of those generations stands. */
  era(hart: number, asid = this.activeAsid(hart)): Ptr {
    return (this.#bank(hart, asid) + TlbBank.era) as Ptr
  }

  /** The hart translates by `root` from now on (a store to satp). What it still knows of the space it keeps. */
  activate(hart: number, root: Pfn): void {
    const active = this.activeRoot(hart)
    if (active === root) return
    let asid = this.activeAsid(hart)
    if (root === NO_FRAME) this.#giveUp(hart, asid)
    else asid = this.#asidOf(hart, root) ?? this.recycle(hart)
    this.#set(hart, asid, TlbBank.root, root)
    if (this.#get(hart, asid, TlbBank.state) === BankState.spoilt) this.flushBank(hart, asid)
    this.#set(hart, asid, TlbBank.state, root === NO_FRAME ? BankState.empty : BankState.used)
    if (root !== NO_FRAME) this.#enter(hart, asid)
    this.#memory.u32[this.ptr(hart) >>> 2] = root
  }

  #enter(hart: number, asid: number): void {
    const header = this.ptr(hart) >>> 2
    const { u32 } = this.#memory
    const ticks = ++u32[header + TlbHeader.ticks / 4]!
    u32[header + TlbHeader.asid / 4] = asid
    u32[header + TlbHeader.entries / 4] = this.entries(hart, asid)
    this.#noteForgotten(header, 0, ALL_FORGOTTEN)
    this.#set(hart, asid, TlbBank.lastUse, ticks)
  }

  /** The bank that knows pages of `root`. */
  #asidOf(hart: number, root: Pfn): number | undefined {
    for (let asid = 0; asid < this.asids; asid++) if (this.rootOf(hart, asid) === root) return asid
    return undefined
  }

  /** An identifier for another space: nobody's, or that of the space that has not run for longest. Nothing is left in its bank. */
  protected recycle(hart: number): number {
    let oldest = 0
    let age = -1
    const { u32 } = this.#memory
    const ticks = u32[(this.ptr(hart) + TlbHeader.ticks) >>> 2]!
    for (let asid = 0; asid < this.asids; asid++) {
      if (this.rootOf(hart, asid) === NO_FRAME) {
        oldest = asid
        break
      }
      const unused = (ticks - this.#get(hart, asid, TlbBank.lastUse)) >>> 0
      if (unused > age) {
        oldest = asid
        age = unused
      }
    }
    this.#giveUp(hart, oldest)
    return oldest
  }

  /** The bank is nobody's, and what is in it is forgotten when somebody gets it. */
  #giveUp(hart: number, asid: number): void {
    this.#set(hart, asid, TlbBank.root, NO_FRAME)
    if (this.#get(hart, asid, TlbBank.state) === BankState.used)
      this.#set(hart, asid, TlbBank.state, BankState.spoilt)
  }

  /** The hart's banks of `root` (NO_FRAME: of all spaces) that are not active are given up. */
  giveUpInactive(hart: number, root: Pfn): void {
    const active = this.activeAsid(hart)
    for (let asid = 0; asid < this.asids; asid++) {
      if (asid === active) continue
      if (root === NO_FRAME || this.rootOf(hart, asid) === root) this.#giveUp(hart, asid)
    }
  }

  /** No hart translates by `root` any more: its frame may be another's next. */
  deactivateRoot(root: Pfn): void {
    for (let hart = 0; hart < this.hartCount; hart++) {
      if (this.activeRoot(hart) === root) this.activate(hart, NO_FRAME)
      this.giveUpInactive(hart, root)
    }
  }

  /** Banks that are not active may know a frame as writable that is no longer to be written unseen: they are forgotten before use. */
  spoilInactive(hart: number): void {
    const active = this.activeAsid(hart)
    for (let asid = 0; asid < this.asids; asid++) {
      if (asid !== active) this.#set(hart, asid, TlbBank.state, BankState.spoilt)
    }
  }

  /** An entry of the active space was taken back otherwise: what was made of what the hart knew is not to be used any more. */
  noteChange(hart: number): void {
    this.#noteForgotten(this.ptr(hart) >>> 2, 0, ALL_FORGOTTEN)
  }

  /** Pages from one on up to another were forgotten; of the upper half, which has other numbers than the words hold, nobody says which. */
  #noteForgotten(header: number, from: number, end: number): void {
    const { u32 } = this.#memory
    const isNamed = from >= 0 && end < ALL_FORGOTTEN
    if (!isNamed || from < u32[header + TlbHeader.forgottenFrom / 4]!)
      u32[header + TlbHeader.forgottenFrom / 4] = isNamed ? from : 0
    if (!isNamed || end > u32[header + TlbHeader.forgottenEnd / 4]!)
      u32[header + TlbHeader.forgottenEnd / 4] = isNamed ? end : ALL_FORGOTTEN
  }

  /** Forgets one page of the active space (and no other, but for the entry's wholly unrelated tenant, which costs it one walk). */
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
    this.#noteForgotten(header, vpn, vpn + 1)
    u32[header + TlbHeader.pageFlushes / 4]! += 1
  }

  /** Forgets adjacent pages, no more than the TLB has entries, and whoever stands in these. */
  flushRun(hart: number, vpn: Vpn, pages: number): void {
    assert(pages <= TLB_ENTRIES, 'a run of pages fits into the TLB')
    const { u32 } = this.#memory
    const entries = this.entries(hart)
    const first = vpn & (TLB_ENTRIES - 1)
    const beyond = first + pages - TLB_ENTRIES
    const before = beyond > 0 ? pages - beyond : pages
    this.#memory.fill((entries + first * TLB_ENTRY_BYTES) as Ptr, 0xff, before * TLB_ENTRY_BYTES)
    if (beyond > 0) this.#memory.fill(entries, 0xff, beyond * TLB_ENTRY_BYTES)
    const header = this.ptr(hart) >>> 2
    this.#noteForgotten(header, vpn, vpn + pages)
    u32[header + TlbHeader.pageFlushes / 4]! += pages
  }

  /** Forgets all of the active space and the kernel's half. */
  flushAll(hart: number): void {
    this.flushBank(hart, this.activeAsid(hart))
  }

  /** Forgets all that is known under one identifier. */
  flushBank(hart: number, asid: number): void {
    const { u32 } = this.#memory
    this.#memory.fill(this.entries(hart, asid), 0xff, ENTRIES_BYTES)
    const header = this.ptr(hart) >>> 2
    this.#noteForgotten(header, 0, ALL_FORGOTTEN)
    u32[header + TlbHeader.fullFlushes / 4]! += 1
  }

  /** Asserts that every live tag agrees with the page tables as they are now (tlb-check.ts). */
  check(
    arch: MemoryManagementArch = archById(headerArchId(this.#memory)),
    isCurrent: (hart: number, asid: number) => boolean = () => true,
  ): void {
    checkTlbs(this.#memory, arch, this, isCurrent)
  }

  /** Per hart: the active root, live entries of all banks, flushes so far. */
  stats(): {
    hart: number
    root: Pfn
    asid: number
    live: number
    fullFlushes: number
    pageFlushes: number
  }[] {
    return Array.from({ length: this.hartCount }, (_, hart) => {
      const header = this.ptr(hart) >>> 2
      const { u32 } = this.#memory
      const [fullFlushes, pageFlushes] = [
        u32[header + TlbHeader.fullFlushes / 4]!,
        u32[header + TlbHeader.pageFlushes / 4]!,
      ]
      const [root, asid] = [this.activeRoot(hart), this.activeAsid(hart)]
      return { hart, root, asid, live: this.#live(hart), fullFlushes, pageFlushes }
    })
  }

  #live(hart: number): number {
    let live = 0
    for (let asid = 0; asid < this.asids; asid++) {
      if (!this.isInUse(hart, asid)) continue
      const first = this.entries(hart, asid) >>> 2
      const entries = this.#memory.i32.subarray(first, first + ENTRIES_BYTES / 4)
      for (let word = 0; word < entries.length; word += TLB_ENTRY_BYTES / 4) {
        if (entries.subarray(word, word + 6).some((half) => half !== EMPTY)) live++
      }
    }
    return live
  }

  dump(): string {
    return this.stats()
      .map((s) => `hart ${s.hart} root ${s.root} live ${s.live} full ${s.fullFlushes} pages ${s.pageFlushes}`)
      .join('\n')
  }
}

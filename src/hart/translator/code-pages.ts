/** The pages that code is read from: where they are now, and the stamps that say whether what was read is still there. */
import { EntryFlag, type MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { PageTable } from '../../paging/page-table.js'
import type { Shootdown } from '../../paging/shootdown.js'
import type { Tlbs } from '../../paging/tlb.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES } from '../../paging/tlb-layout.js'
import { Region, regionBytes, regionPtr } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { HartCode } from '../hart-code.js'
import { STAMP_GENERATION } from './entry-table.js'

/** A fetch from such a page succeeds and changes nothing: the accessed bit is set already. */
const FETCHABLE = EntryFlag.user | EntryFlag.execute | EntryFlag.accessed
const STAMP_MAX = 0xffff
/** Enough for what is translated at a time (256 functions of at most four pages) by eight harts at once, which share the stamps. */
const STAMPS_IN_RESERVE = 8192

/** A page as code was read from it. */
export interface CodePage {
  readonly vpn: Vpn
  readonly pfn: Pfn
  /** Of the frame at that time; another one now, or none, means other contents. */
  readonly stamp: number
}

export interface CodePagesEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly tlbs: Tlbs
  readonly hart: number
  /** When other harts run on threads of their own. */
  readonly shootdown: Shootdown | undefined
  readonly code: HartCode
}

type TakeWriteTags = (entries: number, place: number) => void

export class CodePages {
  readonly #memory: Memory
  readonly #arch: MemoryManagementArch
  readonly #tlbs: Tlbs
  readonly #hart: number
  readonly #stamps: number
  readonly #code: HartCode
  readonly #shootdown: Shootdown | undefined
  /** Index of the word that says how often the stamps began anew. */
  readonly #generation: number
  #table: PageTable

  constructor({ memory, arch, tlbs, hart, shootdown, code }: CodePagesEnv) {
    this.#shootdown = shootdown
    this.#memory = memory
    this.#arch = arch
    this.#tlbs = tlbs
    this.#hart = hart
    this.#code = code
    this.#stamps = regionPtr(memory, Region.codeStamps) >>> 1
    this.#generation = (regionPtr(memory, Region.codeEntries) + STAMP_GENERATION) >>> 2
    this.#table = new PageTable(memory, arch, NO_FRAME)
  }

  /** By the tables of the program that runs now. */
  useActiveTables(): void {
    const root = this.#tlbs.activeRoot(this.#hart)
    if (this.#table.root !== root) this.#table = new PageTable(this.#memory, this.#arch, root)
  }

  /** The frame of a page that the program may execute, and has: NO_FRAME when a fetch would fault or mark the entry. */
  frameOf(vpn: Vpn): Pfn {
    if (this.#table.root === NO_FRAME || !this.#table.translate(vpn)) return NO_FRAME
    const { lastFlags, lastPfn } = this.#table
    if ((lastFlags & FETCHABLE) !== FETCHABLE || lastPfn >= this.#memory.bytes / PAGE_SIZE) return NO_FRAME
    return lastPfn
  }

  stampOf(pfn: Pfn): number {
    return this.#memory.u16[this.#stamps + pfn]!
  }

  /** Whether the page is where it was, with the contents that it had. */
  isCurrent({ vpn, pfn, stamp }: CodePage): boolean {
    return this.stampOf(pfn) === stamp && this.frameOf(vpn) === pfn
  }

  /**
   * Grows when the stamps begin anew, for all harts: what was translated before is nothing any more, for the same stamp may say something else. A hart that
   * runs meanwhile is interrupted before the next one is given.
   */
  get generation(): number {
    return this.#memory.i32[this.#generation]!
  }

  /** No stamp is left to give: `forgetAll` first. */
  get isExhausted(): boolean {
    return this.#memory.u16[this.#stamps]! >= STAMP_MAX - STAMPS_IN_RESERVE
  }

  /**
   * Code is about to be translated from the frame: from now on a store to it is noticed. Its stamp. Harts on other threads may be in the midst of a
   * walk that has not seen the stamp, or of a store: they are waited for, and forget on their own.
   */
  stamp(pfn: Pfn): number {
    const old = this.stampOf(pfn)
    if (old !== 0) return old
    // No code is in frame 0, the header: its place holds the last stamp that was given.
    const { u16 } = this.#memory
    const stamp = (Atomics.add(u16, this.#stamps, 1) + 1) & STAMP_MAX
    Atomics.store(u16, this.#stamps + pfn, stamp)
    const takeWriteTags = this.#code.exports.takeWriteTags as TakeWriteTags
    for (let hart = 0; hart < this.#tlbs.hartCount; hart++) {
      if (this.#shootdown !== undefined && hart !== this.#hart) continue
      this.#tlbs.spoilInactive(hart)
      takeWriteTags(this.#tlbs.entries(hart), frameToPtr(pfn))
      this.#tlbs.noteChange(hart)
    }
    this.#shootdown?.interrupt()
    return stamp
  }

  /** Puts a page that can be fetched from into the hart's TLB, as a fetch would. */
  fill({ vpn, pfn }: CodePage): void {
    const { i32, u32 } = this.#memory
    const entry = (this.#tlbs.entries(this.#hart) + (vpn % TLB_ENTRIES) * TLB_ENTRY_BYTES) >>> 2
    const [low, high] = [(vpn * PAGE_SIZE) >>> 0, Math.floor(vpn / 2 ** 20)]
    const addend = (frameToPtr(pfn) - low) | 0
    if (u32[entry + 4] === low && i32[entry + 5] === high && i32[entry + 6] === addend) return
    i32.fill(-1, entry, entry + 6)
    u32[entry + 4] = low
    i32[entry + 5] = high
    i32[entry + 6] = addend
  }

  /** All stamps are taken away, and given from the first one on. */
  forgetAll(): void {
    const bytes = regionBytes(this.#memory, Region.codeStamps)
    Atomics.add(this.#memory.i32, this.#generation, 1)
    this.#memory.fill((this.#stamps * 2) as Ptr, 0, bytes)
  }
}

import { EntryFlag } from '../../arch/memory-management-arch.js'
import { frameToPtr, NO_FRAME, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import type { ForgettingTlbs } from '../forgetting-tlbs.js'
import type { Tlbs } from '../tlb.js'
import type { FakeHartEnv } from './fake-hart.js'

interface Entry {
  readonly pfn: Pfn
  readonly flags: number
}

/**
 * One hart's TLB, as bad as the architecture allows: it keeps whatever it has seen until it is told to forget it, however
 * much that is, for each address space that has an identifier. Which tables are active, and by which identifier, stands in the
 * machine's own TLBs.
 */
export class AdversarialTlb implements ForgettingTlbs {
  readonly hartCount: number
  readonly #env: FakeHartEnv
  readonly #hart: number
  readonly #banks: readonly Map<Vpn, Entry>[]

  constructor(env: FakeHartEnv, hart: number) {
    this.#env = env
    this.#hart = hart
    this.hartCount = env.tlbs.hartCount
    this.#banks = Array.from({ length: env.tlbs.asids }, () => new Map())
    const flushBank = env.tlbs.flushBank.bind(env.tlbs)
    env.tlbs.flushBank = (hart, asid) => {
      if (hart === this.#hart) this.flushBank(asid)
      flushBank(hart, asid)
    }
  }

  get #entries(): Map<Vpn, Entry> {
    return this.#banks[this.activeAsid(this.#hart)]!
  }

  activeRoot(hart: number): Pfn {
    return this.#env.tlbs.activeRoot(hart)
  }

  activeAsid(hart: number): number {
    return this.#env.tlbs.activeAsid(hart)
  }

  rootOf(hart: number, asid: number): Pfn {
    return this.#env.tlbs.rootOf(hart, asid)
  }

  seen(hart: number, isKernel: boolean, asid?: number): Ptr {
    return this.#env.tlbs.seen(hart, isKernel, asid)
  }

  era(hart: number, asid?: number): Ptr {
    return this.#env.tlbs.era(hart, asid)
  }

  activate(hart: number, root: Pfn): void {
    this.#env.tlbs.activate(hart, root)
  }

  giveUpInactive(hart: number, root: Pfn): void {
    this.#env.tlbs.giveUpInactive(hart, root)
  }

  deactivateRoot(root: Pfn): void {
    this.#env.tlbs.deactivateRoot(root)
  }

  /** All of the active space. */
  flushAll(): void {
    this.#entries.clear()
  }

  /** All that was seen under an identifier, which another space gets now. */
  flushBank(asid: number): void {
    this.#banks[asid]!.clear()
  }

  /** Whatever was seen under any identifier. */
  clear(): void {
    for (const bank of this.#banks) bank.clear()
  }

  flushPage(_hart: number, vpn: Vpn): void {
    this.#entries.delete(vpn)
  }

  flushRun(_hart: number, vpn: Vpn, pages: number): void {
    for (let i = 0; i < pages; i++) this.#entries.delete((vpn + i) as Vpn)
  }

  /** Where a page is for an access (EntryFlag): by what the TLB knows, else by a walk. NO_FRAME: a page fault. */
  translate(vpn: Vpn, access: number): Pfn {
    const known = this.known(vpn, access)
    if (known !== NO_FRAME) return known
    const found = this.#walk(vpn, access)
    if (found === undefined) return NO_FRAME
    this.#entries.set(vpn, found)
    return found.pfn
  }

  /** The same by what the TLB knows alone. */
  known(vpn: Vpn, access: number): Pfn {
    const needed = access === EntryFlag.write ? access | EntryFlag.dirty : access
    const entry = this.#entries.get(vpn)
    return entry !== undefined && (entry.flags & needed) === needed ? entry.pfn : NO_FRAME
  }

  /** Forgets a page that the hart would rather look up again. */
  drop(vpn: Vpn): void {
    this.#entries.delete(vpn)
  }

  /** Makes it the TLB of its hart: what a thread's Tlbs are told to forget, it forgets. */
  replaceIn(tlbs: Tlbs): void {
    tlbs.flushAll = () => this.flushAll()
    tlbs.flushPage = (hart, vpn) => this.flushPage(hart, vpn)
    tlbs.flushRun = (hart, vpn, pages) => this.flushRun(hart, vpn, pages)
  }

  #walk(vpn: Vpn, access: number): Entry | undefined {
    const { arch, atomics, memory } = this.#env
    let table = this.activeRoot(this.#hart)
    for (let level = arch.levels - 1; level >= 0; level--) {
      const at = (frameToPtr(table) + arch.index(vpn, level) * 8) as Ptr
      const low = atomics.load(at) >>> 0
      const high = memory.u32[(at >>> 2) + 1]!
      if (!arch.isPresent(low)) return undefined
      if (arch.isLeaf(low)) return this.#mark(vpn, access, at, low, high, level)
      table = arch.tableOf(low, high)
    }
    return undefined
  }

  /** Sets A and D; from the start when the entry has changed meanwhile. */
  #mark(vpn: Vpn, access: number, at: Ptr, low: number, high: number, level: number): Entry | undefined {
    const { arch, atomics } = this.#env
    const had = arch.flagsOf(low, high)
    if ((had & access) === 0) return undefined
    const flags = had | EntryFlag.accessed | (access === EntryFlag.write ? EntryFlag.dirty : 0)
    const pfn = arch.pfnOf(low, high)
    const marked = arch.leafLow(pfn, flags)
    if (marked !== low && atomics.compareExchange(at, low | 0, marked | 0) >>> 0 !== low) {
      return this.#walk(vpn, access)
    }
    const span = arch.span(level)
    return { pfn: (pfn + (vpn - Math.floor(vpn / span) * span)) as Pfn, flags }
  }
}

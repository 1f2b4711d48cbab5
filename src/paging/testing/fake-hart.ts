import { EntryFlag, type MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { frameToPtr, PAGE_SIZE, type Ptr, type Vpn } from '../../base/numbers.js'
import type { AtomicWords } from '../../state/atomics.js'
import type { Memory } from '../../state/memory.js'
import { Shootdown } from '../shootdown.js'
import type { Tlbs } from '../tlb.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry } from '../tlb-layout.js'

export interface FakeHartEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly atomics: AtomicWords
  readonly tlbs: Tlbs
}

/** Fills TLBs as a hart does when a load, store or fetch misses, A and D set where the access asks for them. */
export class FakeHart {
  readonly #env: FakeHartEnv
  readonly #hart: number
  readonly #shootdown: Shootdown

  constructor(env: FakeHartEnv, hart: number) {
    this.#env = env
    this.#hart = hart
    this.#shootdown = new Shootdown(env, hart)
  }

  /** One access: whether it went through. The TLB remembers the page. */
  access(vpn: Vpn, flag: number): boolean {
    this.#shootdown.enter()
    const went = this.#walk(vpn, flag)
    this.#shootdown.leave()
    return went
  }

  #walk(vpn: Vpn, flag: number): boolean {
    const { arch, tlbs } = this.#env
    let table = tlbs.activeRoot(this.#hart)
    for (let level = arch.levels - 1; level >= 0; level--) {
      const entry = (frameToPtr(table) + arch.index(vpn, level) * 8) as Ptr
      const [low, high] = this.#read(entry)
      if (!arch.isPresent(low)) return false
      if (arch.isLeaf(low)) return this.#use(vpn, flag, entry, low, high, level)
      table = arch.tableOf(low, high)
    }
    return false
  }

  /** An entry is read in one piece. */
  #read(entry: Ptr): [low: number, high: number] {
    const low = this.#env.atomics.load(entry) >>> 0
    return [low, this.#env.memory.u32[(entry >>> 2) + 1]!]
  }

  #use(vpn: Vpn, flag: number, entry: Ptr, low: number, high: number, level: number): boolean {
    const { arch, atomics } = this.#env
    const had = arch.flagsOf(low, high)
    if ((had & flag) === 0) return false
    const flags = had | EntryFlag.accessed | (flag === EntryFlag.write ? EntryFlag.dirty : 0)
    const pfn = arch.pfnOf(low, high)
    const within = vpn - Math.floor(vpn / arch.span(level)) * arch.span(level)
    const isOutsideRam = pfn + within < 0 || pfn + within >= this.#env.memory.bytes / PAGE_SIZE
    if (isOutsideRam) return false
    const marked = arch.leafLow(pfn, flags)
    if (marked !== low && atomics.compareExchange(entry, low | 0, marked | 0) >>> 0 !== low)
      return this.#walk(vpn, flag)
    this.#remember(vpn, pfn + within, flags)
    return true
  }

  #remember(vpn: Vpn, pfn: number, flags: number): void {
    const { memory, tlbs } = this.#env
    const entry = tlbs.entries(this.#hart) + (vpn & (TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES
    const tag = (offset: number, allowed: boolean) => {
      memory.i32[(entry + offset) >>> 2] = allowed ? vpn << 12 : -1
      memory.i32[(entry + offset + 4) >>> 2] = allowed ? Math.floor(vpn / 2 ** 20) : -1
    }
    const isDirty = (flags & EntryFlag.dirty) !== 0
    tag(TlbEntry.readTag, (flags & EntryFlag.read) !== 0)
    tag(TlbEntry.writeTag, (flags & EntryFlag.write) !== 0 && isDirty)
    tag(TlbEntry.executeTag, (flags & EntryFlag.execute) !== 0)
    memory.i32[(entry + TlbEntry.addend) >>> 2] = (pfn << 12) - (vpn << 12)
  }

  /** Whether the TLB knows the page, for any access. */
  knows(vpn: Vpn): boolean {
    this.#shootdown.enter()
    this.#shootdown.leave()
    const { memory, tlbs } = this.#env
    const word = (tlbs.entries(this.#hart) + (vpn & (TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES) >>> 2
    const [low, high] = [vpn << 12, Math.floor(vpn / 2 ** 20)]
    return [0, 2, 4].some((tag) => memory.i32[word + tag] === low && memory.i32[word + tag + 1] === high)
  }
}

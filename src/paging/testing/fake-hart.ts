import { EntryFlag, type MemoryManagementArch } from '../../arch/memory-management-arch.js'
import type { Vpn } from '../../base/numbers.js'
import type { Memory } from '../../state/memory.js'
import { PageTable } from '../page-table.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry, type Tlbs } from '../tlb.js'

/** Fills TLBs as a hart does when a load, store or fetch misses, A and D set where the access asks for them. */
export class FakeHart {
  readonly #env: { readonly memory: Memory; readonly arch: MemoryManagementArch; readonly tlbs: Tlbs }
  readonly #hart: number

  constructor(env: { memory: Memory; arch: MemoryManagementArch; tlbs: Tlbs }, hart: number) {
    this.#env = env
    this.#hart = hart
  }

  /** One access: whether it went through. The TLB remembers the page. */
  access(vpn: Vpn, flag: number): boolean {
    const { memory, arch, tlbs } = this.#env
    const table = new PageTable(memory, arch, tlbs.activeRoot(this.#hart))
    if (!table.translate(vpn) || (table.lastFlags & flag) === 0) return false
    const marks = EntryFlag.accessed | (flag === EntryFlag.write ? EntryFlag.dirty : 0)
    const flags = table.lastFlags | marks
    const entry = table.leaf(vpn) || table.hugeLeaf(vpn)
    if (entry !== 0) memory.u32[entry >>> 2] = arch.leafLow(table.pfn(entry), flags)
    this.#remember(vpn, table.lastPfn, flags)
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
    const { memory, tlbs } = this.#env
    const word = (tlbs.entries(this.#hart) + (vpn & (TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES) >>> 2
    const [low, high] = [vpn << 12, Math.floor(vpn / 2 ** 20)]
    return [0, 2, 4].some((tag) => memory.i32[word + tag] === low && memory.i32[word + tag + 1] === high)
  }
}

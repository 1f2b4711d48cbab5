import { EntryFlag } from '../../arch/memory-management-arch.js'
import { assert } from '../../base/assert.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { FaultInjector } from '../../frame/fault-injector.js'
import { type MemoryManager, mmAttach } from '../../mm.js'
import { AdversarialTlb } from '../../paging/testing/adversarial-tlb.js'
import { AddressSpace } from '../../space/address-space.js'
import type { AtomicsOptions } from '../../state/atomics.js'
import { wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import { Access, FaultResult } from '../access.js'
import { Program } from '../testing.js'

/** The space that all harts run, in an unused word of the header. */
export const SPACE = wordIndex(250 as never)
/** The first page of the mapping that the scenarios are about, alone under its upper tables. */
export const FIRST = 0x4000_0000 / PAGE_SIZE
/** Of a page: counts stores. */
export const STORES = 8

type OnStep = NonNullable<AtomicsOptions['onStep']>

/**
 * One hart that runs a space, with a TLB that forgets nothing by itself. It attaches once, in the first run, in which nobody is
 * interrupted: that is no part of the scenario.
 */
export class FaultPlayer {
  readonly mm: MemoryManager
  readonly space: AddressSpace
  readonly program: Program
  readonly #hart: number
  readonly #tlb: AdversarialTlb
  #isWatched = false

  constructor(memory: Memory, hart: number, onStep: OnStep) {
    this.#hart = hart
    this.mm = mmAttach(memory.raw, {
      hart,
      onStep: (operation, ptr) => {
        if (this.#isWatched) onStep(operation, ptr)
      },
    })
    this.space = new AddressSpace(memory, memory.u32[SPACE] as Ptr)
    this.program = new Program(this.mm, this.space, new FaultInjector())
    this.#tlb = new AdversarialTlb(this.mm, hart)
    this.#tlb.replaceIn(this.mm.tlbs)
  }

  /** One run of a scenario: the memory is as it was, so nothing may be left of the run before. */
  play(body: (hart: this) => void): void {
    this.#tlb.clear()
    this.mm.tlbs.activate(this.#hart, this.space.root)
    this.#isWatched = true
    try {
      body(this)
    } finally {
      this.#isWatched = false
    }
  }

  runs(body: () => void): void {
    this.mm.shootdown.enter()
    body()
    this.mm.shootdown.leave()
  }

  /** A page fault that is to be resolved. */
  touch(page: number, access: Access): void {
    const result = this.program.touch((FIRST + page) * PAGE_SIZE, access)
    assert(result === FaultResult.ok, 'a fault is refused')
  }

  /** Counts up in a page, as often as it faults before. */
  store(page: number): void {
    const words = this.mm.atomics
    for (;;) {
      const pfn = this.#tlb.translate((FIRST + page) as Vpn, EntryFlag.write)
      if (pfn !== NO_FRAME) {
        words.add(storesOf(pfn), 1)
        return
      }
      this.touch(page, Access.write)
      this.mm.shootdown.serve()
    }
  }

  /** How often somebody has stored to a page. */
  load(page: number): number {
    for (;;) {
      const pfn = this.#tlb.translate((FIRST + page) as Vpn, EntryFlag.read)
      if (pfn !== NO_FRAME) return this.mm.atomics.load(storesOf(pfn))
      this.touch(page, Access.read)
      this.mm.shootdown.serve()
    }
  }
}

export const storesOf = (pfn: Pfn) => (frameToPtr(pfn) + STORES) as Ptr

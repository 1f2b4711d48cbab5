import { EntryFlag } from '../../arch/memory-management-arch.js'
import { assert } from '../../base/assert.js'
import { frameToPtr, NO_FRAME, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import type { AtomicsOptions } from '../../state/atomics.js'
import { wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { FlushBatch, FrameReleaser } from '../flush-batch.js'
import { PageFlusher } from '../page-flusher.js'
import { Shootdown } from '../shootdown.js'
import { UserMapper } from '../user-mapper.js'
import { AdversarialTlb } from './adversarial-tlb.js'
import { PagingMachine } from './paging-machine.js'

const { read, write, user } = EntryFlag
export const RW = read | write | user
/** The page that most scenarios are about. */
export const A = 5 as Vpn
/** Unused word of the header: the space's root. */
export const ROOT = wordIndex(250 as never)
/** The root of another space, whose page A is mapped too. */
export const OTHER_ROOT = wordIndex(253 as never)
/** Of a page's frame: counts stores. */
const STORES = 8

/** What the frame of a page holds. */
export const tag = (vpn: Vpn) => 0x7a60000 + (vpn & 0xffff)
/** What that of the other space's page A holds. */
export const OTHER_TAG = 0x0e0e0e0e

export const storesOf = (pfn: Pfn) => (frameToPtr(pfn) + STORES) as Ptr

type ShootdownClass = new (...args: ConstructorParameters<typeof Shootdown>) => Shootdown
type TlbClass = new (...args: ConstructorParameters<typeof AdversarialTlb>) => AdversarialTlb
type MapperClass = new (...args: ConstructorParameters<typeof UserMapper>) => UserMapper

/** Bugs to be found: what takes the place of the sound parts. */
export interface Parts {
  readonly Shootdown: ShootdownClass
  readonly Tlb: TlbClass
  readonly Mapper: MapperClass
  /** Whether a hart that waits serves its mailbox. */
  readonly serves: boolean
}
export const SOUND: Parts = { Shootdown, Tlb: AdversarialTlb, Mapper: UserMapper, serves: true }

/**
 * Makes every frame a table that leads to itself, instead of giving it back: so a walk through a table that is gone goes wrong, and
 * no frame that is gone looks like a page.
 */
class Undertaker implements FrameReleaser {
  readonly #machine: PagingMachine

  constructor(machine: PagingMachine) {
    this.#machine = machine
  }

  releaseAll(frames: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) this.free(frames[i]! as Pfn)
  }

  releaseRun(): void {}

  freeZeroed(pfn: Pfn): void {
    this.free(pfn)
  }

  free(pfn: Pfn): void {
    const { arch, atomics } = this.#machine
    const flags = RW | EntryFlag.accessed | EntryFlag.dirty
    for (const place of [0, A * 8]) {
      atomics.store((frameToPtr(pfn) + place + 4) as Ptr, arch.leafHigh(pfn, flags) | 0)
      atomics.store((frameToPtr(pfn) + place) as Ptr, arch.leafLow(pfn, flags) | 0)
    }
  }
}

/** One hart: a machine of its own view, a TLB that forgets nothing by itself, and the space. */
export class Player {
  readonly machine: PagingMachine
  readonly tlb: AdversarialTlb
  readonly shootdown: Shootdown
  readonly flusher: PageFlusher
  readonly mapper: UserMapper
  readonly other: UserMapper
  readonly #hart: number

  constructor(memory: Memory, hart: number, onStep: AtomicsOptions['onStep'], parts: Parts) {
    this.#hart = hart
    const steps = onStep === undefined ? {} : { onStep }
    this.machine = PagingMachine.attach(memory, hart + 1, { debug: false, ...steps })
    const { arch, atomics, tlbs } = this.machine
    this.tlb = new parts.Tlb({ memory, arch, atomics, tlbs }, hart)
    this.shootdown = new parts.Shootdown({ memory, atomics, tlbs: this.tlb }, hart)
    if (!parts.serves) atomics.serve = () => {}
    this.flusher = new PageFlusher(this.shootdown, new Undertaker(this.machine))
    this.mapper = new parts.Mapper(this.machine, memory.u32[ROOT] as Pfn)
    this.other = new parts.Mapper(this.machine, memory.u32[OTHER_ROOT] as Pfn)
  }

  batch(change: (batch: FlushBatch) => void, mapper = this.mapper): void {
    const batch = this.flusher.batch(mapper.root)
    change(batch)
    batch.finish()
  }

  /** Reads a page: false after a page fault; asserts that what it finds is that page. */
  load(vpn: Vpn, expected = tag(vpn)): boolean {
    const pfn = this.tlb.translate(vpn, read)
    if (pfn === NO_FRAME) return false
    const found = this.machine.atomics.load(frameToPtr(pfn))
    assert(found === expected, 'a stale access: a page that is gone was read')
    return true
  }

  /** Counts up in a page; false after a page fault. */
  store(vpn: Vpn): boolean {
    const pfn = this.tlb.translate(vpn, write)
    if (pfn === NO_FRAME) return false
    this.machine.atomics.add(storesOf(pfn), 1)
    return true
  }

  unmap(vpn: Vpn, mapper = this.mapper): void {
    this.batch((batch) => {
      const pfn = mapper.pfn(mapper.leaf(vpn))
      mapper.clear(mapper.leaf(vpn), vpn, batch)
      batch.releaseFrame(pfn)
    }, mapper)
  }

  /** Runs in the space of the root that a word of the header holds. */
  runsIn(root: number, body: () => void): void {
    this.tlb.activate(this.#hart, this.machine.memory.u32[root] as Pfn)
    this.runs(body)
  }

  runs(body: () => void): void {
    this.shootdown.enter()
    body()
    this.shootdown.leave()
  }
}

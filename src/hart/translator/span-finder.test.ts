/** Spans hold what an access may do without the hart's walker: no page that a walk would refuse, mark or put elsewhere; and all the others, as far as they look. */
import { expect, test } from 'vitest'
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../../arch/riscv64/sv39.js'
import type { Pfn, Ptr } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { fuzzSteps, SEED } from '../../base/testing.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry } from '../../paging/tlb-layout.js'
import { Region, regionPtr } from '../../state/layout.js'
import { HartCode } from '../hart-code.js'
import { NEW_PARTS } from '../hart-parts.js'
import { BareMachine } from '../testing/bare-machine.js'
import { SPANS_OFFSET, Span } from './page-spans.js'

const ARCH = new Riscv64Sv39()
const { user, read, write, accessed, dirty } = EntryFlag
const PAGE = 4096
const HUGE = 2 ** 21
/** Pages of the window that is mapped at random: six huge pages. */
const PAGES = 3072
const START = 2 ** 30 - 3 * HUGE
const MEBIBYTES = 32
const FIRST_FRAME = (8 * 2 ** 20) / PAGE

type FindSpan = (address: bigint, span: number, tag: number, reach: bigint, left: number) => void

class Spans {
  readonly machine = new BareMachine({ bytes: MEBIBYTES * 2 ** 20, threshold: 20 })
  readonly #random: Random
  readonly #find: FindSpan
  readonly #span: Ptr
  readonly #stamps: number

  constructor(random: Random) {
    this.#random = random
    const { memory, tlbs, hart } = this.machine
    const codeEntries = regionPtr(memory, Region.codeEntries)
    const layout = {
      ...{ hart: hart.ptr, tlb: tlbs.ptr(0), decode: regionPtr(memory, Region.scratch), codeEntries },
      ...{
        codeStamps: regionPtr(memory, Region.codeStamps),
        translates: true,
        physBasePfn: ARCH.physBasePfn,
      },
      ...{ shared: false, inSharedBuffer: false },
    }
    this.#find = new HartCode(memory, layout, NEW_PARTS).exports.findSpan as FindSpan
    this.#span = (codeEntries + SPANS_OFFSET) as Ptr
    this.#stamps = layout.codeStamps >>> 1
  }

  #flags(): number {
    const random = this.#random
    const marks = (random.below(8) > 0 ? accessed : 0) | (random.below(4) > 0 ? dirty : 0)
    return random.pick([user, user, user, user, user, 0]) | read | (random.below(4) > 0 ? write : 0) | marks
  }

  /** Most pages lie one behind the other, some behind the end of RAM; a few have reserved bits. */
  fill(): void {
    const random = this.#random
    const shift = random.pick([0, 512, 7, 7, 1536, 5120])
    const odds = random.pick([8, 100, 1000])
    for (let page = 0; page < PAGES; page += 512) {
      const frame = (FIRST_FRAME + page + shift + (random.below(6) === 0 ? 512 : 0)) as Pfn
      const address = START + page * PAGE
      if (random.below(2) === 0 && (frame % 512 === 0 || random.below(3) === 0))
        this.machine.map(address, frame, this.#flags(), 1)
      else for (let i = 0; i < 512; i++) this.#mapSmall(address + i * PAGE, (frame + i) as Pfn, odds)
    }
    const { u16 } = this.machine.memory
    u16.fill(0, this.#stamps + FIRST_FRAME, this.#stamps + (MEBIBYTES * 2 ** 20) / PAGE)
    for (let i = random.below(4); i > 0; i--) u16[this.#stamps + FIRST_FRAME + random.below(4096)] = 1
  }

  #mapSmall(address: number, frame: Pfn, odds: number): void {
    const random = this.#random
    const flags = random.below(odds) === 0 ? this.#flags() : user | read | write | accessed | dirty
    const place = random.below(odds) === 0 ? ((frame + 1) as Pfn) : frame
    const reserved = random.below(odds * 4) === 0 ? 2 ** 30 : 0
    if (random.below(odds) === 0) this.machine.setEntry(address, 0, 0)
    else this.machine.setEntry(address, ARCH.leafLow(place, flags), ARCH.leafHigh(place, flags) + reserved)
  }

  /** Where a page is that needs no walk for the access; nothing when it does. */
  place(address: number, isWrite: boolean): number | undefined {
    const { machine } = this
    const { u32, u16, bytes } = machine.memory
    const upper = machine.entry(address, 1) >>> 2
    const isHuge = ARCH.isLeaf(u32[upper]!)
    const word = isHuge ? upper : machine.entry(address) >>> 2
    const [low, high] = [u32[word]!, u32[word + 1]!]
    const needed = user | read | accessed | (isWrite ? write | dirty : 0)
    if (!ARCH.isPresent(low) || high >= 2 ** 22) return undefined
    if ((ARCH.flagsOf(low, high) & needed) !== needed) return undefined
    if (isHuge && ARCH.pfnOf(low, high) % 512 !== 0) return undefined
    const pfn = ARCH.pfnOf(low, high) + (isHuge ? Math.floor(address / PAGE) % 512 : 0)
    if (pfn >= bytes / PAGE) return undefined
    // A huge page that has code somewhere is not written to without a look.
    const first = this.#stamps + (isHuge ? pfn - (pfn % 512) : pfn)
    const hasCode = u16.subarray(first, first + (isHuge ? 512 : 1)).some((stamp) => stamp !== 0)
    return isWrite && hasCode ? undefined : pfn * PAGE
  }

  /** The span of an access to a page that the TLB has, which was looked for so often before. */
  find(address: number, isWrite: boolean, finds: number): { start: number; length: number } {
    const { memory, tlbs } = this.machine
    const entry = tlbs.entries(0) + (Math.floor(address / PAGE) % TLB_ENTRIES) * TLB_ENTRY_BYTES
    memory.u32[(entry + TlbEntry.addend) >>> 2] = this.place(address, isWrite)! - address
    const span = this.#span >>> 2
    memory.u32.fill(0, span, span + 8)
    memory.u32[span + Span.finds / 4] = finds
    this.#find(BigInt(address), this.#span, isWrite ? TlbEntry.writeTag : TlbEntry.readTag, 7n, 0)
    return { start: memory.u32[span + Span.start / 4]!, length: memory.u32[span + Span.limit / 4]! + 7 }
  }
}

test('a span is as long as the pages that lie one behind the other, and no longer', () => {
  const random = new Random(SEED)
  const spans = new Spans(random)
  let [longest, huge] = [0, 0]
  for (let round = 0; round < fuzzSteps(50); round++) {
    spans.fill()
    for (let i = 0; i < 12; i++) {
      const [address, isWrite] = [START + random.below(PAGES) * PAGE, random.below(2) === 0]
      const here = spans.place(address, isWrite)
      if (here === undefined) continue
      // The first finds look at few pages; these are never wild.
      const finds = random.pick([0, 1, 4, 8, 12])
      const { start, length } = spans.find(address, isWrite, finds)
      const name = `seed ${SEED}, round ${round}, ${address.toString(16)}, ${isWrite ? 'write' : 'read'}, after ${finds}`
      expect(start <= address && address < start + length, name).toBe(true)
      const isNext = (page: number) => spans.place(page, isWrite) === page - address + here
      for (let page = start; page < start + length; page += PAGE) expect(isNext(page), name).toBe(true)
      const most = 16 * PAGE * 2 ** (finds + 1)
      const isMaximal = !isNext(start - PAGE) && !isNext(start + length)
      expect(isMaximal || length >= most, `${name}: ${length}`).toBe(true)
      // A huge page is taken as a whole.
      expect(length < most + HUGE, name).toBe(true)
      longest = Math.max(longest, length)
      if (length > HUGE) huge++
    }
  }
  expect(longest).toBeGreaterThan(2 * HUGE)
  expect(huge).toBeGreaterThan(10)
})

const MINE = user | read | write | accessed | dirty

test('a huge page that is not aligned faults, and is in no span', () => {
  const spans = new Spans(new Random(SEED))
  const frame = FIRST_FRAME + 7
  spans.machine.map(START, frame as Pfn, MINE, 1)
  for (let i = 0; i < 3; i++) spans.machine.map(START + HUGE + i * PAGE, (frame + 512 + i) as Pfn, MINE)
  expect(spans.find(START + HUGE, false, 12)).toEqual({ start: START + HUGE, length: 3 * PAGE })
})

test('a span ends where RAM does', () => {
  const spans = new Spans(new Random(SEED))
  const last = (MEBIBYTES * 2 ** 20) / PAGE - 1
  for (let i = 0; i < 4; i++) spans.machine.map(START + i * PAGE, (last - 1 + i) as Pfn, MINE)
  expect(spans.find(START, false, 12)).toEqual({ start: START, length: 2 * PAGE })
})

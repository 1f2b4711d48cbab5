import { EntryFlag } from '../../src/arch/memory-management-arch.js'
import { frameToPtr, NO_FRAME, type Pfn, type Ptr, type Vpn } from '../../src/base/numbers.js'
import { Random } from '../../src/base/random.js'
import { Access } from '../../src/fault/access.js'
import { sweep } from '../../src/fault/reclaim.js'
import { openFile, Program } from '../../src/fault/testing.js'
import { copyFromUser } from '../../src/fault/user-copy.js'
import { FaultInjector } from '../../src/frame/fault-injector.js'
import { type MemoryManager, mmAttach } from '../../src/mm.js'
import { HartState, Mailboxes } from '../../src/paging/mailboxes.js'
import { AdversarialTlb } from '../../src/paging/testing/adversarial-tlb.js'
import { AddressSpace } from '../../src/space/address-space.js'
import { Counter } from '../../src/state/counters.js'
import * as mman from '../../src/syscall/mman.js'
import {
  Book,
  CHANGES,
  type Change,
  KINDS,
  Kind,
  kindOf,
  PAGES_OF_HART,
  pageOf,
  SPACES,
  type StormData,
  type StormReport,
  type Switching,
  startOf,
  Taken,
  takes,
} from './storm.js'

const PAGE = 4096
const FIXED = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
const FIXED_SHARED = mman.MAP_SHARED | mman.MAP_FIXED
const RW = mman.PROT_READ | mman.PROT_WRITE
const ACCESSES_PER_CHANGE = 60
/** So often a hart goes on in another space; gives memory up; reclaims, and how many frames it looks at then. */
const SWITCHES = 0.2
const GIVING_UP = 0.05
const RECLAIMING = 0.02
const LOOKS = 4000
/** Giving up when reclaim is what is looked at. */
const GIVING_UP_OFTEN = 0.3
/** Of changes, those of huge pages; they cost a thousand times as much as others. And those of shared ones. */
const HUGE_CHANGES = 0.1
const SHARED_CHANGES = 0.3
const SWEEP = { scanned: Counter.scannedDirectly, stolen: Counter.stolenDirectly }
const FD = 3
/** Looks at an answer that does not come, before the thread sleeps a little: there may be fewer processors than harts. */
const SPINS = 200

/** Every frame that a space's pages have been written to says so in its first word; those of the object say that. */
const tagOf = (space: number, page: number) => 0x57a6_0000 + (kindOf(page) === Kind.shared ? SPACES : space)

/** Pages of one kind side by side, all of one hart. */
interface Range {
  readonly kind: Kind
  /** By number. */
  readonly pages: readonly number[]
  readonly address: number
  readonly bytes: number
}

function rangeOf(first: number, count: number): Range {
  const kind = kindOf(first)
  return {
    kind,
    pages: Array.from({ length: count }, (_, i) => first + i),
    address: startOf(first) * PAGE,
    bytes: count * KINDS[kind].pages * PAGE,
  }
}

class Stale extends Error {}

/** Of changes that take all of a page, that take writing from it, and that take writing from its space. */
type Counts = readonly [all: number, write: number, fork: number]

/** When a page was looked up: the changes that had begun, and the last that were through. */
interface LookUp {
  readonly begun: Counts
  readonly done: Counts
}

/** One hart on a thread: uses pages by way of a TLB that keeps all it may, and changes those that are its own. */
export class StormHart {
  readonly #data: StormData
  readonly #book: Book
  readonly #mm: MemoryManager
  readonly #tlb: AdversarialTlb
  readonly #programs: readonly Program[]
  readonly #random: Random
  readonly #lookUps: readonly Map<Vpn, LookUp>[] = Array.from({ length: SPACES }, () => new Map())
  /** Of each space, the hart's own pages that are in a mapping. */
  readonly #mapped: readonly Set<number>[] = Array.from({ length: SPACES }, () => new Set())
  readonly #changes: Partial<Record<Change, number>> = {}
  #space = 0
  #accesses = 0
  #hits = 0
  #faults = 0
  #spins = 0
  #reclaimed = 0
  #givenUp: (() => number) | undefined

  constructor(data: StormData) {
    this.#data = data
    this.#book = new Book(data.harts, data.book)
    this.#mm = mmAttach(data.memory, { hart: data.hart, debug: true, onSpin: () => this.#rest() })
    this.#tlb = new AdversarialTlb(this.#mm, data.hart)
    this.#tlb.replaceIn(this.#mm.tlbs)
    if (data.forgets === 'recycling') this.#tlb.flushBank = this.#recycleBlindly
    if (data.forgets === 'coming back') this.#mm.shootdown.enter = this.#enterBlindly
    const faults = new FaultInjector()
    this.#programs = data.spaces.map(
      (ptr) => new Program(this.#mm, new AddressSpace(this.#mm.memory, ptr as Ptr), faults),
    )
    for (const program of this.#programs) program.files.set(FD, openFile(data.object as Ptr))
    this.#random = new Random(data.seed + data.hart * 7919)
  }

  /** Forgets nothing, and takes the space that gets the identifier for one of which all is known. */
  #recycleBlindly = (asid: number): void => {
    const { memory, tlbs } = this.#mm
    const mailboxes = Mailboxes.attach(memory, tlbs.hartCount)
    const { hart } = this.#data
    const generation = (root: Pfn) => memory.i32[mailboxes.generation(root) >>> 2]!
    memory.i32[tlbs.seen(hart, false, asid) >>> 2] = generation(tlbs.rootOf(hart, asid))
    memory.i32[tlbs.seen(hart, true, asid) >>> 2] = generation(this.#mm.kernelMapper.root)
  }

  /** As `enter`, but for the look at the generations. */
  #enterBlindly = (): void => {
    const { atomics, memory, tlbs } = this.#mm
    atomics.store(Mailboxes.attach(memory, tlbs.hartCount).state(this.#data.hart), HartState.running)
  }

  #rest(): void {
    if (++this.#spins % SPINS === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.05)
  }

  run(): StormReport {
    let failure: string | undefined
    try {
      this.#mapAll()
      this.#switchTo(0)
      while (this.#accesses < this.#data.accesses && !this.#book.isOver) this.#step()
    } catch (error) {
      failure = error instanceof Stale ? error.message : String((error as Error).stack)
      this.#book.end()
    }
    this.#mm.shootdown.leave()
    return {
      accesses: this.#accesses,
      hits: this.#hits,
      faults: this.#faults,
      changes: this.#changes,
      reclaimed: this.#reclaimed,
      failure,
    }
  }

  #mapAll(): void {
    for (let space = 0; space < SPACES; space++) {
      for (const { first, count } of KINDS) {
        const range = rangeOf((this.#data.hart - 1) * PAGES_OF_HART + first, count)
        this.#changeRange('mmap over', space, range)
      }
    }
  }

  #step(): void {
    for (let i = 0; i < ACCESSES_PER_CHANGE; i++) {
      this.#access(this.#random.below(this.#data.harts * PAGES_OF_HART), this.#random.chance(0.5))
      this.#mm.shootdown.serve()
    }
    if (this.#random.chance(SWITCHES)) this.#switchTo(this.#random.below(SPACES))
    this.#changeSomething()
    this.#pageOut()
    const isReclaim = this.#data.forgets === 'reclaim'
    if (this.#random.chance(isReclaim ? GIVING_UP_OFTEN : GIVING_UP)) this.#giveUp()
    if (this.#random.chance(RECLAIMING)) this.#reclaim()
  }

  #switchTo(space: number): void {
    const { shootdown } = this.#mm
    shootdown.leave()
    this.#space = space
    this.#tlb.activate(this.#data.hart, this.#programs[space]!.space.root)
    shootdown.enter()
  }

  #access(page: number, isWrite: boolean): void {
    const vpn = pageOf(page)
    const flag = isWrite ? EntryFlag.write : EntryFlag.read
    this.#accesses++
    let pfn = this.#tlb.known(vpn, flag)
    if (pfn === NO_FRAME) pfn = this.#lookUp(vpn, page, flag)
    else this.#checkStale(vpn, page, isWrite)
    if (pfn === NO_FRAME) this.#fault(vpn, isWrite)
    else this.#use(pfn, page, isWrite)
  }

  /** A page whose changes begin meanwhile is not kept: nobody could say what may be known of it. */
  #lookUp(vpn: Vpn, page: number, flag: number): Pfn {
    const done = this.#counts('done', page)
    const begun = this.#counts('begun', page)
    const pfn = this.#tlb.translate(vpn, flag)
    if (pfn === NO_FRAME) return pfn
    const after = this.#counts('begun', page)
    if (begun.some((count, i) => count !== after[i])) this.#tlb.drop(vpn)
    else this.#lookUps[this.#space]!.set(vpn, { begun, done })
    return pfn
  }

  #counts(which: 'begun' | 'done', page: number): Counts {
    const book = this.#book
    return [
      book[which](this.#space, page, Taken.all),
      book[which](this.#space, page, Taken.write),
      book[which](this.#space, book.wholeSpace, Taken.write),
    ]
  }

  #checkStale(vpn: Vpn, page: number, isWrite: boolean): void {
    const lookUp = this.#lookUps[this.#space]!.get(vpn)
    if (lookUp === undefined) {
      throw new Stale(`another owner's page ${page} in space ${this.#space} by hart ${this.#data.hart}`)
    }
    const { begun } = lookUp
    const [all, write, fork] = this.#counts('done', page)
    this.#hits++
    const isForked = kindOf(page) !== Kind.shared && fork > begun[2]
    const isStale = all > begun[0] || (isWrite && (write > begun[1] || isForked))
    if (isStale) this.#refuse(`stale ${isWrite ? 'store to' : 'load from'}`, page, isWrite)
  }

  /**
   * Names every change that may have forgotten its flush, the page's own first: one that ran while the page was looked up may be it as
   * well, and is then found by a later change only, which had nothing left to flush.
   */
  #refuse(what: string, page: number, isWrite: boolean): never {
    const { done } = this.#lookUps[this.#space]!.get(pageOf(page))!
    const book = this.#book
    const changes = book.since(this.#space, page, Taken.all, done[0])
    if (isWrite) {
      changes.push(...book.since(this.#space, page, Taken.write, done[1]))
      changes.push(...book.since(this.#space, book.wholeSpace, Taken.write, done[2]))
    }
    const names = changes.length === 0 ? 'no change' : [...new Set(changes)].join(' or ')
    throw new Stale(`${what} page ${page} of space ${this.#space} by hart ${this.#data.hart}, after ${names}`)
  }

  #use(pfn: Pfn, page: number, isWrite: boolean): void {
    const word = frameToPtr(pfn) >>> 2
    const { i32 } = this.#mm.memory
    const tag = i32[word]!
    if (tag !== 0 && tag !== tagOf(this.#space, page)) this.#refuse("another owner's frame at", page, false)
    if (!isWrite) return
    i32[word] = tagOf(this.#space, page)
    i32[word + 1 + this.#data.hart]!++
  }

  #fault(vpn: Vpn, isWrite: boolean): void {
    this.#faults++
    this.#inKernel(true, () => {
      this.#programs[this.#space]!.touch(vpn * PAGE, isWrite ? Access.write : Access.read)
    })
  }

  /** Kernel code may be run by a hart that is parked, or by one that others wait for: it serves while it waits. */
  #inKernel(parks: boolean, body: () => void): void {
    if (parks) this.#mm.shootdown.leave()
    body()
    if (parks) this.#mm.shootdown.enter()
  }

  #changeSomething(): void {
    const change = this.#random.chance(0.3) ? 'mprotect write' : this.#random.pick(CHANGES)
    const space = this.#random.below(SPACES)
    this.#inKernel(this.#random.chance(0.5), () => {
      if (change === 'mprotect write') this.#allowWriting(space)
      else if (change === 'fork') this.#fork()
      else this.#changePages(change, space)
    })
  }

  #ownRange(kind: Kind): Range {
    const { first, count } = KINDS[kind]
    const start = this.#random.below(count)
    const pages = this.#random.chance(0.3) ? count : Math.min(this.#random.between(1, 8), count - start)
    return rangeOf((this.#data.hart - 1) * PAGES_OF_HART + first + (pages === count ? 0 : start), pages)
  }

  #anyRange(): Range {
    if (this.#random.chance(HUGE_CHANGES)) return this.#ownRange(Kind.huge)
    return this.#ownRange(this.#random.chance(SHARED_CHANGES) ? Kind.shared : Kind.small)
  }

  #allowWriting(space: number): void {
    const { pages, address, bytes } = this.#anyRange()
    if (this.#isMapped(space, pages)) this.#programs[space]!.call('mprotect', address, bytes, RW)
  }

  #isMapped(space: number, pages: readonly number[]): boolean {
    return pages.every((page) => this.#mapped[space]!.has(page))
  }

  /** Nothing that changes a part of the pages only, and then is refused: the book could not say what was taken. */
  #changePages(change: Change, space: number): void {
    if (change === 'mremap') this.#move(space)
    else if (change === 'punch') this.#punch(space)
    else this.#changeRange(change, space, this.#anyRange())
  }

  #changeRange(change: Change, space: number, range: Range): void {
    const mapped = this.#mapped[space]!
    const takesPart = change !== 'munmap' && change !== 'mmap over'
    if (takesPart && !this.#isMapped(space, range.pages)) return
    this.#around(change, space, range.pages, () => this.#call(change, this.#programs[space]!, range))
    for (const page of range.pages) {
      if (change === 'munmap') mapped.delete(page)
      if (change === 'mmap over') mapped.add(page)
    }
  }

  /** To a place that was emptied before. */
  #move(space: number): void {
    const source = this.#ownRange(Kind.small)
    const { pages, address, bytes } = source
    const [first, count] = [pages[0]!, pages.length]
    const start = this.#random.below(KINDS[Kind.small].count - count + 1)
    const target = rangeOf((this.#data.hart - 1) * PAGES_OF_HART + start, count)
    if (Math.abs(target.pages[0]! - first) < count) return
    this.#changeRange('munmap', space, target)
    this.#around('mremap', space, [...pages, ...target.pages], () => {
      const flags = mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED
      const result = this.#programs[space]!.call('mremap', address, bytes, bytes, flags, target.address)
      if (result < 0) return result
      for (const page of pages) this.#mapped[space]!.delete(page)
      for (const page of target.pages) this.#mapped[space]!.add(page)
      return result
    })
  }

  /** Pages leave the object, and so all spaces. */
  #punch(space: number): void {
    const range = this.#ownRange(Kind.shared)
    if (!this.#isMapped(space, range.pages)) return
    const program = this.#programs[space]!
    const punch = (at: number): number => {
      if (at === SPACES) return program.call('madvise', range.address, range.bytes, mman.MADV_REMOVE)
      let result = 0
      this.#around('punch', at, range.pages, () => {
        result = punch(at + 1)
        return result
      })
      return result
    }
    punch(0)
  }

  /** Nothing is taken for the time being. */
  #giveUp(): void {
    const space = this.#random.below(SPACES)
    const { pages, address, bytes } = this.#ownRange(Kind.huge)
    if (!this.#isMapped(space, pages)) return
    this.#inKernel(this.#random.chance(0.5), () => {
      this.#programs[space]!.call('madvise', address, bytes, mman.MADV_FREE)
    })
    this.#givenUp = () => this.#programs[space]!.call('madvise', address, bytes, mman.MADV_PAGEOUT)
  }

  /** What was given up a step ago, and used since. */
  #pageOut(): void {
    const advise = this.#givenUp
    this.#givenUp = undefined
    if (advise !== undefined) this.#inKernel(false, () => this.#forgetting('reclaim', advise))
  }

  /** Of any hart's and space's pages, those that were given up. */
  #reclaim(): void {
    let looks = 0
    this.#inKernel(this.#random.chance(0.5), () => {
      this.#reclaimed += this.#forgetting('reclaim', () => sweep(this.#mm, SWEEP, () => looks++ === LOOKS))
    })
  }

  #call(change: Change, program: Program, range: Range): number {
    const { address, bytes } = range
    if (change === 'munmap') return program.call('munmap', address, bytes)
    if (change === 'mmap over') return mapOver(program, range)
    if (change === 'mprotect none') return program.call('mprotect', address, bytes, mman.PROT_NONE)
    if (change === 'mprotect read') return program.call('mprotect', address, bytes, mman.PROT_READ)
    return program.call('madvise', address, bytes, mman.MADV_DONTNEED)
  }

  /** A change, in the book. One that is refused takes nothing. */
  #around(change: Change, space: number, pages: readonly number[], body: () => number): void {
    const taken = takes(change)
    for (const page of pages) this.#book.begin(space, page, taken, change)
    if (this.#forgetting(change, body) < 0) return
    for (const page of pages) this.#book.finish(space, page, taken)
    this.#changes[change] = (this.#changes[change] ?? 0) + 1
  }

  #forgetting(change: Change | Switching, body: () => number): number {
    const { shootdown } = this.#mm
    if (this.#data.forgets !== change) return body()
    const { forget } = shootdown
    shootdown.forget = () => {}
    const result = body()
    shootdown.forget = forget
    return result
  }

  /** Each space is forked by one hart only. What the child sees stays as it is, whatever happens to its parent. */
  #fork(): void {
    const space = this.#data.hart - 1
    if (space >= SPACES) return
    let child: Program | undefined
    this.#around('fork', space, [this.#book.wholeSpace], () => {
      child = this.#programs[space]!.fork()
      return child === undefined ? -1 : 0
    })
    if (child === undefined) return
    const before = this.#contents(child)
    for (let i = 0; i < 20; i++) this.#mm.shootdown.serve()
    const after = this.#contents(child)
    child.exit()
    if (before !== after) throw new Stale(`a child sees a store of its parent, after fork of space ${space}`)
  }

  #contents(child: Program): string {
    const words = new Uint8Array(16)
    const seen: string[] = []
    for (let page = 0; page < this.#data.harts * PAGES_OF_HART; page += 3) {
      if (kindOf(page) !== Kind.small) continue
      const result = copyFromUser(this.#mm, child.space, pageOf(page) * PAGE, words)
      seen.push(result < 0 ? `${result}` : words.join('.'))
    }
    return seen.join(' ')
  }
}

function mapOver(program: Program, { kind, address, bytes }: Range): number {
  if (kind !== Kind.shared) return program.mmap(address, bytes, RW, FIXED)
  return program.mmap(address, bytes, RW, FIXED_SHARED, FD, address - KINDS[kind].start * PAGE)
}

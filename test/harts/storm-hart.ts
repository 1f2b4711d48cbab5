import { EntryFlag } from '../../src/arch/memory-management-arch.js'
import { frameToPtr, NO_FRAME, type Pfn, type Ptr, type Vpn } from '../../src/base/numbers.js'
import { Random } from '../../src/base/random.js'
import { Access } from '../../src/fault/access.js'
import { Program } from '../../src/fault/testing.js'
import { copyFromUser } from '../../src/fault/user-copy.js'
import { FaultInjector } from '../../src/frame/fault-injector.js'
import { type MemoryManager, mmAttach } from '../../src/mm.js'
import { HartState, Mailboxes } from '../../src/paging/mailboxes.js'
import { AdversarialTlb } from '../../src/paging/testing/adversarial-tlb.js'
import { AddressSpace } from '../../src/space/address-space.js'
import * as mman from '../../src/syscall/mman.js'
import {
  Book,
  CHANGES,
  type Change,
  FIRST_PAGE,
  PAGES_OF_HART,
  SPACES,
  type StormData,
  type StormReport,
  Taken,
  takes,
} from './storm.js'

const PAGE = 4096
const FIXED = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
const RW = mman.PROT_READ | mman.PROT_WRITE
const ACCESSES_PER_CHANGE = 60
/** So often a hart goes on in another space. */
const SWITCHES = 0.2
/** Looks at an answer that does not come, before the thread sleeps a little: there may be fewer processors than harts. */
const SPINS = 200

/** Every frame that a space's pages have been written to says so in its first word. */
const tagOf = (space: number) => 0x57a6_0000 + space

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
      failure,
    }
  }

  #step(): void {
    for (let i = 0; i < ACCESSES_PER_CHANGE; i++) {
      this.#access(this.#random.below(this.#data.harts * PAGES_OF_HART), this.#random.chance(0.5))
      this.#mm.shootdown.serve()
    }
    if (this.#random.chance(SWITCHES)) this.#switchTo(this.#random.below(SPACES))
    this.#changeSomething()
  }

  #switchTo(space: number): void {
    const { shootdown } = this.#mm
    shootdown.leave()
    this.#space = space
    this.#tlb.activate(this.#data.hart, this.#programs[space]!.space.root)
    shootdown.enter()
  }

  #access(page: number, isWrite: boolean): void {
    const vpn = (FIRST_PAGE + page) as Vpn
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
    const isStale = all > begun[0] || (isWrite && (write > begun[1] || fork > begun[2]))
    if (isStale) this.#refuse(`stale ${isWrite ? 'store to' : 'load from'} page ${page}`, vpn, isWrite)
  }

  /**
   * Names every change that may have forgotten its flush, the page's own first: one that ran while the page was looked up may be it as
   * well, and is then found by a later change only, which had nothing left to flush.
   */
  #refuse(what: string, vpn: Vpn, isWrite: boolean): never {
    const { done } = this.#lookUps[this.#space]!.get(vpn)!
    const book = this.#book
    const page = vpn - FIRST_PAGE
    const changes = book.since(this.#space, page, Taken.all, done[0])
    if (isWrite) {
      changes.push(...book.since(this.#space, page, Taken.write, done[1]))
      changes.push(...book.since(this.#space, book.wholeSpace, Taken.write, done[2]))
    }
    const names = changes.length === 0 ? 'no change' : [...new Set(changes)].join(' or ')
    throw new Stale(`${what} of space ${this.#space} by hart ${this.#data.hart}, after ${names}`)
  }

  #use(pfn: Pfn, page: number, isWrite: boolean): void {
    const word = frameToPtr(pfn) >>> 2
    const { i32 } = this.#mm.memory
    const tag = i32[word]!
    if (tag !== 0 && tag !== tagOf(this.#space)) {
      this.#refuse(`another owner's frame at page ${page}`, (FIRST_PAGE + page) as Vpn, false)
    }
    if (!isWrite) return
    i32[word] = tagOf(this.#space)
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

  #ownPages(): [page: number, pages: number] {
    const first = (this.#data.hart - 1) * PAGES_OF_HART
    const start = this.#random.below(PAGES_OF_HART)
    return [first + start, Math.min(this.#random.between(1, 8), PAGES_OF_HART - start)]
  }

  #allowWriting(space: number): void {
    const [page, pages] = this.#ownPages()
    if (!this.#isMapped(space, page, pages)) return
    this.#programs[space]!.call('mprotect', (FIRST_PAGE + page) * PAGE, pages * PAGE, RW)
  }

  #isMapped(space: number, page: number, pages: number): boolean {
    return Array.from({ length: pages }, (_, i) => page + i).every((each) => this.#mapped[space]!.has(each))
  }

  /** Nothing that changes a part of the pages only, and then is refused: the book could not say what was taken. */
  #changePages(change: Change, space: number): void {
    const [page, pages] = this.#ownPages()
    if (change === 'mremap') {
      this.#move(space, page, pages)
      return
    }
    const mapped = this.#mapped[space]!
    const takesPart = change !== 'munmap' && change !== 'mmap over'
    if (takesPart && !this.#isMapped(space, page, pages)) return
    const all = Array.from({ length: pages }, (_, i) => page + i)
    this.#around(change, space, all, () => this.#call(change, this.#programs[space]!, page, pages))
    for (const each of all) {
      if (change === 'munmap') mapped.delete(each)
      if (change === 'mmap over') mapped.add(each)
    }
  }

  /** To a place that was emptied before. */
  #move(space: number, page: number, pages: number): void {
    const [other] = this.#ownPages()
    const end = this.#data.hart * PAGES_OF_HART
    if (other + pages > end || Math.abs(other - page) < pages) return
    const [source, target] = [page, other].map((first) => Array.from({ length: pages }, (_, i) => first + i))
    const program = this.#programs[space]!
    this.#around('munmap', space, target!, () => this.#call('munmap', program, other, pages))
    for (const each of target!) this.#mapped[space]!.delete(each)
    this.#around('mremap', space, [...source!, ...target!], () => {
      const flags = mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED
      const [from, to, length] = [(FIRST_PAGE + page) * PAGE, (FIRST_PAGE + other) * PAGE, pages * PAGE]
      const result = program.call('mremap', from, length, length, flags, to)
      if (result < 0) return result
      for (const each of source!) this.#mapped[space]!.delete(each)
      for (const each of target!) this.#mapped[space]!.add(each)
      return result
    })
  }

  #call(change: Change, program: Program, page: number, pages: number): number {
    const [address, length] = [(FIRST_PAGE + page) * PAGE, pages * PAGE]
    if (change === 'munmap') return program.call('munmap', address, length)
    if (change === 'mmap over') return program.mmap(address, length, RW, FIXED)
    if (change === 'mprotect none') return program.call('mprotect', address, length, mman.PROT_NONE)
    if (change === 'mprotect read') return program.call('mprotect', address, length, mman.PROT_READ)
    return program.call('madvise', address, length, mman.MADV_DONTNEED)
  }

  /** A change, in the book. One that is refused takes nothing. */
  #around(change: Change, space: number, pages: readonly number[], body: () => number): void {
    const taken = takes(change)
    for (const page of pages) this.#book.begin(space, page, taken, change)
    if (this.#forgetting(change, body) < 0) return
    for (const page of pages) this.#book.finish(space, page, taken)
    this.#changes[change] = (this.#changes[change] ?? 0) + 1
  }

  #forgetting(change: Change, body: () => number): number {
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
      const result = copyFromUser(this.#mm, child.space, (FIRST_PAGE + page) * PAGE, words)
      seen.push(result < 0 ? `${result}` : words.join('.'))
    }
    return seen.join(' ')
  }
}

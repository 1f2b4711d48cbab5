/**
 * Ten million steps with PAGODA_FULL, else a hundredth of that: pages and huge leaves that are mapped, replaced, protected, moved, split and
 * unmapped, against two arrays that say for each page what it is mapped to. A step looks at one page; now and then all is compared.
 */
import { expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { NO_FRAME, NULL, type Pfn, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from './flush-batch.js'
import { PagingMachine } from './testing/paging-machine.js'
import type { UserMapper } from './user-mapper.js'

const STEPS = fuzzSteps(process.env.PAGODA_FULL === undefined ? 100_000 : 10_000_000)
const EVERY = Math.ceil(STEPS / 20)
const TIMEOUT = 1_200_000
const { read, write, execute, user, accessed, dirty } = EntryFlag
const FLAGS = [read, read | write, read | execute, read | write | execute].map((flags) => flags | user)
const TABLE = 512
/** Of four tables, the first two below one level-1 table, and the last two below another. */
const PAGES = 4 * TABLE
const FIRST = TABLE * TABLE - 2 * TABLE
const MARKS = accessed | dirty
const NOBODY = { markDirty: () => {} }

const pageOf = (index: number) => (FIRST + index) as Vpn

class Fuzzer {
  readonly machine = new PagingMachine(new Riscv64Sv39(), { bytes: 32 * 2 ** 20, harts: 1 })
  readonly mapper: UserMapper = this.machine.newUser()
  readonly free = this.machine.buddy.freeFrames()
  readonly #random = new Random(SEED)
  readonly #pfns = new Uint32Array(PAGES)
  readonly #flags = new Uint32Array(PAGES)

  step(): void {
    const batch = this.machine.flusher.batch(this.mapper.root)
    const fails = this.#random.chance(0.02)
    if (fails) this.machine.faults.failFrom(this.#random.between(1, 3))
    switch (this.#random.below(20)) {
      case 0:
        this.#mapHuge(batch)
        break
      case 1:
        this.mapper.splitAt(pageOf(this.#random.below(PAGES)), batch)
        break
      case 2:
        this.#move(batch)
        break
      case 3:
      case 4:
        this.#protect(batch)
        break
      case 5:
      case 6:
        this.#unmap(batch)
        break
      default:
        this.#map(batch)
    }
    if (fails) this.machine.faults.reset()
    batch.finish()
    this.#look(this.#random.below(PAGES))
  }

  #range(): [start: number, end: number] {
    const start = this.#random.below(PAGES)
    const isTable = this.#random.chance(0.1)
    const from = isTable ? start - (start % TABLE) : start
    return [from, Math.min(PAGES, from + (isTable ? TABLE : this.#random.between(1, 16)))]
  }

  #map(batch: FlushBatch): void {
    const { buddy } = this.machine
    const index = this.#random.below(PAGES)
    const pfn = buddy.allocate(0)
    if (pfn === NO_FRAME) return
    const flags = this.#random.pick(FLAGS)
    this.mapper.splitEnds(pageOf(index), pageOf(index + 1), batch)
    const result = this.mapper.map(pageOf(index), pfn, flags, batch)
    if (result === 0) this.#note(index, pfn, flags, batch)
    else batch.releaseFrame(pfn)
  }

  /** What is there now, in place of what was. */
  #note(index: number, pfn: number, flags: number, batch: FlushBatch): void {
    if (this.#pfns[index] !== NO_FRAME) batch.releaseFrame(this.#pfns[index] as Pfn)
    this.#pfns[index] = pfn
    this.#flags[index] = flags
  }

  #unmap(batch: FlushBatch): void {
    const [start, end] = this.#range()
    this.mapper.clearRange(pageOf(start), pageOf(end), batch, { anonymous: 0, others: 0 }, NOBODY)
    this.mapper.prune(pageOf(start), pageOf(end), batch)
    this.#pfns.fill(NO_FRAME, start, end)
  }

  #protect(batch: FlushBatch): void {
    const [start, end] = this.#range()
    const flags = this.#random.pick(FLAGS)
    this.mapper.protectRange(pageOf(start), pageOf(end), read | write | execute, flags, batch)
    this.#flags.fill(flags, start, end)
  }

  #move(batch: FlushBatch): void {
    const [start, end] = this.#range()
    const target = this.#random.chance(0.3)
      ? this.#random.below(4) * TABLE + (start % TABLE)
      : this.#random.below(PAGES)
    const pages = end - start
    const isApart = end <= target || target + pages <= start
    if (!isApart || target + pages > PAGES) return
    if (this.#pfns.subarray(target, target + pages).some((pfn) => pfn !== NO_FRAME)) return
    const result = this.mapper.move(pageOf(start), pageOf(target), pages, batch)
    this.mapper.prune(pageOf(start), pageOf(end), batch)
    this.mapper.prune(pageOf(target), pageOf(target + pages), batch)
    if (result !== 0) return
    this.#pfns.copyWithin(target, start, end)
    this.#flags.copyWithin(target, start, end)
    this.#pfns.fill(NO_FRAME, start, end)
  }

  #mapHuge(batch: FlushBatch): void {
    const { mapper } = this
    const { buddy } = this.machine
    const first = this.#random.below(4) * TABLE
    const vpn = pageOf(first)
    const slot = mapper.makeSlot(vpn)
    if (slot === NULL || mapper.isPresent(slot)) return
    const pfn = buddy.allocate(mapper.hugeOrder)
    const deposit = pfn === NO_FRAME ? pfn : mapper.newDeposit()
    if (deposit === NO_FRAME) {
      if (pfn !== NO_FRAME) buddy.free(pfn, mapper.hugeOrder)
      mapper.prune(vpn, pageOf(first + 1), batch)
      return
    }
    const flags = this.#random.pick(FLAGS)
    buddy.divide(pfn, mapper.hugeOrder, FrameFlag.anonymous, 0, 0) // those of objects are not split
    mapper.setHuge(slot, pfn, flags, deposit)
    for (let i = 0; i < TABLE; i++) this.#note(first + i, pfn + i, flags, batch)
  }

  #look(index: number): void {
    const isThere = this.mapper.translate(pageOf(index))
    const { lastPfn, lastFlags } = this.mapper
    if (isThere !== (this.#pfns[index] !== NO_FRAME)) expect.fail(`page ${index}: there ${isThere}`)
    const isSame = lastPfn === this.#pfns[index] && (lastFlags & ~MARKS) === this.#flags[index]
    if (isThere && !isSame) expect.fail(`page ${index}: ${lastPfn}, ${lastFlags}`)
  }

  compare(): void {
    this.machine.check()
    this.mapper.check()
    for (let index = 0; index < PAGES; index++) this.#look(index)
  }

  end(): void {
    const batch = this.machine.flusher.batch(this.mapper.root)
    this.mapper.clearRange(pageOf(0), pageOf(PAGES), batch, { anonymous: 0, others: 0 }, NOBODY)
    this.mapper.destroy(batch)
    batch.finish()
    this.machine.check()
    // The root was one more.
    expect(this.machine.buddy.freeFrames()).toBe(this.free + 1)
  }
}

test(`pages and huge leaves, ${STEPS} steps (seed ${SEED})`, { timeout: TIMEOUT }, () => {
  const fuzzer = new Fuzzer()
  for (let step = 0; step < STEPS; step++) {
    try {
      fuzzer.step()
      if (step % EVERY === 0) fuzzer.compare()
    } catch (error) {
      throw new Error(`PAGODA_SEED=${SEED}, step ${step}`, { cause: error })
    }
  }
  fuzzer.compare()
  fuzzer.end()
})

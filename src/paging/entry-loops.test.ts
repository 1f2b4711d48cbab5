/** The loops in WebAssembly do to every byte of RAM what those in TypeScript do. */
import { expect, test, vi } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { assert } from '../base/assert.js'
import { NO_FRAME, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { type ModuleMaker, NEW_MODULES } from '../base/wasm/module-maker.js'
import { FrameFlag } from '../frame/frame-table.js'
import { type InitOptions, type MemoryManager, mmInit } from '../mm.js'
import { COUNTERS, Region, regionBytes, regionPtr } from '../state/layout.js'
import type { FlushBatch } from './flush-batch.js'
import { PageFlusher } from './page-flusher.js'
import type { FrameTally } from './run-mapper.js'
import { UserMapper } from './user-mapper.js'

const ROUNDS = process.env.PAGODA_FULL ? 300 : 12
const TABLE = 512
const BASE = 0x1000_0000 / 4096
const { user, read, write, accessed, dirty, special } = EntryFlag

/** A table with all kinds of entries, and an empty one in another address space. */
class Tables {
  readonly mm: MemoryManager
  readonly #random: Random
  readonly #roots: Pfn[]

  constructor(random: Random) {
    this.mm = mmInit({ bytes: 8 * 2 ** 20 })
    this.#random = random
    const { mm } = this
    this.#roots = [0, 1].map(() => UserMapper.create(mm, mm.kernelMapper.root))
    assert(this.mm.entryLoops !== undefined, 'this machine has the loops')
    const mapper = this.mapper(0, true)
    const batch = mm.flusher.batch(mapper.root)
    for (let i = 0; i < TABLE; i++) this.#fill(mapper, (BASE + i) as Vpn, batch)
    this.mapper(1, true).makeLeaf(BASE as Vpn)
    batch.finish()
  }

  mapper(which: number, fast: boolean): UserMapper {
    const { memory, arch, frames, buddy, atomics, entryLoops } = this.mm
    const env = { memory, arch, frames, buddy, atomics }
    return new UserMapper(fast ? { ...env, entryLoops } : env, this.#roots[which]!)
  }

  #fill(mapper: UserMapper, vpn: Vpn, batch: FlushBatch): void {
    const random = this.#random
    const entry = mapper.makeLeaf(vpn)
    if (random.below(4) === 0) return
    const marks = (random.below(2) * accessed) | (random.below(2) * dirty)
    const access = random.pick([0, read, read | write])
    const flags = user | access | marks
    if (random.below(6) === 0) mapper.set(entry, vpn, 3 as Pfn, flags | special, batch)
    else mapper.set(entry, vpn, this.#frame(), flags, batch)
  }

  #frame(): Pfn {
    const { buddy, frames } = this.mm
    const random = this.#random
    const order = random.below(40) === 0 ? 1 : 0
    const pfn = buddy.allocate(order)
    assert(pfn !== NO_FRAME, 'there are frames')
    const kind = random.below(40) === 0 ? FrameFlag.file : FrameFlag.anonymous
    frames.set(pfn, 1 + random.below(3), kind | order | (random.below(2) * FrameFlag.exclusive), 0, 0)
    return pfn
  }

  /** All of RAM but for where the loops put what they found, and for what is counted. */
  bytes(): Uint8Array {
    const { memory } = this.mm
    const all = memory.u8.slice()
    const start = regionPtr(memory, Region.entryLoops)
    all.fill(0, start, start + regionBytes(memory, Region.entryLoops))
    return all.fill(0, COUNTERS, COUNTERS + 1024)
  }
}

/** Pages of which TLBs are told. */
function pagesTold(batch: FlushBatch): Set<number> {
  const told = new Set<number>()
  const [touch, addRun] = [batch.touch.bind(batch), batch.addRun.bind(batch)]
  vi.spyOn(batch, 'touch').mockImplementation((vpn) => {
    told.add(vpn)
    touch(vpn)
  })
  vi.spyOn(batch, 'addRun').mockImplementation((vpn, pages, frames) => {
    for (let i = 0; i < pages; i++) told.add(vpn + i)
    addRun(vpn, pages, frames)
  })
  return told
}

type Work = (mapper: UserMapper, entry: Ptr, target: Ptr, batch: FlushBatch, tally: FrameTally) => void

/** What comes of the work in one of both ways: RAM, what was counted, and who was told. */
function outcome(tables: Tables, fast: boolean, vpn: Vpn, work: Work) {
  const { mm } = tables
  const mapper = tables.mapper(0, fast)
  const target = tables.mapper(1, fast).leaf(vpn)
  const flusher = fast ? mm.flusher : new PageFlusher(mm.shootdown, mm.buddy)
  const batch = flusher.batch(mapper.root)
  const told = pagesTold(batch)
  const tally = { anonymous: 0, others: 0 }
  work(mapper, mapper.leaf(vpn), target, batch, tally)
  batch.finish()
  vi.restoreAllMocks()
  return { told, tally, bytes: tables.bytes() }
}

test(`fork's loop and munmap's (PAGODA_SEED=${SEED})`, () => {
  const random = new Random(SEED)
  for (let round = 0; round < ROUNDS; round++) {
    const tables = new Tables(random)
    const { memory } = tables.mm
    const pages = 16 + random.below(TABLE - 16)
    const first = random.below(TABLE - pages)
    const protects = random.below(2) === 0
    const dirtied: [number[], number[]] = [[], []]
    const clears = round % 2 === 0
    const workFor =
      (fast: number): Work =>
      (mapper, entry, target, batch, tally) => {
        const keeper = { markDirty: (pfn: Pfn) => void dirtied[fast]!.push(pfn) }
        const vpn = (BASE + first) as Vpn
        if (clears) mapper.clearRun(entry, vpn, pages, batch, tally, keeper)
        else mapper.share(entry, vpn, pages, target, protects, batch, tally)
      }
    const changed = Array.from({ length: pages }, (_, i) => (BASE + first + i) as Vpn).filter((vpn) => {
      const mapper = tables.mapper(0, false)
      const entry = mapper.leaf(vpn)
      if (!mapper.isPresent(entry)) return false
      return clears || (protects && (mapper.flags(entry) & write) !== 0)
    })
    const before = memory.u8.slice()
    const slow = outcome(tables, false, (BASE + first) as Vpn, workFor(0))
    memory.u8.set(before)
    const fast = outcome(tables, true, (BASE + first) as Vpn, workFor(1))
    expect(fast.tally).toEqual(slow.tally)
    expect(Buffer.compare(fast.bytes, slow.bytes)).toBe(0)
    expect(dirtied[1]).toEqual(dirtied[0])
    for (const { told } of [slow, fast]) {
      expect(changed.filter((page) => !told.has(page))).toEqual([])
      expect([...told].filter((page) => page < BASE + first || page >= BASE + first + pages)).toEqual([])
    }
    tables.mm.buddy.check()
  }
})

test('the name of the loops says all that their code depends on, which the size of RAM is not', () => {
  const known = new Map<string, Uint8Array>()
  let last = ''
  const modules: ModuleMaker = {
    module: (name, bytes) => {
      const made = bytes()
      expect(Buffer.compare(known.get(name) ?? made, made), name).toBe(0)
      known.set(name, made)
      last = name
      return NEW_MODULES.module(name, bytes)
    },
  }
  const ways: Omit<InitOptions, 'bytes'>[] = [
    {},
    { inSharedBuffer: true },
    { lowFrames: 1024 },
    { asids: 2 },
    { harts: 3 },
  ]
  const names = ways.map((options) => {
    const found = [8, 16, 256].map((mebibytes) => {
      const mm = mmInit({ ...options, bytes: mebibytes * 2 ** 20, modules })
      mm.entryLoops!.drop(0, 0)
      return last
    })
    expect(new Set(found).size, JSON.stringify(options)).toBe(1)
    return found[0]
  })
  // How many address spaces a TLB knows changes nothing.
  expect(new Set(names).size).toBe(ways.length - 1)
})

test('a frame that is free is not shared', () => {
  const tables = new Tables(new Random(1))
  const { mm } = tables
  const mapper = tables.mapper(0, true)
  const entry = mapper.leaf(BASE as Vpn)
  const batch = mm.flusher.batch(mapper.root)
  mapper.set(entry, BASE as Vpn, mm.buddy.allocate(0), user | read, batch)
  mm.frames.setRefCount(mapper.pfn(entry), 0)
  const share = () =>
    mapper.share(entry, BASE as Vpn, 16, tables.mapper(1, true).leaf(BASE as Vpn), true, batch, {
      anonymous: 0,
      others: 0,
    })
  expect(share).toThrow('a free frame is retained')
})

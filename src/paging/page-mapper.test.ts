import { describe, expect, test } from 'vitest'
import { FakeArch } from '../arch/fake-arch.js'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { ENOMEM } from '../base/errno.js'
import { NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { AtomicWords } from '../state/atomics.js'
import { PageMapper } from './page-mapper.js'
import { FakeHart } from './testing/fake-hart.js'
import { PagingMachine } from './testing/paging-machine.js'

const { read, write, execute, user, accessed, dirty } = EntryFlag
const RW = read | write | user
const page = (n: number) => n as Vpn

describe.each([new Riscv64Sv39(), new FakeArch()])('$name', (arch) => {
  const farthest = page(arch.userEnd - 1)

  function setUp() {
    const machine = new PagingMachine(arch)
    const mapper = machine.newUser()
    const batch = machine.flusher.batch(mapper.root)
    return { machine, mapper, batch, empty: machine.buddy.freeFrames() }
  }

  test('a page is mapped, found and unmapped, and its tables are given back', () => {
    const { machine, mapper, batch, empty } = setUp()
    const frame = machine.newFrame()
    for (const vpn of [page(0), page(200), farthest]) {
      expect(mapper.translate(vpn)).toBe(false)
      expect(mapper.map(vpn, frame, RW, batch)).toBe(0)
      expect(mapper.translate(vpn)).toBe(true)
      expect(mapper.lastPfn).toBe(frame)
      expect(mapper.lastFlags).toBe(RW)
      expect(mapper.tableFrames()).toBe(arch.levels)
      mapper.check()
      expect(mapper.unmap(vpn, batch)).toBe(true)
      expect(mapper.unmap(vpn, batch)).toBe(false)
      expect(mapper.translate(vpn)).toBe(false)
      expect(mapper.tableFrames()).toBe(1)
    }
    batch.releaseFrame(frame)
    batch.finish()
    expect(machine.buddy.freeFrames()).toBe(empty)
    machine.check()
  })

  test('an empty entry is filled without a batch, any other one is not', () => {
    const { machine, mapper, batch } = setUp()
    const [frame, other] = [machine.newFrame(), machine.newFrame()]
    const entry = mapper.makeLeaf(page(200))
    expect(mapper.isEmpty(entry)).toBe(true)
    mapper.fill(entry, frame, RW)
    expect(mapper.isEmpty(entry)).toBe(false)
    expect(mapper.translate(page(200))).toBe(true)
    expect([mapper.lastPfn, mapper.lastFlags]).toEqual([frame, RW])
    mapper.check()
    expect(() => mapper.fill(entry, other, RW)).toThrow('empty')
    expect(mapper.translate(page(200)) && mapper.lastPfn).toBe(frame)
    mapper.unmap(page(200), batch)
    for (const each of [frame, other]) batch.releaseFrame(each)
    batch.finish()
    machine.check()
  })

  test('pages that are not the user half are not looked at', () => {
    const { machine, mapper, batch } = setUp()
    const kernel = machine.kernelMapper.linearPage(5 as Pfn)
    for (const vpn of [kernel, page(-1), arch.userEnd]) {
      expect(mapper.leaf(vpn)).toBe(NULL)
      expect(mapper.translate(vpn)).toBe(false)
      expect(() => mapper.map(vpn, 5 as Pfn, RW, batch)).toThrow('not in this half')
    }
    mapper.walk(page(-(2 ** 30)), page(2 ** 30), () => expect.unreachable())
  })

  test('walk finds exactly the present pages of a range, in order', () => {
    const { machine, mapper, batch } = setUp()
    const frame = machine.newFrame()
    const mapped = [0, 1, 127, 128, 511, 512, 5000, arch.userEnd - 1]
    for (const vpn of mapped) mapper.map(page(vpn), frame, vpn === 128 ? user : RW, batch)
    const seen = (start: number, end: number) => {
      const pages: number[] = []
      mapper.walk(page(start), page(end), (vpn, entry) => {
        expect(entry).toBe(mapper.leaf(vpn))
        pages.push(vpn)
      })
      return pages
    }
    expect(seen(0, arch.userEnd)).toEqual(mapped)
    for (const start of [0, 1, 2, 128, 512, 513]) {
      for (const end of [0, 1, 128, 129, 512, 513, 5001, arch.userEnd]) {
        expect(seen(start, end)).toEqual(mapped.filter((vpn) => vpn >= start && vpn < end))
      }
    }
  })

  test('move takes entries along as they are', () => {
    const { machine, mapper, batch } = setUp()
    const frames = Array.from({ length: 4 }, () => machine.newFrame())
    frames.forEach((frame, i) => {
      mapper.map(page(126 + i), frame, i === 2 ? user : RW | (i === 1 ? dirty | accessed : 0), batch)
    })
    expect(mapper.move(page(120), page(4000), 20, batch)).toBe(0)
    frames.forEach((frame, i) => {
      expect(mapper.translate(page(126 + i))).toBe(false)
      expect(mapper.translate(page(4006 + i))).toBe(true)
      expect(mapper.lastPfn).toBe(frame)
      expect(mapper.lastFlags).toBe(i === 2 ? user : RW | (i === 1 ? dirty | accessed : 0))
    })
    expect(() => mapper.move(page(4000), page(4010), 20, batch)).toThrow('overlap')
    for (const to of [4020, 4000, 3980])
      expect(mapper.move(page(to === 4000 ? 4020 : 4000), page(to), 20, batch)).toBe(0)
    expect(mapper.translate(page(3986))).toBe(true)
    mapper.check()
  })

  test('without frames, map and move change nothing, whichever table fails', () => {
    const { machine, mapper, batch } = setUp()
    const frame = machine.newFrame()
    for (let n = 1; n < arch.levels; n++) {
      const before = machine.buddy.freeFrames()
      machine.faults.reset()
      machine.faults.failAt(n)
      expect(mapper.map(farthest, frame, RW, batch)).toBe(-ENOMEM)
      expect(machine.buddy.freeFrames()).toBe(before)
      mapper.check()
    }
    machine.faults.reset()
    for (let i = 0; i < 300; i++) mapper.map(page(i), frame, RW, batch)
    const [dump, tables] = [mapper.dump(), mapper.tableFrames()]
    const before = machine.buddy.freeFrames()
    const moved = () => mapper.move(page(0), page(arch.userEnd - 1100), 300, batch)
    let fails = 0
    for (machine.faults.failAt(1); moved() !== 0; machine.faults.reset(), machine.faults.failAt(fails + 1)) {
      fails++
      expect(mapper.dump()).toBe(dump)
      expect(mapper.tableFrames()).toBe(tables)
      mapper.check()
    }
    machine.faults.reset()
    expect(fails).toBeGreaterThanOrEqual(arch.levels)
    batch.finish()
    const back = machine.flusher.batch(mapper.root)
    expect(mapper.move(page(arch.userEnd - 1100), page(0), 300, back)).toBe(0)
    mapper.prune(page(arch.userEnd - 1100), page(arch.userEnd - 800), back)
    back.finish()
    expect(mapper.dump()).toBe(dump)
    expect(machine.buddy.freeFrames()).toBe(before)
  })

  test('taking something from an entry flushes, giving it something does not', () => {
    const { machine, mapper, batch } = setUp()
    batch.finish()
    const hart = new FakeHart(machine, 0)
    machine.tlbs.activate(0, mapper.root)
    const change = (vpn: number, clear: number, set: number) => {
      const changing = machine.flusher.batch(mapper.root)
      mapper.changeFlags(mapper.leaf(page(vpn)), page(vpn), clear, set, changing)
      changing.finish()
      machine.tlbs.check()
      return hart.knows(page(vpn))
    }
    const mapping = machine.flusher.batch(mapper.root)
    mapper.map(page(7), machine.newFrame(), read | user, mapping)
    mapping.finish()
    expect(hart.access(page(7), read)).toBe(true)
    expect(change(7, 0, write)).toBe(true)
    expect(hart.access(page(7), write)).toBe(true)
    for (const lost of [dirty, accessed, write, user, read]) {
      hart.access(page(7), read)
      expect(hart.knows(page(7))).toBe(true)
      expect(change(7, lost, 0)).toBe(false)
      change(7, 0, RW | accessed | dirty)
    }
  })

  test('changing flags gives back those that were there', () => {
    const { machine, mapper, batch } = setUp()
    mapper.map(page(9), machine.newFrame(), RW | dirty, batch)
    const entry = mapper.leaf(page(9))
    expect(mapper.setFlags(entry, page(9), user, batch)).toBe(RW | dirty)
    expect(mapper.isPresent(entry)).toBe(true)
    expect(mapper.changeFlags(entry, page(9), 0, read | execute, batch)).toBe(user)
    expect(mapper.clear(entry, page(9), batch)).toBe(read | execute | user)
    expect(() => mapper.clear(entry, page(9), batch)).toThrow('absent')
  })

  test('a concurrent walker sees the old entry, none, or the new one', () => {
    const { machine, mapper, batch } = setUp()
    mapper.makeLeaf(page(3))
    const seen: string[] = []
    const watched = new PageMapper(watch(machine, { store: () => seen.push(look()) }), mapper.root)
    const entry = watched.leaf(page(3))
    const look = () => {
      const shown = mapper.isPresent(entry) ? `${mapper.pfn(entry)} ${mapper.flags(entry)}` : 'none'
      return shown
    }
    const [a, b] = [machine.newFrame(), machine.newFrame()]
    const states = (change: () => void) => {
      seen.length = 0
      change()
      return new Set(seen)
    }
    const [stateA, stateB] = [`${a} ${RW}`, `${b} ${read | user}`]
    const only = (allowed: string[], found: Set<string>) =>
      expect(allowed).toEqual(expect.arrayContaining([...found]))
    only(
      ['none', stateA],
      states(() => watched.set(entry, page(3), a, RW, batch)),
    )
    only(
      [stateA, 'none', stateB],
      states(() => watched.set(entry, page(3), b, read | user, batch)),
    )
    only(
      [stateB, `${b} ${user}`],
      states(() => watched.setFlags(entry, page(3), user, batch)),
    )
    only(
      [`${b} ${user}`, 'none'],
      states(() => watched.clear(entry, page(3), batch)),
    )
    expect(look()).toBe('none')
  })

  test('a debug scheduler sees every exchange of an entry, on a plain memory too', () => {
    const { machine, mapper, batch } = setUp()
    const steps: Ptr[] = []
    const onStep = (operation: string, ptr: Ptr) => void (operation === 'exchange' && steps.push(ptr))
    const atomics = new AtomicWords(machine.memory, { owner: 1, onStep })
    const { memory, arch, frames, buddy } = machine
    const stepped = new PageMapper({ memory, arch, frames, buddy, atomics }, mapper.root)
    const entry = stepped.makeLeaf(page(3))
    steps.length = 0
    stepped.set(entry, page(3), machine.newFrame(), RW, batch)
    stepped.changeFlags(entry, page(3), EntryFlag.write, 0, batch)
    expect(stepped.clear(entry, page(3), batch)).toBe(RW & ~EntryFlag.write)
    expect(new Set(steps)).toEqual(new Set([entry]))
    expect(steps.length).toBeGreaterThanOrEqual(4)
  })

  test('new tables are published whole', () => {
    const { machine, mapper } = setUp()
    const found: Ptr[] = []
    const watched = new PageMapper(
      watch(machine, { store: () => found.push(mapper.leaf(farthest)) }),
      mapper.root,
    )
    const entry = watched.makeLeaf(farthest)
    expect(new Set(found)).toEqual(new Set([NULL, entry]))
  })
})

interface Watcher {
  readonly load?: (word: number) => void
  /** After it. */
  readonly store?: () => void
}

/** The machine with a plain memory whose loads and stores of words are watched. */
function watch(machine: PagingMachine, { load, store }: Watcher) {
  const u32 = new Proxy(machine.memory.u32, {
    get: (words, key) => {
      if (typeof key === 'string' && /^\d+$/.test(key)) load?.(Number(key))
      return Reflect.get(words, key, words)
    },
    set: (words, key, value) => {
      Reflect.set(words, key, value, words)
      store?.()
      return true
    },
  })
  const memory = Object.create(machine.memory, { u32: { value: u32 } })
  const { arch, frames, buddy } = machine
  const refuse = () => {
    throw new Error('a plain memory needs none')
  }
  return { memory, arch, frames, buddy, atomics: { isPlain: true, exchange: refuse, store: refuse } }
}

test('walking an empty space of 2^26 pages looks at the root only', () => {
  const machine = new PagingMachine(new Riscv64Sv39())
  const { root } = machine.newUser()
  const pages = new Set<number>()
  const watched = new PageMapper(watch(machine, { load: (word) => pages.add(word >>> 10) }), root)
  watched.walk(page(0), machine.arch.userEnd, () => expect.unreachable())
  expect([...pages]).toEqual([root])
})

test('check finds a wrong count, a free frame that is mapped, and reserved bits', () => {
  const machine = new PagingMachine(new Riscv64Sv39())
  const mapper = machine.newUser()
  const batch = machine.flusher.batch(mapper.root)
  const frame = machine.newFrame()
  mapper.map(page(1), frame, RW, batch)
  const word = mapper.leaf(page(1)) >>> 2
  const { u32 } = machine.memory
  const broken = (damage: () => void, repair: () => void, message: string) => {
    damage()
    expect(() => mapper.check()).toThrow(message)
    repair()
    mapper.check()
  }
  broken(
    () => (u32[word + 2] = u32[word]!),
    () => (u32[word + 2] = 0),
    'count',
  )
  broken(
    () => (u32[word + 1] = 0x8000_0000),
    () => (u32[word + 1] = 0),
    'reserved bits',
  )
  broken(
    () => (u32[word]! &= ~0x10),
    () => (u32[word]! |= 0x10),
    'user pages',
  )
  machine.buddy.release(frame)
  expect(() => mapper.check()).toThrow('free frame')
})

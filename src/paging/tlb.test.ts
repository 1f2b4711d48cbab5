import { beforeEach, describe, expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import { Counter, counted } from '../state/counters.js'
import { type FlushBatch, FRAMES_MAX } from './flush-batch.js'
import { PAGES_MAX } from './forgetting.js'
import { Mailboxes } from './mailboxes.js'
import { PageFlusher } from './page-flusher.js'
import { FakeHart } from './testing/fake-hart.js'
import { PagingMachine } from './testing/paging-machine.js'
import { Tlbs } from './tlb.js'
import { ALL_FORGOTTEN, TLB_ENTRIES, TlbHeader } from './tlb-layout.js'
import { UserMapper } from './user-mapper.js'

const { read, write, execute, user, dirty, accessed } = EntryFlag
const RW = read | write | user
const page = (n: number) => n as Vpn

let machine: PagingMachine
let mapper: UserMapper
let hart: FakeHart

beforeEach(() => {
  machine = new PagingMachine(new Riscv64Sv39(), { harts: 3 })
  mapper = machine.newUser()
  hart = new FakeHart(machine, 0)
  machine.tlbs.activate(0, mapper.root)
})

function map(vpn: number, flags = RW): Pfn {
  const frame = machine.newFrame()
  const batch = machine.flusher.batch(mapper.root)
  expect(mapper.map(page(vpn), frame, flags, batch)).toBe(0)
  batch.finish()
  return frame
}

describe('Tlbs', () => {
  test('a page is remembered until it is flushed', () => {
    map(5)
    map(6)
    expect(hart.access(page(5), read) && hart.access(page(6), write)).toBe(true)
    expect(machine.tlbs.stats()[0]!.live).toBe(2)
    machine.tlbs.flushPage(0, page(5))
    expect([hart.knows(page(5)), hart.knows(page(6))]).toEqual([false, true])
    machine.tlbs.flushAll(0)
    expect(machine.tlbs.stats().map(({ live }) => live)).toEqual([0, 0, 0])
    expect(machine.tlbs.dump()).toContain(`hart 0 root ${mapper.root} live 0`)
  })

  test('a space that comes back is known, under an identifier of its own', () => {
    map(5)
    hart.access(page(5), read)
    machine.tlbs.activate(0, mapper.root)
    expect(hart.knows(page(5))).toBe(true)
    const asid = machine.tlbs.activeAsid(0)
    const other = machine.newUser()
    machine.tlbs.activate(0, other.root)
    expect(hart.knows(page(5))).toBe(false)
    expect(machine.tlbs.activeAsid(0)).not.toBe(asid)
    machine.tlbs.activate(0, mapper.root)
    expect(hart.knows(page(5))).toBe(true)
    machine.tlbs.check()
  })

  test('an identifier goes to another space only when all under it was forgotten', () => {
    map(5)
    hart.access(page(5), read)
    const others = Array.from({ length: machine.tlbs.asids }, () => machine.newUser())
    for (const { root } of others) {
      machine.tlbs.activate(0, root)
      expect(hart.knows(page(5))).toBe(false)
    }
    expect(others.map(({ root }) => root)).toContain(machine.tlbs.rootOf(0, 0))
    machine.tlbs.activate(0, mapper.root)
    expect(hart.knows(page(5))).toBe(false)
    machine.tlbs.check()
  })

  test('the space that has not run for longest loses its identifier', () => {
    const { root } = machine.newUser()
    machine.tlbs.activate(0, root)
    machine.tlbs.activate(0, mapper.root)
    machine.tlbs.activate(0, machine.newUser().root)
    const held = [0, 1].map((asid) => machine.tlbs.rootOf(0, asid))
    expect(held).toContain(mapper.root)
    expect(held).not.toContain(root)
  })

  test('a change of a space that does not run is heard of under its identifier (sfence.vma with an ASID)', () => {
    map(5)
    hart.access(page(5), read)
    const other = machine.newUser()
    machine.tlbs.activate(0, other.root)
    const kept = map(6, RW)
    expect(kept).not.toBe(NO_FRAME)
    const batch = machine.flusher.batch(mapper.root)
    mapper.clear(mapper.leaf(page(5)), page(5), batch)
    batch.finish()
    machine.tlbs.check()
    machine.tlbs.activate(0, mapper.root)
    expect(hart.knows(page(5))).toBe(false)
  })

  test('a change of a space leaves what other identifiers stand for', () => {
    map(5)
    hart.access(page(5), read)
    const other = machine.newUser()
    machine.tlbs.activate(0, other.root)
    const batch = machine.flusher.batch(other.root)
    for (let i = 0; i <= PAGES_MAX; i++) batch.touch(page(i))
    batch.finish()
    machine.tlbs.activate(0, mapper.root)
    expect(hart.knows(page(5))).toBe(true)
  })

  test('a page of the kernel, which is global, is forgotten under every identifier', () => {
    const vpn = machine.kernelMapper.linearPage(100 as Pfn)
    const other = machine.newUser()
    for (const { root } of [mapper, other]) {
      machine.tlbs.activate(0, root)
      expect(hart.access(vpn, read)).toBe(true)
    }
    const batch = machine.flusher.batch(machine.kernelMapper.root)
    batch.touch(vpn)
    batch.finish()
    for (const { root } of [other, mapper]) {
      machine.tlbs.activate(0, root)
      expect(hart.knows(vpn)).toBe(false)
    }
  })

  test('check finds a flush that a space which does not run has missed', () => {
    map(5)
    hart.access(page(5), read)
    machine.tlbs.activate(0, machine.newUser().root)
    machine.tlbs.giveUpInactive = () => {}
    const batch = machine.flusher.batch(mapper.root)
    mapper.clear(mapper.leaf(page(5)), page(5), batch)
    batch.finish()
    expect(() => machine.tlbs.check()).toThrow('outlived')
  })

  test('another thread frees a root, and its frame becomes another root: nothing of the old one is known', () => {
    const shared = new PagingMachine(new Riscv64Sv39(), { shared: true, harts: 2 })
    const there = PagingMachine.attach(shared.memory, 1)
    const thereHart = new FakeHart(there, 1)
    const { root } = there.newUser()
    const first = shared.newUser()
    const map5 = (of: UserMapper) => {
      const batch = shared.flusher.batch(of.root)
      expect(of.map(page(5), shared.newFrame(), RW, batch)).toBe(0)
      batch.finish()
    }
    map5(first)
    there.tlbs.activate(1, first.root)
    expect(thereHart.access(page(5), read)).toBe(true)
    there.tlbs.activate(1, root)
    expect(thereHart.knows(page(5))).toBe(false)
    const batch = shared.flusher.batch(first.root)
    const pfn = first.pfn(first.leaf(page(5)))
    first.clear(first.leaf(page(5)), page(5), batch)
    batch.releaseFrame(pfn)
    first.destroy(batch)
    batch.finish()
    const second = shared.newUser()
    expect(second.root).toBe(first.root)
    there.tlbs.activate(1, second.root)
    expect(thereHart.knows(page(5))).toBe(false)
    expect(thereHart.access(page(5), read)).toBe(false)
  })

  test('a space that was changed 2^32 times meanwhile is not taken for one that was not', () => {
    const shared = new PagingMachine(new Riscv64Sv39(), { shared: true, harts: 2 })
    const there = PagingMachine.attach(shared.memory, 1)
    const thereHart = new FakeHart(there, 1)
    const [space, other] = [shared.newUser(), shared.newUser()]
    const change = (changes: (batch: FlushBatch) => void) => {
      const batch = shared.flusher.batch(space.root)
      changes(batch)
      batch.finish()
    }
    const map = (vpn: Vpn) => change((batch) => expect(space.map(vpn, shared.newFrame(), RW, batch)).toBe(0))
    const unmap = (vpn: Vpn) => change((batch) => space.clear(space.leaf(vpn), vpn, batch))
    const enter = (root: Pfn) => {
      there.tlbs.activate(1, root)
      there.shootdown.enter()
    }
    for (let i = 5; i < 11; i++) map(page(i))
    enter(space.root)
    expect(thereHart.access(page(5), read)).toBe(true)
    there.shootdown.leave()
    enter(other.root)
    const generation = Mailboxes.attach(shared.memory, 2).generation(space.root) >>> 2
    const known = shared.memory.i32[generation]!
    // Of the changes in between only some are made.
    unmap(page(5))
    for (const [i, next] of [2 ** 30, 2 ** 31, 2 ** 31 + 2 ** 30, 2 ** 32].entries()) {
      shared.memory.i32[generation] = (next - 1) | 0
      unmap(page(6 + i))
    }
    shared.memory.i32[generation] = known - 1
    unmap(page(10))
    expect(shared.memory.i32[generation]).toBe(known)
    there.shootdown.leave()
    enter(space.root)
    expect(thereHart.knows(page(5))).toBe(false)
    // It has heard of the era too: what it learns now it keeps.
    for (let again = 0; again < 2; again++) {
      expect(thereHart.access(page(9), read)).toBe(false)
      const { fullFlushes } = there.tlbs.stats()[1]!
      there.shootdown.enter()
      expect(there.tlbs.stats()[1]!.fullFlushes).toBe(fullFlushes)
      there.shootdown.leave()
    }
  })

  test('who runs another space is neither asked nor waited for, but for the kernel’s pages', () => {
    const shared = new PagingMachine(new Riscv64Sv39(), { shared: true, harts: 2 })
    let spins = 0
    const here = PagingMachine.attach(shared.memory, 0, {
      onSpin: () => {
        spins++
        there.shootdown.serve()
      },
    })
    const there = PagingMachine.attach(shared.memory, 1)
    const [mine, other] = [shared.newUser(), shared.newUser()]
    here.tlbs.activate(0, mine.root)
    there.tlbs.activate(1, other.root)
    there.shootdown.enter()
    const touch = (root: Pfn) => {
      const { fullFlushes, pageFlushes } = there.tlbs.stats()[1]!
      spins = 0
      const batch = here.flusher.batch(root)
      batch.touch(page(5))
      batch.finish()
      const after = there.tlbs.stats()[1]!
      return [spins > 0, after.fullFlushes - fullFlushes, after.pageFlushes - pageFlushes]
    }
    expect(touch(mine.root)).toEqual([false, 0, 0])
    expect(touch(other.root)).toEqual([true, 0, 1])
    expect(touch(here.kernelMapper.root)).toEqual([true, 0, 1])
    there.shootdown.leave()
    expect(touch(other.root)).toEqual([false, 0, 0])
  })

  test('what a hart has caught up with it does not forget again when it is asked to', () => {
    const shared = new PagingMachine(new Riscv64Sv39(), { shared: true, harts: 2 })
    const here = PagingMachine.attach(shared.memory, 0, {
      onSpin: () => {
        there.shootdown.enter()
        there.shootdown.serve()
      },
    })
    const there = PagingMachine.attach(shared.memory, 1)
    const { root } = shared.newUser()
    there.tlbs.activate(1, root)
    there.shootdown.enter()
    const { fullFlushes, pageFlushes } = there.tlbs.stats()[1]!
    const batch = here.flusher.batch(root)
    batch.touch(page(5))
    batch.finish()
    const after = there.tlbs.stats()[1]!
    expect([after.fullFlushes - fullFlushes, after.pageFlushes - pageFlushes]).toEqual([1, 0])
  })

  test('who interrupts others has not heard of what it missed itself', () => {
    const shared = new PagingMachine(new Riscv64Sv39(), { shared: true, harts: 2 })
    const here = PagingMachine.attach(shared.memory, 0)
    const there = PagingMachine.attach(shared.memory, 1)
    const hereHart = new FakeHart(here, 0)
    here.tlbs.activate(0, shared.newUser().root)
    const vpn = here.kernelMapper.linearPage(100 as Pfn)
    expect(hereHart.access(vpn, read)).toBe(true)
    here.shootdown.interrupt()
    expect(hereHart.knows(vpn)).toBe(true)
    const batch = there.flusher.batch(there.kernelMapper.root)
    batch.touch(vpn)
    batch.finish()
    here.shootdown.interrupt()
    expect(hereHart.knows(vpn)).toBe(false)
  })

  test('who changes what others may write waits until they have forgotten it', () => {
    const shared = new PagingMachine(new Riscv64Sv39(), { shared: true, harts: 2 })
    const { root } = shared.newUser()
    let spins = 0
    const here = PagingMachine.attach(shared.memory, 0, {
      onSpin: () => {
        spins++
        there.shootdown.serve()
      },
    })
    const there = PagingMachine.attach(shared.memory, 1)
    const thereHart = new FakeHart(there, 1)
    const user = new UserMapper(shared, root)
    const batch = shared.flusher.batch(root)
    expect(user.map(page(5), shared.newFrame(), RW, batch)).toBe(0)
    batch.finish()
    there.tlbs.activate(1, root)
    here.shootdown.interrupt()
    expect(spins).toBe(0)
    expect(thereHart.access(page(5), write)).toBe(true)
    there.shootdown.enter()
    here.shootdown.interrupt()
    expect([spins > 0, thereHart.knows(page(5))]).toEqual([true, false])
    expect(thereHart.access(page(5), write)).toBe(true)
    here.shootdown.interrupt()
    there.shootdown.enter()
    expect(thereHart.knows(page(5))).toBe(false)
    there.shootdown.leave()
  })

  test('attached views see the same tables', () => {
    const other = Tlbs.attach(machine.memory)
    expect(other.hartCount).toBe(3)
    expect(other.activeRoot(0)).toBe(mapper.root)
    expect(other.entries(2)).toBe(machine.tlbs.entries(2))
  })

  test('the linear map may be in it, page by page', () => {
    const vpn = machine.kernelMapper.linearPage(100 as Pfn)
    expect(hart.access(vpn, read)).toBe(true)
    expect(hart.knows(vpn)).toBe(true)
    machine.tlbs.check()
  })

  test('a run of pages is forgotten, round the end of the table, and no other page', () => {
    const first = 3 * TLB_ENTRIES - 5
    const around = Array.from({ length: 14 }, (_, i) => first - 2 + i)
    for (const vpn of around) {
      map(vpn)
      hart.access(page(vpn), read)
    }
    machine.tlbs.flushRun(0, page(first), 9)
    expect(around.filter((vpn) => hart.knows(page(vpn)))).toEqual(
      [-2, -1, 9, 10, 11].map((offset) => first + offset),
    )
    machine.tlbs.check()
    for (const vpn of around) hart.access(page(vpn), read)
    machine.tlbs.flushRun(0, page(first), 6)
    expect(around.filter((vpn) => hart.knows(page(vpn)))).toEqual(
      [-2, -1, 6, 7, 8, 9, 10, 11].map((offset) => first + offset),
    )
    machine.tlbs.flushRun(0, page(0), TLB_ENTRIES)
    expect(machine.tlbs.stats()[0]!.live).toBe(0)
  })

  test('it says which pages were forgotten since somebody looked', () => {
    const { tlbs, memory } = machine
    const header = tlbs.ptr(0) >>> 2
    const [from, end] = [header + TlbHeader.forgottenFrom / 4, header + TlbHeader.forgottenEnd / 4]
    const forgotten = (change: () => void) => {
      memory.u32[from] = ALL_FORGOTTEN
      memory.u32[end] = 0
      change()
      return [memory.u32[from], memory.u32[end]]
    }
    expect(forgotten(() => tlbs.activate(1, machine.newUser().root))).toEqual([ALL_FORGOTTEN, 0])
    expect(forgotten(() => tlbs.flushPage(0, page(70)))).toEqual([70, 71])
    expect(forgotten(() => tlbs.flushRun(0, page(70), 30))).toEqual([70, 100])
    const several = () => {
      tlbs.flushPage(0, page(70))
      tlbs.flushRun(0, page(5), 3)
      tlbs.flushPage(0, page(69))
    }
    expect(forgotten(several)).toEqual([5, 71])
    const all = [0, ALL_FORGOTTEN]
    expect(forgotten(() => tlbs.flushAll(0))).toEqual(all)
    expect(forgotten(() => tlbs.noteChange(0))).toEqual(all)
    expect(forgotten(() => tlbs.activate(0, machine.newUser().root))).toEqual(all)
    // Numbers that the words do not hold: there is no end.
    expect(forgotten(() => tlbs.flushPage(0, machine.kernelMapper.linearPage(9 as Pfn)))[1]).toBe(
      ALL_FORGOTTEN,
    )
    expect(forgotten(() => tlbs.flushPage(0, page(2 ** 32 + 5)))[1]).toBe(ALL_FORGOTTEN)
  })

  test('check finds every kind of forgotten flush', () => {
    const elsewhere = () => machine.flusher.batch(machine.newUser().root)
    const forgotten = (vpn: number, message: string, change: (entry: number) => void) => {
      map(vpn, RW | execute)
      expect(hart.access(page(vpn), write)).toBe(true)
      machine.tlbs.check()
      change(mapper.leaf(page(vpn)))
      expect(() => machine.tlbs.check()).toThrow(message)
      machine.tlbs.flushPage(0, page(vpn))
      machine.tlbs.check()
    }
    const leaf = (vpn: number) => mapper.leaf(page(vpn))
    forgotten(1, 'outlived', () => mapper.clear(leaf(1), page(1), elsewhere()))
    forgotten(2, 'allows more', () => mapper.changeFlags(leaf(2), page(2), write, 0, elsewhere()))
    forgotten(3, 'allows more', () => mapper.changeFlags(leaf(3), page(3), dirty, 0, elsewhere()))
    forgotten(4, 'accessed', () => mapper.changeFlags(leaf(4), page(4), accessed, 0, elsewhere()))
    const flags = RW | execute | dirty | accessed
    forgotten(5, 'another frame', () => mapper.set(leaf(5), page(5), machine.newFrame(), flags, elsewhere()))
  })

  test('check finds a tag in the wrong entry, and a hart without tables that knows a page', () => {
    map(5)
    hart.access(page(5), read)
    const header = machine.tlbs.ptr(0) >>> 2
    machine.memory.u32[header] = NO_FRAME
    expect(() => machine.tlbs.check()).toThrow('without tables')
    machine.memory.u32[header] = mapper.root
    const entries = machine.tlbs.entries(0)
    machine.memory.u32[(entries + 6 * 32) >>> 2] = 5 << 12
    machine.memory.u32[((entries + 6 * 32) >>> 2) + 1] = 0
    expect(() => machine.tlbs.check()).toThrow('in the entry of its page')
  })
})

describe('FlushBatch', () => {
  const flushes = () => [
    counted(machine.memory, Counter.flushPages),
    counted(machine.memory, Counter.flushFull),
  ]

  test('an empty batch, and one that only maps, flush nothing', () => {
    map(5)
    machine.flusher.batch(mapper.root).finish()
    expect(flushes()).toEqual([0, 0])
    expect(machine.tlbs.stats()[0]!.fullFlushes).toBe(1)
  })

  test('only harts that use the root are flushed, for the kernel every hart', () => {
    const other = machine.newUser()
    machine.tlbs.activate(1, other.root)
    const forgotten = () => machine.tlbs.stats().map(({ pageFlushes }) => pageFlushes)
    const flushed = (root: Pfn) => {
      const before = forgotten()
      const batch = machine.flusher.batch(root)
      batch.touch(page(1))
      batch.finish()
      return forgotten().map((pages, n) => pages !== before[n])
    }
    expect(flushed(mapper.root)).toEqual([true, false, false])
    expect(flushed(other.root)).toEqual([false, true, false])
    expect(flushed(machine.kernelMapper.root)).toEqual([true, true, false])
    expect(flushes()).toEqual([3, 0])
  })

  test('few pages are forgotten by themselves, many by forgetting all', () => {
    map(5)
    const touch = (pages: number) => {
      hart.access(page(5), read)
      const batch = machine.flusher.batch(mapper.root)
      for (let i = 0; i < pages; i++) batch.touch(page(100 + i))
      batch.finish()
      return hart.knows(page(5))
    }
    expect(touch(PAGES_MAX)).toBe(true)
    expect(touch(PAGES_MAX + 1)).toBe(false)
    machine.flusher.batch(mapper.root).finish()
    expect(flushes()).toEqual([1, 1])
  })

  test('frames are given back only when no TLB knows them', () => {
    const released: Pfn[] = []
    const release = (pfn: Pfn) => {
      machine.tlbs.check()
      released.push(pfn)
    }
    const flusher = new PageFlusher(machine.shootdown, {
      releaseAll: (pfns, waiting) => {
        for (const pfn of pfns.subarray(0, waiting)) release(pfn as Pfn)
      },
      releaseRun: release,
      free: release,
      freeZeroed: release,
    })
    const count = FRAMES_MAX + 3
    const frames = Array.from({ length: count }, (_, i) => map(1000 + i))
    for (let i = 0; i < count; i++) hart.access(page(1000 + i), write)
    const batch = flusher.batch(mapper.root)
    frames.forEach((frame, i) => {
      mapper.clear(mapper.leaf(page(1000 + i)), page(1000 + i), batch)
      batch.releaseFrame(frame)
      expect(released.length).toBe(i < FRAMES_MAX ? 0 : FRAMES_MAX)
    })
    mapper.prune(page(0), machine.arch.userEnd, batch)
    batch.finish()
    expect(released.slice(0, count)).toEqual(frames)
    // Their leaf tables, of 512 pages each, and the one above.
    const leafTables = Math.floor((1000 + count - 1) / 512) - Math.floor(1000 / 512) + 1
    expect(released.length).toBe(count + leafTables + 1)
  })

  test('however many runs and tables there are, each is given back once', () => {
    const runs: [pfn: number, order: number][] = []
    const tables: number[] = []
    const flusher = new PageFlusher(machine.shootdown, {
      releaseAll: () => expect.unreachable(),
      releaseRun: (pfn, order) => void runs.push([pfn, order]),
      free: (pfn) => void tables.push(pfn),
      freeZeroed: (pfn) => void tables.push(pfn),
    })
    const batch = flusher.batch(mapper.root)
    const many = Array.from({ length: 200 }, (_, i) => i + 1)
    for (const i of many) {
      batch.touchRun(page(i * 512), 512)
      batch.releaseRun((i * 512) as Pfn, 9)
      batch.freeTable((i + 1000) as Pfn)
    }
    batch.finish()
    expect(runs).toEqual(many.map((i) => [i * 512, 9]))
    expect(tables).toEqual(many.map((i) => i + 1000))
  })

  test('batches are used again, nested ones are others, finished ones refuse', () => {
    const first = machine.flusher.batch(mapper.root)
    const second = machine.flusher.batch(mapper.root)
    expect(second).not.toBe(first)
    second.finish()
    first.finish()
    expect([first, second]).toContain(machine.flusher.batch(mapper.root))
    expect(() => second.touch(page(1))).toThrow('finished')
    expect(() => second.finish()).toThrow('finished')
    expect(() => second.releaseFrame(5 as Pfn)).toThrow('finished')
  })
})

test('the index of an entry is the low bits of the page', () => {
  map(5)
  map(5 + TLB_ENTRIES)
  hart.access(page(5), read)
  hart.access(page(5 + TLB_ENTRIES), read)
  expect([hart.knows(page(5)), hart.knows(page(5 + TLB_ENTRIES))]).toEqual([false, true])
})

/**
 * Defects that other kernels have or had in what lies below the address space, each as a test of ours: what the defect was, and that it is
 * not here. (More about each stands in the tests of the part that it belongs to.)
 */
import { describe, expect, test } from 'vitest'
import { FakeArch } from '../src/arch/fake-arch.js'
import { EntryFlag } from '../src/arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../src/arch/riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from '../src/arch/riscv64/sv48-sv57.js'
import { frameToPtr, NO_FRAME, NULL, PAGE_SIZE, type Pfn, type Vpn } from '../src/base/numbers.js'
import { Random } from '../src/base/random.js'
import { SEED } from '../src/base/testing.js'
import { mmAttach, mmInit } from '../src/mm.js'
import { PagingMachine } from '../src/paging/testing/paging-machine.js'
import { Region, regionBytes, regionPtr } from '../src/state/layout.js'

const MIB = 2 ** 20
const { read, write, user } = EntryFlag
type Buddy = ReturnType<typeof mmInit>['buddy']

/** All frames that there are, one by one. */
function exhaust(buddy: Buddy): Pfn[] {
  const frames: Pfn[] = []
  for (let pfn = buddy.allocate(0); pfn !== NO_FRAME; pfn = buddy.allocate(0)) frames.push(pfn)
  return frames
}

describe('free lists leaked the pages that they were made of', () => {
  test(`whatever is split and merged, as many frames are free afterwards, in the same blocks (seed ${SEED})`, () => {
    const { buddy } = mmInit({ bytes: 8 * MIB })
    const random = new Random(SEED)
    buddy.drainCaches()
    const before = buddy.stats()
    const held: [pfn: Pfn, order: number][] = []
    for (let step = 0; step < 5000; step++) {
      const order = random.below(6)
      const pfn = random.chance(0.55) ? buddy.allocate(order) : NO_FRAME
      if (pfn !== NO_FRAME) held.push([pfn, order])
      else if (held.length > 0) buddy.free(...held.splice(random.below(held.length), 1)[0]!)
    }
    for (const [pfn, order] of held) buddy.free(pfn, order)
    buddy.drainCaches()
    expect(buddy.stats()).toEqual(before)
  })
})

describe('the buddy of a block was sought in another zone', () => {
  test.each([1025, 1100, 1535])('no block reaches over frame %i, where a zone ends', (lowFrames) => {
    const { buddy } = mmInit({ bytes: 8 * MIB, lowFrames })
    const frames = exhaust(buddy)
    for (const pfn of frames) buddy.free(pfn, 0)
    buddy.drainCaches()
    for (const zone of buddy.zones.all) {
      for (let order = 0; order <= 10; order++) {
        zone.eachFree(order, (pfn) => expect(pfn >= zone.start && pfn + 2 ** order <= zone.end).toBe(true))
      }
    }
    buddy.check()
  })
})

describe('a root was not cleared when it was made', () => {
  test.each([new Riscv64Sv39(), new Riscv64Sv48(), new FakeArch()])(
    'a new space of $name maps nothing, whatever its frame held',
    (arch) => {
      const machine = new PagingMachine(arch)
      const frames = exhaust(machine.buddy)
      for (const pfn of frames) machine.memory.fill(frameToPtr(pfn), 0xff, PAGE_SIZE)
      for (const pfn of frames) machine.buddy.free(pfn, 0)
      const mapper = machine.newUser()
      mapper.walk(0 as Vpn, arch.userEnd, () => expect.unreachable('nothing is mapped'))
      expect(mapper.tableFrames()).toBe(1)
      machine.check()
    },
  )
})

describe('a flush was lost when it was dropped', () => {
  test('a batch that nobody finishes is found', () => {
    const mm = mmInit({ bytes: 8 * MIB })
    mm.check()
    const batch = mm.flusher.batch(mm.kernelMapper.root)
    expect(() => mm.check()).toThrow('a flush batch was dropped')
    batch.finish()
    mm.check()
  })
})

describe('low addresses were given out while they were in use', () => {
  test('no frame is of the header or of a table that was made at boot', () => {
    const { buddy, memory } = mmInit({ bytes: 16 * MIB, harts: 2, lowFrames: 2048 })
    const low = buddy.allocateBelow(1024, 0)
    const frames = new Set([low, ...exhaust(buddy)])
    expect(low).toBeGreaterThan(0)
    expect(frames.has(NO_FRAME)).toBe(false)
    for (const region of Object.values(Region)) {
      const [first, bytes] = [regionPtr(memory, region), regionBytes(memory, region)]
      for (let ptr: number = first; ptr < first + bytes; ptr += PAGE_SIZE) {
        expect(frames.has(Math.floor(ptr / PAGE_SIZE) as Pfn)).toBe(false)
      }
    }
  })
})

describe('a lock was taken again by its holder when a list was empty', () => {
  test('without a frame allocations of all kinds are refused, and no lock is held afterwards', () => {
    const mm = mmInit({ bytes: 8 * MIB, debug: true })
    const cache = mm.slab.createCache('thing', 2048)
    const frames = exhaust(mm.buddy)
    const objects: number[] = []
    for (let object = mm.slab.allocate(cache); object !== NULL; object = mm.slab.allocate(cache))
      objects.push(object)
    expect([
      mm.buddy.allocate(0),
      mm.buddy.allocate(3),
      mm.buddy.allocateRun(3),
      mm.heap.allocate(64 * 1024),
    ]).toEqual([0, 0, 0, 0])
    expect(mm.spaces.create()).toBe(NULL)
    expect(mm.atomics.holdsNone).toBe(true)
    for (const pfn of frames) mm.buddy.free(pfn, 0)
    expect(mm.spaces.create()).not.toBe(NULL)
  })
})

describe('an iterator went past its end', () => {
  test.each([new Riscv64Sv39(), new Riscv64Sv48(), new Riscv64Sv57(), new FakeArch()])(
    'a walk of $name up to the last page ends there',
    (arch) => {
      const machine = new PagingMachine(arch)
      const mapper = machine.newUser()
      const batch = machine.flusher.batch(mapper.root)
      const last = (arch.userEnd - 1) as Vpn
      expect(mapper.map(last, machine.newFrame(), read | write | user, batch)).toBe(0)
      const seen: number[] = []
      const visit = (vpn: number) => void seen.push(vpn)
      mapper.walk((last - 1) as Vpn, arch.userEnd, visit)
      mapper.walk(0 as Vpn, last, visit)
      mapper.walk(last, arch.userEnd, visit)
      mapper.walk(arch.userEnd, arch.userEnd, visit)
      expect(seen).toEqual([last, last])
      mapper.protectRange(last, arch.userEnd, write, 0, batch)
      expect(mapper.flags(mapper.leaf(last)) & write).toBe(0)
      expect(mapper.unmap(last, batch)).toBe(true)
      batch.finish()
      expect(mapper.tableFrames()).toBe(1)
    },
  )
})

describe('a storm exhausted what one processor could refill from', () => {
  test('every frame is found, though the caches of other harts hold them', () => {
    const mm = mmInit({ bytes: 8 * MIB, shared: true, harts: 3 })
    const others = [1, 2].map((hart) => mmAttach(mm.memory.raw, { hart }).buddy)
    const total = mm.buddy.freeFrames()
    for (const buddy of others) {
      const frames = Array.from({ length: 400 }, () => buddy.allocate(0))
      for (const pfn of frames) buddy.free(pfn, 0)
    }
    expect(
      mm.buddy
        .stats()
        .cached.slice(1)
        .every((frames) => frames > 100),
    ).toBe(true)
    expect(exhaust(mm.buddy).length).toBe(total)
  })
})

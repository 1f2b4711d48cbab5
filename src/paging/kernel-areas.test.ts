import { describe, expect, test } from 'vitest'
import { EntryFlag, type MemoryManagementArch } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { Riscv64Sv57 } from '../arch/riscv64/sv48-sv57.js'
import { EAGAIN, EINVAL, ENOMEM } from '../base/errno.js'
import { frameToPtr, NULL, type Pfn, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmInit } from '../mm.js'
import { EARLY_PAGES, EARLY_SLOTS } from './fixed-mappings.js'
import type { Forgetting } from './forgetting.js'
import { KERNEL_DATA, KernelAreas } from './kernel-areas.js'
import { PageFlusher } from './page-flusher.js'
import type { Shootdown } from './shootdown.js'
import { FakeHart } from './testing/fake-hart.js'

const { read, write } = EntryFlag
const DEVICE = -0x70000 as Pfn

function setUp(arch: MemoryManagementArch = new Riscv64Sv39(), harts = 2) {
  const faults = new FaultInjector()
  const mm = mmInit({ bytes: 8 * 2 ** 20, debug: true, faults, arch, harts })
  return { mm, faults, areas: mm.kernelAreas, fixed: mm.fixedMappings }
}

describe('areas', () => {
  test('pages side by side of zeroed frames, and a page behind them that is not there', () => {
    const { mm, areas } = setUp()
    const start = areas.allocate(3)
    expect(start).toBe(mm.kernelMapper.window('vmalloc').start)
    for (let i = 0; i < 3; i++) {
      expect(mm.kernelMapper.translate((start + i) as Vpn)).toBe(true)
      expect(mm.kernelMapper.lastFlags).toBe(KERNEL_DATA)
      expect(mm.memory.u32[frameToPtr(mm.kernelMapper.lastPfn) >>> 2]).toBe(0)
    }
    expect(mm.kernelMapper.translate((start + 3) as Vpn)).toBe(false)
    expect(areas.allocate(1)).toBe(start + 4)
    expect([areas.find((start + 2) as Vpn), areas.find((start + 3) as Vpn)]).toEqual([
      { start, pages: 3 },
      undefined,
    ])
    areas.check()
    mm.check()
  })

  test('every hart forgets an area that goes', () => {
    const { mm, areas } = setUp()
    const start = areas.allocate(2)
    const spaces = [mm.spaces.create(), mm.spaces.create()]
    const harts = spaces.map((ptr, hart) => {
      mm.tlbs.activate(hart, mm.allSpaces().find((space) => space.ptr === ptr)!.root)
      return new FakeHart(mm, hart)
    })
    for (const hart of harts) expect(hart.access(start, write)).toBe(true)
    areas.free(start)
    expect(harts.map((hart) => [hart.knows(start), hart.access(start, read)])).toEqual([
      [false, false],
      [false, false],
    ])
    expect(() => areas.free(start)).toThrow('no area')
  })

  test('the last one has a guard page in the window too', () => {
    const { mm } = setUp()
    const { start } = mm.kernelMapper.window('vmalloc')
    mm.kernelMapper.window = () => ({ start, pages: 10 })
    const areas = new KernelAreas(mm)
    expect(areas.allocate(10)).toBe(0)
    expect(areas.allocate(9)).toBe(start)
    expect(areas.allocate(1)).toBe(0)
    areas.check()
    areas.free(start)
    expect([areas.allocate(7), areas.allocate(1), areas.allocate(1)]).toEqual([start, start + 8, 0])
    areas.check()
  })

  test('nobody else gets its pages before every hart has forgotten them', () => {
    const { mm } = setUp()
    const isLocked: boolean[] = []
    const shootdown = {
      hasOthers: true,
      forget: (root: Pfn, what: Forgetting) => {
        isLocked.push(!mm.kernelMapper.readOnly)
        mm.shootdown.forget(root, what)
      },
    }
    const flusher = new PageFlusher(shootdown as Shootdown, mm.buddy)
    const { memory, kernelMapper, buddy, slab } = mm
    const areas = new KernelAreas({ memory, kernelMapper, buddy, slab, flusher })
    areas.free(areas.allocate(3))
    expect(isLocked).toEqual([true])
  })

  test('a window on a device keeps no frame', () => {
    const { mm, areas } = setUp()
    const free = mm.buddy.freeFrames()
    const start = areas.mapFrames(DEVICE, 4, KERNEL_DATA | EntryFlag.special)
    expect(mm.kernelMapper.translate((start + 3) as Vpn) && mm.kernelMapper.lastPfn).toBe(DEVICE + 3)
    areas.check()
    mm.check()
    areas.free(start)
    mm.slab.check()
    expect(free - mm.buddy.freeFrames()).toBeLessThanOrEqual(1)
  })

  test('each hart has its own part', () => {
    const { areas } = setUp(new Riscv64Sv39(), 4)
    const start = areas.allocateForHarts(4, 2)
    expect([0, 3].map((hart) => areas.forHart(start, hart, 2))).toEqual([start, start + 6])
    expect(areas.find(areas.forHart(start, 3, 2))).toEqual({ start, pages: 8 })
  })

  test('inside another change of the tables there are none', () => {
    const { mm, areas, fixed } = setUp()
    mm.kernelMapper.enter()
    expect(areas.allocate(1)).toBe(0)
    expect(fixed.set(0, 5 as Pfn, KERNEL_DATA)).toBe(-EAGAIN)
    mm.kernelMapper.leave()
    areas.check()
  })

  test('every allocation fails in turn, and nothing is left', () => {
    const { mm, faults, areas } = setUp()
    const tables = mm.kernelMapper.tableFrames()
    areas.free(areas.allocate(1))
    for (let failing = 1; ; failing++) {
      const free = mm.buddy.freeFrames()
      faults.failFrom(failing)
      const start = areas.allocate(5)
      faults.reset()
      mm.check()
      areas.check()
      if (start !== 0) break
      expect([mm.buddy.freeFrames(), mm.kernelMapper.tableFrames()]).toEqual([free, tables])
      expect(failing).toBeLessThan(20)
    }
  })

  test.each([new Riscv64Sv39(), new Riscv64Sv57()])(
    `random areas agree with a list, $name (seed ${SEED})`,
    (arch) => {
      const { mm, faults, areas } = setUp(arch)
      const random = new Random(SEED)
      const model = new Map<Vpn, number>()
      for (let step = 0; step < 300; step++) {
        if (random.chance(0.1)) faults.failFrom(random.between(1, 6))
        if (random.chance(0.55)) {
          const pages = random.between(1, 20)
          const start = areas.allocate(pages)
          if (start !== 0) model.set(start, pages)
        } else if (model.size > 0) {
          const start = random.pick([...model.keys()])
          areas.free(start)
          model.delete(start)
        }
        faults.reset()
        const vpn = (mm.kernelMapper.window('vmalloc').start + random.below(300)) as Vpn
        const holds = [...model].some(([start, pages]) => vpn >= start && vpn < start + pages)
        expect(mm.kernelMapper.translate(vpn)).toBe(holds)
        areas.check()
      }
      for (const start of model.keys()) areas.free(start)
      mm.check()
      expect(mm.kernelMapper.leaf(mm.kernelMapper.window('vmalloc').start)).toBe(NULL)
    },
  )
})

describe('fixed mappings', () => {
  test('a slot is a page from the top of the window; it is mapped, mapped anew and cleared', () => {
    const { mm, fixed } = setUp()
    const { start, pages } = mm.kernelMapper.window('fixmap')
    expect([fixed.page(0), fixed.page(2)]).toEqual([start + pages - 1, start + pages - 3])
    for (const pfn of [DEVICE, (DEVICE + 1) as Pfn]) {
      expect(fixed.set(2, pfn, KERNEL_DATA | EntryFlag.special)).toBe(0)
      expect(mm.kernelMapper.translate(fixed.page(2)) && mm.kernelMapper.lastPfn).toBe(pfn)
    }
    fixed.clear(2)
    fixed.clear(2)
    expect(mm.kernelMapper.translate(fixed.page(2))).toBe(false)
    expect([fixed.set(-1, DEVICE, 0), fixed.set(fixed.slots, DEVICE, 0)]).toEqual([-EINVAL, -EINVAL])
  })

  test('early mappings: seven of up to 64 pages, none of which may be left', () => {
    const { mm, fixed } = setUp()
    const starts = Array.from({ length: EARLY_SLOTS }, () => fixed.early(DEVICE, EARLY_PAGES, KERNEL_DATA))
    expect(new Set(starts).size).toBe(EARLY_SLOTS)
    for (const start of starts) expect(mm.kernelMapper.translate((start + EARLY_PAGES - 1) as Vpn)).toBe(true)
    expect([fixed.early(DEVICE, 1, KERNEL_DATA), fixed.early(DEVICE, 65, KERNEL_DATA)]).toEqual([
      -ENOMEM,
      -EINVAL,
    ])
    expect(() => fixed.checkEarly()).toThrow('outlived boot')
    for (const start of starts) fixed.endEarly(start as Vpn)
    fixed.checkEarly()
    mm.check()
    const forgotten = fixed.early(5 as Pfn, 1, KERNEL_DATA)
    expect(() => mm.check()).toThrow('outlived boot')
    fixed.endEarly(forgotten as Vpn)
    mm.check()
  })

  test('without a frame for a table nothing is mapped', () => {
    const { mm, faults, fixed } = setUp()
    const tables = mm.kernelMapper.tableFrames()
    faults.failFrom(1)
    expect([fixed.set(0, DEVICE, KERNEL_DATA), fixed.early(DEVICE, 3, KERNEL_DATA)]).toEqual([
      -ENOMEM,
      -ENOMEM,
    ])
    faults.reset()
    expect(mm.kernelMapper.tableFrames()).toBe(tables)
    fixed.checkEarly()
  })
})

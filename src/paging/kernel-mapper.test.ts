import { describe, expect, test } from 'vitest'
import { FakeArch } from '../arch/fake-arch.js'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { walkRiscv64 } from '../arch/riscv64/walk.js'
import { EAGAIN, EBUSY, ENOMEM } from '../base/errno.js'
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import { KernelMapper } from './kernel-mapper.js'
import { PageTable } from './page-table.js'
import { PagingMachine } from './testing/paging-machine.js'
import { UserMapper } from './user-mapper.js'

const { read, write, global, accessed, dirty, user, special } = EntryFlag
const DATA = read | write | global | accessed | dirty
const MIB = 2 ** 20
const page = (n: number) => n as Vpn

describe.each([new Riscv64Sv39(), new FakeArch()])('$name', (arch) => {
  const atStart = (machine: PagingMachine) => machine.kernelMapper.window('vmalloc').start

  test('the linear map translates every frame of RAM, and nothing after it', () => {
    const machine = new PagingMachine(arch)
    const { kernelMapper } = machine
    for (let pfn = 0; pfn < machine.frames.frameCount; pfn++) {
      expect(kernelMapper.translate(kernelMapper.linearPage(pfn as Pfn))).toBe(true)
      expect([kernelMapper.lastPfn, kernelMapper.lastFlags]).toEqual([pfn, DATA])
    }
    expect(kernelMapper.translate(kernelMapper.linearPage(machine.frames.frameCount as Pfn))).toBe(false)
    machine.check()
  })

  test('every space sees what the kernel maps after the space was made', () => {
    const machine = new PagingMachine(arch)
    const { kernelMapper, flusher } = machine
    const early = machine.newUser()
    for (const name of ['vmalloc', 'mmio', 'modules', 'fixmap', 'pciIo'] as const) {
      const { start, pages } = kernelMapper.window(name)
      for (const vpn of [start, page(start + pages - 1)]) {
        kernelMapper.enter()
        const batch = flusher.batch(kernelMapper.root)
        expect(kernelMapper.map(vpn, 77 as Pfn, DATA, batch)).toBe(0)
        batch.finish()
        kernelMapper.leave()
        const seen = new PageTable(machine.memory, arch, early.root)
        expect(seen.translate(vpn)).toBe(true)
        expect(seen.lastPfn).toBe(77)
      }
    }
    early.check()
    machine.check()
  })

  test('the tables below the root stay when the last page goes, others are given back', () => {
    const machine = new PagingMachine(arch)
    const { kernelMapper, flusher } = machine
    const free = machine.buddy.freeFrames()
    const root = machine.memory.u32.slice(kernelMapper.root * 1024, (kernelMapper.root + 1) * 1024)
    kernelMapper.enter()
    const batch = flusher.batch(kernelMapper.root)
    for (let i = 0; i < 300; i++) kernelMapper.map(page(atStart(machine) + i), 9 as Pfn, DATA, batch)
    for (let i = 0; i < 300; i++) expect(kernelMapper.unmap(page(atStart(machine) + i), batch)).toBe(true)
    kernelMapper.prune(arch.kernelStart, page(0), batch)
    batch.finish()
    kernelMapper.leave()
    expect(machine.buddy.freeFrames()).toBe(free)
    expect(machine.memory.u32.slice(kernelMapper.root * 1024, (kernelMapper.root + 1) * 1024)).toEqual(root)
    machine.check()
  })

  test('it changes nothing outside enter, nor nested', () => {
    const machine = new PagingMachine(arch)
    const { kernelMapper, flusher } = machine
    const batch = flusher.batch(kernelMapper.root)
    const vpn = atStart(machine)
    const map = () => kernelMapper.map(vpn, 9 as Pfn, DATA, batch)
    expect(map()).toBe(-EAGAIN)
    expect(kernelMapper.enter()).toBe(true)
    expect(map()).toBe(0)
    expect(kernelMapper.enter()).toBe(false)
    expect(kernelMapper.readOnly).toBe(true)
    expect(kernelMapper.map(page(vpn + 1), 9 as Pfn, DATA, batch)).toBe(-EAGAIN)
    expect(() => kernelMapper.unmap(vpn, batch)).toThrow('outermost')
    expect(() => kernelMapper.protectRange(vpn, page(vpn + 1), write, 0, batch)).toThrow('outermost')
    expect(kernelMapper.translate(vpn)).toBe(true)
    kernelMapper.leave()
    expect(kernelMapper.unmap(vpn, batch)).toBe(true)
    kernelMapper.leave()
    expect(() => kernelMapper.leave()).toThrow('leave without enter')
    batch.finish()
    machine.check()
  })

  test('an entry of the root, of which every space has a copy, is not changed', () => {
    const machine = new PagingMachine(arch)
    const { kernelMapper } = machine
    const span = arch.span(arch.levels - 1)
    const { start } = kernelMapper.window('vmalloc')
    const batch = machine.flusher.batch(kernelMapper.root)
    kernelMapper.enter()
    const first = page(Math.ceil(start / span) * span)
    const pfn = (span - (arch.physBasePfn % span)) as Pfn
    expect(kernelMapper.mapLarge(first, arch.levels - 1, pfn, read | write, batch)).toBe(-EBUSY)
    kernelMapper.leave()
    batch.finish()
    machine.check()
  })

  test('pages outside the windows cannot be mapped', () => {
    const machine = new PagingMachine(arch)
    const { kernelMapper } = machine
    const batch = machine.flusher.batch(kernelMapper.root)
    kernelMapper.enter()
    expect(kernelMapper.map(page(-1), 9 as Pfn, DATA, batch)).toBe(-ENOMEM)
    expect(() => kernelMapper.map(page(5), 9 as Pfn, DATA, batch)).toThrow('half')
    kernelMapper.leave()
  })

  test('an attached view is the same mapper', () => {
    const machine = new PagingMachine(arch)
    const other = KernelMapper.attach(machine)
    expect(other.root).toBe(machine.kernelMapper.root)
    other.check()
  })

  test('a space that is destroyed gives back every table, and no hart keeps its root', () => {
    const machine = new PagingMachine(arch)
    const free = machine.buddy.freeFrames()
    const mapper = machine.newUser()
    const frame = machine.newFrame()
    machine.tlbs.activate(1, mapper.root)
    let batch = machine.flusher.batch(mapper.root)
    for (const vpn of [0, 300, arch.userEnd - 1]) mapper.makeLeaf(page(vpn))
    mapper.map(page(7), frame, read | user, batch)
    expect(() => mapper.destroy(batch)).toThrow('with mapped pages')
    mapper.unmap(page(7), batch)
    batch.releaseFrame(frame)
    batch.finish()
    batch = machine.flusher.batch(mapper.root)
    mapper.destroy(batch)
    batch.finish()
    expect(machine.buddy.freeFrames()).toBe(free)
    expect(machine.tlbs.activeRoot(1)).toBe(NO_FRAME)
    machine.check()
    // All of them are zeroes for whoever asks for such, the root too, though the kernel's half of it was never emptied.
    for (let pfn = machine.buddy.allocateZeroed(0); pfn !== NO_FRAME; pfn = machine.buddy.allocateZeroed(0)) {
      const words = machine.memory.u32.subarray(pfn * 1024, (pfn + 1) * 1024)
      expect([pfn, words.findIndex((word) => word !== 0)]).toEqual([pfn, -1])
    }
  })

  test('without a frame there is no new space', () => {
    const machine = new PagingMachine(arch)
    const free = machine.buddy.freeFrames()
    machine.faults.failAt(1)
    expect(UserMapper.create(machine, machine.kernelMapper.root)).toBe(NO_FRAME)
    expect(machine.buddy.freeFrames()).toBe(free)
  })

  test('check finds a root whose kernel half differs', () => {
    const machine = new PagingMachine(arch)
    const mapper = machine.newUser()
    mapper.check()
    machine.memory.u32[mapper.root * 1024 + 2 ** arch.indexBits * 2 - 2] = 1
    expect(() => mapper.check()).toThrow('differs from the kernel')
  })
})

describe('Sv39', () => {
  const arch = new Riscv64Sv39()
  const address = (pfn: number) => BigInt(arch.kernelLayout.linearMap.start + pfn) * 4096n
  const walk = (machine: PagingMachine, pfn: number, user: boolean) => {
    const root = machine.kernelMapper.root
    return walkRiscv64(machine.memory, { root, address: address(pfn) + 0x123n, access: 'write', user })
  }

  test('RAM is mapped with the largest leaves, by the manual', () => {
    const bytes = 2 ** 30 + 6 * MIB + 65536
    const machine = new PagingMachine(arch, { bytes })
    const frames = bytes / 4096
    const levels = new Map<number, number>()
    for (let pfn = 0; pfn < frames; pfn += 16) {
      const found = walk(machine, pfn, false)
      if (found.status !== 'ok') throw new Error(`frame ${pfn}: ${found.status}`)
      expect(found.physical).toBe(0x8000_0000n + BigInt(pfn) * 4096n + 0x123n)
      levels.set(found.level, (levels.get(found.level) ?? 0) + 16)
    }
    expect(Object.fromEntries(levels)).toEqual({ 2: 2 ** 18, 1: 3 * 512, 0: 16 })
    expect(walk(machine, frames, false).status).toBe('page-fault')
    expect(walk(machine, 0, true).status).toBe('page-fault')
  })

  test('RAM that must not be mapped is left out', () => {
    const noMap = [{ start: 1500 as Pfn, end: 1600 as Pfn }]
    const machine = new PagingMachine(arch, { noMap })
    for (let pfn = 0; pfn < machine.frames.frameCount; pfn++) {
      expect(walk(machine, pfn, false).status).toBe(pfn < 1500 || pfn >= 1600 ? 'ok' : 'page-fault')
    }
    machine.check()
  })

  test('a device outside RAM is mapped by its page number', () => {
    const machine = new PagingMachine(arch)
    const { kernelMapper } = machine
    const { start } = kernelMapper.window('mmio')
    const batch = machine.flusher.batch(kernelMapper.root)
    kernelMapper.enter()
    const uart = (0x10000 - arch.physBasePfn) as Pfn
    expect(kernelMapper.map(start, uart, read | write | global | accessed | dirty | special, batch)).toBe(0)
    kernelMapper.leave()
    batch.finish()
    const found = walkRiscv64(machine.memory, {
      root: kernelMapper.root,
      address: BigInt(start) * 4096n,
      access: 'write',
      user: false,
    })
    expect(found).toMatchObject({ status: 'ok', physical: 0x1000_0000n, level: 0 })
    machine.check()
  })

  test('the kernel tables of a small machine are few', () => {
    expect(new PagingMachine(arch).kernelMapper.tableFrames()).toBeLessThanOrEqual(8)
  })
})

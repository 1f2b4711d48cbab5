/**
 * Defects that other kernels have or had in page tables and flushers, each as a test of ours: what the defect was, and that it is not
 * here. (Those of allocators: other-kernels-allocators.test.ts.)
 */
import { describe, expect, test } from 'vitest'
import { FakeArch } from '../src/arch/fake-arch.js'
import { EntryFlag } from '../src/arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../src/arch/riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from '../src/arch/riscv64/sv48-sv57.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn, type Vpn } from '../src/base/numbers.js'
import { mmInit } from '../src/mm.js'
import { PagingMachine } from '../src/paging/testing/paging-machine.js'

const MIB = 2 ** 20
const { read, write, user } = EntryFlag

describe('a root was not cleared when it was made', () => {
  test.each([new Riscv64Sv39(), new Riscv64Sv48(), new FakeArch()])(
    'a new space of $name maps nothing, whatever its frame held',
    (arch) => {
      const machine = new PagingMachine(arch)
      const frames: Pfn[] = []
      for (let pfn = machine.buddy.allocate(0); pfn !== NO_FRAME; pfn = machine.buddy.allocate(0))
        frames.push(pfn)
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

describe('an iterator over page tables went past its end', () => {
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

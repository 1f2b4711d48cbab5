import { expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import type { Pfn, Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { PagingMachine } from './testing/paging-machine.js'

const { read, write, user, accessed, dirty, special } = EntryFlag

test('who keeps account of changed pages is told of those of files whose entry was dirty, and of no others', () => {
  const machine = new PagingMachine(new Riscv64Sv39(), { harts: 1 })
  const mapper = machine.newUser()
  const batch = machine.flusher.batch(mapper.root)
  const changed: Pfn[] = []
  const [anonymous, file] = [FrameFlag.anonymous as number, FrameFlag.file as number]
  const map = (vpn: number, kind: number, flags: number): Pfn => {
    const pfn = machine.newFrame()
    machine.frames.setFlags(pfn, kind)
    expect(mapper.map(vpn as Vpn, pfn, read | write | user | accessed | flags, batch)).toBe(0)
    return pfn
  }
  map(0, anonymous, dirty)
  const dirtyFile = map(1, file, dirty)
  map(2, file, 0)
  map(3, anonymous, 0)
  const lastFile = map(5, file, dirty)
  const uncounted = map(6, file, dirty | special)
  const tally = { anonymous: 0, others: 0 }
  const keeper = { markDirty: (pfn: Pfn) => void changed.push(pfn) }
  const free = machine.buddy.freeFrames()
  mapper.clearRange(0 as Vpn, 64 as Vpn, batch, tally, keeper)
  expect(changed).toEqual([dirtyFile, lastFile])
  expect(tally).toEqual({ anonymous: 2, others: 3 })
  batch.finish()
  expect(machine.buddy.freeFrames()).toBe(free + 5)
  expect(machine.frames.refCount(uncounted)).toBe(1)
  mapper.check()
})

import { expect, test } from 'vitest'
import { FakeArch } from '../arch/fake-arch.js'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import type { Vpn } from '../base/numbers.js'
import { PagingMachine } from './testing/paging-machine.js'

for (const arch of [new Riscv64Sv39(), new FakeArch()])
  test('smoke ' + arch.name, () => {
    const m = new PagingMachine(arch)
    m.check()
    console.log(m.buddy.dump(), m.buddy.totalFrames(), m.kernelMapper.tableFrames())
    const before = m.buddy.freeFrames()
    const u = m.newUser()
    const f = m.newFrame()
    let b = m.flusher.batch(u.root)
    expect(u.map(5000 as Vpn, f, EntryFlag.read | EntryFlag.user | EntryFlag.write, b)).toBe(0)
    b.finish()
    u.check()
    expect(u.translate(5000 as Vpn)).toBe(true)
    expect(u.lastPfn).toBe(f)
    console.log(u.dump())
    b = m.flusher.batch(u.root)
    expect(u.unmap(5000 as Vpn, b)).toBe(true)
    b.releaseFrame(f)
    u.destroy(b)
    b.finish()
    expect(m.buddy.freeFrames()).toBe(before)
    m.check()
  })

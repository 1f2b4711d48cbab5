import { expect, test } from 'vitest'
import { AddressSpace, ErrnoError, Machine, mman } from './index.js'

test('copy-on-write in ten lines', () => {
  const machine = Machine.create({ memory: 16 * 2 ** 20 })
  const parent = machine.createSpace()
  const address = parent.mmap({ length: 8192 })
  parent.write(address, 'written by the parent')
  const child = parent.fork()
  expect(child.frameAt(address)).toBe(parent.frameAt(address))
  child.write(address, 'written by the child!')
  expect(child.frameAt(address)).not.toBe(parent.frameAt(address))
  expect(parent.readText(address, 21)).toBe('written by the parent')
  expect(child.readText(address, 21)).toBe('written by the child!')
  expect(machine.stats().events).toMatchObject({ faultAnonymous: 1, faultCopy: 1, faultReuse: 0 })
  expect(child.maps()).toBe(
    `${address.toString(16)}-${(address + 8192).toString(16)} rw-p 00000000 00:00 0 \n`,
  )
  machine.check()
})

test('the last owner writes in place, and exit gives everything back', () => {
  const machine = Machine.create({ memory: 8 * 2 ** 20 })
  const free = machine.stats().frames.free
  const parent = machine.createSpace()
  const address = parent.mmap({ length: 4096 })
  parent.write(address, 'x')
  const frame = parent.frameAt(address)
  const child = parent.fork()
  parent.exit()
  child.write(address, 'y')
  expect(child.frameAt(address)).toBe(frame)
  expect(machine.stats().events).toMatchObject({ faultReuse: 1, faultCopy: 0 })
  child.exit()
  machine.check()
  machine.mm.slab.shrink()
  expect(machine.stats()).toMatchObject({ spaces: 0, mappings: 0, frames: { free } })
})

test('shared memory is shared with the child', () => {
  const machine = Machine.create({ memory: 8 * 2 ** 20 })
  const parent = machine.createSpace()
  const address = parent.mmap({ length: 4096, shared: true })
  const child = parent.fork()
  child.write(address, 'from the child')
  expect(parent.readText(address, 14)).toBe('from the child')
  expect(parent.maps()).toContain('rw-s 00000000 00:01')
  machine.check()
})

test('mremap, mprotect, discard and munmap do what Linux does, and refusals carry the errno', () => {
  const machine = Machine.create({ memory: 8 * 2 ** 20 })
  const space = machine.createSpace()
  const address = space.mmap({ length: 8192, populate: true })
  expect(space.stats()).toEqual({ mapped: 8192, resident: 8192, minorFaults: 2, majorFaults: 0 })
  space.write(address + 4096, 'kept')
  const moved = space.mremap(address, 8192, 1 << 20)
  expect(space.readText(moved + 4096, 4)).toBe('kept')
  space.mprotect(moved, 4096, 'r')
  expect(() => space.write(moved, 'no')).toThrow(ErrnoError)
  space.discard(moved + 4096, 4096)
  expect(space.read(moved + 4096, 4)).toEqual(new Uint8Array(4))
  space.munmap(moved, 1 << 20)
  expect(() => space.read(moved, 1)).toThrow('EFAULT')
  expect(() => space.munmap(1, 4096)).toThrow('EINVAL')
  expect(() => space.mmap({ length: 0 })).toThrow('EINVAL')
  expect(() => space.mmap({ length: 4096, protection: 'none' })).toThrow("made of 'r', 'w' and 'x': EINVAL")
  machine.check()
})

test('a space that has ended answers ESRCH, in every view', () => {
  const machine = Machine.create({ memory: 8 * 2 ** 20 })
  const space = machine.createSpace()
  const address = space.mmap({ length: 4096 })
  const [other] = machine.spaces()
  const before = machine.snapshot()
  space.exit()
  const next = machine.createSpace() // in the same record
  for (const view of [space, other!]) {
    const calls: (() => unknown)[] = [
      () => view.mmap({ length: 4096 }),
      () => view.munmap(address, 4096),
      () => view.mprotect(address, 4096, 'r'),
      () => view.mremap(address, 4096, 8192),
      () => view.discard(address, 4096),
      () => view.brk(),
      () => view.read(address, 1),
      () => view.readText(address, 1),
      () => view.write(address, 'x'),
      () => view.fault(address, 'r'),
      () => view.fork(),
      () => view.frameAt(address),
      () => view.maps(),
      () => view.stats(),
      () => view.root,
      () => view.exit(),
    ]
    for (const call of calls) expect(call, String(call)).toThrow('ESRCH')
  }
  expect(next.maps()).toBe('')
  machine.check()
  machine.restore(before)
  other!.write(address, 'here again')
  expect(space.readText(address, 10)).toBe('here again')
  machine.check()
})

test('lengths and addresses that cannot be are refused, not left to JavaScript', () => {
  const space = Machine.create({ memory: 8 * 2 ** 20 }).createSpace()
  const address = space.mmap({ length: 4096 })
  for (const length of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => space.read(address, length)).toThrow('EINVAL')
  }
  for (const length of [8192, 2 ** 32, 2 ** 37, Number.MAX_SAFE_INTEGER]) {
    expect(() => space.read(address, length)).toThrow('EFAULT')
  }
  expect(() => space.read(-4096, 1)).toThrow('EFAULT')
  expect(() => space.write(Number.NaN, 'x')).toThrow('EINVAL')
  expect(() => space.write(2 ** 60, 'x')).toThrow('EFAULT')
  expect(() => space.read(address + 0.5, 1)).toThrow('EINVAL')
  expect(space.read(address, 0)).toEqual(new Uint8Array(0))
})

test('a snapshot of another size and what is no memory are refused', () => {
  const machine = Machine.create({ memory: 8 * 2 ** 20 })
  const other = Machine.create({ memory: 16 * 2 ** 20 }).snapshot()
  expect(() => machine.restore(other)).toThrow(ErrnoError)
  machine.check()
  const noMemory = [undefined, null, {}, new ArrayBuffer(8), new WebAssembly.Memory({ initial: 1 })]
  for (const raw of noMemory) {
    expect(() => Machine.attach(raw as never), String(raw)).toThrow(ErrnoError)
    expect(() => Machine.attach(raw as never), String(raw)).toThrow('EINVAL')
  }
  expect(() => Machine.attach(machine.memory, -1)).toThrow('EINVAL')
})

test('who attaches gets a hart number of its own', () => {
  const machine = Machine.create({ memory: 8 * 2 ** 20, shared: true })
  const snapshot = machine.snapshot()
  const hart = (wanted?: number) => Machine.attach(machine.memory, wanted).mm.hart
  expect([machine.mm.hart, hart(), hart(), hart(7), hart(3), hart()]).toEqual([0, 1, 2, 7, 3, 8])
  machine.restore(snapshot)
  expect(hart()).toBe(9)
})

test('an emulator handles its page faults here, and walks from the root', () => {
  const machine = Machine.create({ memory: 8 * 2 ** 20 })
  const space = machine.createSpace()
  const address = space.mmap({ length: 8192 })
  const shared = space.mmap({ length: 4096, protection: 'r' })
  expect(space.frameAt(address)).toBe(undefined)
  expect(space.fault(address, 'w')).toBe('ok')
  expect(space.fault(address, 'x')).toBe('segvAccErr')
  expect(space.fault(shared, 'w')).toBe('segvAccErr')
  expect(space.fault(0, 'r')).toBe('segvMapErr')
  expect(space.fault(-4096, 'r')).toBe('segvMapErr')
  expect(() => space.fault(address, 'rw' as never)).toThrow('EINVAL')
  const large = [1, 2, 3].map(() => space.mmap({ length: 4 * 2 ** 20 }))
  const outcomes = large.flatMap((start) =>
    Array.from({ length: 1024 }, (_, i) => space.fault(start + i * 4096, 'w')),
  )
  expect(outcomes.at(-1)).toBe('outOfMemory')
  // The walk of the manual, in three loads.
  const { u32 } = machine.mm.memory
  let table = space.root as number
  for (const shift of [30, 21, 12]) {
    const index = Math.floor(address / 2 ** shift) % 512
    const [low, high] = [u32[table * 1024 + index * 2]!, u32[table * 1024 + index * 2 + 1]!]
    table = (low >>> 10) + (high << 22) - 0x80000
  }
  expect(table).toBe(space.frameAt(address))
  expect(mman.PROT_READ | mman.MAP_PRIVATE).toBe(3)
  expect(new AddressSpace(machine.mm.memory, machine.mm.allSpaces()[0]!.ptr).id).toBe(space.id)
})

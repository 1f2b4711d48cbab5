import { expect, test } from 'vitest'
import { ErrnoError, Machine } from './index.js'

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
  expect(space.stats()).toEqual({ mapped: 8192, resident: 8192, minorFaults: 0, majorFaults: 0 })
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

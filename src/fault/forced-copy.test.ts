/** What a debugger may do that the program may not: pages of its own, still protected, in small and in huge leaves; and without memory. */
import { expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { pageOf } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { readForced, writeForced } from './forced-copy.js'
import { handleFault } from './handle-fault.js'
import { Program } from './testing.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const PAGE = 4096
const HUGE = 512 * PAGE

const isWritable = ({ mm, space }: Program, address: number) => {
  const mapper = new UserMapper(mm, space.root)
  return mapper.translate(pageOf(address)) && (mapper.lastFlags & EntryFlag.write) !== 0
}

test.each([
  ['small pages', 4 * PAGE],
  ['a huge page', 2 * HUGE],
])('a forced write leaves the protection as it is: %s', (_, bytes) => {
  const program = Program.boot()
  const { mm, space } = program
  const start = program.mmap(0, bytes, RW, PRIVATE)
  const at = Math.ceil(start / bytes) * bytes + 5
  program.touch(at, Access.write)
  program.call('mprotect', start, bytes, mman.PROT_READ)
  expect(writeForced(mm, space, at, Uint8Array.of(1, 2, 3))).toBe(3)
  expect(isWritable(program, at)).toBe(false)
  expect(handleFault(mm, space, pageOf(at), Access.write)).toBe(FaultResult.segvAccErr)
  const back = new Uint8Array(3)
  expect([readForced(mm, space, at, back), ...back]).toEqual([3, 1, 2, 3])
  program.call('mprotect', start, bytes, mman.PROT_NONE)
  expect([readForced(mm, space, at, back), ...back]).toEqual([3, 1, 2, 3])
  mm.check()
})

test('a forced write does not reach a child that shares the frame, nor the other way round', () => {
  const program = Program.boot()
  const start = program.mmap(0, PAGE, RW, PRIVATE)
  writeForced(program.mm, program.space, start, Uint8Array.of(1))
  const child = program.fork()!
  program.call('mprotect', start, PAGE, mman.PROT_READ)
  writeForced(program.mm, program.space, start, Uint8Array.of(2))
  const byte = new Uint8Array(1)
  readForced(program.mm, child.space, start, byte)
  expect(byte[0]).toBe(1)
  program.mm.check()
})

test('without memory nothing is written, and nothing is lost', () => {
  const program = Program.boot()
  const { mm, space, faults } = program
  const start = program.mmap(0, PAGE, mman.PROT_READ, PRIVATE)
  let failures = 0
  for (let n = 1; ; n++) {
    mm.slab.shrink()
    const free = mm.buddy.freeFrames()
    faults.failAt(n)
    const written = writeForced(mm, space, start, Uint8Array.of(7))
    faults.reset()
    mm.check()
    if (written === 1) break
    failures++
    mm.slab.shrink()
    expect(mm.buddy.freeFrames()).toBe(free)
  }
  expect(failures).toBeGreaterThan(0)
})

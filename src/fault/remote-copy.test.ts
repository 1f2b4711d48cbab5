import { expect, test } from 'vitest'
import { EFAULT } from '../base/errno.js'
import * as mman from '../syscall/mman.js'
import { readRemote, touchRemote, writeRemote } from './remote-copy.js'
import { Program } from './testing.js'
import { copyFromUser, copyToUser } from './user-copy.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const PAGE = 4096
const byte = (value = 0) => Uint8Array.of(value)

/** Pages with the protections 0 to 7, then a hole, then a stack. */
function boot() {
  const program = Program.boot()
  const start = program.mmap(0x100_0000, 8 * PAGE, RW, PRIVATE | mman.MAP_FIXED)
  for (let prot = 0; prot < 8; prot++) program.call('mprotect', start + prot * PAGE, PAGE, prot)
  const stack = program.mmap(0x200_0000, PAGE, RW, PRIVATE | mman.MAP_FIXED | mman.MAP_GROWSDOWN)
  return { program, mm: program.mm, space: program.space, start, stack }
}

test('what the mapping says decides: memory for writing only is not read, memory for execution only neither', () => {
  const { mm, space, start } = boot()
  const results = Array.from({ length: 8 }, (_, prot) => {
    const address = start + prot * PAGE + 9
    return [readRemote(mm, space, address, byte()), writeRemote(mm, space, address, byte())]
  })
  const [ok, no] = [0, -EFAULT]
  const expected = Array.from({ length: 8 }, (_, prot) => [
    (prot & mman.PROT_READ) !== 0 ? ok : no,
    (prot & mman.PROT_WRITE) !== 0 ? ok : no,
  ])
  expect(results).toEqual(expected)
  mm.check()
})

test('holes, addresses that are none, and what lies below a stack are out of reach', () => {
  const { mm, space, start, stack } = boot()
  const end = mm.arch.userEnd * PAGE
  for (const address of [0, 8, start + 8 * PAGE, stack - 1, end, end + 5, 2 ** 63, 2 ** 64 - 1, -1]) {
    expect(readRemote(mm, space, address, byte()), `${address}`).toBe(-EFAULT)
    expect(writeRemote(mm, space, address, byte()), `${address}`).toBe(-EFAULT)
  }
  expect(touchRemote(mm, space, stack)).toBe(0)
})

test('a write reaches one side of a fork only, and is there for the program itself', () => {
  const { program, mm, space, start } = boot()
  const at = start + 3 * PAGE + 100
  expect(copyToUser(mm, space, at, byte(1))).toBe(0)
  const child = program.fork()!
  expect(writeRemote(mm, child.space, at, byte(2))).toBe(0)
  const read = [space, child.space].map((of) => {
    const target = byte()
    expect(copyFromUser(mm, of, at, target)).toBe(0)
    return target[0]
  })
  expect(read).toEqual([1, 2])
  mm.check()
})

test('without memory it is refused, each time that an allocation fails, and nothing is lost', () => {
  for (let n = 1, isOver = false; !isOver; n++) {
    const { program, mm, space, start } = boot()
    program.faults.reset()
    program.faults.failAt(n)
    const result = writeRemote(mm, space, start + 3 * PAGE, byte(7))
    isOver = program.faults.count < n
    program.faults.reset()
    expect(result).toBe(isOver ? 0 : -EFAULT)
    mm.check()
    program.exit()
    mm.check()
    expect(n).toBeLessThan(20)
  }
})

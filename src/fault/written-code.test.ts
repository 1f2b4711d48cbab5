/** Code that a hart translates from a page while the kernel writes to it was made of the old bytes, and is forgotten. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Pfn, type Ptr, ptrToFrame, type Vpn } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { UserMapper } from '../paging/user-mapper.js'
import { ObjectKind } from '../space/page-object.js'
import { Region, regionPtr } from '../state/layout.js'
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../syscall/mman.js'
import { writeForced } from './forced-copy.js'
import { writeRemote } from './remote-copy.js'
import { Program } from './testing.js'
import { clearUser, copyToUser } from './user-copy.js'

const PAGE = 4096
const BYTES = new Uint8Array(100).fill(1)

afterEach(() => vi.restoreAllMocks())

/** Until the test ends, a hart translates code from a frame in the middle of each write to it. */
function translateDuringWrites({ memory }: MemoryManager): { times: number } {
  const stamps = regionPtr(memory, Region.codeStamps) >>> 1
  const seen = { times: 0 }
  const translate = (ptr: number) => {
    memory.u16[stamps + ptrToFrame(ptr as Ptr)] = 7
    seen.times++
  }
  const { set } = memory.u8
  vi.spyOn(memory.u8, 'set').mockImplementation((bytes, at) => {
    translate(at!)
    set.call(memory.u8, bytes, at)
  })
  const { fill } = memory
  vi.spyOn(memory, 'fill').mockImplementation((to, value, length) => {
    translate(to)
    fill.call(memory, to, value, length)
  })
  return seen
}

describe.each([{ shared: false }, { shared: true }])('pages of a program, shared: $shared', ({ shared }) => {
  test.each([
    ['copyToUser', (of: Program, at: number) => copyToUser(of.mm, of.space, at, BYTES)],
    ['clearUser', (of: Program, at: number) => clearUser(of.mm, of.space, at, 100)],
    ['writeRemote', (of: Program, at: number) => writeRemote(of.mm, of.space, at, BYTES)],
    ['writeForced', (of: Program, at: number) => writeForced(of.mm, of.space, at, BYTES)],
  ] as const)('%s', (_, write) => {
    const program = Program.boot(8, shared)
    const at = program.mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
    copyToUser(program.mm, program.space, at, BYTES)
    const mapper = new UserMapper(program.mm, program.space.root)
    const pfn = mapper.pfn(mapper.leaf((at / PAGE) as Vpn))
    const seen = translateDuringWrites(program.mm)
    write(program, at)
    expect(seen.times).toBe(1)
    expect(program.mm.frames.codeStamp(pfn)).toBe(0)
  })
})

test.each(['write', 'update', 'clear', 'extend', 'dropFrom'] as const)('pages of an object: %s', (what) => {
  const { mm } = Program.boot()
  const { objects } = mm
  const object = objects.create(ObjectKind.kernel, 0)
  objects.write(object, 0, BYTES)
  const pfn = objects.find(object, 0) as Pfn
  const seen = translateDuringWrites(mm)
  if (what === 'write' || what === 'update') objects[what](object, 0, BYTES)
  else if (what === 'clear') objects.clear(object, 10, 20)
  else if (what === 'dropFrom') objects.dropFrom(object, 50)
  else objects.extend(object, 300)
  expect(seen.times).toBeGreaterThan(0)
  expect(mm.frames.codeStamp(pfn)).toBe(0)
})

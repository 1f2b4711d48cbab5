/** Every kind of fault, with every allocation on its way failing in turn: a clean refusal, and nothing is lost. */
import { describe, expect, test } from 'vitest'
import { NO_FRAME } from '../base/numbers.js'
import { ObjectKind } from '../space/page-object.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { openFile, Program } from './testing.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const SHARED = mman.MAP_SHARED | mman.MAP_ANONYMOUS
const PAGE = 4096

interface Scenario {
  readonly name: string
  /** Sets up, and returns the address to touch. */
  readonly prepare: (program: Program) => number
  readonly access: Access
}

function mapFile(program: Program, flags: number): number {
  const { objects } = program.mm
  objects.providers.set(1, { readPage: () => 0 })
  program.files.set(3, openFile(objects.create(ObjectKind.provided, 64 * PAGE, 1)))
  return program.mmap(0, 64 * PAGE, RW, flags, 3) + 63 * PAGE
}

function mapSecret(program: Program): number {
  const object = program.mm.objects.create(ObjectKind.secret, 64 * PAGE)
  program.files.set(3, openFile(object, { secret: true }))
  return program.mmap(0, 64 * PAGE, RW, mman.MAP_SHARED, 3) + 63 * PAGE
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'zero page', access: Access.read, prepare: (p) => p.mmap(0, PAGE, RW, PRIVATE) },
  { name: 'anonymous write', access: Access.write, prepare: (p) => p.mmap(0, PAGE, RW, PRIVATE) },
  {
    name: 'write to the zero page',
    access: Access.write,
    prepare: (p) => {
      const address = p.mmap(0, PAGE, RW, PRIVATE)
      p.touch(address, Access.read)
      return address
    },
  },
  {
    name: 'copy on write',
    access: Access.write,
    prepare: (p) => {
      const address = p.mmap(0, PAGE, RW, PRIVATE)
      p.touch(address, Access.write)
      p.fork()
      return address
    },
  },
  { name: 'shared read', access: Access.read, prepare: (p) => p.mmap(0, PAGE, RW, SHARED) },
  {
    name: 'shared write',
    access: Access.write,
    prepare: (p) => p.mmap(0, 99 * PAGE, RW, SHARED) + 98 * PAGE,
  },
  { name: 'file read', access: Access.read, prepare: (p) => mapFile(p, mman.MAP_PRIVATE) },
  { name: 'private write to a file', access: Access.write, prepare: (p) => mapFile(p, mman.MAP_PRIVATE) },
  { name: 'shared write to a file', access: Access.write, prepare: (p) => mapFile(p, mman.MAP_SHARED) },
  { name: 'secret memory', access: Access.write, prepare: mapSecret },
  {
    name: 'stack growth',
    access: Access.write,
    prepare: (p) =>
      p.mmap(0x20_0000_0000, PAGE, RW, PRIVATE | mman.MAP_FIXED | mman.MAP_GROWSDOWN) - 50 * PAGE,
  },
]

describe.each(SCENARIOS)('$name', ({ prepare, access }) => {
  test('fails cleanly at every allocation, and succeeds afterwards', () => {
    const program = Program.boot()
    const address = prepare(program)
    let failures = 0
    for (let n = 1; ; n++) {
      program.mm.slab.shrink()
      const free = program.mm.buddy.freeFrames()
      const before = accounting(program)
      program.faults.failAt(n)
      const result = program.touch(address, access)
      program.faults.reset()
      program.mm.check()
      if (result === FaultResult.ok) break
      failures++
      expect(result).toBe(FaultResult.outOfMemory)
      program.mm.slab.shrink()
      expect(program.mm.buddy.freeFrames()).toBe(free)
      expect(accounting(program)).toEqual(before)
    }
    expect(failures).toBeGreaterThan(0)
    expect(program.space.counts.minorFaults + program.space.counts.majorFaults).toBeGreaterThan(0)
  })
})

function accounting({ space }: Program): number[] {
  return [
    space.counts.rssAnonymous,
    space.counts.rssFile,
    space.counts.rssShared,
    space.counts.minorFaults,
    space.counts.majorFaults,
  ]
}

test('all of RAM touched: out of memory, and everything comes back at exit', () => {
  const program = Program.boot()
  const { mm } = program
  const child = program.fork()!
  mm.slab.shrink()
  const free = mm.buddy.freeFrames()
  const pages = free + 100
  const flags = PRIVATE | mman.MAP_NORESERVE
  const address = child.mmap(0, pages * PAGE, RW, flags)
  let touched = 0
  while (touched < pages && child.touch(address + touched * PAGE, Access.write) === FaultResult.ok) touched++
  expect(touched).toBeLessThan(free)
  expect(mm.buddy.freeFrames()).toBe(0)
  expect(mm.buddy.allocate(0)).toBe(NO_FRAME)
  mm.check()
  child.exit()
  mm.slab.shrink()
  expect(mm.buddy.freeFrames()).toBeGreaterThanOrEqual(free)
  mm.check()
})

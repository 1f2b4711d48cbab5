import { expect, test } from 'vitest'
import { pageOf } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import { ObjectKind } from '../space/page-object.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { openFile, Program } from './testing.js'

const PAGE = 4096
const TABLE = 512 * PAGE
const READ_ONLY = mman.MAP_SHARED | mman.MAP_FIXED

/** A file of so many pages under descriptor 3, of which those are cached that `cached` accepts. */
function withFile(pages: number, cached: (index: number) => boolean = () => true): Program {
  const program = Program.boot()
  const { objects } = program.mm
  const object = objects.create(ObjectKind.tmpfs, pages * PAGE)
  for (let index = 0; index < pages; index++) if (cached(index)) objects.get(object, index)
  program.files.set(3, openFile(object))
  return program
}

/** The mapped pages of a range, relative to its start. */
function mapped(program: Program, start: number, pages: number): number[] {
  const mapper = new UserMapper(program.mm, program.space.root)
  const first = pageOf(start)
  const found: number[] = []
  mapper.walk(first, (first + pages) as typeof first, (vpn) => found.push(vpn - first))
  return found
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

test.each([
  { what: 'the middle of a window', at: TABLE, pages: 64, touch: 20, expected: range(16, 32) },
  {
    what: 'the window of the address, not of the file',
    at: TABLE + 3 * PAGE,
    pages: 64,
    touch: 14,
    expected: range(13, 29),
  },
  {
    what: 'a window that starts with the mapping is a whole one',
    at: TABLE + 5 * PAGE,
    pages: 64,
    touch: 2,
    expected: range(0, 16),
  },
  { what: 'no further than the mapping', at: TABLE, pages: 19, touch: 17, expected: range(16, 19) },
  {
    what: 'no further than the page table',
    at: 2 * TABLE - 8 * PAGE,
    pages: 64,
    touch: 3,
    expected: range(0, 8),
  },
])('$what', ({ at, pages, touch, expected }) => {
  const program = withFile(128)
  program.mmap(at, pages * PAGE, mman.PROT_READ, READ_ONLY, 3)
  expect(program.touch(at + touch * PAGE, Access.read)).toBe(FaultResult.ok)
  expect(mapped(program, at, pages)).toEqual(expected)
  expect(program.space.counts.rssShared).toBe(expected.length)
  expect(program.space.counts.minorFaults).toBe(1)
  expect(counted(program.mm.memory, Counter.faultAround)).toBe(expected.length - 1)
  program.mm.check()
})

test('no further than the file, even when the touched page is past its end', () => {
  const program = withFile(18)
  program.mmap(TABLE, 64 * PAGE, mman.PROT_READ, READ_ONLY, 3)
  expect(program.touch(TABLE + 20 * PAGE, Access.read)).toBe(FaultResult.bus)
  expect(mapped(program, TABLE, 64)).toEqual([16, 17])
  expect(program.space.counts.minorFaults).toBe(0)
  program.mm.check()
})

test('only what is cached and not mapped yet; a write maps its own page alone', () => {
  const program = withFile(16, (index) => index % 3 === 0)
  program.mmap(TABLE, 16 * PAGE, mman.PROT_READ | mman.PROT_WRITE, READ_ONLY, 3)
  expect(program.touch(TABLE + 4 * PAGE, Access.write)).toBe(FaultResult.ok)
  expect(mapped(program, TABLE, 16)).toEqual([4])
  expect(program.touch(TABLE + 3 * PAGE, Access.read)).toBe(FaultResult.ok)
  expect(mapped(program, TABLE, 16)).toEqual([0, 3, 4, 6, 9, 12, 15])
  program.mm.check()
})

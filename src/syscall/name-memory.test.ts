/** Names of anonymous memory: who may have one, what is cut and merged, and what /proc/PID/maps says. */
import { expect, test } from 'vitest'
import { EAGAIN, EBADF, EFAULT, EINVAL, ENOMEM } from '../base/errno.js'
import { Access } from '../fault/access.js'
import { type Argument, openFile, Program } from '../fault/testing.js'
import { copyToUser } from '../fault/user-copy.js'
import { mapsText } from '../space/maps.js'
import { ObjectKind } from '../space/page-object.js'
import * as mman from './mman.js'

const PAGE = 4096
const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const PR_SET_VMA = 0x53564d41
const BASE = 0x10_0000_0000
const TEXT = 0x20_0000_0000

function boot(): Program {
  const program = Program.boot()
  program.mmap(TEXT, PAGE, RW, PRIVATE | mman.MAP_FIXED)
  program.mmap(BASE, 8 * PAGE, RW, PRIVATE | mman.MAP_FIXED)
  return program
}

function put(program: Program, text: string, at = TEXT): number {
  copyToUser(program.mm, program.space, at, new TextEncoder().encode(`${text}\0`))
  return at
}

function nameAt(program: Program, page: number, pages: number, name: Argument): number {
  return program.call('setVmaName', PR_SET_VMA, 0, BASE + page * PAGE, pages * PAGE, name)
}

function setName(program: Program, page: number, pages: number, name: string): number {
  return nameAt(program, page, pages, put(program, name))
}

/** The mappings from BASE on as `first-last name`. */
function names(program: Program): string[] {
  const lines = mapsText(program.mm, program.space, () => ({
    device: '00:01',
    inode: 1,
    path: 'FILE',
  })).split('\n')
  return lines.flatMap((line) => {
    const [, start, end, name] = /^(\w+)-(\w+) \S+ \S+ \S+ \S+ *(.*)$/.exec(line) ?? []
    const page = (Number.parseInt(start ?? '', 16) - BASE) / PAGE
    if (!(page >= 0 && page < 100)) return []
    return [`${page}-${(Number.parseInt(end!, 16) - BASE) / PAGE} ${name}`.trim()]
  })
}

test('a mapping is cut where its name ends, and joined where names agree', () => {
  const program = boot()
  expect(setName(program, 2, 2, 'jit heap')).toBe(0)
  expect(names(program)).toEqual(['0-2', '2-4 [anon:jit heap]', '4-8'])
  expect(setName(program, 4, 1, 'jit heap')).toBe(0)
  expect(names(program)).toEqual(['0-2', '2-5 [anon:jit heap]', '5-8'])
  expect(setName(program, 3, 1, 'other')).toBe(0)
  expect(names(program)).toEqual([
    '0-2',
    '2-3 [anon:jit heap]',
    '3-4 [anon:other]',
    '4-5 [anon:jit heap]',
    '5-8',
  ])
  program.mm.check()
  expect(nameAt(program, 0, 8, 0)).toBe(0)
  expect(names(program)).toEqual(['0-8'])
  program.mm.check()
})

test('what is mapped beside a named mapping is no part of it; what is moved, split or forked keeps the name', () => {
  const program = boot()
  setName(program, 0, 8, 'pool')
  program.mmap(BASE + 8 * PAGE, PAGE, RW, PRIVATE | mman.MAP_FIXED)
  expect(names(program)).toEqual(['0-8 [anon:pool]', '8-9'])
  program.call('munmap', BASE + 3 * PAGE, PAGE)
  program.call('mremap', BASE, 2 * PAGE, 2 * PAGE, 3, BASE + 20 * PAGE)
  program.call('mprotect', BASE + 5 * PAGE, PAGE, mman.PROT_READ)
  const pool = (range: string) => `${range} [anon:pool]`
  const parts = [pool('2-3'), pool('4-5'), pool('5-6'), pool('6-8'), '8-9', pool('20-22')]
  expect(names(program)).toEqual(parts)
  const child = program.fork()!
  expect(names(child)).toEqual(parts)
  program.mm.check()
  child.exit()
  program.mm.check()
})

test('shared anonymous memory has names, files have none', () => {
  const program = boot()
  const { objects } = program.mm
  program.files.set(3, openFile(objects.create(ObjectKind.tmpfs, PAGE)))
  program.mmap(BASE + 2 * PAGE, PAGE, RW, mman.MAP_SHARED | mman.MAP_ANONYMOUS | mman.MAP_FIXED)
  program.mmap(BASE + 4 * PAGE, PAGE, RW, mman.MAP_PRIVATE | mman.MAP_FIXED, 3)
  expect(setName(program, 0, 8, 'both')).toBe(-EBADF)
  expect(names(program)).toEqual([
    '0-2 [anon:both]',
    '2-3 [anon_shmem:both]',
    '3-4 [anon:both]',
    '4-5 FILE',
    '5-8',
  ])
})

test('refusals', () => {
  const program = boot()
  const set = (...args: Argument[]) => program.call('setVmaName', PR_SET_VMA, ...args)
  const name = put(program, 'fine')
  expect(set(1, BASE, PAGE, name)).toBe(-EINVAL)
  expect(set(2n ** 32n, BASE, PAGE, name)).toBe(-EINVAL)
  expect(set(0, BASE + 1, PAGE, name)).toBe(-EINVAL)
  expect(set(0, BASE, -1, name)).toBe(-EINVAL)
  expect(set(0, -PAGE, 2 * PAGE, name)).toBe(-EINVAL)
  expect(set(0, BASE, 0, name)).toBe(0)
  expect(set(0, BASE + 7 * PAGE, 2 * PAGE, name)).toBe(-ENOMEM)
  expect(set(0, BASE, PAGE, 5)).toBe(-EFAULT)
  expect(setName(program, 0, 1, 'x'.repeat(79))).toBe(0)
  expect(setName(program, 0, 1, 'x'.repeat(80))).toBe(-EINVAL)
  for (const bad of ['\\', '`', '$', '[', ']', '\t', '\x7f', 'é']) {
    expect([bad, setName(program, 0, 1, `a${bad}`)]).toEqual([bad, -EINVAL])
  }
  // A name that runs into unmapped memory.
  const end = TEXT + PAGE - 4
  copyToUser(program.mm, program.space, end, new Uint8Array([65, 65, 65, 65]))
  expect(set(0, BASE, PAGE, end)).toBe(-EFAULT)
  expect(names(program)).toEqual([`0-1 [anon:${'x'.repeat(79)}]`, '1-7', '7-8 [anon:fine]'])
})

test('every allocation may fail', () => {
  for (let n = 1; ; n++) {
    const program = boot()
    program.touch(BASE, Access.write)
    const name = put(program, 'name')
    program.mm.slab.shrink()
    program.faults.reset()
    program.faults.failAt(n)
    const result = nameAt(program, 2, 2, name)
    const failed = program.faults.count >= n
    program.faults.reset()
    program.mm.check()
    if (!failed) break
    expect([-ENOMEM, -EAGAIN]).toContain(result)
    expect(names(program)).toEqual(['0-8'])
    program.exit()
    program.mm.check()
    expect(n).toBeLessThan(20)
  }
})

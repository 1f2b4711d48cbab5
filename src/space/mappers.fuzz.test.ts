/** The reverse mapping against a walk of every page table, after each step of processes that map, move, write and fork. */
import { expect, test } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { Access } from '../fault/access.js'
import { openFile, Program } from '../fault/testing.js'
import { UserMapper } from '../paging/user-mapper.js'
import * as mman from '../syscall/mman.js'
import { forEachMapper, foundFrame, placesOf } from './mappers.js'
import { ObjectKind } from './page-object.js'

const PAGE = 4096
const BASE = 0x10_0000_0000
const PAGES = 48
const FILE_PAGES = 24
const RW = mman.PROT_READ | mman.PROT_WRITE
const STEPS = 1500
const PROCESSES_MAX = 7

/** What maps each frame, as `space:page`, by walking. */
function walked({ mm }: Program): Map<Pfn, string[]> {
  const found = new Map<Pfn, string[]>()
  for (const space of mm.allSpaces()) {
    const mapper = new UserMapper(mm, space.root)
    mapper.walk(mapper.start, mapper.end, (vpn, entry) => {
      if ((mapper.flags(entry) & EntryFlag.special) !== 0) return
      const pfn = mapper.pfn(entry)
      found.set(pfn, [...(found.get(pfn) ?? []), `${space.id}:${vpn}`])
    })
  }
  return found
}

function compare(program: Program): void {
  const { mm } = program
  for (const [pfn, expected] of walked(program)) {
    const found: string[] = []
    const frame = foundFrame(mm, pfn)
    forEachMapper(mm, frame, (space, vma, vpn) => {
      expect(vma.start <= vpn && vpn < vma.end).toBe(true)
      found.push(`${space.id}:${vpn}`)
    })
    expect(found.sort()).toEqual(expected.sort())
    expect(placesOf(mm, frame, () => true).length).toBeGreaterThanOrEqual(found.length)
  }
}

function step(random: Random, processes: Program[]): void {
  const process = processes[random.below(processes.length)]!
  const page = random.below(PAGES)
  const at = BASE + page * PAGE
  const length = (1 + random.below(6)) * PAGE
  switch (random.below(12)) {
    case 0:
      process.mmap(at, length, RW, mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED)
      break
    case 1:
      process.mmap(at, length, RW, mman.MAP_PRIVATE | mman.MAP_FIXED, 3, random.below(FILE_PAGES) * PAGE)
      break
    case 2:
      process.mmap(at, length, RW, mman.MAP_SHARED | mman.MAP_FIXED, 3, random.below(FILE_PAGES) * PAGE)
      break
    case 3:
      process.call('munmap', at, length)
      break
    case 4:
      process.call('mprotect', at, length, random.below(4))
      break
    case 5: {
      const target = BASE + random.below(PAGES) * PAGE
      const keep = random.below(3) === 0 ? mman.MREMAP_DONTUNMAP : 0
      process.call('mremap', at, length, length, mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED | keep, target)
      break
    }
    case 6:
      process.call('madvise', at, length, mman.MADV_DONTNEED)
      break
    case 7:
      fork(random, process, processes)
      break
    default:
      for (let i = 0; i < 4; i++) {
        process.touch(BASE + random.below(PAGES) * PAGE, random.below(2) === 0 ? Access.read : Access.write)
      }
  }
}

/** A child, or the end of one when there are many. */
function fork(random: Random, process: Program, processes: Program[]): void {
  if (processes.length < PROCESSES_MAX) {
    const child = process.fork()!
    for (const [fd, file] of process.files) child.files.set(fd, file)
    processes.push(child)
  } else {
    const [ended] = processes.splice(random.below(processes.length), 1)
    ended!.exit()
  }
}

test.each([1, 2, 3])('who maps a frame, found from the frame (seed %i)', (seed) => {
  const random = new Random(seed)
  const first = Program.boot(16)
  const { mm } = first
  const object = mm.objects.create(ObjectKind.tmpfs, FILE_PAGES * PAGE)
  first.files.set(3, openFile(object))
  const processes = [first]
  for (let i = 0; i < STEPS; i++) {
    step(random, processes)
    if (i % 4 === 0) compare(processes[0]!)
    if (i % 100 === 0) mm.check()
  }
  expect(walked(first).size).toBeGreaterThan(10)
  for (const process of processes) process.exit()
  mm.objects.release(object)
  mm.check()
  expect(mm.slab.stats().find(({ name }) => name === 'anon_vma')?.objects).toBe(0)
})

test('a line of forks whose parents end keeps one root and the last family', () => {
  let program = Program.boot()
  const { mm } = program
  const address = program.mmap(0, PAGE, RW, mman.MAP_PRIVATE | mman.MAP_ANONYMOUS)
  program.touch(address, Access.write)
  for (let i = 0; i < 50; i++) {
    const child = program.fork()!
    program.exit()
    program = child
    if (i % 7 === 0) program.touch(address, Access.write)
  }
  expect(mm.slab.stats().find(({ name }) => name === 'anon_vma')?.objects).toBe(2)
  mm.check()
})

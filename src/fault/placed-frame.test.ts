/** Where the frames of anonymous memory are, on a machine as programs have it: nothing fails, nothing is watched. */
import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmInit } from '../mm.js'
import { UserMapper } from '../paging/user-mapper.js'
import { AddressSpace } from '../space/address-space.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { Program } from './testing.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const FLAGS = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
const PAGE = 4096
const BASE = 0x10_0000_0000

function boot(mebibytes: number): Program {
  const mm = mmInit({ bytes: mebibytes * 2 ** 20 })
  return new Program(mm, new AddressSpace(mm.memory, mm.spaces.create()), new FaultInjector())
}

/** Frame less page; nothing when there is no page. */
function biasAt({ mm, space }: Program, address: number): number | undefined {
  const mapper = new UserMapper(mm, space.root)
  const vpn = (address / PAGE) as Vpn
  return mapper.translate(vpn) ? mapper.lastPfn - vpn : undefined
}

/** All biases of a range of pages, each once. */
function biases(program: Program, address: number, pages: number): number[] {
  const all = Array.from({ length: pages }, (_, i) => biasAt(program, address + i * PAGE))
  return [...new Set(all.filter((bias) => bias !== undefined))]
}

function touchAll(program: Program, address: number, pages: number, random: Random): void {
  const order = Array.from({ length: pages }, (_, i) => i)
  for (let i = pages - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const swapped = order[i]!
    order[i] = order[j]!
    order[j] = swapped
  }
  for (const page of order) expect(program.touch(address + page * PAGE, Access.write)).toBe(FaultResult.ok)
}

describe('a mapping that is touched in any order', () => {
  test.each([20, 64, 500, 3000])('has its %i frames in the order of its pages', (pages) => {
    const program = boot(pages < 1000 ? 64 : 256)
    const free = program.mm.buddy.freeFrames()
    const address = BASE + 5 * PAGE
    program.mmap(address, pages * PAGE, RW, FLAGS)
    touchAll(program, address, pages, new Random(SEED))
    expect(biases(program, address, pages).length).toBe(1)
    program.mm.check()
    expect(program.call('munmap', address, pages * PAGE)).toBe(0)
    program.mm.check()
    expect(program.mm.buddy.freeFrames()).toBeGreaterThan(free - 16)
  })

  test('keeps them so while it grows at both ends', () => {
    const program = boot(64)
    program.mmap(BASE, 100 * PAGE, RW, FLAGS)
    touchAll(program, BASE, 100, new Random(SEED))
    for (const page of [-20, 100]) {
      program.mmap(BASE + page * PAGE, 20 * PAGE, RW, FLAGS)
      touchAll(program, BASE + page * PAGE, 20, new Random(SEED))
    }
    expect(biases(program, BASE - 20 * PAGE, 140).length).toBe(1)
  })

  test('looks for more room when it has outgrown what it had', () => {
    const program = boot(64)
    for (let page = 0; page < 2000; page += 20) {
      program.mmap(BASE + page * PAGE, 20 * PAGE, RW, FLAGS | mman.MAP_NORESERVE)
      expect(program.call('madvise', BASE, (page + 20) * PAGE, mman.MADV_NOHUGEPAGE)).toBe(0)
      touchAll(program, BASE + page * PAGE, 20, new Random(SEED))
    }
    expect(biases(program, BASE, 2000).length).toBeLessThan(10)
  })

  test('has frames that were used just before, wherever they are', () => {
    const program = boot(64)
    program.mmap(BASE, 20 * PAGE, RW, FLAGS)
    touchAll(program, BASE, 20, new Random(SEED))
    const used = Array.from({ length: 20 }, (_, i) => biasAt(program, BASE + i * PAGE)! + BASE / PAGE + i)
    expect(program.call('munmap', BASE, 20 * PAGE)).toBe(0)
    program.mmap(2 * BASE, 20 * PAGE, RW, FLAGS)
    program.touch(2 * BASE, Access.write)
    expect(used).toContain(biasAt(program, 2 * BASE)! + (2 * BASE) / PAGE)
  })

  test('can have all of the memory', () => {
    const program = boot(8)
    for (const base of [BASE, 2 * BASE]) {
      expect(program.mmap(base, 1200 * PAGE, RW, FLAGS)).toBe(base)
      for (let page = 0; program.touch(base + page * PAGE, Access.write) === FaultResult.ok; ) page++
    }
    const { buddy } = program.mm
    expect(buddy.freeFrames()).toBeLessThanOrEqual(buddy.zones.minimum)
    program.mm.check()
    for (const base of [BASE, 2 * BASE]) expect(program.call('munmap', base, 1200 * PAGE)).toBe(0)
    program.mm.check()
  })
})

test('a frame that a cache has is taken out of it', () => {
  const { buddy } = boot(16).mm
  const first = buddy.allocate(0)
  const wanted = (first + 5) as Pfn
  expect(buddy.allocateZeroedAt(wanted, 0)).toBe(wanted)
  expect(buddy.allocateZeroedAt(wanted, 0)).toBe(NO_FRAME)
  expect(buddy.allocate(0)).toBe(first + 1)
  buddy.check()
})

test(`mappings that come, go, split, move and fork leave nothing behind: seed ${SEED}`, () => {
  const random = new Random(SEED)
  const program = boot(32)
  const { mm } = program
  const before = mm.buddy.freeFrames()
  const children: Program[] = []
  for (let step = 0; step < fuzzSteps(600); step++) {
    const who = children.length > 0 && random.chance(0.3) ? random.pick(children) : program
    const address = BASE + random.below(2000) * PAGE
    const bytes = random.between(1, random.chance(0.2) ? 1500 : 60) * PAGE
    const kind = random.below(12)
    if (kind < 3) who.mmap(address, bytes, RW, FLAGS)
    else if (kind < 4) who.call('munmap', address, bytes)
    else if (kind < 5) who.call('mprotect', address, bytes, random.chance(0.5) ? mman.PROT_READ : RW)
    else if (kind < 6) who.call('madvise', address, bytes, mman.MADV_DONTNEED)
    else if (kind < 7) who.call('mremap', address, bytes, bytes + PAGE, mman.MREMAP_MAYMOVE, 0)
    else if (kind < 8 && children.length < 3) {
      const child = who.fork()
      if (child !== undefined) children.push(child)
    } else if (kind < 9 && children.length > 0 && random.chance(0.5)) children.pop()!.exit()
    else for (let i = 0; i < 40; i++) who.touch(address + random.below(200) * PAGE, Access.write)
    if (step % 20 === 0) mm.check()
  }
  for (const child of children) child.exit()
  program.exit()
  mm.check()
  expect(mm.buddy.freeFrames(), `PAGODA_SEED=${SEED}`).toBeGreaterThan(before - 64)
})

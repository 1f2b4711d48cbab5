import { expect, test } from 'vitest'
import { EINVAL, ENOMEM } from '../base/errno.js'
import { Random } from '../base/random.js'
import { Program } from '../fault/testing.js'
import { mapsText } from '../space/maps.js'
import * as mman from './mman.js'

const SEED = Number(process.env.PAGODA_SEED ?? 17)
const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 150)
const PAGE = 4096
const MIB2 = 512 * PAGE
const BASE = 0x10_0000_0000
const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const HUGE = PRIVATE | mman.MAP_HUGETLB | mman.MAP_NORESERVE | mman.MAP_FIXED

const layout = ({ mm, space }: Program) =>
  mapsText(mm, space, () => ({ device: '00:00', inode: 0, path: '' }))

test.each([
  ['a free place', (p: Program) => p.call('munmap', p.mmap(0, PAGE, RW, PRIVATE), PAGE)],
  ['the middle of a mapping', (p: Program) => p.mmap(BASE - MIB2, 3 * MIB2, RW, PRIVATE | mman.MAP_FIXED)],
])('huge pages at %s: every allocation fails in turn, and nothing is left of it', (_, prepare) => {
  const program = Program.boot()
  prepare(program)
  const { mm, faults } = program
  let failures = 0
  for (let n = 1; ; n++) {
    mm.slab.shrink()
    const [free, before] = [mm.buddy.freeFrames(), layout(program)]
    faults.failAt(n)
    const result = program.mmap(BASE, MIB2, RW, HUGE)
    faults.reset()
    mm.check()
    if (result >= 0) break
    failures++
    expect(result).toBe(-ENOMEM)
    mm.slab.shrink()
    expect(mm.buddy.freeFrames()).toBe(free)
    expect(layout(program)).toBe(before)
  }
  expect(failures).toBeGreaterThan(0)
  expect(layout(program)).toContain(`${BASE.toString(16)}-${(BASE + MIB2).toString(16)} rw-p`)
})

test(`no call cuts a huge page, and one that would has no effect (seed ${SEED})`, () => {
  const random = new Random(SEED)
  const program = Program.boot()
  const calls = [
    (at: number, bytes: number) => program.call('munmap', at, bytes),
    (at: number, bytes: number) => program.call('mprotect', at, bytes, mman.PROT_READ),
    (at: number, bytes: number) => program.call('madvise', at, bytes, mman.MADV_DONTFORK),
    (at: number, bytes: number) => program.mmap(at, bytes, RW, PRIVATE | mman.MAP_FIXED),
  ]
  for (let step = 0; step < STEPS; step++) {
    expect(program.mmap(BASE, 4 * MIB2, RW, HUGE)).toBe(BASE)
    const before = layout(program)
    const at = random.below(4 * 512)
    const pages = random.between(1, 4 * 512 - at)
    const cuts = at % 512 !== 0 || (at + pages) % 512 !== 0
    const result = random.pick(calls)(BASE + at * PAGE, pages * PAGE)
    program.mm.check()
    if (!cuts) expect(result).toBeGreaterThanOrEqual(0)
    else {
      expect(result, `step ${step}`).toBe(-EINVAL)
      expect(layout(program)).toBe(before)
    }
    expect(program.call('munmap', BASE, 4 * MIB2)).toBe(0)
  }
})

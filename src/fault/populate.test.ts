/** MADV_POPULATE on memory that harts share, where pages are had together with other harts' faults, is what it is on memory that one has alone. */
import { expect, test } from 'vitest'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import * as mman from '../syscall/mman.js'
import { Program } from './testing.js'

const PAGE = 4096
const PAGES = 24
const PROTECTIONS = [0, mman.PROT_READ, mman.PROT_WRITE, mman.PROT_READ | mman.PROT_WRITE]
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const SHARED = mman.MAP_SHARED | mman.MAP_ANONYMOUS

test(`results and resident pages are the same (seed ${SEED})`, () => {
  const random = new Random(SEED)
  const programs = [Program.boot(8, false), Program.boot(8, true)]
  const starts = programs.map((program) => program.mmap(0, PAGES * PAGE, mman.PROT_READ, PRIVATE))
  const both = (act: (program: Program, start: number) => number): unknown =>
    programs.map((program, i) => {
      const result = act(program, starts[i]!)
      const { rssAnonymous, rssShared } = program.space.counts
      return { result, rssAnonymous, rssShared }
    })
  for (let step = 0; step < 400; step++) {
    const first = random.below(PAGES) * PAGE
    const length = (1 + random.below(PAGES - first / PAGE)) * PAGE
    const what = random.below(6)
    const protection = random.pick(PROTECTIONS)
    const flags = mman.MAP_FIXED | random.pick([PRIVATE, SHARED])
    const advice = random.pick([mman.MADV_POPULATE_READ, mman.MADV_POPULATE_WRITE])
    const [plain, shared] = both((program, start) => {
      if (what === 0) return program.call('munmap', start + first, PAGE)
      if (what === 1) return program.mmap(start + first, length, protection, flags) - start
      if (what === 2) return program.call('mprotect', start + first, length, protection)
      if (what === 3) return program.call('madvise', start + first, length, mman.MADV_DONTNEED)
      return program.call('madvise', start + first, length, advice)
    }) as unknown[]
    expect(shared, `seed ${SEED}, step ${step}`).toEqual(plain)
  }
  for (const { mm } of programs) mm.check()
})

import { describe, expect, test } from 'vitest'
import { NO_FRAME, type Pfn } from '../base/numbers.js'
import { ObjectKind } from '../space/page-object.js'
import { applyWatermarks } from '../space/tunables.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { reclaimInBackground } from './background-reclaim.js'
import { openFile, Program } from './testing.js'

const PAGE = 4096
const RW = mman.PROT_READ | mman.PROT_WRITE

/** A program on a machine that keeps its watermarks, and a file twice as large as memory that it maps. */
function boot(): {
  program: Program
  of: (counter: Counter) => number
  readFile: (edge: () => void) => void
} {
  const program = Program.boot()
  const { mm } = program
  applyWatermarks(mm)
  mm.objects.providers.set(1, { readPage: () => 0 })
  const pages = 2 * mm.frames.frameCount
  program.files.set(3, openFile(mm.objects.create(ObjectKind.provided, pages * PAGE, 1)))
  const start = program.mmap(0, pages * PAGE, mman.PROT_READ, mman.MAP_SHARED, 3)
  const readFile = (edge: () => void) => {
    for (let i = 0; i < pages; i++) {
      expect(program.touch(start + i * PAGE, Access.read)).toBe(FaultResult.ok)
      edge()
    }
  }
  return { program, of: (counter) => counted(mm.memory, counter), readFile }
}

describe('a file larger than memory is read', () => {
  test('in the background as much is freed as the high watermark wants, so that nobody waits', () => {
    const { program, of, readFile } = boot()
    const { mm } = program
    let passes = 0
    readFile(() => {
      reclaimInBackground(mm)
      if (of(Counter.backgroundReclaim) === passes) return
      passes++
      mm.buddy.drainCaches()
      expect(mm.buddy.zones.missingToHigh).toBeLessThanOrEqual(0)
    })
    expect(passes).toBeGreaterThan(3)
    expect([of(Counter.faultStalled), of(Counter.scannedDirectly)]).toEqual([0, 0])
    expect(of(Counter.stolenInBackground)).toBeGreaterThan(mm.frames.frameCount)
    expect(of(Counter.scannedInBackground)).toBeGreaterThanOrEqual(of(Counter.stolenInBackground))
    mm.check()
  })

  test('without that, whoever needs memory waits, and reserves are left alone', () => {
    const { program, of, readFile } = boot()
    const { buddy } = program.mm
    readFile(() => expect(buddy.freeFrames()).toBeGreaterThanOrEqual(buddy.zones.minimum))
    expect(of(Counter.faultStalled)).toBeGreaterThan(3)
    expect(of(Counter.stolenDirectly)).toBeGreaterThan(program.mm.frames.frameCount)
    expect(of(Counter.backgroundReclaim)).toBe(0)
  })
})

test('where there is nothing to be found, the background gives up until somebody finds something', () => {
  const { program, of, readFile } = boot()
  const { mm } = program
  const taken: Pfn[] = []
  for (let pfn = mm.buddy.allocate(0); pfn !== NO_FRAME; pfn = mm.buddy.allocate(0)) {
    taken.push(pfn)
    reclaimInBackground(mm)
  }
  for (let i = 0; i < 50; i++) {
    mm.buddy.allocate(0)
    reclaimInBackground(mm)
  }
  expect(of(Counter.backgroundReclaim)).toBe(16)
  for (const pfn of taken) mm.buddy.free(pfn, 0)
  readFile(() => {})
  expect(of(Counter.stolenDirectly)).toBeGreaterThan(0)
  readFile(() => reclaimInBackground(mm))
  expect(of(Counter.backgroundReclaim)).toBeGreaterThan(16)
  expect(program.mmap(0, PAGE, RW, mman.MAP_PRIVATE | mman.MAP_ANONYMOUS)).toBeGreaterThan(0)
})

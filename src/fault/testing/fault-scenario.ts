/** What a scenario of harts that fault in one space at once is made of: the machine, its mapping, what each hart does, and the check of all at the end. */
import { assert } from '../../base/assert.js'
import { NO_FRAME, NULL, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { FaultInjector } from '../../frame/fault-injector.js'
import { FrameFlag } from '../../frame/frame-table.js'
import { type MemoryManager, mmAttach, mmInit } from '../../mm.js'
import { AddressSpace } from '../../space/address-space.js'
import { Vma } from '../../space/vma.js'
import { Word, wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { Scenario, ThreadBody } from '../../state/testing/scenario.js'
import * as mman from '../../syscall/mman.js'
import { Access } from '../access.js'
import { Program } from '../testing.js'
import type { Bug } from './fault-bugs.js'
import { FaultPlayer, FIRST, SPACE, storesOf } from './fault-player.js'

export const RW = mman.PROT_READ | mman.PROT_WRITE
const FIXED = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
export const ADDRESS = FIRST * PAGE_SIZE
/** A frame that is somebody else's, and zero. */
export const REUSED = wordIndex(249 as never)
/** Frames that nobody has but the kernel: those that there are without a scenario, and those that its plays take and keep. */
export const KEPT = wordIndex(248 as never)
/** Pages of one table. The mapping has those of three: two in use, and one for a huge page. */
export const TABLE = 512
export const FAR = TABLE
export const HUGE = 2 * TABLE
export const PAGES = 3 * TABLE
/** Pages of their tables that no scenario is about. */
const USED = [3, FAR + 3]

export type Play = (hart: FaultPlayer) => void

export interface Setting {
  /** Done to the mapping, at boot. */
  readonly before?: (program: Program) => void
  /** Whether the mapping has pages of its own, so that tables and family are there. */
  readonly isUsed?: boolean
  /** Stores that must be found in page 0 at the end. */
  readonly stores?: number
  readonly bug?: Bug
}

export function scenario(name: string, plays: readonly Play[], setting: Setting = {}): Scenario {
  const threads = plays.map((play, hart): ThreadBody => {
    let player: FaultPlayer | undefined
    return (memory, onStep) => {
      if (player === undefined) {
        player = new FaultPlayer(memory, hart, onStep)
        setting.bug?.(player)
      }
      player.play(play)
    }
  })
  let mm: MemoryManager | undefined
  const check = (memory: Memory) => {
    mm ??= mmAttach(memory.raw)
    checkMachine(mm, setting.stores)
  }
  return { name, setUp: () => boot(plays.length, setting), threads, check }
}

/** A frame for every hart is in its cache, so that nobody must fetch more. */
function boot(harts: number, { before, isUsed = true }: Setting): Memory {
  const mm = mmInit({ bytes: 8.5 * 2 ** 20, shared: true, harts })
  const { memory } = mm
  const space = mm.spaces.create()
  memory.u32[SPACE] = space
  const program = new Program(mm, new AddressSpace(memory, space), new FaultInjector())
  assert(program.mmap(ADDRESS, PAGES * PAGE_SIZE, RW, FIXED) === ADDRESS, 'the machine is large enough')
  program.space.hugePagesDisabled = true
  if (isUsed) for (const page of USED) program.touch(ADDRESS + page * PAGE_SIZE, Access.write)
  before?.(program)
  for (let hart = 0; hart < harts; hart++) {
    const other = mmAttach(memory.raw, { hart })
    other.buddy.free(other.buddy.allocate(0), 0)
  }
  memory.u32[KEPT] = kernelFrames(mm)
  return memory
}

/** Frames in use that are no program's, no file's, no table, of no allocator of small objects, and not the huge page of zeroes. */
function kernelFrames({ frames, memory }: MemoryManager): number {
  const known =
    FrameFlag.reserved |
    FrameFlag.free |
    FrameFlag.table |
    FrameFlag.slab |
    FrameFlag.large |
    FrameFlag.anonymous |
    FrameFlag.file
  const hugeZero = memory.u32[wordIndex(Word.hugeZeroFrame)]
  let count = 0
  for (let pfn = 0 as Pfn; pfn < frames.frameCount; pfn++) {
    if (frames.refCount(pfn) > 0 && pfn !== hugeZero && (frames.flags(pfn) & known) === 0) count++
  }
  return count
}

function checkMachine(mm: MemoryManager, stores: number | undefined): void {
  mm.check()
  assert(kernelFrames(mm) === mm.memory.u32[KEPT], 'a frame is lost')
  const space = new AddressSpace(mm.memory, mm.memory.u32[SPACE] as Ptr)
  assert(mm.memory.u32[space.lock >>> 2] === 0, 'the lock is free in the end')
  const reused = mm.memory.u32[REUSED] as Pfn
  assert(
    mm.memory.u32[storesOf(reused) >>> 2] === 0 || reused === NO_FRAME,
    'a frame that was freed is stored to',
  )
  if (stores === undefined) return
  const pfn = frameOfFirst(mm, space)
  assert(pfn !== NO_FRAME, 'the page is there')
  assert(mm.memory.u32[storesOf(pfn) >>> 2] === stores, 'a store was lost')
}

/** That of the first page: as it is mapped, or as its file has it when nobody maps it any more. */
function frameOfFirst(mm: MemoryManager, space: AddressSpace): Pfn {
  const mapper = mm.userMappers.of(space.root)
  if (mapper.translate(FIRST as Vpn)) return mapper.lastPfn
  const vma = new Vma(mm.memory, mm.vmas.find(space, FIRST as Vpn))
  return vma.object === NULL ? NO_FRAME : mm.objects.find(vma.object, vma.offsetOf(FIRST))
}

export const storing: Play = (hart) => hart.runs(() => hart.store(0))
export const dropping: Play = (hart) =>
  hart.program.call('madvise', ADDRESS, 2 * PAGE_SIZE, mman.MADV_DONTNEED)

import { archById } from '../arch/arch-by-id.js'
import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { EINVAL, ErrnoError } from '../base/errno.js'
import { PAGE_SIZE } from '../base/numbers.js'
import { BootMemoryMap } from '../frame/boot-memory-map.js'
import { BuddyAllocator } from '../frame/buddy-allocator.js'
import { BumpAllocator } from '../frame/bump-allocator.js'
import { FrameTable } from '../frame/frame-table.js'
import { ENTRY_LOOP_BYTES } from '../paging/entry-loops.js'
import { KernelMapper } from '../paging/kernel-mapper.js'
import { Tlbs } from '../paging/tlb.js'
import { asidsFor } from '../paging/tlb-layout.js'
import { SlabAllocator } from '../slab/slab-allocator.js'
import { AtomicWords } from '../state/atomics.js'
import { bootCounters, countFor } from '../state/counters.js'
import {
  CODE_ENTRIES_STRIDE,
  headerArchId,
  Region,
  setRegion,
  Word,
  wordIndex,
  writeHeader,
} from '../state/layout.js'
import { Memory } from '../state/memory.js'
import { SharedHolds } from '../state/shared-holds.js'
import { BootReporter } from './boot-step.js'
import type { InitOptions, ThreadOptions } from './options.js'

/** A hart's record in Region.harts. */
const HART_RECORD_BYTES = 4096
/** Constant tables of the interpreter: can be rebuilt, so they are not part of the state. */
const SCRATCH_BYTES = 512 * 1024
export const HARTS_MAX = 31
/** A lock's word holds a hart's number and one more. */
const OWNERS_MAX = 2 ** 31 - 1

/** The layers whose making differs between booting and attaching. */
export interface Layers {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly slab: SlabAllocator
  readonly tlbs: Tlbs
  readonly kernelMapper: KernelMapper
}

/** Boots a machine's layers bottom up; each is reported once it is there. Throws an ErrnoError on bad options. */
export function bootLayers(options: InitOptions, harts: number): Layers {
  const arch = options.arch ?? new Riscv64Sv39()
  const seed = options.seed ?? 1
  const memory = Memory.allocate(options.bytes, options.shared ?? false, options.inSharedBuffer)
  const atomics = atomicsOf(memory, options)
  const map = options.map ?? BootMemoryMap.wholeRam(options.bytes / PAGE_SIZE)
  if (map.frameCount * PAGE_SIZE !== options.bytes) {
    throw new ErrnoError('boot memory map: it is of RAM of another size', EINVAL)
  }
  const report = new BootReporter(options.onBootStep, memory, arch)
  const bump = new BumpAllocator(map)
  report.memoryMap(map)
  writeHeader(memory, arch.id, seed)
  bootRegions(memory, bump, harts, seed)
  atomics.findHolds()
  countFor(memory, options.hart ?? 0)
  report.bump(bump)
  // What harts look at is before all that grows with RAM: their code is the same in machines of every size (hart/hart-parts.ts).
  Tlbs.bootHeaders(memory, bump, harts)
  const frames = FrameTable.boot(memory, bump)
  report.frameTable(frames)
  const tlbs = Tlbs.boot(memory, bump, options.asids ?? asidsFor(options.bytes, harts))
  report.tlbs(tlbs)
  const buddy = BuddyAllocator.boot(memory, atomics, frames, bump, options)
  report.buddy(buddy)
  const slab = SlabAllocator.boot(memory, atomics, bump, frames, buddy, options)
  report.slab()
  const kernelMapper = KernelMapper.boot({ memory, arch, atomics, frames, buddy }, map.ranges('noMap'))
  report.kernelMapper(kernelMapper)
  return { memory, arch, atomics, frames, buddy, slab, tlbs, kernelMapper }
}

/** Regions and words that belong to no layer of the memory manager. */
function bootRegions(memory: Memory, bump: BumpAllocator, harts: number, seed: number): void {
  setRegion(memory, Region.harts, bump.allocateBytes(harts * HART_RECORD_BYTES), harts * HART_RECORD_BYTES)
  setRegion(memory, Region.scratch, bump.allocateBytes(SCRATCH_BYTES), SCRATCH_BYTES)
  setRegion(memory, Region.entryLoops, bump.allocateBytes(ENTRY_LOOP_BYTES), ENTRY_LOOP_BYTES)
  const entryBytes = harts * CODE_ENTRIES_STRIDE
  setRegion(memory, Region.codeEntries, bump.allocateBytes(entryBytes), entryBytes)
  bootCounters(memory, (bytes) => bump.allocateBytes(bytes), harts)
  SharedHolds.boot(memory, (bytes) => bump.allocateBytes(bytes), harts)
  memory.u32[wordIndex(Word.hartCount)] = harts
  memory.u32[wordIndex(Word.randomState)] = seed
}

/** The number of a thread that attaches. Its word is no lock's, and this thread has no AtomicWords yet. */
export function takeHart({ i32 }: Memory, wanted: number | undefined): number {
  const word = wordIndex(Word.lastHart)
  if (wanted === undefined) return Atomics.add(i32, word, 1) + 1
  if (!(Number.isInteger(wanted) && wanted >= 0 && wanted < OWNERS_MAX)) {
    throw new ErrnoError('attach: a hart number is a whole number from 0 on', EINVAL)
  }
  for (let last = Atomics.load(i32, word); last < wanted; last = Atomics.load(i32, word)) {
    Atomics.compareExchange(i32, word, last, wanted)
  }
  return wanted
}

/** The same layers of a machine that has booted, for this thread. */
export function attachLayers(memory: Memory, options: ThreadOptions): Layers {
  const arch = archById(headerArchId(memory))
  const atomics = atomicsOf(memory, options)
  countFor(memory, options.hart ?? 0)
  const frames = FrameTable.attach(memory)
  const buddy = BuddyAllocator.attach(memory, atomics, frames, options)
  const slab = SlabAllocator.attach(memory, atomics, frames, buddy, options)
  const tlbs = Tlbs.attach(memory)
  const kernelMapper = KernelMapper.attach({ memory, arch, atomics, frames, buddy })
  return { memory, arch, atomics, frames, buddy, slab, tlbs, kernelMapper }
}

function atomicsOf(memory: Memory, { hart = 0, ...rest }: ThreadOptions): AtomicWords {
  return new AtomicWords(memory, { owner: hart + 1, ...rest })
}

/** What the tests of frame/ and slab/ share: a machine with no more than frames and slabs. */
import { PAGE_SIZE, type Pfn, type Ptr } from '../base/numbers.js'
import { AtomicWords } from '../state/atomics.js'
import { writeHeader } from '../state/layout.js'
import { Memory } from '../state/memory.js'
import { BootMemoryMap } from './boot-memory-map.js'
import { BuddyAllocator } from './buddy-allocator.js'
import { BumpAllocator } from './bump-allocator.js'
import { FaultInjector } from './fault-injector.js'
import { FrameTable } from './frame-table.js'

export const MIB = 2 ** 20

export interface FrameMachine {
  readonly memory: Memory
  readonly atomics: AtomicWords
  readonly bump: BumpAllocator
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly faults: FaultInjector
  /** Every call of memory.fill, as the frames it wrote to. */
  readonly filled: Pfn[]
}

export interface FrameMachineOptions {
  readonly bytes?: number
  readonly shared?: boolean
  readonly map?: BootMemoryMap
  readonly lowFrames?: number
  readonly harts?: number
  /** Poison what is freed. */
  readonly debug?: boolean
}

export function bootFrames(options: FrameMachineOptions = {}): FrameMachine {
  const filled: Pfn[] = []
  const memory = spied(Memory.allocate(options.bytes ?? 8 * MIB, options.shared ?? false), filled)
  writeHeader(memory, 1, 0)
  const atomics = new AtomicWords(memory, { owner: 1, debug: true })
  const faults = new FaultInjector()
  const bump = new BumpAllocator(options.map ?? BootMemoryMap.wholeRam(memory.bytes / PAGE_SIZE))
  const frames = FrameTable.boot(memory, bump)
  const buddy = BuddyAllocator.boot(memory, atomics, frames, bump, { harts: 2, ...options, faults })
  return { memory, atomics, bump, frames, buddy, faults, filled }
}

/** What another thread would make of the machine's buffer. */
export function attachFrames(
  { memory: { raw } }: FrameMachine,
  options: { readonly hart?: number; readonly debug?: boolean | undefined } = {},
): { frames: FrameTable; buddy: BuddyAllocator } {
  const memory = Memory.attach(raw)
  const frames = FrameTable.attach(memory)
  const atomics = new AtomicWords(memory, { owner: 2 })
  return { frames, buddy: BuddyAllocator.attach(memory, atomics, frames, { hart: 1, ...options }) }
}

/** The same memory, which notes what `fill` is asked for. */
function spied(memory: Memory, filled: Pfn[]): Memory {
  const fill = (destination: Ptr, value: number, length: number) => {
    for (let at = 0; at < length; at += PAGE_SIZE) filled.push(((destination + at) >>> 12) as Pfn)
    memory.fill(destination, value, length)
  }
  return Object.create(memory, { fill: { value: fill }, copy: { value: memory.copy.bind(memory) } })
}

export function fillFrame(memory: Memory, pfn: Pfn, value: number): void {
  memory.u32.fill(value, pfn * 1024, (pfn + 1) * 1024)
}

/** Whether all words of a frame are `value`. */
export function frameIs(memory: Memory, pfn: Pfn, value: number): boolean {
  return memory.u32.subarray(pfn * 1024, (pfn + 1) * 1024).every((word) => word === value)
}

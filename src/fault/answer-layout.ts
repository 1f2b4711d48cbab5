/** What the answers to faults that need no JavaScript (answer-code.ts) depend on, and what they say. */
import { EntryFlag, type EntryFormat } from '../arch/memory-management-arch.js'
import type { Pfn, Ptr } from '../base/numbers.js'
import type { CacheId } from '../slab/cache-table.js'
import { VM_EXEC, VM_READ, VM_WRITE } from '../space/vm-flags.js'
import type { FaultEnv } from './fault.js'
import { readOnlyFlags, writtenFlags } from './page-flags.js'

/** What the walker is told. */
export const Answer = {
  /** Nothing has changed: it is a fault like any other. */
  none: 0,
  /** The entry allows more than before: look again. */
  allowed: 1,
  /** It maps another frame: what was made of the old one is to be forgotten, and then look again. */
  replaced: 2,
} as const

/** Where the hart and who runs it look: addresses in the buffer. */
export interface AnswerPlaces {
  /** u32: the space that the hart translates by. */
  readonly space: Ptr
  /** u32: how many more may be answered. */
  readonly left: Ptr
  /** i64: the base of the `time` register; ticks that it goes on by for each answer, and for each frame that is counted at once. */
  readonly timeBase: Ptr
  readonly faultTicks: number
  readonly frameTicks: number
}

/** All that the code depends on: the same for machines of every size. */
export interface AnswerLayout extends AnswerPlaces {
  readonly hart: number
  /** Of the slab allocator: records of families. */
  readonly familyCache: CacheId
  /** The hart's event counters. */
  readonly counters: Ptr
  readonly format: EntryFormat
  /** The other bits of an entry that maps the zero page, and a frame of the program's own: without, and with VM_EXEC. */
  readonly zeroBits: readonly [number, number]
  readonly ownBits: readonly [number, number]
  /** Those that say that a user may read. */
  readonly readBits: number
  readonly inSharedBuffer: boolean
}

/** Access of the walker (hart/mmu-access.ts). */
export const WalkAccess = { read: 0, write: 1, execute: 2 } as const

/** The layout for a machine; nothing where the code is not for it. */
export function answerLayout(mm: FaultEnv, places: AnswerPlaces): AnswerLayout | undefined {
  const { memory, arch, atomics, buddy } = mm
  const format = arch.entryFormat
  if (format === undefined || !buddy.isUnwatched) return undefined
  const bits = (flags: number): number =>
    arch.leafLow(0 as Pfn, flags) - format.firstFrame * 2 ** format.frameShift
  const zero = (vmFlags: number): number => bits(readOnlyFlags(vmFlags) | EntryFlag.special)
  return {
    ...places,
    hart: atomics.hart,
    familyCache: mm.families.cacheId,
    counters: (memory.counters * 8) as Ptr,
    format,
    zeroBits: [zero(VM_READ), zero(VM_READ | VM_EXEC)],
    ownBits: [bits(writtenFlags(VM_WRITE)), bits(writtenFlags(VM_WRITE | VM_EXEC))],
    readBits: bits(EntryFlag.user | EntryFlag.read),
    inSharedBuffer: memory.inSharedBuffer,
  }
}

/**
 * How much memory has been promised (vm_committed_as) and whether more may be (__vm_enough_memory of mm/util.c). Promised are the
 * pages of mappings with VM_ACCOUNT, counted as the mappings change (accounting.ts), those of shared anonymous objects
 * that were made without MAP_NORESERVE, and each page of other memory objects as it comes.
 */
import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { AtomicWords } from '../state/atomics.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { readIntSetting, readSetting, readUnsignedSetting, Setting } from '../state/settings.js'
import { type AddressSpace, SpaceFlag } from './address-space.js'

export const Overcommit = { guess: 0, always: 1, never: 2 } as const

interface CommitEnv {
  readonly memory: Memory
  readonly atomics: AtomicWords
  readonly buddy: BuddyAllocator
}

const COUNT = wordIndex(Word.committedPages)
const PAGE_KBYTES = PAGE_SIZE / 1024
/** One process is not kept from a share of its own size. */
const USER_SHARE = 32

/** Pages promised. The word wraps around, so that it is right again when what made it large is gone. */
export function committedPages(memory: Memory): number {
  return Math.max(memory.i32[COUNT]!, 0)
}

/** Adds pages (negative: takes them away). */
export function commitPages({ atomics }: Pick<CommitEnv, 'atomics'>, pages: number): void {
  atomics.add((COUNT * 4) as Ptr, pages | 0)
}

/** vm_commit_limit, in pages. */
export function commitLimit({ memory, buddy }: Pick<CommitEnv, 'memory' | 'buddy'>): number {
  const kbytes = readUnsignedSetting(memory, Setting.overcommitKbytes)
  if (kbytes !== 0) return Math.floor(kbytes / PAGE_KBYTES)
  const ratio = readSetting(memory, Setting.overcommitRatio)
  return Math.floor((buddy.totalFrames() * ratio) / 100)
}

/** Whether so many pages more may be promised to a process; without one: to the kernel. Counts nothing. */
export function isEnoughMemory(mm: CommitEnv, space: AddressSpace | undefined, pages: number): boolean {
  const mode = readIntSetting(mm.memory, Setting.overcommitMemory)
  if (mode === Overcommit.always) return true
  if (mode === Overcommit.guess) return pages <= mm.buddy.totalFrames()
  return Math.max(mm.memory.i32[COUNT]! + pages, 0) < allowedPages(mm, space)
}

/** The limit, less what is kept back for root and from one large process. */
function allowedPages(mm: CommitEnv, space: AddressSpace | undefined): number {
  if (space === undefined) return commitLimit(mm)
  const { memory } = mm
  const reserve = (setting: Setting) => Math.floor(readUnsignedSetting(memory, setting) / PAGE_KBYTES)
  const isAdministrator = (space.flags & SpaceFlag.administrator) !== 0
  const forRoot = isAdministrator ? 0 : reserve(Setting.adminReserveKbytes)
  const forOthers = Math.min(
    Math.floor(space.counts.totalPages / USER_SHARE),
    reserve(Setting.userReserveKbytes),
  )
  return commitLimit(mm) - forRoot - forOthers
}

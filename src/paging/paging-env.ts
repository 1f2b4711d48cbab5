import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import type { Pfn } from '../base/numbers.js'
import type { AtomicWords } from '../state/atomics.js'
import type { Memory } from '../state/memory.js'
import type { EntryLoops } from './entry-loops.js'

/**
 * What paging/ needs of the frame table. For a page-table frame `index` is its number of present entries. `owner` links
 * the tables that are set aside for huge leaves; of a table of 4 KiB leaves that is in use it is the lock.
 */
export interface TableFrames {
  readonly frameCount: number
  refCount(pfn: Pfn): number
  flags(pfn: Pfn): number
  index(pfn: Pfn): number
  setIndex(pfn: Pfn, index: number): void
  owner(pfn: Pfn): number
  setOwner(pfn: Pfn, owner: number): void
  set(pfn: Pfn, refCount: number, flags: number, owner: number, index: number): void
}

/** What paging/ needs of the frame allocator. */
export interface TableAllocator {
  /** A frame of zeroes, or NO_FRAME. */
  allocateZeroed(order: number): Pfn
  free(pfn: Pfn, order: number): void
  /** One reference more to a frame that is mapped; whether it is anonymous memory. */
  retainUser(pfn: Pfn): boolean
}

/** What a mapper works with. The memory manager is one. */
export interface PagingEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly frames: TableFrames
  readonly buddy: TableAllocator
  /** Where no other thread uses the memory. */
  readonly entryLoops?: EntryLoops | undefined
  /** For the words that a walker on another thread may change meanwhile (accessed, dirty). */
  readonly atomics: Pick<AtomicWords, 'exchange' | 'store' | 'isPlain'>
}

export interface KernelPagingEnv extends PagingEnv {
  readonly atomics: AtomicWords
}

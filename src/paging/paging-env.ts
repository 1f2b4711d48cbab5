import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import type { Pfn } from '../base/numbers.js'
import type { FrameTable } from '../frame/frame-table.js'
import type { AtomicWords } from '../state/atomics.js'
import type { Memory } from '../state/memory.js'
import type { EntryLoops } from './entry-loops.js'

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
  /**
   * For a page-table frame `index` is its number of present entries. `owner` links the tables that are set aside for huge leaves; of a table of
   * 4 KiB leaves that is in use it is the lock.
   */
  readonly frames: FrameTable
  readonly buddy: TableAllocator
  /** Where no other thread uses the memory. */
  readonly entryLoops?: EntryLoops | undefined
  /** For the words that a walker on another thread may change meanwhile (accessed, dirty). */
  readonly atomics: Pick<AtomicWords, 'exchange' | 'store' | 'isPlain'>
}

export interface KernelPagingEnv extends PagingEnv {
  readonly atomics: AtomicWords
}

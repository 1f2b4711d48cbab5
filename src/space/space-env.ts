import type { MemoryManagementArch } from '../arch/memory-management-arch.js'
import type { BuddyAllocator } from '../frame/buddy-allocator.js'
import type { FrameTable } from '../frame/frame-table.js'
import type { KernelMapper } from '../paging/kernel-mapper.js'
import type { PageFlusher } from '../paging/page-flusher.js'
import type { Shootdown } from '../paging/shootdown.js'
import type { Tlbs } from '../paging/tlb.js'
import type { UserMappers } from '../paging/user-mappers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { AtomicWords } from '../state/atomics.js'
import type { Memory } from '../state/memory.js'
import type { AnonymousFamilies } from './anonymous-families.js'
import type { PageObjects } from './page-object.js'
import type { Userfaults } from './userfaults.js'
import type { VmaNames } from './vma-names.js'
import type { VmaTree } from './vma-tree.js'

/**
 * What the operations on address spaces work with; MemoryManager is one.
 *
 * **Locking**: every operation of this folder is called with the lock of the space held (`LockRank.space`), and holds it
 * still when it returns: syscall/ and fault/ take it, once for each system call or fault. Only the methods of
 * AddressSpaces (create, clone, release) are called without it and take what they need themselves. A hart that faults holds the lock
 * together with others and does only what `Fault` says; here that is finding a mapping, zapTogether and the counts of zap-range.ts.
 */
export interface SpaceEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly slab: SlabAllocator
  readonly tlbs: Tlbs
  readonly shootdown: Shootdown
  readonly flusher: PageFlusher
  readonly kernelMapper: KernelMapper
  readonly userMappers: UserMappers
  readonly objects: PageObjects
  /** The mappings of every space. */
  readonly vmas: VmaTree
  readonly names: VmaNames
  readonly families: AnonymousFamilies
  readonly userfaults: Userfaults
}

import type { MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { NO_FRAME, type Pfn } from '../../base/numbers.js'
import { BootMemoryMap } from '../../frame/boot-memory-map.js'
import { BuddyAllocator } from '../../frame/buddy-allocator.js'
import { BumpAllocator } from '../../frame/bump-allocator.js'
import { FaultInjector } from '../../frame/fault-injector.js'
import { FrameTable } from '../../frame/frame-table.js'
import { AtomicWords } from '../../state/atomics.js'
import { writeHeader } from '../../state/layout.js'
import { Memory } from '../../state/memory.js'
import { KernelMapper } from '../kernel-mapper.js'
import { PageFlusher } from '../page-flusher.js'
import { Tlbs } from '../tlb.js'
import { UserMapper } from '../user-mapper.js'

export interface PagingMachineOptions {
  readonly bytes?: number
  readonly shared?: boolean
  readonly harts?: number
  readonly noMap?: readonly { start: Pfn; end: Pfn }[]
}

/** A machine up to paging/ and no further: for tests of this folder. */
export class PagingMachine {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly faults = new FaultInjector()
  readonly tlbs: Tlbs
  readonly flusher: PageFlusher
  readonly kernelMapper: KernelMapper

  constructor(arch: MemoryManagementArch, options: PagingMachineOptions = {}) {
    const { bytes = 8 * 2 ** 20, shared = false, harts = 2, noMap = [] } = options
    this.arch = arch
    this.memory = Memory.allocate(bytes, shared)
    writeHeader(this.memory, arch.id, 1)
    this.atomics = new AtomicWords(this.memory, { owner: 1, debug: true })
    const map = BootMemoryMap.wholeRam(bytes / 4096)
    for (const { start, end } of noMap) map.noMap(start, end - start)
    const bump = new BumpAllocator(map)
    this.frames = FrameTable.boot(this.memory, bump)
    this.tlbs = Tlbs.boot(this.memory, bump, harts)
    this.buddy = BuddyAllocator.boot(this.memory, this.atomics, this.frames, bump, { faults: this.faults })
    this.flusher = new PageFlusher(this.memory, this.tlbs, this.buddy)
    this.kernelMapper = KernelMapper.boot(this, noMap)
  }

  /** The mapper of a new space. */
  newUser(): UserMapper {
    const root = UserMapper.create(this, this.kernelMapper.root)
    if (root === NO_FRAME) throw new Error('no frame for a root')
    return new UserMapper(this, root)
  }

  /** A frame of user memory, with one reference. */
  newFrame(): Pfn {
    const pfn = this.buddy.allocateZeroed(0)
    if (pfn === NO_FRAME) throw new Error('no frame')
    return pfn
  }

  check(): void {
    this.buddy.check()
    this.kernelMapper.check()
    this.tlbs.check(this.arch)
  }
}

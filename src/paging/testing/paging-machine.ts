import { archById } from '../../arch/arch-by-id.js'
import type { MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { NO_FRAME, type Pfn } from '../../base/numbers.js'
import { BootMemoryMap } from '../../frame/boot-memory-map.js'
import { BuddyAllocator } from '../../frame/buddy-allocator.js'
import { BumpAllocator } from '../../frame/bump-allocator.js'
import { FaultInjector } from '../../frame/fault-injector.js'
import { FrameTable } from '../../frame/frame-table.js'
import { type AtomicsOptions, AtomicWords } from '../../state/atomics.js'
import { headerArchId, writeHeader } from '../../state/layout.js'
import { Memory } from '../../state/memory.js'
import { KernelMapper } from '../kernel-mapper.js'
import { PageFlusher } from '../page-flusher.js'
import { Shootdown } from '../shootdown.js'
import { Tlbs } from '../tlb.js'
import { UserMapper } from '../user-mapper.js'

export interface PagingMachineOptions {
  readonly bytes?: number
  readonly shared?: boolean
  readonly harts?: number
  readonly asids?: number
  readonly noMap?: readonly { start: Pfn; end: Pfn }[]
}

interface Layers {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly tlbs: Tlbs
  readonly faults: FaultInjector
  readonly noMap?: readonly { start: Pfn; end: Pfn }[]
  /** 0 boots. */
  readonly hart: number
}

/** A machine up to paging/ and no further: for tests of this folder. */
export class PagingMachine {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly faults: FaultInjector
  readonly tlbs: Tlbs
  readonly shootdown: Shootdown
  readonly flusher: PageFlusher
  readonly kernelMapper: KernelMapper

  constructor(
    arch: MemoryManagementArch,
    options: PagingMachineOptions = {},
    layers = bootLayers(arch, options),
  ) {
    this.memory = layers.memory
    this.arch = layers.arch
    this.atomics = layers.atomics
    this.frames = layers.frames
    this.buddy = layers.buddy
    this.tlbs = layers.tlbs
    this.faults = layers.faults
    this.shootdown = new Shootdown(this, layers.hart)
    this.flusher = new PageFlusher(this.shootdown, this.buddy)
    this.kernelMapper = layers.hart === 0 ? KernelMapper.boot(this, layers.noMap) : KernelMapper.attach(this)
  }

  /** The same machine, for a thread that runs a hart from 1 on. */
  static attach(memory: Memory, hart: number, options: Partial<AtomicsOptions> = {}): PagingMachine {
    const arch = archById(headerArchId(memory))
    const atomics = new AtomicWords(memory, { owner: hart + 1, debug: true, ...options })
    const frames = FrameTable.attach(memory)
    const faults = new FaultInjector()
    const buddy = BuddyAllocator.attach(memory, atomics, frames, { faults })
    const tlbs = Tlbs.attach(memory)
    return new PagingMachine(arch, {}, { memory, arch, atomics, frames, buddy, tlbs, faults, hart })
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
    this.tlbs.check(this.arch, (hart, asid) => this.shootdown.isCurrent(hart, asid))
  }
}

function bootLayers(arch: MemoryManagementArch, options: PagingMachineOptions): Layers {
  const { bytes = 8 * 2 ** 20, shared = false, harts = 2, asids = 2, noMap = [] } = options
  const memory = Memory.allocate(bytes, shared)
  writeHeader(memory, arch.id, 1)
  const atomics = new AtomicWords(memory, { owner: 1, debug: true })
  const map = BootMemoryMap.wholeRam(bytes / 4096)
  for (const { start, end } of noMap) map.noMap(start, end - start)
  const bump = new BumpAllocator(map)
  const frames = FrameTable.boot(memory, bump)
  Tlbs.bootHeaders(memory, bump, harts)
  const tlbs = Tlbs.boot(memory, bump, asids)
  const faults = new FaultInjector()
  const buddy = BuddyAllocator.boot(memory, atomics, frames, bump, { faults })
  return { memory, arch, atomics, frames, buddy, tlbs, faults, noMap, hart: 0 }
}

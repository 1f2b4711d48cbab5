/**
 * The memory manager of one machine: all its layers, booted bottom up. mmInit makes a machine in a new buffer; mmAttach
 * makes another view on it, in any thread that was handed the memory.
 */
import type { MemoryManagementArch } from './arch/memory-management-arch.js'
import { assert } from './base/assert.js'
import { EINVAL, ErrnoError } from './base/errno.js'
import { NO_FRAME, PAGE_SIZE } from './base/numbers.js'
import { type ModuleMaker, NEW_MODULES } from './base/wasm/module-maker.js'
import { BootReporter } from './boot/boot-step.js'
import { attachLayers, bootLayers, HARTS_MAX, type Layers, takeHart } from './boot/layers.js'
import type { InitOptions, ThreadOptions } from './boot/options.js'
import { Fault, type FaultEnv } from './fault/fault.js'
import { auditFrames } from './fault/frame-audit.js'
import type { BuddyAllocator, BuddyStats } from './frame/buddy-allocator.js'
import type { FrameTable } from './frame/frame-table.js'
import { minimumFreeKib } from './frame/watermarks.js'
import { EntryLoops } from './paging/entry-loops.js'
import { FixedMappings } from './paging/fixed-mappings.js'
import { KernelAreas } from './paging/kernel-areas.js'
import type { KernelMapper } from './paging/kernel-mapper.js'
import { PageFlusher } from './paging/page-flusher.js'
import { Shootdown } from './paging/shootdown.js'
import type { Tlbs } from './paging/tlb.js'
import { UserMapper } from './paging/user-mapper.js'
import { UserMappers } from './paging/user-mappers.js'
import { GeneralAllocator } from './slab/general-allocator.js'
import type { SlabAllocator } from './slab/slab-allocator.js'
import type { CacheStats } from './slab/slab-cache.js'
import { AddressSpace } from './space/address-space.js'
import { AddressSpaces } from './space/address-spaces.js'
import { AnonymousFamilies } from './space/anonymous-families.js'
import { PageObjects } from './space/page-object.js'
import { Userfaults } from './space/userfaults.js'
import { VmaNames } from './space/vma-names.js'
import { VmaTree } from './space/vma-tree.js'
import type { AtomicWords } from './state/atomics.js'
import { Counter, counted } from './state/counters.js'
import { headerProblem, markBooted, Word, wordIndex } from './state/layout.js'
import { Memory, type RawMemory } from './state/memory.js'
import { bootSettings } from './state/settings.js'

export type { BootFact, BootStep } from './boot/boot-step.js'
export type { InitOptions, ThreadOptions } from './boot/options.js'

export interface MemoryStats {
  readonly frames: BuddyStats
  readonly slabs: readonly CacheStats[]
  readonly objects: { readonly objects: number; readonly pages: number }
  /** Address spaces, mappings in them, page-table frames of all (the kernel's too). */
  readonly spaces: number
  readonly mappings: number
  readonly tableFrames: number
  /** Counters of state/counters.ts, by name. */
  readonly events: Readonly<Record<keyof typeof Counter, number>>
}

/** All layers; every operation of space/, fault/ and syscall/ takes it as its first parameter. */
export class MemoryManager implements FaultEnv {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly atomics: AtomicWords
  readonly frames: FrameTable
  readonly buddy: BuddyAllocator
  readonly slab: SlabAllocator
  /** Memory of any size for the kernel itself. */
  readonly heap: GeneralAllocator
  readonly tlbs: Tlbs
  readonly shootdown: Shootdown
  readonly entryLoops: EntryLoops | undefined
  readonly flusher: PageFlusher
  readonly kernelMapper: KernelMapper
  /** The kernel's vmalloc window, and its pages at fixed addresses. */
  readonly kernelAreas: KernelAreas
  readonly fixedMappings: FixedMappings
  readonly userMappers: UserMappers
  readonly objects: PageObjects
  readonly vmas: VmaTree
  readonly names: VmaNames
  readonly families: AnonymousFamilies
  readonly userfaults: Userfaults
  readonly spaces: AddressSpaces
  readonly fault: Fault
  outOfMemory: FaultEnv['outOfMemory']
  /** The hart that this thread runs. */
  readonly hart: number

  private constructor(layers: Layers, hart: number, modules: ModuleMaker = NEW_MODULES) {
    const { memory, slab } = layers
    this.memory = memory
    this.arch = layers.arch
    this.atomics = layers.atomics
    this.frames = layers.frames
    this.buddy = layers.buddy
    this.slab = slab
    this.heap = new GeneralAllocator(layers)
    this.tlbs = layers.tlbs
    this.shootdown = new Shootdown(this, hart)
    this.entryLoops = entryLoopsOf(layers, modules)
    this.flusher = new PageFlusher(this.shootdown, layers.buddy, this.entryLoops)
    this.kernelMapper = layers.kernelMapper
    this.kernelAreas = new KernelAreas(this)
    this.fixedMappings = new FixedMappings(this)
    this.userMappers = new UserMappers(this)
    this.objects = new PageObjects(this)
    this.names = new VmaNames(memory, layers.atomics, slab)
    this.families = new AnonymousFamilies(this)
    this.userfaults = new Userfaults(memory, layers.atomics, slab)
    this.vmas = new VmaTree(memory, slab)
    this.spaces = new AddressSpaces(this)
    this.fault = new Fault(this)
    this.hart = hart
  }

  /** See mmInit. */
  static init(options: InitOptions): MemoryManager {
    const harts = options.harts ?? 1
    if (!(harts >= 1 && harts <= HARTS_MAX)) throw new ErrnoError('a machine has 1 to 31 harts', EINVAL)
    const hart = options.hart ?? 0
    const mm = new MemoryManager(bootLayers(options, harts), hart, options.modules)
    mm.memory.u32[wordIndex(Word.lastHart)] = hart
    reserveZeroFrame(mm)
    const kibPerFrame = PAGE_SIZE / 1024
    const { zones } = mm.buddy
    const minimum = minimumFreeKib(zones.managedFrames, zones.all.length)
    bootSettings(mm.memory, mm.buddy.freeFrames() * kibPerFrame, minimum)
    markBooted(mm.memory)
    new BootReporter(options.onBootStep, mm.memory, mm.arch).done(mm.buddy)
    return mm
  }

  /** See mmAttach. */
  static attach(raw: RawMemory, options: ThreadOptions): MemoryManager {
    const memory = Memory.attach(raw)
    const problem = headerProblem(memory)
    if (problem !== undefined) throw new ErrnoError(`attach: ${problem}`, EINVAL)
    const hart = takeHart(memory, options.hart)
    return new MemoryManager(attachLayers(memory, { ...options, hart }), hart, options.modules)
  }

  /** Every address space, as views. */
  allSpaces(): AddressSpace[] {
    const { u32 } = this.memory
    const spaces: AddressSpace[] = []
    let ptr = u32[wordIndex(Word.spaceList)]!
    while (ptr !== 0) {
      const space = new AddressSpace(this.memory, ptr as never)
      spaces.push(space)
      ptr = space.next
    }
    return spaces
  }

  /** Throws an InvariantError unless every layer and the references between them are sound. Looks at everything. */
  check(): void {
    this.buddy.check()
    this.slab.check()
    this.kernelMapper.check()
    this.kernelAreas.check()
    this.fixedMappings.checkEarly()
    this.flusher.check()
    this.tlbs.check(this.arch, (hart, asid) => this.shootdown.isCurrent(hart, asid))
    this.objects.check()
    this.spaces.check()
    auditFrames(this, this.allSpaces())
  }

  stats(): MemoryStats {
    const spaces = this.allSpaces()
    return {
      frames: this.buddy.stats(),
      slabs: this.slab.stats(),
      objects: this.objects.stats(),
      spaces: spaces.length,
      mappings: spaces.reduce((sum, space) => sum + space.vmaCount, 0),
      tableFrames: countTableFrames(this, spaces),
      events: this.#events(),
    }
  }

  #events(): Record<keyof typeof Counter, number> {
    const entries = Object.entries(Counter).map(([name, id]) => [name, counted(this.memory, id)])
    return Object.fromEntries(entries) as Record<keyof typeof Counter, number>
  }

  /** What buddyinfo, slabinfo and the lists of objects and spaces say. */
  dump(): string {
    const parts = [this.buddy, this.slab, this.objects, this.spaces, this.tlbs].map((layer) => layer.dump())
    return parts
      .map((part) => part.trimEnd())
      .join('\n\n')
      .concat('\n')
  }
}

/** Boots a machine: bump → frame table → buddy → slab → kernel tables. Throws an ErrnoError on bad options. */
export function mmInit(options: InitOptions): MemoryManager {
  return MemoryManager.init(options)
}

/** A second view on a machine, for another thread. Throws an ErrnoError when the buffer holds no booted machine. */
export function mmAttach(raw: RawMemory, options: ThreadOptions = {}): MemoryManager {
  return MemoryManager.attach(raw, options)
}

/** The frame that every untouched page of anonymous memory reads. It is never written and never freed. */
function reserveZeroFrame(mm: MemoryManager): void {
  const frame = mm.buddy.reserve(1)
  assert(frame !== NO_FRAME, 'RAM is too small for the zero page')
  mm.memory.u32[wordIndex(Word.zeroFrame)] = frame
}

function countTableFrames(mm: MemoryManager, spaces: readonly AddressSpace[]): number {
  const kernel = mm.kernelMapper.tableFrames()
  return spaces.reduce((sum, space) => sum + new UserMapper(mm, space.root).tableFrames(), kernel)
}

/** On memory that this thread has for itself, and nobody watches. */
function entryLoopsOf(
  { memory, arch, atomics, buddy }: Layers,
  modules: ModuleMaker,
): EntryLoops | undefined {
  if (!atomics.isPlain || arch.entryFormat === undefined) return undefined
  return new EntryLoops(memory, buddy.zones.all.length, arch.entryFormat, modules)
}

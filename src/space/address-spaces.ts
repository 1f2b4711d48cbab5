/**
 * The address spaces of a machine: made, cloned by fork, counted and given back. The methods take the locks that they need;
 * call them with no space's lock held.
 */
import { assert } from '../base/assert.js'
import { NO_FRAME, NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { LockRank } from '../state/atomics.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'
import { AddressSpace, SpaceFlag, spaceGeometry } from './address-space.js'
import { checkSpace } from './check-space.js'
import { copySpace } from './clone-space.js'
import { mapBaseFor } from './placement.js'
import { SAVED_VECTOR_BYTES, SavedVectors } from './saved-vectors.js'
import { checkScanned, delistSpace, enlistSpace } from './scanned-spaces.js'
import type { SpaceEnv } from './space-env.js'
import { unmapRange } from './unmap-range.js'
import { NO_LIMIT } from './vm-flags.js'
import { Vma } from './vma.js'

const LOCK = lockPtr(LockWord.spaces)
const STACK_LIMIT = 8 * 2 ** 20

export interface SpaceStats {
  readonly id: number
  readonly references: number
  readonly mappings: number
  /** Pages: all, private writable, executable, stack, locked; resident; page-table frames. */
  readonly total: number
  readonly data: number
  readonly executable: number
  readonly stack: number
  readonly locked: number
  readonly resident: number
  readonly tables: number
}

export class AddressSpaces {
  readonly #mm: SpaceEnv
  readonly #cache: SlabCache
  readonly vectors: SavedVectors

  /** Boots or attaches: the list is in the header, the records in the slab. */
  constructor(mm: SpaceEnv) {
    this.#mm = mm
    const { bytes, align } = spaceGeometry(mm.memory)
    this.#cache = mm.slab.createCache('space', bytes, align)
    this.vectors = new SavedVectors(mm)
  }

  /** A space with no mapping and one reference; NULL without memory. Limits and rights are those of root on a new system. */
  create(): Ptr {
    const ptr = this.#make()
    if (ptr !== NULL) this.#link(ptr)
    return ptr
  }

  /** fork: a copy-on-write copy with one reference; NULL without memory. */
  clone(parent: Ptr): Ptr {
    const { atomics, memory } = this.#mm
    const ptr = this.#make()
    if (ptr === NULL) return NULL
    const child = new AddressSpace(memory, ptr)
    const source = new AddressSpace(memory, parent)
    atomics.lock(source.lock, LockRank.space)
    atomics.lock(child.lock, LockRank.childSpace)
    const result = copySpace(this.#mm, source, child)
    if (source.isScanned) enlistSpace(this.#mm, child)
    child.parts.auxiliary = source.parts.auxiliary
    this.vectors.retain(child.parts.auxiliary)
    atomics.unlock(child.lock, LockRank.childSpace)
    atomics.unlock(source.lock, LockRank.space)
    this.#link(ptr)
    if (result === 0) return ptr
    this.release(ptr)
    return NULL
  }

  retain(space: Ptr): void {
    this.#mm.atomics.add(new AddressSpace(this.#mm.memory, space).refCountPtr, 1)
  }

  /** A reference, unless the last one is gone and the space is going; says whether. Who asks knows that the record is one still: a mapping is in it. */
  tryRetain(space: Ptr): boolean {
    return this.#mm.atomics.addUnlessZero(new AddressSpace(this.#mm.memory, space).refCountPtr)
  }

  /** Gives one reference back; with the last one everything that the space has goes. */
  release(space: Ptr): void {
    const view = new AddressSpace(this.#mm.memory, space)
    const before = this.#mm.atomics.add(view.refCountPtr, -1)
    assert(before > 0, 'a space is released once per reference')
    if (before === 1) this.#destroy(view)
  }

  /** Gives a space another auxiliary vector; the reference is the space's from now on. */
  setAuxiliary(space: AddressSpace, vector: Ptr): void {
    const { atomics } = this.#mm
    atomics.lock(space.lock, LockRank.space)
    const old = space.parts.auxiliary
    space.parts.auxiliary = vector
    atomics.unlock(space.lock, LockRank.space)
    this.vectors.release(old)
  }

  /** A copy of what a space was told of itself. */
  auxiliaryOf(space: AddressSpace): Uint8Array {
    const { atomics } = this.#mm
    atomics.lock(space.lock, LockRank.space)
    const vector = space.parts.auxiliary
    const bytes = vector === NULL ? new Uint8Array(SAVED_VECTOR_BYTES) : this.vectors.bytes(vector).slice()
    atomics.unlock(space.lock, LockRank.space)
    return bytes
  }

  references(space: Ptr): number {
    return this.#mm.atomics.load(new AddressSpace(this.#mm.memory, space).refCountPtr)
  }

  /** Whether a record is still that of the space `id`, which is of no other space before or after. */
  isLive(space: Ptr, id: number): boolean {
    const { atomics, memory } = this.#mm
    atomics.lock(LOCK, LockRank.spaces)
    const view = new AddressSpace(memory, memory.u32[wordIndex(Word.spaceList)]! as Ptr)
    while (view.ptr !== NULL && view.ptr !== space) view.ptr = view.next
    const isLive = view.ptr !== NULL && view.id === id
    atomics.unlock(LOCK, LockRank.spaces)
    return isLive
  }

  /** Every space that is not going, the newest first. `visit` has a reference to it and its lock, so that mappings and tables stay. */
  forEach(visit: (space: AddressSpace) => void): void {
    const { atomics, memory } = this.#mm
    for (let ptr = this.#retainNext(NULL); ptr !== NULL; ) {
      const space = new AddressSpace(memory, ptr)
      atomics.lock(space.lock, LockRank.space)
      try {
        visit(space)
      } finally {
        atomics.unlock(space.lock, LockRank.space)
        ptr = this.#retainNext(ptr)
        this.release(space.ptr)
      }
    }
  }

  /** A reference to the first space of the list, or to the one after `ptr`, that is not going; NULL when there is none. */
  #retainNext(ptr: Ptr): Ptr {
    const { atomics, memory } = this.#mm
    atomics.lock(LOCK, LockRank.spaces)
    const first = memory.u32[wordIndex(Word.spaceList)]! as Ptr
    const space = new AddressSpace(memory, ptr === NULL ? first : new AddressSpace(memory, ptr).next)
    while (space.ptr !== NULL && !this.tryRetain(space.ptr)) space.ptr = space.next
    atomics.unlock(LOCK, LockRank.spaces)
    return space.ptr
  }

  /** Asserts the invariants of every space, and that no mapping or tree node is lost. */
  check(): void {
    const { memory, vmas, families } = this.#mm
    let spaces = 0
    let mappings = 0
    let nodes = 0
    let previous = NULL
    let scanned = 0
    const names = new Map<Ptr, number>()
    const contexts = new Map<Ptr, Ptr>()
    const vectors = new Map<Ptr, number>()
    let promised = this.#mm.objects.promisedPages()
    this.forEach((space) => {
      assert(space.previous === previous, 'the list of spaces is linked both ways')
      countNames(this.#mm, space, names)
      noteContexts(this.#mm, space, contexts)
      const { auxiliary } = space.parts
      if (auxiliary !== NULL) vectors.set(auxiliary, (vectors.get(auxiliary) ?? 0) + 1)
      promised += space.counts.committedPages
      const tree = checkSpace(this.#mm, space)
      mappings += tree.mappings
      nodes += tree.nodes
      previous = space.ptr
      spaces++
      if (space.isScanned) scanned++
    })
    checkScanned(memory, scanned)
    assert(memory.u32[wordIndex(Word.spaceCount)] === spaces, 'the list of spaces is counted')
    assert(this.#cache.used === spaces, 'every space is in the list')
    vmas.checkTotals({ mappings, nodes })
    families.check(this.#withFamilies())
    this.#mm.names.check(names)
    this.vectors.check(vectors)
    this.#mm.userfaults.check(contexts)
    assert((promised | 0) === memory.i32[wordIndex(Word.committedPages)], 'all promised pages are counted')
  }

  /** Every mapping that has a family. */
  *#withFamilies(): Iterable<Vma> {
    const { memory, vmas } = this.#mm
    for (const space of this.#all()) {
      for (let ptr = vmas.first(space); ptr !== NULL; ptr = vmas.next(ptr)) {
        const vma = new Vma(memory, ptr)
        if (vma.family !== NULL) yield vma
      }
    }
  }

  #all(): AddressSpace[] {
    const spaces: AddressSpace[] = []
    this.forEach((space) => {
      spaces.push(space)
    })
    return spaces
  }

  stats(): SpaceStats[] {
    const stats: SpaceStats[] = []
    this.forEach((space) => {
      stats.push({
        id: space.id,
        // One of them is the visitor's.
        references: this.references(space.ptr) - 1,
        mappings: space.vmaCount,
        total: space.counts.totalPages,
        data: space.counts.dataPages,
        executable: space.counts.execPages,
        stack: space.counts.stackPages,
        locked: space.counts.lockedPages,
        resident: space.counts.rssPages,
        tables: new UserMapper(this.#mm, space.root).tableFrames(),
      })
    })
    return stats
  }

  dump(): string {
    const lines = this.stats().map((space) => Object.values(space).join(' '))
    return ['space references mappings total data executable stack locked resident tables', ...lines].join(
      '\n',
    )
  }

  /** A record with a root, in no list. */
  #make(): Ptr {
    const { memory, kernelMapper, arch } = this.#mm
    const ptr = this.#cache.allocateZeroed()
    if (ptr === NULL) return NULL
    const root = UserMapper.create(this.#mm, kernelMapper.root)
    if (root === NO_FRAME) {
      this.#cache.free(ptr)
      return NULL
    }
    const space = new AddressSpace(memory, ptr)
    space.root = root
    memory.u32[space.refCountPtr >>> 2] = 1
    space.mapBase = mapBaseFor(arch.userEnd, STACK_LIMIT)
    space.limitAddressSpace = NO_LIMIT
    space.limitData = NO_LIMIT
    space.limitHeap = NO_LIMIT
    space.limitStack = STACK_LIMIT
    space.limitLocked = NO_LIMIT
    space.flags = SpaceFlag.rawAccess | SpaceFlag.administrator
    return ptr
  }

  #destroy(space: AddressSpace): void {
    const { atomics, arch, flusher, shootdown, userfaults, vmas } = this.#mm
    delistSpace(this.#mm, space)
    atomics.lock(space.lock, LockRank.space)
    // Nobody runs in it any more: forgotten as a whole at once, so that no page needs to be (exit_mmap).
    shootdown.retire(space.root)
    space.flags &= ~SpaceFlag.hasSeals
    userfaults.leaveSpace(space.ptr)
    const result = unmapRange(this.#mm, space, 0 as Vpn, arch.userEnd)
    assert(result === 0, 'unmapping everything needs no memory')
    vmas.releaseSpares(space)
    const batch = flusher.batch(space.root)
    new UserMapper(this.#mm, space.root).destroy(batch)
    batch.finish()
    atomics.unlock(space.lock, LockRank.space)
    this.#unlink(space)
    this.vectors.release(space.parts.auxiliary)
    this.#cache.free(space.ptr)
  }

  #link(ptr: Ptr): void {
    const { atomics, memory } = this.#mm
    const { u32 } = memory
    const space = new AddressSpace(memory, ptr)
    atomics.lock(LOCK, LockRank.spaces)
    space.id = ++u32[wordIndex(Word.nextSpaceId)]!
    space.next = u32[wordIndex(Word.spaceList)]! as Ptr
    if (space.next !== NULL) new AddressSpace(memory, space.next).previous = ptr
    u32[wordIndex(Word.spaceList)] = ptr
    u32[wordIndex(Word.spaceCount)]!++
    atomics.unlock(LOCK, LockRank.spaces)
  }

  #unlink(space: AddressSpace): void {
    const { atomics, memory } = this.#mm
    const { u32 } = memory
    atomics.lock(LOCK, LockRank.spaces)
    const { next, previous } = space
    if (next !== NULL) new AddressSpace(memory, next).previous = previous
    if (previous !== NULL) new AddressSpace(memory, previous).next = next
    else u32[wordIndex(Word.spaceList)] = next
    u32[wordIndex(Word.spaceCount)]!--
    atomics.unlock(LOCK, LockRank.spaces)
  }
}

/** How many mappings have each name. */
function countNames(mm: SpaceEnv, space: AddressSpace, names: Map<Ptr, number>): void {
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) {
    if (vma.name !== NULL) names.set(vma.name, (names.get(vma.name) ?? 0) + 1)
  }
}

/** The contexts that mappings are registered with, and their space. */
function noteContexts(mm: SpaceEnv, space: AddressSpace, contexts: Map<Ptr, Ptr>): void {
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) {
    if (vma.userfault === NULL) continue
    assert((contexts.get(vma.userfault) ?? space.ptr) === space.ptr, 'a context is of one space')
    contexts.set(vma.userfault, space.ptr)
  }
}

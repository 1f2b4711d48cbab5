/**
 * Which mappings may show the same anonymous pages. Linux gives a mapping an `anon_vma` when its first page becomes its
 * own, and merges only mappings whose anon_vmas agree, so this shows in /proc/PID/maps. Here it is a *family*; a fork makes
 * one for each mapping of the child, below that of the parent's mapping. Slab cache "anon_vma":
 *
 *     0   i32  lock (LockRank.family); of a root it guards the fields of all families below it
 *     4   u32  members: mappings that have it
 *     8   u32  root: the family that the first process of the line had; maybe this one
 *     12  u32  of a root: first relative, a Vma record linked through the Vma's own links
 *     16  u32  of a root: families below it, itself not counted
 *
 * *Relatives* are all mappings whose families have one root. A frame knows the root (`owner`) and the page's number in the
 * line (`index`), which forks and moves of mappings never change: so its mappers are found among the relatives
 * (mappers.ts), and a root lives as long as it has one. Linux keeps a chain for each mapping instead, so that the parent is
 * not asked for what only a child can have; here it is asked in vain.
 *
 * Who comes from a frame without holding it may be too late: the root that it names may be gone, and its record another family's. So
 * records have a constructor: while they are free their lock is a lock, and they have no relatives.
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { CacheId } from '../slab/cache-table.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import type { Memory } from '../state/memory.js'
import { VM_ACCESS_FLAGS } from './vm-flags.js'
import { Vma } from './vma.js'

const RECORD_BYTES = 24
/** Byte offsets, for WebAssembly (fault/answer-code.ts). */
export const FAMILY_MEMBERS = 4
export const FAMILY_ROOT = 8
export const FAMILY_FIRST = 12
const MEMBERS = FAMILY_MEMBERS >>> 2
const ROOT = FAMILY_ROOT >>> 2
const FIRST = FAMILY_FIRST >>> 2
const BELOW = 16 >>> 2

/** What finding a family of a neighbour needs of VmaTree. */
interface Neighbours {
  next(vma: Ptr): Ptr
  previous(vma: Ptr): Ptr
  startOf(vma: Ptr): Vpn
  endOf(vma: Ptr): Vpn
}

interface Env {
  readonly memory: Memory
  readonly atomics: AtomicWords
  readonly slab: SlabAllocator
  readonly vmas: Neighbours
}

/** Guarded by the locks of the spaces that the mappings belong to, and the root's own. */
export class AnonymousFamilies {
  readonly #env: Env
  readonly #u32: Uint32Array
  readonly #cache: SlabCache
  readonly #relative: Vma

  constructor(env: Env) {
    this.#env = env
    this.#u32 = env.memory.u32
    const construct = (record: Ptr) => this.#u32.fill(0, record >>> 2, (record + RECORD_BYTES) >>> 2)
    this.#cache = env.slab.createCache('anon_vma', RECORD_BYTES, 8, { construct })
    this.#relative = new Vma(env.memory)
  }

  /** Of the records. */
  get cacheId(): CacheId {
    return this.#cache.id
  }

  /**
   * Gives a mapping its family, before its first page of its own is installed (anon_vma_prepare): that of a neighbour
   * that could one day be merged with it, or a new one. True when it has one now; false without memory.
   */
  prepare(vma: Vma): boolean {
    if (vma.family !== NULL) return true
    const family = this.#reusable(vma) || this.#create(NULL)
    if (family === NULL) return false
    this.join(vma, family)
    return true
  }

  /** A child's copy of a mapping gets a family of its own below the parent's (anon_vma_fork). False without memory. */
  fork(child: Vma, parent: Vma): boolean {
    if (parent.family === NULL) return true
    const family = this.#create(this.rootOf(parent.family))
    if (family === NULL) return false
    this.join(child, family)
    return true
  }

  /** The mapping takes over pages of another (dup_anon_vma): it belongs to that one's family if it has none. */
  adopt(vma: Vma, from: Vma): void {
    if (vma.family === NULL && from.family !== NULL) this.join(vma, from.family)
  }

  /** Makes a mapping without a family a member of one. */
  join(vma: Vma, family: Ptr): void {
    assert(vma.family === NULL, 'a mapping has one family')
    const root = this.rootOf(family)
    vma.family = family
    this.#lock(root)
    this.#u32[(family >>> 2) + MEMBERS]!++
    const first = this.#u32[(root >>> 2) + FIRST]! as Ptr
    vma.previousRelative = NULL
    vma.nextRelative = first
    if (first !== NULL) this.#relative.at(first).previousRelative = vma.ptr
    this.#u32[(root >>> 2) + FIRST] = vma.ptr
    this.#unlock(root)
  }

  /** The mapping has no pages of its own any more. With its last member a family ends. Does nothing without a family. */
  leave(vma: Vma): void {
    const { family } = vma
    if (family === NULL) return
    const root = this.rootOf(family)
    this.#lock(root)
    this.#unlink(root, vma)
    const isLast = --this.#u32[(family >>> 2) + MEMBERS]! === 0
    if (isLast && family !== root) this.#u32[(root >>> 2) + BELOW]!--
    const isRootDone = this.#isEmpty(root)
    this.#unlock(root)
    vma.family = NULL
    if (isLast && family !== root) this.#free(family)
    if (isRootDone) this.#free(root)
  }

  /** As constructed, but for the lock: who still takes it for a root may have it. It has no relatives any more. */
  #free(family: Ptr): void {
    const u32 = this.#u32
    const word = family >>> 2
    u32[word + MEMBERS] = 0
    u32[word + ROOT] = 0
    u32[word + FIRST] = 0
    u32[word + BELOW] = 0
    this.#cache.free(family)
  }

  /** Whether it went through no fork: its anon_vma_chain has one link. */
  isRoot(family: Ptr): boolean {
    return family !== NULL && this.rootOf(family) === family
  }

  rootOf(family: Ptr): Ptr {
    return this.#u32[(family >>> 2) + ROOT]! as Ptr
  }

  /** Visits the mappings that may show pages of a root's line, with its lock held: take none and change no mapping. */
  forEachRelative(root: Ptr, visit: (vma: Vma) => void): void {
    this.#lock(root)
    this.#visitLocked(root, visit)
    this.#unlock(root)
  }

  /**
   * The same for what a frame that the caller does not hold names as its root: any number. Visits nothing when that is none, or none any more,
   * or somebody else works on it.
   */
  visitIfLive(owner: number, visit: (vma: Vma) => void): void {
    const { atomics } = this.#env
    const root = owner as Ptr
    if (!this.#cache.whileThere(owner, () => atomics.tryLock(root, LockRank.family))) return
    this.#visitLocked(root, visit)
    this.#unlock(root)
  }

  #visitLocked(root: Ptr, visit: (vma: Vma) => void): void {
    const vma = new Vma(this.#env.memory)
    for (let at = this.#u32[(root >>> 2) + FIRST]! as Ptr; at !== NULL; at = vma.nextRelative)
      visit(vma.at(at))
  }

  /** Asserts that lists and counts agree; `mappings` are all that have a family. */
  check(mappings: Iterable<Vma>): void {
    const members = new Map<Ptr, number>()
    for (const { family } of mappings) members.set(family, (members.get(family) ?? 0) + 1)
    const roots = new Map<Ptr, { members: number; below: number }>()
    for (const [family, count] of members) {
      assert(this.#u32[(family >>> 2) + MEMBERS] === count, 'a family counts its members')
      const root = this.rootOf(family)
      assert(this.rootOf(root) === root, 'the root of a family is its own')
      const sum = roots.get(root) ?? { members: 0, below: 0 }
      roots.set(root, { members: sum.members + count, below: sum.below + (family === root ? 0 : 1) })
    }
    let families = 0
    for (const [root, sum] of roots) {
      assert(this.#checkRelatives(root) === sum.members, 'every member of a family is among the relatives')
      assert(this.#u32[(root >>> 2) + BELOW] === sum.below, 'a root counts the families below it')
      families += sum.below + 1
    }
    assert(this.#cache.used === families, 'every family has a member, or is a root of one that has')
  }

  /** Asserts the links; returns how many relatives there are. */
  #checkRelatives(root: Ptr): number {
    let previous = NULL
    let relatives = 0
    this.forEachRelative(root, (vma) => {
      assert(this.rootOf(vma.family) === root, 'relatives have one root')
      assert(vma.previousRelative === previous, 'the list of relatives is linked both ways')
      previous = vma.ptr
      relatives++
    })
    return relatives
  }

  /** A family without members, below a root or (NULL) its own; NULL without memory. */
  #create(root: Ptr): Ptr {
    const family = this.#cache.allocate()
    if (family === NULL) return NULL
    this.#u32[(family >>> 2) + ROOT] = root === NULL ? family : root
    if (root === NULL) return family
    this.#lock(root)
    this.#u32[(root >>> 2) + BELOW]!++
    this.#unlock(root)
    return family
  }

  #unlink(root: Ptr, vma: Vma): void {
    const { previousRelative, nextRelative } = vma
    if (nextRelative !== NULL) this.#relative.at(nextRelative).previousRelative = previousRelative
    if (previousRelative !== NULL) this.#relative.at(previousRelative).nextRelative = nextRelative
    else this.#u32[(root >>> 2) + FIRST] = nextRelative
  }

  #isEmpty(root: Ptr): boolean {
    return this.#u32[(root >>> 2) + MEMBERS] === 0 && this.#u32[(root >>> 2) + BELOW] === 0
  }

  #lock(root: Ptr): void {
    this.#env.atomics.lock(root, LockRank.family)
  }

  #unlock(root: Ptr): void {
    this.#env.atomics.unlock(root, LockRank.family)
  }

  /** find_mergeable_anon_vma: the next mapping is asked before the previous one. */
  #reusable(vma: Vma): Ptr {
    const { vmas } = this.#env
    const next = vmas.next(vma.ptr)
    const above = next !== NULL && vmas.startOf(next) === vma.end ? this.#familyOfNext(vma, next) : NULL
    if (above !== NULL) return above
    const previous = vmas.previous(vma.ptr)
    return previous !== NULL && vmas.endOf(previous) === vma.start
      ? this.#familyOfPrevious(previous, vma)
      : NULL
  }

  /** NULL when the two, which touch, could not be merged. */
  #familyOfNext(vma: Vma, above: Ptr): Ptr {
    const next = new Vma(this.#env.memory, above)
    return this.isRoot(next.family) && isCompatible(vma, next) ? next.family : NULL
  }

  #familyOfPrevious(below: Ptr, vma: Vma): Ptr {
    const previous = new Vma(this.#env.memory, below)
    return this.isRoot(previous.family) && isCompatible(previous, vma) ? previous.family : NULL
  }
}

/** Two that touch are alike in all but the access that mprotect may make equal (anon_vma_compatible). */
function isCompatible(low: Vma, high: Vma): boolean {
  return (
    low.object === high.object &&
    low.hasFile(high.file) &&
    ((low.flags ^ high.flags) & ~VM_ACCESS_FLAGS) === 0 &&
    low.offsetOf(low.end) === high.pageOffset
  )
}

import { NULL, type Ptr, ptrToFrame, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import type { ObjectSpacesEnv } from '../space/object-spaces.js'
import type { SpaceEnv } from '../space/space-env.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { Access, FaultResult } from './access.js'

/** No result and no errno: it must be done again by a hart that has the space for itself. */
export const ALONE = -4096
/** How an attempt to resolve a fault ended. */
export type Attempt = FaultResult | typeof ALONE

/** What the fault handler works with; MemoryManager is one. */
export interface FaultEnv extends ObjectSpacesEnv {
  /** Recycled, so that a fault allocates nothing. */
  readonly fault: Fault
  /**
   * Set by whoever can end a program when nothing can be reclaimed; true when memory may be free now. Must not end one that
   * uses the space `user`.
   */
  outOfMemory?: ((user?: Ptr) => boolean) | undefined
}

/**
 * The fault that is being handled: who asked for which page, and what was found out about it so far. One object per
 * thread is used again and again; it is only good while the space's lock is held.
 *
 * Harts that fault in one space at once hold its lock together: then nobody changes mappings or takes tables away, and
 *
 *     an entry of level 0      changes under the lock of its table: lockEntry, lockAbsent
 *     a table is made          under the space's lock upperTables; so is a huge leaf: lockUpper
 *     counts of the space      each hart has a line of its own
 *     all else                 ALONE: the fault is handled again by a hart that has the space for itself
 *
 * What is needed (a frame, a page of the cache) is had before the lock, and given back when another hart has been faster.
 */
export class Fault {
  space!: AddressSpace
  vpn = 0 as Vpn
  access: Access = Access.read
  /** The mapping that holds the page. */
  readonly vma: Vma
  /** The page's entry in the page table. */
  entry: Ptr = NULL
  /** The mapping had pages of its own before. */
  hadFamily = false
  /** A provider had to be asked. */
  isMajor = false
  /** Nobody else holds the space's lock: the locks below are not needed. */
  isAlone = true
  /** The hart made the access in user mode, and not the kernel for a system call. */
  isUser = false
  mapper!: UserMapper
  batch!: FlushBatch
  readonly #env: Pick<SpaceEnv, 'memory' | 'atomics' | 'frames'>

  constructor(env: Pick<SpaceEnv, 'memory' | 'atomics' | 'frames'>) {
    this.#env = env
    this.vma = new Vma(env.memory, NULL)
  }

  begin(env: SpaceEnv, space: AddressSpace, vpn: Vpn, access: Access, isAlone: boolean): this {
    this.isAlone = isAlone
    this.mapper = env.userMappers.of(space.root)
    this.space = space
    this.vpn = vpn
    this.access = access
    this.isMajor = false
    this.batch = env.flusher.batch(space.root)
    return this
  }

  get isWrite(): boolean {
    return this.access === Access.write
  }

  /** Locks the table of the page's entry. */
  lockEntry(): void {
    if (!this.isAlone) this.#env.atomics.lock(this.#tableLock, LockRank.leafTable)
  }

  unlockEntry(): void {
    if (!this.isAlone) this.#env.atomics.unlock(this.#tableLock, LockRank.leafTable)
  }

  get #tableLock(): Ptr {
    return this.#env.frames.ownerPtr(ptrToFrame(this.entry))
  }

  /** The same for an entry that was absent. False, and nothing is locked: another hart has mapped the page meanwhile. */
  lockAbsent(): boolean {
    if (this.isAlone) return true
    this.lockEntry()
    if (!this.mapper.isPresent(this.entry)) return true
    this.unlockEntry()
    return false
  }

  lockUpper(): void {
    if (!this.isAlone) this.#env.atomics.lock(this.space.upperTables, LockRank.upperTables)
  }

  unlockUpper(): void {
    if (!this.isAlone) this.#env.atomics.unlock(this.space.upperTables, LockRank.upperTables)
  }

  /** `lockUpper` for an entry of level 1 that was absent; false as of lockAbsent. */
  lockAbsentSlot(slot: Ptr): boolean {
    if (this.isAlone) return true
    this.lockUpper()
    if (!this.mapper.isPresent(slot)) return true
    this.unlockUpper()
    return false
  }

  /** Gives the mapping its family: `ok`, `outOfMemory` or ALONE. */
  prepareFamily(env: SpaceEnv): Attempt {
    if (this.vma.family !== NULL) return FaultResult.ok
    if (!this.isAlone) return ALONE
    return env.families.prepare(this.vma) ? FaultResult.ok : FaultResult.outOfMemory
  }
}

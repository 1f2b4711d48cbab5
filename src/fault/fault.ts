import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import type { ObjectSpacesEnv } from '../space/object-spaces.js'
import type { SpaceEnv } from '../space/space-env.js'
import { Vma } from '../space/vma.js'
import { Access } from './access.js'

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
  mapper!: UserMapper
  batch!: FlushBatch

  constructor(env: Pick<SpaceEnv, 'memory'>) {
    this.vma = new Vma(env.memory, NULL)
  }

  begin(env: SpaceEnv, space: AddressSpace, vpn: Vpn, access: Access): this {
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
}

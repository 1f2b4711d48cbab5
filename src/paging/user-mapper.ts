import { assert } from '../base/assert.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { FlushBatch } from './flush-batch.js'
import { newTable, PageMapper } from './page-mapper.js'
import type { PagingEnv } from './paging-env.js'

const USER_START = 0 as Vpn

/**
 * The page tables of one address space: the user's half is its own, the kernel's half of the root is a copy of the
 * kernel's root. That copy never goes stale, because the kernel's root never changes after boot.
 */
export class UserMapper extends PageMapper {
  /** A view; makes nothing. */
  constructor(env: PagingEnv, root: Pfn) {
    super(env, root, USER_START, env.arch.userEnd)
  }

  /** The root of a new, empty space; NO_FRAME without frames. */
  static create(env: PagingEnv, kernelRoot: Pfn): Pfn {
    const root = newTable(env)
    if (root === NO_FRAME) return NO_FRAME
    const offset = kernelHalfOffset(env)
    const source = (frameToPtr(kernelRoot) + offset) as Ptr
    env.memory.copy((frameToPtr(root) + offset) as Ptr, source, PAGE_SIZE - offset)
    return root
  }

  /** Gives back all tables and the root. Every page was unmapped before. */
  destroy(batch: FlushBatch): void {
    this.prune(this.start, this.end, batch)
    assert(this.env.frames.index(this.root) === 0, 'a space with mapped pages is destroyed')
    batch.freeTable(this.root)
  }
}

/** Where in a root the kernel's entries start, in bytes. */
export function kernelHalfOffset({ arch }: PagingEnv): number {
  return arch.index(arch.kernelStart, arch.levels - 1) * 8
}

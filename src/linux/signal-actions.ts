/**
 * What a process does about signals (Linux: sighand_struct): a record in the slab cache "signal_actions", shared by
 * processes that were made with CLONE_SIGHAND.
 *
 *     0    u32  processes that share it
 *     8    64 actions of 24 bytes, as struct sigaction has them: handler, flags, mask
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { SIGNAL_MAX } from './signal-numbers.js'

export const ACTION_BYTES = 24
export const FIRST_ACTION = 8
/** Of the flags in an action; the mask is at 16. */
export const ACTION_FLAGS = 8
const RECORD_BYTES = FIRST_ACTION + SIGNAL_MAX * ACTION_BYTES

export class SignalActions {
  readonly #mm: MemoryManager
  readonly #cache: SlabCache

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#cache = mm.slab.createCache('signal_actions', RECORD_BYTES)
  }

  /** All default; NULL without memory. */
  create(): Ptr {
    const record = this.#cache.allocateZeroed()
    if (record !== NULL) this.#mm.memory.u32[record >>> 2] = 1
    return record
  }

  /** For fork; NULL without memory. */
  copy(from: Ptr): Ptr {
    const record = this.create()
    if (record !== NULL) {
      this.#mm.memory.copy(
        (record + FIRST_ACTION) as Ptr,
        (from + FIRST_ACTION) as Ptr,
        RECORD_BYTES - FIRST_ACTION,
      )
    }
    return record
  }

  share(record: Ptr): Ptr {
    this.#mm.memory.u32[record >>> 2]!++
    return record
  }

  isShared(record: Ptr): boolean {
    return this.#mm.memory.u32[record >>> 2]! > 1
  }

  release(record: Ptr): void {
    if (--this.#mm.memory.u32[record >>> 2]! === 0) this.#cache.free(record)
  }
}

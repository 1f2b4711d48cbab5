/**
 * Bytes that a call has for the program and could not store, because the page is asked of the reader of a userfaultfd(2). Blocks of
 * general memory:
 *
 *     0    links { next, previous } of the list of the call      8   Ptr address space
 *     12   u32 bytes      16   u32 how many of them are stored   24  f64 address of the first
 *     32   the bytes
 */
import { NULL, type Ptr } from '../base/numbers.js'
import { copyToUserPartial } from '../fault/user-copy.js'
import type { MemoryManager } from '../mm.js'
import { AddressSpace } from '../space/address-space.js'

const SPACE = 2
const LENGTH = 3
const DONE = 4
const ADDRESS = 3
const BYTES = 32

export class PendingStores {
  readonly #mm: MemoryManager

  constructor(mm: MemoryManager) {
    this.#mm = mm
  }

  /** NULL without memory. */
  keep(space: Ptr, address: number, bytes: Uint8Array): Ptr {
    const { memory, heap } = this.#mm
    const store = heap.allocate(BYTES + bytes.length)
    if (store === NULL) return NULL
    memory.u32.fill(0, store >>> 2, (store + BYTES) >>> 2)
    memory.u32[(store >>> 2) + SPACE] = space
    memory.u32[(store >>> 2) + LENGTH] = bytes.length
    memory.f64[(store >>> 3) + ADDRESS] = address
    memory.u8.set(bytes, store + BYTES)
    return store
  }

  /** Stores what it can, and says whether that was all. */
  carryOut(store: Ptr): boolean {
    const mm = this.#mm
    const { u8, u32, f64 } = mm.memory
    const word = store >>> 2
    const [length, before] = [u32[word + LENGTH]!, u32[word + DONE]!]
    const bytes = u8.subarray(store + BYTES + before, store + BYTES + length)
    const space = new AddressSpace(mm.memory, u32[word + SPACE]! as Ptr)
    const done = before + copyToUserPartial(mm, space, f64[(store >>> 3) + ADDRESS]! + before, bytes)
    u32[word + DONE] = done
    return done === length
  }

  drop(store: Ptr): void {
    this.#mm.heap.free(store)
  }
}

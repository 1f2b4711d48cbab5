/** Where bytes in sockets are: in the kernel's heap, in the machine's buffer. */
import { EFAULT, ENOBUFS } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import type { ByteSink, ByteSource } from './byte-flow.js'

/** Up to a page of a message. */
export interface Chunk {
  readonly ptr: Ptr
  readonly length: number
}

export class MessageStore {
  readonly #mm: MemoryManager

  constructor(mm: MemoryManager) {
    this.#mm = mm
  }

  /** Takes bytes of a source: the chunks that hold them, or -ENOBUFS, -EFAULT and nothing is kept. */
  take(source: ByteSource, bytes: number): Chunk[] | number {
    const chunks: Chunk[] = []
    for (let todo = bytes; todo > 0; ) {
      const length = Math.min(todo, PAGE_SIZE)
      const ptr = this.#mm.heap.allocate(length)
      if (ptr !== NULL) chunks.push({ ptr, length })
      const isThere = ptr !== NULL && source.get(this.#bytes(ptr, length)) === length
      if (!isThere) {
        this.free(chunks)
        return ptr === NULL ? -ENOBUFS : -EFAULT
      }
      todo -= length
    }
    return chunks
  }

  /** Hands out `length` bytes from `offset` on: how many the sink took. */
  give(chunks: readonly Chunk[], offset: number, length: number, sink: ByteSink): number {
    let done = 0
    let at = 0
    for (const chunk of chunks) {
      const from = Math.max(0, offset - at)
      at += chunk.length
      if (from >= chunk.length) continue
      const part = Math.min(chunk.length - from, length - done)
      const moved = sink.put(this.#bytes((chunk.ptr + from) as Ptr, part))
      done += moved
      if (moved < part || done === length) break
    }
    return done
  }

  free(chunks: readonly Chunk[]): void {
    for (const { ptr } of chunks) this.#mm.heap.free(ptr)
  }

  #bytes(ptr: Ptr, length: number): Uint8Array {
    return this.#mm.memory.u8.subarray(ptr, ptr + length)
  }
}

/**
 * What Linux counts for a packet against the sender's buffer (its truesize): the head of the buffer with its descriptors, rounded up
 * as its allocator does, and whole pages for the rest. SO_SNDBUF and how much fits before a sender waits come from it.
 */
export function packetCharge(length: number, pagedBytes: number): number {
  const linear = length - pagedBytes
  const head = roundUp(linear, CACHE_LINE) + SHARED_INFO_BYTES
  return 2 ** Math.ceil(Math.log2(head)) + DESCRIPTOR_BYTES + roundUp(pagedBytes, PAGE_SIZE)
}

const CACHE_LINE = 64
/** struct skb_shared_info and struct sk_buff, in cache lines. */
const SHARED_INFO_BYTES = 320
const DESCRIPTOR_BYTES = 256
/** SKB_MAX_HEAD(0): what fits into a page with the shared information. */
const HEAD_MAX = PAGE_SIZE - SHARED_INFO_BYTES
/** SKB_MAX_ALLOC: the longest head. */
const ALLOC_MAX = PAGE_SIZE * 4 - SHARED_INFO_BYTES
/** Largest packet of a stream: a head and eight pages. */
const STREAM_PACKET_MAX = HEAD_MAX + 8 * PAGE_SIZE
const STREAM_RESERVE = 64

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}

/** How much of a write to a stream goes into one packet. */
export function streamPacketBytes(left: number, sendBuffer: number): number {
  return Math.min(left, (sendBuffer >>> 1) - STREAM_RESERVE, STREAM_PACKET_MAX)
}

export function streamCharge(length: number): number {
  const paged = Math.min(length, roundUp(Math.max(0, length - HEAD_MAX), PAGE_SIZE))
  return packetCharge(length, paged)
}

export function datagramCharge(length: number): number {
  return packetCharge(length, Math.min(length, roundUp(Math.max(0, length - ALLOC_MAX), PAGE_SIZE)))
}

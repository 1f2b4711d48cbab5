import { EINVAL, ENOMEM, ErrnoError } from '../base/errno.js'
import type { Ptr } from '../base/numbers.js'
import { ArrayBulk, type Bulk, bulkModule } from './bulk.js'
import { COUNTERS } from './layout.js'

const WASM_PAGE = 65536
/** Fills and copies that a short program has by far not so many of. */
const BULK_WORTH = 200
export const MEMORY_BYTES_MIN = 8 * 2 ** 20
export const MEMORY_BYTES_MAX = 2 ** 32

/** What a thread needs to attach: a WebAssembly.Memory can be posted to a worker only when it is shared. */
export type RawMemory = WebAssembly.Memory

/**
 * The machine's RAM: one fixed-size buffer in which all that the memory manager knows lives. This class is a
 * view: any number of them, in any number of threads, may look at one buffer.
 *
 *     byte 0      header: magic, version, region directory, locks, counters   (layout.ts)
 *     …           boot tables, placed by the BumpAllocator
 *     …           frames, given out by the BuddyAllocator
 *
 * The typed arrays have a fixed length. Index them with `ptr >>> 2` and the like: above 2 GiB a signed shift
 * would go wrong.
 */
export class Memory {
  readonly raw: RawMemory
  /** Whether other threads may look at it. */
  readonly shared: boolean
  /** Whether the buffer is a SharedArrayBuffer, as it may be without being shared: what a module that imports the memory has to say. */
  readonly inSharedBuffer: boolean
  readonly bytes: number
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
  /** For numbers beyond 32 bits (virtual page numbers, byte counts): exact to 2^53. 8-byte aligned. */
  readonly f64: Float64Array
  /** Index in `f64` of the event counters that who uses this view counts in (counters.ts). */
  counters = COUNTERS >>> 3
  #bulk: Bulk

  private constructor(raw: RawMemory, shared?: boolean) {
    const { buffer } = raw
    this.raw = raw
    this.inSharedBuffer = typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer
    this.shared = shared ?? this.inSharedBuffer
    this.bytes = buffer.byteLength
    this.u8 = new Uint8Array(buffer)
    this.u16 = new Uint16Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.i32 = new Int32Array(buffer)
    this.f64 = new Float64Array(buffer)
    this.#bulk = new ArrayBulk(this.u8, this.inSharedBuffer ? BULK_WORTH : Number.POSITIVE_INFINITY, () => {
      this.#bulk = bulkModule(raw, this.bytes / WASM_PAGE)
    })
  }

  fill(destination: Ptr, value: number, length: number): void {
    this.#bulk.fill(destination, value, length)
  }

  /** The ranges may overlap. */
  copy(destination: Ptr, source: Ptr, length: number): void {
    this.#bulk.copy(destination, source, length)
  }

  /**
   * A new buffer, all zero. `bytes` is a multiple of 64 KiB, 8 MiB to 4 GiB; `shared` needs SharedArrayBuffer
   * (in a browser: the cross-origin isolation headers). Throws an ErrnoError with a hint on a bad size or when the host has
   * no room. `inSharedBuffer`: in a SharedArrayBuffer even if it is not shared.
   */
  static allocate(bytes: number, shared: boolean, inSharedBuffer = shared): Memory {
    if (!(bytes >= MEMORY_BYTES_MIN && bytes <= MEMORY_BYTES_MAX && bytes % WASM_PAGE === 0)) {
      throw new ErrnoError('memory size must be a multiple of 64 KiB between 8 MiB and 4 GiB', EINVAL)
    }
    const pages = bytes / WASM_PAGE
    try {
      const raw = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: inSharedBuffer })
      return new Memory(raw, shared)
    } catch {
      throw new ErrnoError(
        `the host cannot give ${bytes} bytes of ${inSharedBuffer ? 'shared ' : ''}memory`,
        ENOMEM,
      )
    }
  }

  /** A view on a buffer that another thread allocated. Throws an ErrnoError when it is none that `allocate` made. */
  static attach(raw: RawMemory): Memory {
    try {
      return new Memory(raw)
    } catch {
      throw new ErrnoError("attach: not a Pagoda machine's memory", EINVAL)
    }
  }
}

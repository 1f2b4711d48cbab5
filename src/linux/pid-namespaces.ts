/** The namespaces of process numbers of a machine: their records, who holds them, and a view on each. */
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { SlabCache } from '../slab/slab-cache.js'
import type { Memory } from '../state/memory.js'
import { NAMESPACE_PARENT, PID_NAMESPACE_BYTES, PidNamespace } from './pid-namespace.js'

export class PidNamespaces {
  /** The one that all others are in. */
  readonly outermost: PidNamespace
  readonly #memory: Memory
  readonly #cache: SlabCache
  readonly #views = new Map<Ptr, PidNamespace>()

  constructor(mm: MemoryManager) {
    this.#memory = mm.memory
    this.#cache = mm.slab.createCache('pid_namespace', PID_NAMESPACE_BYTES)
    this.outermost = new PidNamespace(mm.memory, NULL, undefined)
  }

  /** The view on a record: the same each time. */
  at(ptr: Ptr): PidNamespace {
    if (ptr === NULL) return this.outermost
    const there = this.#views.get(ptr)
    if (there !== undefined) return there
    const parent = this.#memory.u32[(ptr + NAMESPACE_PARENT) >>> 2]! as Ptr
    const view = new PidNamespace(this.#memory, ptr, this.at(parent))
    this.#views.set(ptr, view)
    return view
  }

  /** A new one within another, for the caller to release; undefined without memory. */
  create(parent: PidNamespace, number: number): PidNamespace | undefined {
    const ptr = this.#cache.allocateZeroed()
    if (ptr === NULL) return undefined
    const fresh = new PidNamespace(this.#memory, ptr, this.retain(parent))
    fresh.begin(number)
    this.#views.set(ptr, fresh)
    return fresh
  }

  /** How many there are besides the outermost. */
  get used(): number {
    return this.#cache.used
  }

  retain(namespace: PidNamespace): PidNamespace {
    if (namespace.isNested) namespace.references++
    return namespace
  }

  release(namespace: PidNamespace): void {
    if (!namespace.isNested || --namespace.references > 0) return
    this.#views.delete(namespace.ptr)
    this.#cache.free(namespace.ptr)
    this.release(namespace.parent!)
  }
}

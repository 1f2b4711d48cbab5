/** The processes of a machine: slab records, and the plain data that goes with them. */
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { CacheId } from '../slab/cache-table.js'
import { AddressSpace } from '../space/address-space.js'
import { Word, wordIndex } from '../state/layout.js'
import { setDefaultLimits } from './limits.js'
import { PROCESS_BYTES, Process, STILL_RUNNING } from './process.js'
import type { ProcessFiles } from './syscall-context.js'
import type { Thread } from './thread.js'

/** Number of the first process. The parent of those that nobody forked is number 1, which is not there. */
const FIRST_PROCESS = 2

export class ProcessTable {
  readonly #mm: MemoryManager
  readonly #cache: CacheId
  readonly #byId = new Map<number, Process>()
  readonly #byRecord = new Map<Ptr, Process>()

  constructor(mm: MemoryManager) {
    this.#mm = mm
    this.#cache = mm.slab.createCache('process', PROCESS_BYTES)
  }

  /** A new process without an address space yet; undefined without memory. */
  create(files: ProcessFiles): Process | undefined {
    const record = this.#mm.slab.allocate(this.#cache)
    if (record === NULL) return undefined
    const space = new AddressSpace(this.#mm.memory, NULL)
    const process = new Process(this.#mm.memory, record, space, files)
    process.id = FIRST_PROCESS + this.#mm.memory.u32[wordIndex(Word.nextThreadId)]!++
    process.parentId = FIRST_PROCESS - 1
    process.exitStatus = STILL_RUNNING
    process.timerDeadline = Number.POSITIVE_INFINITY
    setDefaultLimits(process, this.#mm.memory.bytes)
    this.#byId.set(process.id, process)
    this.#byRecord.set(record, process)
    return process
  }

  /** Gives back the record, the address space and the files. */
  remove(process: Process): void {
    process.files.close()
    if (process.space.ptr !== NULL) this.#mm.spaces.release(process.space.ptr)
    this.#byId.delete(process.id)
    this.#byRecord.delete(process.ptr)
    this.#mm.slab.free(this.#cache, process.ptr)
  }

  get byId(): ReadonlyMap<number, Process> {
    return this.#byId
  }

  of(thread: Thread): Process {
    return this.#byRecord.get(thread.process)!
  }

  get first(): Process | undefined {
    return this.#byId.values().next().value
  }
}

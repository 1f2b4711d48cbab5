/** The processes of a machine, living ones and zombies: slab records, and the plain data that goes with them. */
import { assert } from '../base/assert.js'
import { EAGAIN } from '../base/errno.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { AddressSpace } from '../space/address-space.js'
import { Word, wordIndex } from '../state/layout.js'
import { FIRST_ID_AGAIN, ID_END, PidAllocator } from './pid-allocator.js'
import type { PidNamespaces } from './pid-namespaces.js'
import { PROCESS_BYTES, PROCESS_CHILDREN, Process, SIBLING_LINK, STILL_RUNNING } from './process.js'
import { RecordLists } from './record-lists.js'
import { SignalActions } from './signal-actions.js'
import { Signal } from './signal-numbers.js'
import type { ProcessFiles } from './syscall-context.js'
import type { Thread } from './thread.js'
import type { ThreadList } from './thread-list.js'

/** Number of the first process. Number 1, the parent of those that have none, is not there, but nobody else has it. */
const INIT_ID = 1
const FIRST_ID = 2

const children = (process: Ptr) => (process + PROCESS_CHILDREN) as Ptr

export class ProcessTable {
  readonly #mm: MemoryManager
  readonly #threads: ThreadList
  readonly #cache: SlabCache
  readonly #siblings: RecordLists
  readonly #byId = new Map<number, Process>()
  readonly #byRecord = new Map<Ptr, Process>()
  readonly actions: SignalActions
  readonly pids: PidAllocator

  constructor(mm: MemoryManager, threads: ThreadList, namespaces: PidNamespaces) {
    this.#mm = mm
    this.#threads = threads
    this.#cache = mm.slab.createCache('process', PROCESS_BYTES)
    this.#siblings = new RecordLists(mm.memory, SIBLING_LINK)
    this.actions = new SignalActions(mm)
    this.pids = new PidAllocator(mm, namespaces, this)
  }

  /**
   * A number for a new thread or process, that neither a thread, a process, a group nor a session has; -EAGAIN when all
   * are taken.
   */
  takeId(): number {
    const { u32 } = this.#mm.memory
    const counter = wordIndex(Word.nextThreadId)
    for (let tries = FIRST_ID; tries < ID_END; tries++) {
      const count = u32[counter]! + FIRST_ID
      const isFirstRound = count < ID_END
      u32[counter] = isFirstRound ? count + 1 - FIRST_ID : u32[counter]! + 1
      const id = isFirstRound ? count : FIRST_ID_AGAIN + ((count - ID_END) % (ID_END - FIRST_ID_AGAIN))
      if (!this.#isTaken(id, isFirstRound)) return id
    }
    return -EAGAIN
  }

  #isTaken(id: number, isFirstRound: boolean): boolean {
    if (this.#threads.byId(id) !== undefined || this.#byId.has(id)) return true
    if (isFirstRound) return false
    for (const { groupId, sessionId } of this.#byId.values()) {
      if (groupId === id || sessionId === id) return true
    }
    return false
  }

  /** Whether clone3(2) may choose this number. */
  isFree(id: number): boolean {
    return id !== INIT_ID && !this.#isTaken(id, false)
  }

  /** A new process with default signal actions and no address space yet; undefined without memory. */
  create(
    id: number,
    files: ProcessFiles,
    actions: Ptr,
    parent: Process | undefined,
    namespace = this.pids.namespaces.outermost,
  ): Process | undefined {
    const record = this.#cache.allocateZeroed()
    if (record === NULL) return undefined
    const space = new AddressSpace(this.#mm.memory, NULL)
    const process = new Process(this.#mm.memory, record, space, files, this.pids.namespaces.retain(namespace))
    process.id = id
    process.actions = actions
    process.exitSignal = Signal.CHLD
    process.exitStatus = STILL_RUNNING
    this.#byId.set(id, process)
    this.#byRecord.set(record, process)
    this.#adopt(process, parent)
    return process
  }

  #adopt(process: Process, parent: Process | undefined): void {
    process.parent = parent
    process.parentPtr = parent?.ptr ?? NULL
    if (parent !== undefined) this.#siblings.append(children(parent.ptr), process.ptr)
  }

  /** Gives a process another parent: `undefined` is number 1. */
  reparent(process: Process, parent: Process | undefined): void {
    if (process.parent !== undefined) this.#siblings.remove(children(process.parent.ptr), process.ptr)
    this.#adopt(process, parent)
  }

  /** Gives the record back; the process has no threads, children, space and files any more. */
  remove(process: Process): void {
    assert(this.#siblings.first(children(process.ptr)) === NULL, 'a process that goes has no children')
    this.reparent(process, undefined)
    if (process.actions !== NULL) this.actions.release(process.actions)
    this.#byId.delete(process.id)
    this.#byRecord.delete(process.ptr)
    this.pids.namespaces.release(process.namespace)
    this.#cache.free(process.ptr)
  }

  /** Living ones and zombies, by number. */
  get byId(): ReadonlyMap<number, Process> {
    return this.#byId
  }

  /** The view on a record; undefined when it is no process's any more. */
  at(record: Ptr): Process | undefined {
    return this.#byRecord.get(record)
  }

  of(thread: Thread): Process {
    return this.#byRecord.get(thread.process)!
  }

  /** The oldest that there is. */
  get first(): Process | undefined {
    return this.#byId.values().next().value
  }

  /** The oldest first. Those that were given may be removed meanwhile. */
  *childrenOf(process: Process): Generator<Process> {
    for (const record of this.#siblings.of(children(process.ptr))) yield this.#byRecord.get(record)!
  }

  /** The members of a process group, zombies too. */
  *group(id: number): Generator<Process> {
    for (const process of this.#byId.values()) if (process.groupId === id) yield process
  }

  /** Asserts that the tree of processes is sound. */
  check(): void {
    for (const process of this.#byId.values()) {
      const { parent } = process
      assert(process.parentPtr === (parent?.ptr ?? NULL), 'the record and the view agree about the parent')
      assert(parent === undefined || this.#byId.get(parent.id) === parent, 'a parent exists')
      if (parent !== undefined)
        assert([...this.childrenOf(parent)].includes(process), 'a parent knows its children')
      const threads = [...this.#threads.ofProcess(process.ptr)]
      assert(process.isZombie === (threads.length === 0), 'a zombie is a process without threads')
      assert(process.isZombie === (process.space.ptr === NULL), 'a zombie has no memory')
    }
    assert(this.#cache.used === this.#byId.size, 'every process is in the table')
  }
}

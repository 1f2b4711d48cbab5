/** Gives out numbers in a namespace and in all those around it, and takes them back (kernel/pid.c of Linux). */
import { EAGAIN, EEXIST, EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { PidHomes } from './pid-homes.js'
import type { PidNamespace } from './pid-namespace.js'
import type { PidNamespaces } from './pid-namespaces.js'
import { PID_NUMBER_BYTES } from './pid-number.js'

/** kernel.pid_max, and where counting starts again after it (RESERVED_PIDS). */
export const ID_END = 32768
export const FIRST_ID_AGAIN = 300

/** Numbers of the outermost namespace. */
export interface OuterNumbers {
  /** A free one, or -EAGAIN. */
  takeId(): number
  /** Whether no thread, process, group or session has it. */
  isFree(id: number): boolean
}

export class PidAllocator {
  readonly namespaces: PidNamespaces
  readonly #outer: OuterNumbers
  readonly #cache: SlabCache
  readonly #homes: PidHomes

  constructor(mm: MemoryManager, namespaces: PidNamespaces, outer: OuterNumbers) {
    this.namespaces = namespaces
    this.#outer = outer
    this.#cache = mm.slab.createCache('pid', PID_NUMBER_BYTES)
    this.#homes = new PidHomes(mm.memory)
  }

  /**
   * An `id` for somebody new in a namespace. `wanted`: the numbers that it shall have, from the innermost outwards, for as many
   * levels as there are. -EINVAL: too many of them, no number at all, or one other than 1 before there is a number 1; then -EPERM
   * unless `mayChoose`, -EEXIST; -EAGAIN when all are taken; -ENOMEM without memory, or in a
   * namespace that has ended.
   */
  take(namespace: PidNamespace, wanted: readonly number[], mayChoose: boolean): number {
    if (!namespace.isNested && wanted.length === 0) return this.#outer.takeId()
    if (wanted.length > namespace.level + 1) return -EINVAL
    const records = this.#takeRecords(namespace.level)
    if (records === undefined) return -ENOMEM
    const numbers = this.#numbers(namespace, wanted, mayChoose)
    if (typeof numbers !== 'number' && !namespace.isClosed) return this.#enter(namespace, numbers, records)
    this.#freeRecords(records)
    return typeof numbers === 'number' ? numbers : -ENOMEM
  }

  /** One for each level; undefined without memory. */
  #takeRecords(count: number): Ptr[] | undefined {
    const records: Ptr[] = []
    while (records.length < count) {
      const record = this.#cache.allocateZeroed()
      if (record === NULL) {
        this.#freeRecords(records)
        return undefined
      }
      records.push(record)
    }
    return records
  }

  #freeRecords(records: readonly Ptr[]): void {
    for (const record of records) this.#cache.free(record)
  }

  /** Free numbers, from the innermost outwards. */
  #numbers(namespace: PidNamespace, wanted: readonly number[], mayChoose: boolean): number[] | number {
    const numbers: number[] = []
    for (let at: PidNamespace | undefined = namespace; at !== undefined; at = at.parent) {
      const number = this.#number(at, wanted[numbers.length], mayChoose)
      if (number < 0) {
        if (namespace.isNested && !namespace.hasNumbers) namespace.cursor = 0
        return number
      }
      numbers.push(number)
    }
    return numbers
  }

  /** Who is called so holds the innermost namespace. */
  #enter(namespace: PidNamespace, numbers: readonly number[], records: readonly Ptr[]): number {
    const id = numbers.at(-1)!
    let level = 0
    for (let at = namespace; at.parent !== undefined; at = at.parent, level++) {
      at.enter(records[level]!, id, numbers[level]!)
    }
    if (namespace.isNested) {
      this.#homes.add(records[0]!, id)
      this.namespaces.retain(namespace)
    }
    return id
  }

  #number(namespace: PidNamespace, wanted: number | undefined, mayChoose: boolean): number {
    if (wanted !== undefined) return this.#chosen(namespace, wanted, mayChoose)
    return namespace.isNested ? nextNumber(namespace) : this.#outer.takeId()
  }

  #chosen(namespace: PidNamespace, wanted: number, mayChoose: boolean): number {
    if (wanted < 1 || wanted >= ID_END) return -EINVAL
    if (wanted !== 1 && namespace.isNested && namespace.initId === 0) return -EINVAL
    if (!mayChoose) return -EPERM
    const isFree = namespace.isNested ? namespace.idOf(wanted) === 0 : this.#outer.isFree(wanted)
    return isFree ? wanted : -EEXIST
  }

  /**
   * Takes back the numbers of one that has ended, or that a group or session was called by, unless somebody is still called so.
   * The innermost namespace that had a number of it, for the caller to release; undefined when there was none or it is still in use.
   */
  release(id: number): PidNamespace | undefined {
    const home = this.homeOf(id)
    if (!home.isNested || !this.#outer.isFree(id)) return undefined
    this.#homes.remove(id)
    for (let at = home; at.parent !== undefined; at = at.parent) this.#cache.free(at.leave(id))
    if (home.initId === 0) home.isClosed = true
    return home
  }

  /** The innermost namespace where somebody has a number. */
  homeOf(id: number): PidNamespace {
    return this.namespaces.at(this.#homes.of(id))
  }

  /** How many numbers of nested namespaces are in use. */
  get used(): number {
    return this.#cache.used
  }
}

/** The next in turn, after those up to pid_max from 300 on (idr_alloc_cyclic); -EAGAIN. */
function nextNumber(namespace: PidNamespace): number {
  const first = namespace.cursor > FIRST_ID_AGAIN ? FIRST_ID_AGAIN : 1
  const start = Math.max(namespace.cursor, first)
  for (let tries = 0; tries < ID_END - first; tries++) {
    const number = first + ((start - first + tries) % (ID_END - first))
    if (namespace.idOf(number) !== 0) continue
    namespace.cursor = number + 1
    return number
  }
  return -EAGAIN
}

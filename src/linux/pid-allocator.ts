/** Gives out numbers in a namespace and in all those around it, and takes them back (kernel/pid.c of Linux). */
import { EAGAIN, EEXIST, EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import type { PidNamespace } from './pid-namespace.js'

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
  readonly outermost: PidNamespace
  readonly #outer: OuterNumbers
  /** The innermost namespace of everybody who is in a nested one. */
  readonly #homes = new Map<number, PidNamespace>()

  constructor(outermost: PidNamespace, outer: OuterNumbers) {
    this.outermost = outermost
    this.#outer = outer
  }

  /**
   * An `id` for somebody new in a namespace. `wanted`: the numbers that it shall have, from the innermost outwards, for as many
   * levels as there are. -EINVAL: too many of them, no number at all, or one other than 1 before there is a number 1; then -EPERM
   * unless `mayChoose`, -EEXIST; -EAGAIN when all are taken; -ENOMEM in a namespace that has ended.
   */
  take(namespace: PidNamespace, wanted: readonly number[], mayChoose: boolean): number {
    if (!namespace.isNested && wanted.length === 0) return this.#outer.takeId()
    if (wanted.length > namespace.level + 1) return -EINVAL
    const numbers: number[] = []
    let at: PidNamespace | undefined = namespace
    for (; at !== undefined; at = at.parent) {
      const number = this.#number(at, wanted[numbers.length], mayChoose)
      if (number < 0) {
        if (!hasNumbers(namespace)) namespace.cursor = 0
        return number
      }
      numbers.push(number)
    }
    return namespace.isClosed ? -ENOMEM : this.#enter(namespace, numbers)
  }

  #enter(namespace: PidNamespace, numbers: readonly number[]): number {
    const id = numbers.at(-1)!
    if (namespace.isNested) this.#homes.set(id, namespace)
    let level = 0
    for (let at = namespace; at.parent !== undefined; at = at.parent) at.enter(id, numbers[level++]!)
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
   * The innermost namespace that had a number of it; undefined when there was none or it is still in use.
   */
  release(id: number): PidNamespace | undefined {
    const home = this.#homes.get(id)
    if (home === undefined || !this.#outer.isFree(id)) return undefined
    this.#homes.delete(id)
    for (let at = home; at.parent !== undefined; at = at.parent) at.leave(id)
    if (home.initId === 0) home.isClosed = true
    return home
  }

  /** The innermost namespace where somebody has a number. */
  homeOf(id: number): PidNamespace {
    return this.#homes.get(id) ?? this.outermost
  }
}

const hasNumbers = (namespace: PidNamespace) => !namespace.isNested || !namespace.ids().next().done

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

/**
 * Namespaces of process numbers (pid_namespaces(7); kernel/pid_namespace.c of Linux). The kernel itself knows a process, thread,
 * group or session by one number, its `id`, which is what the outermost namespace calls it. A nested namespace has numbers of its
 * own for those that were born into it or into one below.
 */

/** How deep they may be nested (MAX_PID_NS_LEVEL). */
export const NAMESPACE_LEVEL_MAX = 32

export class PidNamespace {
  readonly kind = 'pid'
  /** Of its file (namespaces.ts). */
  readonly number: number
  /** Undefined for the outermost. */
  readonly parent: PidNamespace | undefined
  /** 0 for the outermost. */
  readonly level: number
  /** The `id` of its number 1, who takes its orphans and with whom it ends; 0 before there is one. */
  initId = 0
  /** Its first process has ended, or could not be made: nobody is born into it any more. */
  isClosed = false
  /** Where the search for the next number begins. */
  cursor = 0
  readonly #ids = new Map<number, number>()
  readonly #numbers = new Map<number, number>()

  constructor(parent: PidNamespace | undefined, number: number) {
    this.parent = parent
    this.number = number
    this.level = parent === undefined ? 0 : parent.level + 1
  }

  /** Whether it is another one, or is nested in it. */
  isWithin(other: PidNamespace): boolean {
    let at: PidNamespace | undefined = this
    while (at !== undefined && at !== other) at = at.parent
    return at !== undefined
  }

  get isNested(): boolean {
    return this.parent !== undefined
  }

  /** Whom a number stands for; 0 = nobody. */
  idOf(number: number): number {
    return this.parent === undefined ? number : (this.#ids.get(number) ?? 0)
  }

  /** What somebody is called here; 0 = not to be seen from here. */
  numberOf(id: number): number {
    return this.parent === undefined ? id : (this.#numbers.get(id) ?? 0)
  }

  /** Of a nested one: all that have a number. */
  ids(): IterableIterator<number> {
    return this.#numbers.keys()
  }

  enter(id: number, number: number): void {
    this.#ids.set(number, id)
    this.#numbers.set(id, number)
  }

  leave(id: number): void {
    this.#ids.delete(this.numberOf(id))
    this.#numbers.delete(id)
  }
}

/** What somebody of a namespace is called from the outermost down to its own: NSpid and the like of /proc/PID/status. */
export function numbersOf(namespace: PidNamespace, id: number): number[] {
  const numbers: number[] = []
  for (let at: PidNamespace | undefined = namespace; at !== undefined; at = at.parent) {
    numbers.unshift(at.numberOf(id))
  }
  return numbers
}

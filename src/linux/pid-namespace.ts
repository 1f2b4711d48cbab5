/**
 * Namespaces of process numbers (pid_namespaces(7); kernel/pid_namespace.c of Linux). The kernel itself knows a process, thread,
 * group or session by one number, its `id`, which is what the outermost namespace calls it. A nested namespace has numbers of its
 * own for those that were born into it or into one below: slab cache "pid_namespace". The outermost one has no record (NULL).
 *
 *     0    u32  who holds it: processes, threads whose children it is for, numbers given in it, namespaces within it, its file
 *     4    u32  number of its file (namespaces.ts)
 *     8    Ptr  the namespace that it is within, NULL = the outermost
 *     12   u32  level: how deep it is nested
 *     16   u32  `id` of its number 1
 *     20   u32  1: nobody is born into it any more
 *     24   u32  where the search for the next number begins
 *     32   Ptr  first and last of the numbers that were given (pid-number.ts), in that order
 *     40   Ptr  32 lists of them by number, then 32 by `id`
 */
import { NULL, type Ptr } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import { RecordView } from '../state/record-view.js'
import { PidNumbers } from './pid-number.js'

/** How deep they may be nested (MAX_PID_NS_LEVEL). */
export const NAMESPACE_LEVEL_MAX = 32
/** Of the file of the outermost (PROC_PID_INIT_INO). */
export const OUTERMOST_NUMBER = 0xefff_fffc

export const PID_NAMESPACE_BYTES = 296
const REFERENCES = 0
const NUMBER = 4
export const NAMESPACE_PARENT = 8
const LEVEL = 12
const INIT = 16
const CLOSED = 20
const CURSOR = 24

export class PidNamespace extends RecordView {
  readonly kind = 'pid'
  /** Undefined for the outermost. */
  readonly parent: PidNamespace | undefined
  readonly #numbers: PidNumbers

  constructor(memory: Memory, ptr: Ptr, parent: PidNamespace | undefined) {
    super(memory, ptr)
    this.parent = parent
    this.#numbers = new PidNumbers(memory, ptr)
  }

  /** Writes the record of a new one. */
  begin(number: number): void {
    this.references = 1
    this.setU32(NUMBER, number)
    this.setU32(NAMESPACE_PARENT, this.parent!.ptr)
    this.setU32(LEVEL, this.parent!.level + 1)
  }

  get references(): number {
    return this.u32(REFERENCES)
  }
  set references(count: number) {
    this.setU32(REFERENCES, count)
  }

  /** Of its file. */
  get number(): number {
    return this.isNested ? this.u32(NUMBER) : OUTERMOST_NUMBER
  }

  /** 0 for the outermost. */
  get level(): number {
    return this.isNested ? this.u32(LEVEL) : 0
  }

  /** The `id` of its number 1, who takes its orphans and with whom it ends; 0 before there is one. */
  get initId(): number {
    return this.u32(INIT)
  }
  set initId(id: number) {
    this.setU32(INIT, id)
  }

  /** Its first process has ended, or could not be made: nobody is born into it any more. */
  get isClosed(): boolean {
    return this.isNested && this.u32(CLOSED) !== 0
  }
  set isClosed(value: boolean) {
    this.setU32(CLOSED, value ? 1 : 0)
  }

  /** Where the search for the next number begins. */
  get cursor(): number {
    return this.u32(CURSOR)
  }
  set cursor(number: number) {
    this.setU32(CURSOR, number)
  }

  /** Whether it is another one, or is nested in it. */
  isWithin(other: PidNamespace): boolean {
    let at: PidNamespace | undefined = this
    while (at !== undefined && at !== other) at = at.parent
    return at !== undefined
  }

  get isNested(): boolean {
    return this.ptr !== NULL
  }

  /** Whom a number stands for; 0 = nobody. */
  idOf(number: number): number {
    return this.isNested ? this.#numbers.idOf(number) : number
  }

  /** What somebody is called here; 0 = not to be seen from here. */
  numberOf(id: number): number {
    return this.isNested ? this.#numbers.numberOf(id) : id
  }

  /** Of a nested one: all that have a number, in the order in which they got it. */
  ids(): Iterable<number> {
    return this.#numbers.ids()
  }

  /** Whether a nested one has given any number that is still in use. */
  get hasNumbers(): boolean {
    return this.#numbers.areAny
  }

  /** `record`: one of PidNumber, which is in no namespace yet. */
  enter(record: Ptr, id: number, number: number): void {
    this.#numbers.add(record, id, number)
  }

  /** The record that is free again. */
  leave(id: number): Ptr {
    return this.#numbers.remove(id)
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

/** The segments that a process of a script knows by their small numbers, and which of them it has made. */
import type { Caller, MachineSegments } from './segments.js'

const UNKNOWN = -1

export class OwnSegments {
  readonly #segments: MachineSegments
  readonly #caller: Caller
  readonly #ids: Map<number, number>
  readonly #mine = new Set<number>()

  /** A child knows its parent's, and has made none. */
  constructor(segments: MachineSegments, caller: Caller, parents?: OwnSegments) {
    this.#segments = segments
    this.#caller = caller
    this.#ids = new Map(parents === undefined ? [] : parents.#ids)
  }

  id(k: number): number {
    return this.#ids.get(k) ?? UNKNOWN
  }

  made(k: number, id: number): void {
    this.#ids.set(k, id)
    this.#mine.add(k)
  }

  /** IPC_RMID; it is forgotten unless its number stays known. */
  remove(k: number, staysKnown = false): number {
    const id = this.id(k)
    this.#mine.delete(k)
    if (!staysKnown) this.#ids.delete(k)
    return id < 0 && !staysKnown ? 0 : this.#segments.remove(this.#caller, id)
  }

  /** What it has made and not removed goes with the process. */
  end(): void {
    for (const k of [...this.#mine]) this.remove(k)
  }

  /** Which of them has the id, or -1. */
  numberOf(id: number): number {
    for (const [k, known] of this.#ids) if (known === id) return k
    return -1
  }
}

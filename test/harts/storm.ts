import type { Vpn } from '../../src/base/numbers.js'

/**
 * Harts on threads of their own use some address spaces while all of them change these. What may not happen is known exactly:
 * each page has counts of the changes that take something away, how many have begun, and the last that is through. A translation
 * that was looked up when the n-th had not begun may not be used once the n-th is through: then it is stale.
 */

export const SPACES = 3
/** Fewer than spaces, so that harts give them from one to another. */
export const ASIDS = 2
/**
 * Pages of each space that belong to one hart: it alone changes them, all use them. By number: small ones; one of each part of a huge page; and those of an
 * object that all spaces map.
 */
export const PAGES_OF_HART = 48
export const Kind = { small: 0, huge: 1, shared: 2 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]
/** Of each kind: the number of its first page among those of a hart, how many there are, and how many real pages each stands for. */
export const KINDS = [
  { first: 0, count: 32, pages: 1, start: 0x10000 },
  { first: 32, count: 8, pages: 64, start: 0x20000 },
  { first: 40, count: 8, pages: 1, start: 0x30000 },
] as const

export function kindOf(page: number): Kind {
  const number = page % PAGES_OF_HART
  if (number < KINDS[Kind.huge].first) return Kind.small
  return number < KINDS[Kind.shared].first ? Kind.huge : Kind.shared
}

/** The first of the real pages that a number stands for. */
export function startOf(page: number): number {
  const { first, count, pages, start } = KINDS[kindOf(page)]
  const hart = Math.floor(page / PAGES_OF_HART)
  return start + (hart * count + (page % PAGES_OF_HART) - first) * pages
}

/** The one that is used. */
export const pageOf = (page: number) => (startOf(page) + Math.floor(KINDS[kindOf(page)].pages / 4)) as Vpn

/** Changes, by what they take away. */
export const CHANGES = [
  'munmap',
  'mmap over',
  'mprotect none',
  'mprotect read',
  'madvise',
  'mremap',
  'fork',
  'punch',
] as const
export type Change = (typeof CHANGES)[number]
/**
 * What a hart may forget besides: to flush an identifier that another space gets, to catch up when it comes back to a space; and what it reclaims, which
 * nobody is told of.
 */
export const SWITCHING = ['recycling', 'coming back', 'reclaim'] as const
export type Switching = (typeof SWITCHING)[number]

/** What a change takes: all access, or the right to write. */
export const Taken = { all: 0, write: 1 } as const
export type Taken = (typeof Taken)[keyof typeof Taken]

export function takes(change: Change): Taken {
  return change === 'mprotect read' || change === 'fork' ? Taken.write : Taken.all
}

export interface StormData {
  readonly memory: WebAssembly.Memory
  readonly book: SharedArrayBuffer
  readonly spaces: readonly number[]
  /** What all spaces map, with a page for each shared one of each hart. */
  readonly object: number
  readonly harts: number
  readonly hart: number
  readonly seed: number
  readonly accesses: number
  /** What is left out, a change's flush or something in a switch, to see that it is found. */
  readonly forgets: Change | Switching | undefined
}

export interface StormReport {
  readonly accesses: number
  readonly hits: number
  readonly faults: number
  readonly changes: Readonly<Partial<Record<Change, number>>>
  /** Frames. */
  readonly reclaimed: number
  /** A stale access, by what it came after; or another failure. */
  readonly failure: string | undefined
}

const BEGUN = 0
const DONE = 2
/** From here on the names of the last changes, of each kind, by number; and whether they are through. */
const NAMES = 4
const NAMES_KEPT = 64
const WORDS_OF_PAGE = NAMES + 2 * NAMES_KEPT
const THROUGH = 1 << 8

/** The counts, shared by all threads. Word 0: somebody has found a failure. */
export class Book {
  readonly #words: Int32Array
  readonly #pages: number

  constructor(harts: number, buffer = new SharedArrayBuffer(Book.bytes(harts))) {
    this.#words = new Int32Array(buffer)
    this.#pages = harts * PAGES_OF_HART
  }

  static bytes(harts: number): number {
    return (1 + SPACES * (harts * PAGES_OF_HART + 1)) * WORDS_OF_PAGE * 4
  }

  get buffer(): SharedArrayBuffer {
    return this.#words.buffer as SharedArrayBuffer
  }

  get isOver(): boolean {
    return Atomics.load(this.#words, 0) !== 0
  }

  end(): void {
    Atomics.store(this.#words, 0, 1)
  }

  /** A page's place; the last of a space is for changes of all its pages. */
  #at(space: number, page: number): number {
    return (1 + space * (this.#pages + 1) + page) * WORDS_OF_PAGE
  }

  get wholeSpace(): number {
    return this.#pages
  }

  begun(space: number, page: number, taken: Taken): number {
    return Atomics.load(this.#words, this.#at(space, page) + BEGUN + taken)
  }

  done(space: number, page: number, taken: Taken): number {
    return Atomics.load(this.#words, this.#at(space, page) + DONE + taken)
  }

  begin(space: number, page: number, taken: Taken, change: Change): void {
    const at = this.#at(space, page)
    const number = Atomics.load(this.#words, at + BEGUN + taken) + 1
    Atomics.store(this.#words, this.#name(at, taken, number), CHANGES.indexOf(change))
    Atomics.store(this.#words, at + BEGUN + taken, number)
  }

  /** The change that has begun last is through. (One that was refused never is.) */
  finish(space: number, page: number, taken: Taken): void {
    const at = this.#at(space, page)
    const number = Atomics.load(this.#words, at + BEGUN + taken)
    Atomics.or(this.#words, this.#name(at, taken, number), THROUGH)
    Atomics.store(this.#words, at + DONE + taken, number)
  }

  /** The changes after the `number`-th that should have made harts forget the page: those that are through, and one that runs. */
  since(space: number, page: number, taken: Taken, number: number): Change[] {
    const last = this.begun(space, page, taken)
    const names: number[] = []
    for (let next = Math.max(number + 1, last - NAMES_KEPT + 1); next <= last; next++) {
      names.push(Atomics.load(this.#words, this.#name(this.#at(space, page), taken, next)))
    }
    const suspects = names.filter((each, i) => (each & THROUGH) !== 0 || i === names.length - 1)
    return suspects.map((each) => CHANGES[each & (THROUGH - 1)]!)
  }

  #name(at: number, taken: Taken, number: number): number {
    return at + NAMES + taken * NAMES_KEPT + (number % NAMES_KEPT)
  }
}

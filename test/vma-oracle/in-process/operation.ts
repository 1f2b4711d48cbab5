/** One operation of a script: its words, and what its result looks like. */
import { errnoName } from '../../../src/base/errno.js'
import type { Touched } from './layout.js'
import type { OracleProcess } from './process.js'

export const PAGE = 4096

/** One operation: its words, who makes it, and which pages of the window it has touched. */
export class Operation {
  readonly touched: Touched[] = []
  readonly #words: readonly string[]
  readonly #process: OracleProcess

  constructor(process: OracleProcess, words: readonly string[]) {
    this.#process = process
    this.#words = words
  }

  get process(): OracleProcess {
    return this.#process
  }

  word(i: number): string {
    return this.#words[i] ?? ''
  }

  has(i: number): boolean {
    return i < this.#words.length
  }

  num(i: number): number {
    return Number(this.#words[i])
  }

  bytes(i: number): number {
    return this.num(i) * PAGE
  }

  at(i: number): number {
    return this.#process.address(this.num(i))
  }

  /** The address of words 1 and 2, a range that is changed. */
  range(): number {
    this.touch(this.num(1), this.num(2))
    return this.at(1)
  }

  touch(page: number, pages: number): void {
    this.touched.push([page, pages])
  }

  /** An address in the window as its page; a mapping elsewhere is taken away again. */
  place(
    result: number,
    bytes: number,
    undo = (at: number) => this.#process.call('munmap', at, bytes),
  ): string {
    if (result < 0) return errno(result)
    const page = result / PAGE - this.#process.machine.base
    if (page >= 0 && page + bytes / PAGE <= this.#process.machine.pages) {
      this.touch(page, bytes / PAGE)
      return `${page}`
    }
    undo(result)
    return 'out'
  }
}

export const errno = (result: number) => (result < 0 ? `-1 ${errnoName(result)}` : `${result}`)

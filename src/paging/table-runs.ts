import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { PageTable } from './page-table.js'

/**
 * Goes over what is mapped in a range of pages, one table of 4 KiB leaves or huge leaf after the other. A loop of its own
 * instead of a call back for each, because a change of one page must not cost more than the change.
 *
 *     const runs = new TableRuns(mapper, start, end)
 *     while (runs.next()) …
 *
 * What it stands at may be changed, and a huge leaf split; no table may be taken away.
 */
export class TableRuns {
  readonly #table: PageTable
  readonly #end: Vpn
  #at: Vpn
  /** The first page of the run, its pages, and its first entry: of level 0, or the huge leaf. */
  vpn: Vpn
  pages = 0
  entry: Ptr = NULL
  isHuge = false

  constructor(table: PageTable, start: Vpn, end: Vpn) {
    this.#table = table
    this.#end = end
    this.#at = start
    this.vpn = start
  }

  /** Whether there is another run. */
  next(): boolean {
    const table = this.#table
    while (this.#at < this.#end) {
      const vpn = this.#at
      const slot = table.slot(vpn)
      if (slot === NULL) {
        this.#at = table.afterHole(vpn)
        continue
      }
      this.#at = Math.min(table.nextAt(vpn, 1), this.#end) as Vpn
      if (!table.isPresent(slot)) continue
      this.vpn = vpn
      this.pages = this.#at - vpn
      this.isHuge = table.isLeaf(slot)
      this.entry = this.isHuge ? slot : table.entryAt(table.childOf(slot), vpn, 0)
      return true
    }
    return false
  }
}

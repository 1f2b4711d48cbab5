/** Runs of pages that stand in the list. */
export const RUNS_MAX = 512
/**
 * The pages of all runs together: where there are more, everything is forgotten. (A page by itself costs 2 ns, one of a long run 0.3, all 1,200 ns and the
 * walks that fill the TLB again.)
 */
export const PAGES_MAX = 2048

/** What TLBs must forget: runs of adjacent pages, or everything when these are too many. */
export class Forgetting {
  /** First pages of runs, and how many pages each has. */
  readonly starts = new Float64Array(RUNS_MAX)
  readonly lengths = new Uint32Array(RUNS_MAX)
  runCount = 0
  #pages = 0
  isAll = false

  get isEmpty(): boolean {
    return this.runCount === 0 && !this.isAll
  }

  clear(): void {
    this.runCount = 0
    this.#pages = 0
    this.isAll = false
  }

  addPage(vpn: number): void {
    this.addPages(vpn, 1)
  }

  /** Adjacent pages, of small leaves or of a huge one. What comes right after those that came last is one run with them. */
  addPages(vpn: number, pages: number): void {
    const { starts, lengths, runCount } = this
    this.#pages += pages
    if (this.#pages > PAGES_MAX) {
      this.isAll = true
      return
    }
    const last = runCount - 1
    if (last >= 0 && starts[last]! + lengths[last]! === vpn) {
      lengths[last]! += pages
      return
    }
    if (runCount === RUNS_MAX) {
      this.isAll = true
      return
    }
    starts[runCount] = vpn
    lengths[runCount] = pages
    this.runCount = runCount + 1
  }
}

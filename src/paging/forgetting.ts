/** The pages that are forgotten one by one; when there are more, all are. (One costs 2 ns, all 1,200 ns and the walks that fill the TLB again.) */
export const PAGES_MAX = 512
/** The same for the runs of huge leaves and of whole tables: the TLB holds the pages of so many. */
export const RUNS_MAX = 8
/** Runs that are larger than what the TLB holds, or of several sizes: everything is forgotten. */
const RUN_PAGES_MAX = 2048
/** Fewer adjacent pages are forgotten one by one. */
const RUN_PAGES_MIN = 128

/** What TLBs must forget: pages, and the runs of huge leaves, or everything when these are too many. */
export class Forgetting {
  readonly pages = new Float64Array(PAGES_MAX)
  /** Pages in the list. */
  pageCount = 0
  /** First pages of runs, and the pages of each: a power of two, to which they are aligned. */
  readonly runs = new Float64Array(RUNS_MAX)
  runCount = 0
  runPages = 0
  isAll = false

  get isEmpty(): boolean {
    return this.pageCount === 0 && this.runCount === 0 && !this.isAll
  }

  clear(): void {
    this.pageCount = 0
    this.runCount = 0
    this.isAll = false
  }

  addPage(vpn: number): void {
    if (this.pageCount < PAGES_MAX) this.pages[this.pageCount++] = vpn
    else this.isAll = true
  }

  /** Adjacent pages of small leaves: those of a whole table are forgotten at once, as those of a huge leaf. */
  addPages(vpn: number, pages: number): void {
    if (this.#fitsRun(vpn, pages)) {
      this.runPages = pages
      this.runs[this.runCount++] = vpn
      return
    }
    const count = this.pageCount
    if (count + pages > PAGES_MAX) {
      this.isAll = true
      return
    }
    for (let i = 0; i < pages; i++) this.pages[count + i] = vpn + i
    this.pageCount = count + pages
  }

  #fitsRun(vpn: number, pages: number): boolean {
    if (pages < RUN_PAGES_MIN || pages > RUN_PAGES_MAX || this.runCount === RUNS_MAX) return false
    if (this.runCount > 0 && pages !== this.runPages) return false
    return (pages & (pages - 1)) === 0 && vpn % pages === 0
  }

  /** All pages of a huge leaf. */
  addRun(vpn: number, pages: number): void {
    if (pages > RUN_PAGES_MAX || (this.runCount > 0 && pages !== this.runPages)) {
      this.isAll = true
      return
    }
    this.runPages = pages
    if (this.runCount < RUNS_MAX) this.runs[this.runCount++] = vpn
    else this.isAll = true
  }
}

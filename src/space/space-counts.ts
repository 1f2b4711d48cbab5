/**
 * What is counted about an address space: its pages by kind of mapping, those that are resident, its faults. A part of the record of a
 * space, and guarded by its lock, but for what a hart counts in its own line:
 *
 *     48   u32  rssAnonymous, rssFile, rssShared   frames mapped, by kind: of who runs no hart
 *     104  f64  totalPages, dataPages, execPages, stackPages, lockedPages, peakPages
 *     152  f64  minorFaults, majorFaults           of who runs no hart
 *     216  f64  peakRss, committedPages
 *     384  64 bytes for each hart: u32 rssAnonymous, rssFile, rssShared, 0; f64 minorFaults, majorFaults
 *
 * Who holds the lock together with others (a page fault) changes only the line of its own hart. What is counted is the sum: a line's
 * part may be negative, so the words wrap around.
 */
import { NULL, type Ptr } from '../base/numbers.js'

const RSS = 48
const PAGES = 104
const FAULTS = 152
const PEAK_RSS = 216
const COMMITTED = 224
export const HART_LINES = 384
export const HART_LINE_BYTES = 64
/** In a hart's line. */
export const LINE_FAULTS = 16

/** The kinds of resident pages, by the order of their words. */
export const Resident = { anonymous: 0, file: 1, shared: 2 } as const
export type Resident = (typeof Resident)[keyof typeof Resident]

/** A view on the counts of one space, or of those that `space` is moved to. */
export class SpaceCounts {
  readonly #words: Uint32Array
  readonly #numbers: Float64Array
  readonly #harts: number
  readonly space: { readonly ptr: Ptr }

  constructor(words: Uint32Array, numbers: Float64Array, harts: number, space: { readonly ptr: Ptr }) {
    this.#words = words
    this.#numbers = numbers
    this.#harts = harts
    this.space = space
  }

  /** Counts of no space, all 0, to compare with. */
  static ofNone(): SpaceCounts {
    const record = new ArrayBuffer(HART_LINES)
    return new SpaceCounts(new Uint32Array(record), new Float64Array(record), 0, { ptr: NULL })
  }

  /** Private pages mapped (RssAnon). */
  get rssAnonymous(): number {
    return this.#resident(Resident.anonymous)
  }
  /** Pages of files mapped (RssFile). */
  get rssFile(): number {
    return this.#resident(Resident.file)
  }
  /** Pages of tmpfs and shared anonymous objects mapped (RssShmem). */
  get rssShared(): number {
    return this.#resident(Resident.shared)
  }
  get rssPages(): number {
    return this.rssAnonymous + this.rssFile + this.rssShared
  }

  /** Counts pages that were mapped, or (negative) taken away, by a hart. */
  addResident(hart: number, kind: Resident, pages: number): void {
    const at = hart < this.#harts ? this.#line(hart) : this.space.ptr + RSS
    this.#words[(at >>> 2) + kind]! += pages
  }

  #resident(kind: Resident): number {
    const words = this.#words
    const lines = (this.#line(0) >>> 2) + kind
    let pages = words[((this.space.ptr + RSS) >>> 2) + kind]!
    for (let hart = 0; hart < this.#harts; hart++) pages += words[lines + (hart * HART_LINE_BYTES) / 4]!
    // Harts that count meanwhile: one may have taken away what another one's part, read before, does not have yet.
    return Math.max(0, pages | 0)
  }

  #line(hart: number): number {
    return this.space.ptr + HART_LINES + hart * HART_LINE_BYTES
  }

  /** Most pages resident at once, as it was when the number last fell (hiwater_rss). */
  get peakRss(): number {
    return this.#numbers[(this.space.ptr + PEAK_RSS) >>> 3]!
  }
  set peakRss(pages: number) {
    this.#numbers[(this.space.ptr + PEAK_RSS) >>> 3] = pages
  }
  /** Most pages resident at once so far (VmHWM). */
  get peakRssPages(): number {
    return Math.max(this.peakRss, this.rssPages)
  }

  /** Before the number falls: remembers what it was (update_hiwater_rss). */
  notePeakRss(): void {
    const resident = this.rssPages
    if (resident > this.peakRss) this.peakRss = resident
  }

  /** Pages of all mappings (VmSize). */
  get totalPages(): number {
    return this.#numbers[(this.space.ptr + PAGES) >>> 3]!
  }
  set totalPages(pages: number) {
    this.#numbers[(this.space.ptr + PAGES) >>> 3] = pages
  }
  /** Private, writable, not stack (VmData). */
  get dataPages(): number {
    return this.#numbers[((this.space.ptr + PAGES) >>> 3) + 1]!
  }
  set dataPages(pages: number) {
    this.#numbers[((this.space.ptr + PAGES) >>> 3) + 1] = pages
  }
  /** Executable and not writable (VmExe + VmLib). */
  get execPages(): number {
    return this.#numbers[((this.space.ptr + PAGES) >>> 3) + 2]!
  }
  set execPages(pages: number) {
    this.#numbers[((this.space.ptr + PAGES) >>> 3) + 2] = pages
  }
  get stackPages(): number {
    return this.#numbers[((this.space.ptr + PAGES) >>> 3) + 3]!
  }
  set stackPages(pages: number) {
    this.#numbers[((this.space.ptr + PAGES) >>> 3) + 3] = pages
  }
  get lockedPages(): number {
    return this.#numbers[((this.space.ptr + PAGES) >>> 3) + 4]!
  }
  set lockedPages(pages: number) {
    this.#numbers[((this.space.ptr + PAGES) >>> 3) + 4] = pages
  }
  /** Most pages mapped at once so far (VmPeak). */
  get peakPages(): number {
    return this.#numbers[((this.space.ptr + PAGES) >>> 3) + 5]!
  }
  set peakPages(pages: number) {
    this.#numbers[((this.space.ptr + PAGES) >>> 3) + 5] = pages
  }
  /** Pages of mappings with VM_ACCOUNT. */
  get committedPages(): number {
    return this.#numbers[(this.space.ptr + COMMITTED) >>> 3]!
  }
  set committedPages(pages: number) {
    this.#numbers[(this.space.ptr + COMMITTED) >>> 3] = pages
  }

  get minorFaults(): number {
    return this.#faults(0)
  }
  get majorFaults(): number {
    return this.#faults(1)
  }

  /** Counts a fault that a hart has resolved. */
  addFault(hart: number, isMajor: boolean): void {
    const at = hart < this.#harts ? this.#line(hart) + LINE_FAULTS : this.space.ptr + FAULTS
    this.#numbers[(at >>> 3) + (isMajor ? 1 : 0)]! += 1
  }

  #faults(kind: 0 | 1): number {
    let faults = this.#numbers[((this.space.ptr + FAULTS) >>> 3) + kind]!
    for (let hart = 0; hart < this.#harts; hart++) {
      faults += this.#numbers[((this.#line(hart) + LINE_FAULTS) >>> 3) + kind]!
    }
    return faults
  }
}

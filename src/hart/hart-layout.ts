import type { Ptr } from '../base/numbers.js'

/** Where things are in the buffer: constants of the emitted module. */
export interface HartLayout {
  /** The hart's record (hart-state.ts). */
  readonly hart: Ptr
  /** The header of the hart's look-up table (paging/tlb-layout.ts), which says where the entries are that count now. */
  readonly tlb: Ptr
  /** The decode tables (decode-table.ts). */
  readonly decode: Ptr
  /** The stamps of frames that code was translated from (frame/frame-table.ts). */
  readonly codeStamps: Ptr
  /** The hart's table of translated code (translator/entry-table.ts). */
  readonly codeEntries: Ptr
  /** Whether code is translated. (From how many arrivals on is no constant: the same module does for all.) */
  readonly translates: boolean
  /** The page-frame number that the first frame of RAM has in page tables. */
  readonly physBasePfn: number
  /** Whether several threads may run on the memory. */
  readonly shared: boolean
  /** Whether the memory is of the shared kind, which a module says that imports it. */
  readonly inSharedBuffer: boolean
}

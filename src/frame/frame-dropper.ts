/** Takes references away from many frames of a list that it knows, on memory that no other thread uses. */
export interface FrameDropper {
  /**
   * One reference less to each of `count` frames of the list, from place `from` on. The single frames of which it was the last one become
   * ones inside a free block (FrameTable.dropLast), and stand in the list from place `from` on; returns how many these are. It ends early at a
   * frame whose last reference would go and that is none of them: a larger block, or a free one.
   */
  drop(from: number, count: number): number
  /** How many frames the last call went over. */
  readonly dropped: number
  /** Frames of the list that `drop` has left, from place `from` on, become free where they merge, neighbours in the list together. */
  give(from: number, count: number): void
}

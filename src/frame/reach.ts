/** How far below its zones' watermarks an allocation goes. A view of the allocator has one, that of whoever runs on its thread. */
export const enum Reach {
  /** To min, as everybody: then reclaim is asked. */
  min = 0,
  /** To half of min: who is ended for its memory, and needs some to end (ALLOC_OOM). */
  half = 1,
  /** To the last frame, those that a lower zone keeps too: who gives memory back (PF_MEMALLOC). */
  all = 2,
}

/**
 * The header that stands at the start of each slab; guarded by the slab lock.
 *
 *     0   u32  cache     the cache's number + 1
 *     4   u32  recycled  Ptr of the object freed last; each such object starts with the Ptr of the next; 0 ends
 *     8   u32  fresh     Ptr of the first object that was never given out (it is still zero)
 *     12  u32  used      objects given out
 *     16  u32  previous  slab on the list of slabs with a free object
 *     20  u32  next
 *     24  …    map of used objects, one bit for each 2^shift bytes from the first object on
 *     …   the objects
 *
 * An object's bit is set where it starts, and only while it is given out: so one look finds a double free, a
 * pointer into the middle of an object and a pointer to the header.
 */
export const enum SlabField {
  cache = 0,
  recycled = 1,
  fresh = 2,
  used = 3,
  previous = 4,
  next = 5,
  map = 6,
}
export const HEADER_BYTES = SlabField.map * 4

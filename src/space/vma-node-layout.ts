/**
 * A node of the VMA tree: 736 bytes, slab cache "vma_node". The leaves (level 0) hold VMAs, the others nodes; an
 * entry says where its child begins and ends and the largest gap between two VMAs inside it. A gap between two
 * entries of a node is in neither child: it is `first[i] - last[i - 1]`, so that moving a VMA's bounds changes nodes
 * on the way to the root only, and no neighbour.
 *
 *     0    u32  count     1 to 24
 *     4    u32  level     0 = leaf
 *     8    u32  parent    NULL = root; while the node is spare: the next spare one
 *     12   u32  begin     where the first entry stands: in a leaf there may be places before it, so that mappings come and go at both
 *                         of its ends without moving others; 0 in other nodes
 *     64   f64  first[24]
 *     256  f64  last[24]  page after the last; 0 before the first entry, Infinity behind the last one: so a search needs no limit
 *     448  f64  gap[24]   pages; 0 in a leaf
 *     640  u32  child[24]
 *
 * 24 entries (three cache lines of numbers): measured best of 16 to 48 for gap searches among 65,530 mappings, the
 * most that there can be; look-ups cost the same with all of them.
 */
export const NODE_BYTES = 736
export const NODE_ENTRIES = 24
export const NODE_COUNT = 0
export const NODE_LEVEL = 4
export const NODE_PARENT = 8
export const NODE_BEGIN = 12
export const NODE_FIRST = 64
export const NODE_LAST = 256
export const NODE_GAP = 448
export const NODE_CHILD = 640

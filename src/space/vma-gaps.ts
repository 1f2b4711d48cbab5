/**
 * Where a mapping of so many pages fits. Whole subtrees are skipped by the gap maxima of the nodes, so that a search
 * looks into at most two nodes of each level that hold nothing (those that the limits cut).
 */
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { VmaNodes } from './vma-node.js'
import type { VmaTree } from './vma-tree.js'

/** No gap is large enough. Page numbers of gaps are never negative. */
export const NO_GAP = -1 as Vpn

/** The highest page from which `pages` fit below `high` and not below `low`. */
export function highestGap(
  vmas: VmaTree,
  space: AddressSpace,
  pages: number,
  low: number,
  high: number,
): Vpn {
  const root = vmas.root(space)
  if (root === NULL) return (high - low >= pages ? high - pages : NO_GAP) as Vpn
  const found = highestInNode(vmas.nodes, root, pages, low, high)
  if (found !== NO_GAP) return found
  const end = Math.min(vmas.nodes.first(root, 0), high)
  return (end - low >= pages ? end - pages : NO_GAP) as Vpn
}

/** Gaps after each entry of the node, and those inside its children, from the top; not the one before the first. */
function highestInNode(nodes: VmaNodes, node: Ptr, pages: number, low: number, high: number): Vpn {
  let end = high
  for (let slot = nodes.count(node) - 1; slot >= 0 && end - low >= pages; slot--) {
    if (nodes.first(node, slot) >= high) continue
    if (end - Math.max(nodes.last(node, slot), low) >= pages) return (end - pages) as Vpn
    if (nodes.gap(node, slot) >= pages) {
      const found = highestInNode(nodes, nodes.child(node, slot), pages, low, end)
      if (found !== NO_GAP) return found
    }
    end = nodes.first(node, slot)
  }
  return NO_GAP
}

/** The lowest page, not below `low`, from which `pages` fit below `high`. */
export function lowestGap(vmas: VmaTree, space: AddressSpace, pages: number, low: number, high: number): Vpn {
  const root = vmas.root(space)
  if (root === NULL) return (high - low >= pages ? low : NO_GAP) as Vpn
  const found = lowestInNode(vmas.nodes, root, pages, low, high)
  if (found !== NO_GAP) return found
  const start = Math.max(vmas.nodes.last(root, vmas.nodes.count(root) - 1), low)
  return (high - start >= pages ? start : NO_GAP) as Vpn
}

function lowestInNode(nodes: VmaNodes, node: Ptr, pages: number, low: number, high: number): Vpn {
  let start = low
  const count = nodes.count(node)
  for (let slot = 0; slot < count && high - start >= pages; slot++) {
    if (nodes.last(node, slot) <= low) continue
    if (Math.min(nodes.first(node, slot), high) - start >= pages) return start as Vpn
    if (nodes.gap(node, slot) >= pages) {
      const found = lowestInNode(nodes, nodes.child(node, slot), pages, start, high)
      if (found !== NO_GAP) return found
    }
    start = nodes.last(node, slot)
  }
  return NO_GAP
}

/**
 * Which mappings may hold the same anonymous pages. Linux gives a mapping an `anon_vma` when its first page becomes its
 * own, and merges only mappings whose anon_vmas agree, so this shows in /proc/PID/maps. Here the identity is a
 * number in the VMA (`anonId`), with the length of its chain (`anonDepth`): 1 for its own, one more for each fork that
 * it went through.
 */
import type { Ptr } from '../base/numbers.js'
import { NULL } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { SpaceEnv } from './space-env.js'
import { VM_ACCESS_FLAGS } from './vm-flags.js'
import { Vma } from './vma.js'

/**
 * Gives a mapping its family, before its first page of its own is installed (anon_vma_prepare): that of a neighbour
 * that could one day be merged with it, or a new one. Does nothing when it has one.
 */
export function prepareAnonymous(mm: SpaceEnv, vma: Vma): void {
  if (vma.anonId !== 0) return
  vma.anonId = reusableId(mm, vma) || newAnonId(mm)
  vma.anonDepth = 1
}

/** Identities are used once (of 2^32, about 2^31 forks of a mapping away). */
export function newAnonId(mm: SpaceEnv): number {
  return (mm.atomics.add((wordIndex(Word.nextAnonId) * 4) as Ptr, 1) + 1) >>> 0
}

/** find_mergeable_anon_vma: the next mapping is asked before the previous one. */
function reusableId(mm: SpaceEnv, vma: Vma): number {
  const next = new Vma(mm.memory, mm.vmas.next(vma.ptr))
  if (next.ptr !== NULL && next.anonDepth === 1 && isCompatible(vma, next)) return next.anonId
  const previous = new Vma(mm.memory, mm.vmas.previous(vma.ptr))
  if (previous.ptr !== NULL && previous.anonDepth === 1 && isCompatible(previous, vma)) return previous.anonId
  return 0
}

/** Alike in all but the access that mprotect may make equal (anon_vma_compatible). */
function isCompatible(low: Vma, high: Vma): boolean {
  return (
    low.end === high.start &&
    low.object === high.object &&
    low.file === high.file &&
    ((low.flags ^ high.flags) & ~VM_ACCESS_FLAGS) === 0 &&
    low.offsetOf(low.end) === high.pageOffset
  )
}

/** The mapping takes over pages of another (dup_anon_vma, anon_vma_clone): it belongs to that one's family if it has none. */
export function adoptFamily(vma: Vma, from: Vma): void {
  if (vma.anonId !== 0) return
  vma.anonId = from.anonId
  vma.anonDepth = from.anonDepth
}

/** A child's copy of a mapping: a family of its own below the parent's (anon_vma_fork). */
export function forkFamily(mm: SpaceEnv, child: Vma, parent: Vma): void {
  if (parent.anonId === 0) return
  child.anonId = newAnonId(mm)
  child.anonDepth = parent.anonDepth + 1
}

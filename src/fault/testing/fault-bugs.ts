/** Bugs to be found: each takes a part away from what a hart has attached to. */
import type { Ptr } from '../../base/numbers.js'
import { SpaceCounts } from '../../space/space-counts.js'
import { AtomicWords, LockRank } from '../../state/atomics.js'
import type { FaultPlayer } from './fault-player.js'

export type Bug = (hart: FaultPlayer) => void

/** Locks of one rank are not taken. */
export function withoutLock(missing: LockRank): Bug {
  return ({ mm: { atomics } }) => {
    const { lock, unlock } = AtomicWords.prototype
    atomics.lock = (ptr, rank) => {
      if (rank !== missing) lock.call(atomics, ptr, rank)
    }
    atomics.unlock = (ptr, rank) => {
      if (rank !== missing) unlock.call(atomics, ptr, rank)
    }
  }
}

/** All harts count in the same words. */
export const lostCount: Bug = ({ mm: { atomics } }) => {
  SpaceCounts.prototype.addResident = function (_hart, kind, pages) {
    const at = (this.space.ptr + 48 + kind * 4) as Ptr
    const old = atomics.load(at)
    atomics.store(at, old + pages)
  }
}

/** The space's lock is given back before the fault is resolved. */
export const droppedEarly: Bug = ({ mm: { atomics, vmas } }) => {
  const { unlockShared } = AtomicWords.prototype
  const find = vmas.find.bind(vmas)
  let holds: Ptr | undefined
  atomics.lockShared = (ptr, rank) => {
    AtomicWords.prototype.lockShared.call(atomics, ptr, rank)
    holds = ptr
  }
  vmas.find = (space, vpn) => {
    const found = find(space, vpn)
    if (holds !== undefined) unlockShared.call(atomics, holds, LockRank.space)
    holds = undefined
    return found
  }
  atomics.unlockShared = () => {}
}

/** Who wants the lock alone does not wait for those who hold it together. */
export const impatientWriter: Bug = ({ mm: { atomics } }) => {
  Object.assign(atomics, { awaitSharers: () => {} })
}

/** The new page can be seen before the old one is forgotten. */
export const lateFlush: Bug = ({ mm: { shootdown } }) => {
  Object.defineProperty(shootdown, 'hasOthers', { get: () => false })
}

/** Pages leave their object though they are mapped again. */
export const hastyPunch: Bug = ({ mm: { objects } }) => {
  objects.dropUnmapped = (object, first, end) => {
    objects.dropRange(object, first, end)
    return true
  }
}

/** Whoever has made a page ready does not look again whether it is still wanted. */
export const noSecondLook: Bug = ({ mm: { fault } }) => {
  fault.lockAbsent = () => {
    fault.lockEntry()
    return true
  }
}

/** Bugs of reclaim to be found: each takes a part away from what a hart has attached to. */
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { assert } from '../../base/assert.js'
import type { Ptr } from '../../base/numbers.js'
import { UserMapper } from '../../paging/user-mapper.js'
import { SlabCache } from '../../slab/slab-cache.js'
import { AddressSpace } from '../../space/address-space.js'
import type { Bug } from './fault-bugs.js'

/** A space that is going is held on to. */
export const heldSpace: Bug = ({ mm: { spaces, atomics, memory } }) => {
  spaces.tryRetain = (space) => {
    atomics.add(new AddressSpace(memory, space).refCountPtr, 1)
    return true
  }
}

/** The same for an object. */
export const heldObject: Bug = ({ mm: { objects, atomics } }) => {
  Object.assign(objects, {
    tryRetain: (object: Ptr) => {
      atomics.add((object + 4) as Ptr, 1)
      return true
    },
  })
}

/** What a frame names as its owner is taken for one, and locked, whatever it is. */
export const credulous: Bug = () => {
  const { whileThere } = SlabCache.prototype
  SlabCache.prototype.whileThere = function (pointer, look) {
    const isLocked = look()
    assert(!isLocked || whileThere.call(this, pointer, () => true), 'something else is locked')
    return isLocked
  }
}

/** Nobody looks whether a page was written to when its entry is gone. */
export const unseenStore: Bug = () => {
  const { clear } = UserMapper.prototype
  UserMapper.prototype.clear = function (...args) {
    return clear.apply(this, args) & ~EntryFlag.dirty
  }
}

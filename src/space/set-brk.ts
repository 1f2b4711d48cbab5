import { EAGAIN, ENOMEM } from '../base/errno.js'
import { NULL, pagesFor, type Vpn } from '../base/numbers.js'
import { countMapping, mayExpand, mayLock } from './accounting.js'
import type { AddressSpace } from './address-space.js'
import { type Extent, insertVma } from './extent.js'
import { mergeNew } from './merge.js'
import { markNew } from './merges-all.js'
import { isEnoughMemory } from './overcommit.js'
import { checkPlace, guardedStart } from './placement.js'
import { enterKhugepaged } from './scanned-spaces.js'
import type { SpaceEnv } from './space-env.js'
import { mapCountMax } from './tunables.js'
import { unmapRange } from './unmap-range.js'
import { STACK_GUARD_PAGES, VM_ACCOUNT, VM_DATA_FLAGS } from './vm-flags.js'
import { Vma } from './vma.js'

/** brk: moves the program break to a byte address and returns where it is afterwards, the old place when it cannot. */
export function setBrk(mm: SpaceEnv, space: AddressSpace, address: number): number {
  const { parts } = space
  const old = parts.brk
  if (address < parts.brkStart || exceedsDataLimit(space, parts.dataBytes(address))) return old
  const from = pagesFor(old) as Vpn
  const to = pagesFor(address) as Vpn
  const result = to === from ? 0 : to < from ? shrink(mm, space, to, from) : grow(mm, space, from, to)
  if (result < 0) return old
  parts.brk = address
  return address
}

/** Whether a heap and data segment of so many bytes in all are more than RLIMIT_DATA allows (check_data_rlimit). */
export function exceedsDataLimit(space: AddressSpace, bytes: number): boolean {
  return bytes > Math.min(space.limitData, space.limitHeap)
}

function shrink(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  const first = mm.vmas.find(space, start)
  if (first === NULL || new Vma(mm.memory, first).start >= end) return -ENOMEM
  return unmapRange(mm, space, start, end)
}

/** A page, and the guard gap of a stack, must stay free above the heap. */
function grow(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  const pages = end - start
  const place = checkPlace(mm, space, start, pages)
  if (place < 0) return place
  if (!mayLock(space, space.defaultFlags, pages)) return -EAGAIN
  const next = new Vma(mm.memory, mm.vmas.find(space, start))
  if (next.ptr !== NULL && next.start <= end + STACK_GUARD_PAGES && end + 1 > guardedStart(mm.vmas, next.ptr))
    return -ENOMEM
  return mapHeap(mm, space, start, end)
}

/** do_brk_flags: enlarges the heap's mapping below, but joins none above, nor the program's below the first page of the heap. */
function mapHeap(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  const flags = VM_DATA_FLAGS | VM_ACCOUNT | space.defaultFlags
  const pages = end - start
  if (!mayExpand(space, flags, pages) || space.vmaCount > mapCountMax(mm)) return -ENOMEM
  if (!isEnoughMemory(mm, space, pages)) return -ENOMEM
  const nothing = { object: NULL, file: 0, family: NULL, name: NULL, policy: 0, userfault: NULL }
  const extent: Extent = { start, end, pageOffset: start, flags, ...nothing }
  const isFirst = start <= pagesFor(space.parts.brkStart)
  const merged = isFirst ? NULL : mergeNew(mm, space, extent, true)
  if (merged !== NULL) enterKhugepaged(mm, space, merged)
  else {
    const fresh = mm.vmas.reserve(space, 1) ? mm.vmas.allocateVma() : NULL
    if (fresh === NULL) return -ENOMEM
    insertVma(mm, space, new Vma(mm.memory, fresh), extent)
    if (space.mergesAll) markNew(mm, fresh)
  }
  countMapping(mm, space, flags, pages)
  return 0
}

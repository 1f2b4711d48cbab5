/** /proc/PID/pagemap: 64 bits for each page of the address space (Documentation/admin-guide/mm/pagemap.rst). */
import { EntryFlag } from '../../../arch/memory-management-arch.js'
import { EINVAL } from '../../../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../../../base/numbers.js'
import { FrameFlag } from '../../../frame/frame-table.js'
import type { MemoryManager } from '../../../mm.js'
import { UserMapper } from '../../../paging/user-mapper.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { LockRank } from '../../../state/atomics.js'

/** Bits of the upper half; the lower one has the frame number. */
const PRESENT = 1 << 31
const FILE_OR_SHARED = 1 << 29
const EXCLUSIVE = 1 << 24
const ENTRY_BYTES = 8

/** Bytes read; -EINVAL when the position or the length is no multiple of 8. */
export function readPagemap(
  mm: MemoryManager,
  space: AddressSpace,
  position: number,
  target: Uint8Array,
): number {
  if (position % ENTRY_BYTES !== 0 || target.length % ENTRY_BYTES !== 0) return -EINVAL
  const first = position / ENTRY_BYTES
  const pages = Math.max(0, Math.min(target.length / ENTRY_BYTES, mm.arch.userEnd - first))
  const view = new DataView(target.buffer, target.byteOffset, target.length)
  const mapper = new UserMapper(mm, space.root)
  mm.atomics.lock(space.lock, LockRank.space)
  for (let i = 0; i < pages; i++) {
    const entry = mapper.leaf((first + i) as Vpn)
    const present = entry !== NULL && mapper.isPresent(entry)
    view.setUint32(i * ENTRY_BYTES, present ? mapper.pfn(entry) + mm.arch.physBasePfn : 0, true)
    view.setUint32(i * ENTRY_BYTES + 4, present ? flagsOf(mm, mapper, entry) : 0, true)
  }
  mm.atomics.unlock(space.lock, LockRank.space)
  return pages * ENTRY_BYTES
}

/** The zero page and the vdso (special entries) count as nobody's. */
function flagsOf({ frames }: MemoryManager, mapper: UserMapper, entry: Ptr): number {
  if ((mapper.flags(entry) & EntryFlag.special) !== 0) return PRESENT
  const pfn = mapper.pfn(entry)
  const isFile = (frames.flags(pfn) & FrameFlag.file) !== 0
  const exclusive = frames.refCount(pfn) === (isFile ? 2 : 1)
  return PRESENT | (isFile ? FILE_OR_SHARED : 0) | (exclusive ? EXCLUSIVE : 0)
}

/** /proc/PID/pagemap: 64 bits for each page of the address space (Documentation/admin-guide/mm/pagemap.rst). */
import { EntryFlag } from '../../../arch/memory-management-arch.js'
import { EINVAL } from '../../../base/errno.js'
import { NO_FRAME, type Pfn, type Vpn } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import { UserMapper } from '../../../paging/user-mapper.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { isAnonymousFrame, mappingsOf } from '../../../space/page-usage.js'
import { isPoison } from '../../../space/poisoned-entry.js'
import { LockRank } from '../../../state/atomics.js'
import { Word, wordIndex } from '../../../state/layout.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import { controlPagemap } from './pagemap-scan.js'
import { file, type ProcFile, type RawRequest, WITHOUT_MEMORY } from './proc-node.js'

/** Bits of the upper half; the lower one has the frame number. */
const PRESENT = 1 << 31
const FILE_OR_SHARED = 1 << 29
const EXCLUSIVE = 1 << 24
const SWAPPED = 1 << 30
/** What is shown of a page that UFFDIO_POISON has marked: the swap type of marks (SWP_PTE_MARKER), and which mark. */
const POISON_MARKER = 0x5f
const ENTRY_BYTES = 8

/** /proc/PID/pagemap. Frame numbers are shown to openers with CAP_SYS_ADMIN. */
export const pagemap: ProcFile = {
  ...file(() => '', 0o400),
  memory: 'look',
  onceEnded: WITHOUT_MEMORY,
  ioctl: (c, _vfs, space) => controlPagemap(c, space),
  raw: {
    read: ({ vfs, space, opener }: RawRequest, position, target) =>
      space === undefined
        ? 0
        : readPagemap(vfs.env.mm, space, position, target, may(opener, Capability.administrate)),
  },
}

/** Bytes read; -EINVAL when the position or the length is no multiple of 8. */
export function readPagemap(
  mm: MemoryManager,
  space: AddressSpace,
  position: number,
  target: Uint8Array,
  showsFrames: boolean,
): number {
  if (position % ENTRY_BYTES !== 0 || target.length % ENTRY_BYTES !== 0) return -EINVAL
  const first = position / ENTRY_BYTES
  const pages = Math.max(0, Math.min(target.length / ENTRY_BYTES, mm.arch.userEnd - first))
  const bytes = target.subarray(0, pages * ENTRY_BYTES).fill(0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const mapper = new UserMapper(mm, space.root)
  mm.atomics.lock(space.lock, LockRank.space)
  mapper.walkPages(first as Vpn, (first + pages) as Vpn, (vpn, pfn, flags) => {
    const at = (vpn - first) * ENTRY_BYTES
    if (isPoison(flags)) {
      view.setUint32(at, showsFrames ? POISON_MARKER : 0, true)
      view.setUint32(at + 4, SWAPPED, true)
      return
    }
    view.setUint32(at, showsFrames ? pfn + mm.arch.physBasePfn : 0, true)
    view.setUint32(at + 4, flagsOf(mm, pfn, flags), true)
  })
  mm.atomics.unlock(space.lock, LockRank.space)
  return bytes.length
}

/** The upper half of a present page's entry. The zero page and [vvar] are nobody's, but that of 2 MiB is not anonymous either. */
function flagsOf(mm: MemoryManager, pfn: Pfn, flags: number): number {
  if ((flags & EntryFlag.special) !== 0) return isHugeZero(mm, pfn) ? PRESENT | FILE_OR_SHARED : PRESENT
  const kind = isAnonymousFrame(mm, pfn) ? 0 : FILE_OR_SHARED
  return PRESENT | kind | (mappingsOf(mm, pfn) === 1 ? EXCLUSIVE : 0)
}

function isHugeZero({ memory, frames }: MemoryManager, pfn: Pfn): boolean {
  const first = memory.u32[wordIndex(Word.hugeZeroFrame)]! as Pfn
  return first !== NO_FRAME && pfn >= first && pfn < first + (1 << frames.order(first))
}

/**
 * /proc/kpagecount and kpageflags: 64 bits for each frame, by its physical number (fs/proc/page.c; bits of
 * <linux/kernel-page-flags.h>). Only root reads them.
 */
import { EINVAL } from '../../../base/errno.js'
import type { Pfn } from '../../../base/numbers.js'
import { FrameFlag } from '../../../frame/frame-table.js'
import type { MemoryManager } from '../../../mm.js'
import { isAnonymousFrame, mappingsOf } from '../../../space/page-usage.js'
import { Word, wordIndex } from '../../../state/layout.js'
import { file, type ProcFile } from './proc-node.js'

const ENTRY_BYTES = 8

const Bit = {
  upToDate: 1 << 3,
  dirty: 1 << 4,
  onList: 1 << 5,
  active: 1 << 6,
  slab: 1 << 7,
  writeBack: 1 << 8,
  buddy: 1 << 10,
  mapped: 1 << 11,
  anonymous: 1 << 12,
  swapBacked: 1 << 14,
  nothing: 1 << 20,
  zeroPage: 1 << 24,
  pageTable: 1 << 26,
} as const
/** In the upper half. */
const RESERVED = 1

type Entry = (mm: MemoryManager, pfn: Pfn) => readonly [low: number, high: number]

function frameFile(entryOf: Entry): ProcFile {
  return {
    ...file(() => '', 0o400),
    raw: { read: ({ vfs }, position, target) => readEntries(vfs.env.mm, position, target, entryOf) },
  }
}

/** Bytes read; -EINVAL when the position or the length is no multiple of 8. Below RAM there is no frame. */
function readEntries(mm: MemoryManager, position: number, target: Uint8Array, entryOf: Entry): number {
  if (position % ENTRY_BYTES !== 0 || target.length % ENTRY_BYTES !== 0) return -EINVAL
  const first = position / ENTRY_BYTES - mm.arch.physBasePfn
  const entries = Math.max(0, Math.min(target.length / ENTRY_BYTES, mm.frames.frameCount - first))
  const view = new DataView(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < entries; i++) {
    const [low, high] = first + i < 0 ? NO_FRAME_THERE : entryOf(mm, (first + i) as Pfn)
    view.setUint32(i * ENTRY_BYTES, low, true)
    view.setUint32(i * ENTRY_BYTES + 4, high, true)
  }
  return entries * ENTRY_BYTES
}

const NO_FRAME_THERE = [Bit.nothing, 0] as const
const USERS = FrameFlag.anonymous | FrameFlag.file

function isUsers({ frames }: MemoryManager, pfn: Pfn): boolean {
  const flags = frames.flags(pfn)
  return (flags & USERS) !== 0 && (flags & FrameFlag.free) === 0
}

/** Page-table entries that map a frame. */
function entriesOf(mm: MemoryManager, pfn: Pfn): number {
  if (!isUsers(mm, pfn)) return 0
  return isAnonymousFrame(mm, pfn) ? mappingsOf(mm, pfn) : mm.frames.refCount(pfn) - 1
}

export const frameCounts: ProcFile = frameFile((mm, pfn) => [pfn < 0 ? 0 : entriesOf(mm, pfn), 0])

export const frameFlags: ProcFile = frameFile((mm, pfn) => {
  const flags = mm.frames.flags(pfn)
  if (pfn === mm.memory.u32[wordIndex(Word.zeroFrame)]) return [Bit.zeroPage, RESERVED]
  if ((flags & FrameFlag.reserved) !== 0) return [0, RESERVED]
  if (mm.buddy.zones.of(pfn).startsFree(pfn)) return [Bit.buddy, 0]
  if ((flags & FrameFlag.free) !== 0) return [0, 0]
  if ((flags & FrameFlag.table) !== 0) return [Bit.pageTable, 0]
  if ((flags & FrameFlag.slab) !== 0) return [Bit.slab, 0]
  return [isUsers(mm, pfn) ? userBits(mm, pfn) : 0, 0]
})

function userBits(mm: MemoryManager, pfn: Pfn): number {
  const flags = mm.frames.flags(pfn)
  const isAnonymous = isAnonymousFrame(mm, pfn)
  const isSwapBacked = isAnonymous || mm.objects.isSwapBacked(mm.frames.owner(pfn) as never)
  let bits = Bit.onList | Bit.active
  if (isAnonymous || (flags & FrameFlag.unfilled) === 0) bits |= Bit.upToDate
  if (entriesOf(mm, pfn) > 0) bits |= Bit.mapped
  if (isAnonymous) bits |= Bit.anonymous
  if (isSwapBacked) bits |= Bit.swapBacked
  if ((flags & FrameFlag.dirtyPage) !== 0) bits |= Bit.dirty
  if ((flags & FrameFlag.writeBack) !== 0) bits |= Bit.writeBack
  return bits
}

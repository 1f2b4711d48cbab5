/** struct stat (128 bytes, as riscv64 has it), struct statx (256), struct statfs (120) and struct linux_dirent64. */
import { NULL, PAGE_SIZE } from '../../base/numbers.js'
import { allowsObjectFolio, mayMakeObjectFolios } from '../../space/shmem-policy.js'
import { HUGE_PAGES } from '../../space/vm-flags.js'
import { setInt64 } from './calls/support.js'
import type { FilesystemStatistics, Listed } from './filesystem.js'
import { NAME_MAX } from './flags.js'
import { type Dentry, type Inode, isMadeUp, isRegular, type Time } from './nodes.js'
import { overlayPages } from './overlay/overlay-filesystem.js'
import { bytesOf } from './text.js'
import type { Vfs } from './vfs.js'

export const STAT_BYTES = 128
export const STATX_BYTES = 256
export const STATFS_BYTES = 120

const SECTOR = 512
/** STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID. */
const STATX_MASK = 0x7ff | 0x800 | 0x1000
const STATX_ATTR_MOUNT_ROOT = 0x2000

/** 512-byte units that the contents take. */
function blocksOf(vfs: Vfs, inode: Inode): number {
  if (!isRegular(inode)) return 0
  if (inode.filesystem.kind === 'host') return Math.ceil(inode.size / SECTOR)
  return overlayPages(inode, vfs.contents) * (PAGE_SIZE / SECTOR)
}

/** Of shared memory that gets huge pages when it is written to, that of those. */
function blockSize({ env }: Vfs, inode: Inode): number {
  if (isMadeUp(inode.filesystem)) return 1024
  const { mm } = env
  if (inode.pages === NULL || !mayMakeObjectFolios(mm.memory)) return PAGE_SIZE
  const isHuge = allowsObjectFolio(mm, { object: inode.pages, index: 0, bytes: mm.objects.size(inode.pages) })
  return isHuge ? HUGE_PAGES * PAGE_SIZE : PAGE_SIZE
}

function setTime(view: DataView, offset: number, time: Time): void {
  setInt64(view, offset, time.seconds)
  view.setUint32(offset + 8, time.nanoseconds, true)
}

/** stat(2) of an inode that was refreshed. */
export function encodeStat(vfs: Vfs, inode: Inode): Uint8Array {
  const view = new DataView(new ArrayBuffer(STAT_BYTES))
  setInt64(view, 0, inode.filesystem.device)
  setInt64(view, 8, inode.number)
  view.setUint32(16, inode.mode, true)
  view.setUint32(20, inode.links, true)
  view.setUint32(24, inode.uid, true)
  view.setUint32(28, inode.gid, true)
  setInt64(view, 32, inode.rdev)
  setInt64(view, 48, inode.size)
  view.setUint32(56, blockSize(vfs, inode), true)
  setInt64(view, 64, blocksOf(vfs, inode))
  setTime(view, 72, inode.accessed)
  setTime(view, 88, inode.modified)
  setTime(view, 104, inode.changed)
  return new Uint8Array(view.buffer)
}

export function encodeStatx(vfs: Vfs, dentry: Dentry): Uint8Array {
  const { inode } = dentry
  const view = new DataView(new ArrayBuffer(STATX_BYTES))
  view.setUint32(0, STATX_MASK, true)
  view.setUint32(4, blockSize(vfs, inode), true)
  view.setUint32(8, dentry.parent === dentry ? STATX_ATTR_MOUNT_ROOT : 0, true)
  view.setUint32(16, inode.links, true)
  view.setUint32(20, inode.uid, true)
  view.setUint32(24, inode.gid, true)
  view.setUint16(28, inode.mode, true)
  setInt64(view, 32, inode.number)
  setInt64(view, 40, inode.size)
  setInt64(view, 48, blocksOf(vfs, inode))
  view.setUint32(56, STATX_ATTR_MOUNT_ROOT, true)
  const times = [inode.accessed, inode.born, inode.changed, inode.modified]
  for (const [i, time] of times.entries()) setTime(view, 64 + i * 16, time)
  setDevice(view, 128, inode.rdev)
  setDevice(view, 136, inode.filesystem.device)
  setInt64(view, 144, vfs.state.filesystems.indexOf(inode.filesystem) + 1)
  return new Uint8Array(view.buffer)
}

/** Major and minor number apart. */
function setDevice(view: DataView, offset: number, device: number): void {
  view.setUint32(offset, (device >>> 8) & 0xfff, true)
  view.setUint32(offset + 4, (device & 0xff) | ((device >>> 12) & 0xfff00), true)
}

export function encodeStatfs({
  magic,
  blocks,
  blocksFree,
  files,
  filesFree,
}: FilesystemStatistics): Uint8Array {
  const view = new DataView(new ArrayBuffer(STATFS_BYTES))
  const numbers = [magic, PAGE_SIZE, blocks, blocksFree, blocksFree, files, filesFree]
  for (const [i, number] of numbers.entries()) setInt64(view, i * 8, number)
  setInt64(view, 64, NAME_MAX)
  setInt64(view, 72, PAGE_SIZE)
  return new Uint8Array(view.buffer)
}

/** Bytes of one linux_dirent64. */
export function direntBytes(name: string): number {
  return Math.ceil((19 + name.length + 1) / 8) * 8
}

/** One linux_dirent64; `next` is where the directory goes on after it. */
export function encodeDirent({ name, number, type }: Listed, next: number): Uint8Array {
  const bytes = new Uint8Array(direntBytes(name))
  const view = new DataView(bytes.buffer)
  setInt64(view, 0, number)
  setInt64(view, 8, next)
  view.setUint16(16, bytes.length, true)
  view.setUint8(18, type >>> 12)
  bytes.set(bytesOf(name), 19)
  return bytes
}

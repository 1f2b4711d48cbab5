/** What programs ask of the page cache: cachestat(2), posix_fadvise(2), readahead(2) (mm/filemap.c and mm/fadvise.c of Linux). */
import { EBADF, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESPIPE } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, pagesFor } from '../../../base/numbers.js'
import { StructWriter } from '../../calls/user-data.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { checkAccess, isOwner, May } from '../credentials.js'
import { isRegular } from '../nodes.js'
import { isReadable, isWritable, type OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { fileArgument, put, take, userOfCall } from './support.js'

const RANGE_BYTES = 16
const STATISTICS_BYTES = 40
const WRAP = 2n ** 64n
const PAGE_SHIFT = 12n

/** POSIX_FADV_NORMAL to NOREUSE. */
const Advice = { willNeed: 3, dontNeed: 4, last: 5 } as const

export function cacheCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(213, 'readahead', 'fdu', (c) => readAhead(vfs, c)),
    syscall(223, 'fadvise64', 'fddd', (c) => advise(vfs, c)),
    syscall(451, 'cachestat', 'fppx', (c) => countCached(vfs, c)),
  ]
}

function countCached(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const range = take(c, c.args.address(1), RANGE_BYTES)
  if (range === undefined) return -EFAULT
  if (file.dentry.inode.filesystem.kind === 'hugetlbfs') return -EOPNOTSUPP
  if (!mayCount(c, file)) return -EPERM
  if (c.args.low(3) !== 0) return -EINVAL
  const [first, end] = pagesOf(range.getBigUint64(0, true), range.getBigUint64(8, true))
  const { pages } = file.dentry.inode
  const { cached, dirty } = pages === NULL ? { cached: 0, dirty: 0 } : vfs.contents.cached(pages, first, end)
  const out = new StructWriter(STATISTICS_BYTES).u64(0, cached).u64(8, dirty)
  return put(c, c.args.address(2), out.bytes)
}

/** Who may write the file, or owns it. */
function mayCount(c: SyscallContext, file: OpenFile): boolean {
  const { credentials } = userOfCall(c)
  const { inode } = file.dentry
  return isWritable(file) || isOwner(credentials, inode) || checkAccess(credentials, inode, May.write) === 0
}

/** First page and the one after the last; a length of 0 is all, and the sum wraps around as in 64 bits. */
function pagesOf(offset: bigint, length: bigint): [first: number, end: number] {
  const last = length === 0n ? WRAP - 1n : (offset + length - 1n) % WRAP
  return [Number(offset >> PAGE_SHIFT), Number(last >> PAGE_SHIFT) + 1]
}

/** generic_fadvise. Advice about the order of reading has no effect here. */
function advise(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const isStream = file.kind === 'device' && vfs.devices.of(file.dentry.inode)?.seek === 'stream'
  if (isStream || file.kind === 'pipe') return -ESPIPE
  const [offset, length, advice] = [c.args.signed(1), c.args.signed(2), c.args.int(3)]
  if (length < 0 || advice < 0 || advice > Advice.last) return -EINVAL
  const end = length === 0 ? Number.POSITIVE_INFINITY : offset + length
  if (advice === Advice.willNeed) fetch(vfs, file, offset, end - offset)
  if (advice === Advice.dontNeed) forget(vfs, file, offset, end)
  return 0
}

/** Whole pages that are the host's leave the cache, and the last one of the file; changed ones are written first. Nobody hears of errors. */
function forget(vfs: Vfs, { kind, dentry }: OpenFile, offset: number, end: number): void {
  const { pages } = dentry.inode
  if (kind !== 'pages' || pages === NULL || offset < 0) return
  const isWhole = end === vfs.contents.size(pages)
  const last = isWhole ? pagesFor(end) : Math.floor(end / PAGE_SIZE)
  vfs.contents.forget(pages, pagesFor(offset), last)
}

function readAhead(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number' || !isReadable(file)) return -EBADF
  const length = c.args.signed(2)
  if (!isRegular(file.dentry.inode) || file.kind !== 'pages' || length < 0) return -EINVAL
  if (length > 0) fetch(vfs, file, c.args.signed(1), length)
  return 0
}

/** Pages that are the host's come into the cache; those of tmpfs are all there. Nobody hears of errors. */
function fetch(vfs: Vfs, { kind, dentry }: OpenFile, offset: number, length: number): void {
  const { pages, filesystem } = dentry.inode
  if (kind !== 'pages' || pages === NULL || filesystem.kind === 'tmpfs' || offset < 0) return
  vfs.contents.readAhead(pages, Math.floor(offset / PAGE_SIZE), pagesFor(offset + length))
}

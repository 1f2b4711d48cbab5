/** read, write, their positioned and vectored forms, and lseek. */
import { EBADF, EINVAL, ENXIO, EOPNOTSUPP, ESPIPE } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { isSeekable, operationsOf, sizeOf } from '../file-operations.js'
import { Open, Seek } from '../flags.js'
import { Notice } from '../ipc/inotify.js'
import { type FileKind, isReadable, isWritable, type OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { tellFile } from '../watching.js'
import { fileArgument } from './support.js'
import {
  hasNoWritePosition,
  readRanges,
  singleRange,
  type UserRange,
  vectorRanges,
  writeRanges,
} from './transfer.js'

type Direction = 'read' | 'write'

/** preadv2: what is understood; the hints about priority and durability need nothing done. */
const RWF_HINTS = 1 | 2 | 4
const RWF_APPEND = 16

export function readWriteCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(62, 'lseek', 'fdd', (c) => seek(vfs, c)),
    syscall(63, 'read', 'fBu', (c) => plain(vfs, c, 'read')),
    syscall(64, 'write', 'fbu', (c) => plain(vfs, c, 'write')),
    syscall(65, 'readv', 'fpu', (c) => vector(vfs, c, 'read')),
    syscall(66, 'writev', 'fvu', (c) => vector(vfs, c, 'write')),
    syscall(67, 'pread64', 'fBud', (c) => positioned(vfs, c, 'read')),
    syscall(68, 'pwrite64', 'fbud', (c) => positioned(vfs, c, 'write')),
    syscall(69, 'preadv', 'fpud', (c) => positionedVector(vfs, c, 'read')),
    syscall(70, 'pwritev', 'fvud', (c) => positionedVector(vfs, c, 'write')),
    syscall(286, 'preadv2', 'fpuddx', (c) => flaggedVector(vfs, c, 'read')),
    syscall(287, 'pwritev2', 'fvuddx', (c) => flaggedVector(vfs, c, 'write')),
  ]
}

/** The file of argument 0, open for that direction. */
function fileFor(c: SyscallContext, direction: Direction): OpenFile | number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  return (direction === 'read' ? isReadable(file) : isWritable(file)) ? file : -EBADF
}

function move(
  vfs: Vfs,
  c: SyscallContext,
  direction: Direction,
  file: OpenFile,
  ranges: UserRange[] | number,
  position?: number,
): number {
  if (typeof ranges === 'number') return ranges
  const isRead = direction === 'read'
  const done = (isRead ? readRanges : writeRanges)(vfs, c, file, ranges, position)
  if (done > 0) tellFile(vfs, file, isRead ? Notice.access : Notice.modify)
  return done
}

function plain(vfs: Vfs, c: SyscallContext, direction: Direction): number {
  const file = fileFor(c, direction)
  if (typeof file === 'number') return file
  return move(vfs, c, direction, file, singleRange(c, c.args.address(1), c.args.address(2)))
}

function vector(vfs: Vfs, c: SyscallContext, direction: Direction): number {
  const file = fileFor(c, direction)
  if (typeof file === 'number') return file
  return move(vfs, c, direction, file, vectorRanges(c, c.args.address(1), c.args.int(2)))
}

/** For the positioned forms: -EINVAL before -EBADF, and -ESPIPE for what has no positions, whatever it is open for. */
function positionedFile(vfs: Vfs, c: SyscallContext, direction: Direction): OpenFile | number {
  if (c.args.signed(3) < 0) return -EINVAL
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  if (direction === 'write' && hasNoWritePosition(vfs, file)) return -ESPIPE
  if (isSeekable(vfs, file)) return fileFor(c, direction)
  const hasNoBytes = file.kind === 'namespace' || operationsOf(file).channel?.refusesPositions === true
  return hasNoBytes ? -EINVAL : -ESPIPE
}

function positioned(vfs: Vfs, c: SyscallContext, direction: Direction): number {
  const file = positionedFile(vfs, c, direction)
  if (typeof file === 'number') return file
  const ranges = singleRange(c, c.args.address(1), c.args.address(2))
  return move(vfs, c, direction, file, ranges, c.args.signed(3))
}

function positionedVector(vfs: Vfs, c: SyscallContext, direction: Direction): number {
  const file = positionedFile(vfs, c, direction)
  if (typeof file === 'number') return file
  const ranges = vectorRanges(c, c.args.address(1), c.args.int(2))
  return move(vfs, c, direction, file, ranges, c.args.signed(3))
}

/** A position of -1 is the file's own. */
function flaggedVector(vfs: Vfs, c: SyscallContext, direction: Direction): number {
  const flags = c.args.int(5)
  if ((flags & ~(RWF_HINTS | RWF_APPEND)) !== 0) return -EOPNOTSUPP
  if ((flags & RWF_APPEND) !== 0) return appendVector(vfs, c, direction)
  return c.args.signed(3) === -1 ? vector(vfs, c, direction) : positionedVector(vfs, c, direction)
}

function appendVector(vfs: Vfs, c: SyscallContext, direction: Direction): number {
  const file = fileFor(c, direction)
  if (typeof file === 'number') return file
  if (direction === 'read') return -EOPNOTSUPP
  const had = file.flags
  file.flags |= Open.append
  const result = move(vfs, c, direction, file, vectorRanges(c, c.args.address(1), c.args.int(2)))
  file.flags = had
  return result
}

function seek(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const whence = c.args.int(2)
  if (whence < 0 || whence > Seek.hole) return -EINVAL
  if (ignoresSeeks(file)) return 0
  if (!isSeekable(vfs, file)) return -ESPIPE
  if (file.kind === 'device') return 0
  if (isMemory(vfs, file)) return seekMemory(file, c.args.signed(1), whence)
  const target = seekTarget(vfs, file, c.args.signed(1), whence)
  if (target < 0) return target
  file.position = target
  return target
}

const SEEKLESS: ReadonlySet<FileKind> = new Set(['pipe', 'socket', 'pidfd'])

/** eventfd, epoll and the like have no position, and let themselves be told one (noop_llseek). */
function ignoresSeeks(file: OpenFile): boolean {
  return operationsOf(file).channel !== undefined && !SEEKLESS.has(file.kind)
}

/** Where a seek leads; -EINVAL before the start. Only files with contents have an end. */
function seekTarget(vfs: Vfs, file: OpenFile, offset: number, whence: number): number {
  if (isMadeUp(file)) return seekMadeUp(vfs, file, offset, whence)
  if (file.kind !== 'pages' && file.kind !== 'mqueue' && whence > Seek.current) return -EINVAL
  return seekContents(vfs, file, offset, whence)
}

function isMemory(vfs: Vfs, { kind, dentry }: OpenFile): boolean {
  return kind === 'raw' && vfs.madeUp(dentry).seeksOf(dentry) === 'memory'
}

/** Any number is a position there, those of the upper half too: they are told as negative ones and are no errors (mem_lseek). */
function seekMemory(file: OpenFile, offset: number, whence: number): number {
  if (whence > Seek.current) return -EINVAL
  file.position = whence === Seek.set ? offset : file.position + offset
  return file.position
}

function isMadeUp({ kind }: OpenFile): boolean {
  return kind === 'text' || kind === 'raw'
}

function seekMadeUp(vfs: Vfs, file: OpenFile, offset: number, whence: number): number {
  const seeks = vfs.madeUp(file.dentry).seeksOf(file.dentry)
  if (seeks === 'still') return file.position
  if (seeks !== 'plain' && whence > Seek.current) return -EINVAL
  return seekContents(vfs, file, offset, whence)
}

function seekContents(vfs: Vfs, file: OpenFile, offset: number, whence: number): number {
  const size = sizeOf(vfs, file.dentry.inode)
  if (whence === Seek.data || whence === Seek.hole) {
    if (offset < 0 || offset >= size) return -ENXIO
    return seekData(vfs, file, offset, whence === Seek.data ? 'data' : 'hole')
  }
  const base = whence === Seek.set ? 0 : whence === Seek.current ? file.position : size
  const target = base + offset
  return target < 0 || target > 2 ** 63 ? -EINVAL : target
}

/** The next page that is there, or is not: -ENXIO when nothing but a hole follows. A file of the host, a queue, or what is made up, is data from end to end. */
function seekData(vfs: Vfs, file: OpenFile, offset: number, what: 'data' | 'hole'): number {
  const { inode } = file.dentry
  const size = sizeOf(vfs, inode)
  const isData = inode.filesystem.kind === 'host' || file.kind === 'mqueue' || isMadeUp(file)
  if (isData) return what === 'data' ? offset : size
  const loaded = vfs.overlay?.load(inode) ?? 0
  if (loaded !== 0) return loaded
  const found = vfs.contents.seek(inode.pages, offset, what)
  return what === 'data' && found >= size ? -ENXIO : found
}

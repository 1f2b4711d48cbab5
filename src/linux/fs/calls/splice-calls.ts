/** splice, tee and vmsplice: bytes from and to pipes without a detour through the program. */
import { EAGAIN, EBADF, EFAULT, EINVAL, EPIPE, ESPIPE } from '../../../base/errno.js'
import { Signal } from '../../signal-numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { isSeekable, operationsOf } from '../file-operations.js'
import { Open, TRANSFER_MAX } from '../flags.js'
import { BufferFlow } from '../ipc/byte-flow.js'
import { objectOf } from '../ipc/file-object.js'
import { isPipeFull, type Pipe, pipeRoom } from '../ipc/pipe.js'
import type { PipeEnd } from '../ipc/pipe-file.js'
import { isReadable, isWritable, type OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { Position } from './copying.js'
import { isNonBlocking, parkFor } from './streaming.js'
import { fileArgument } from './support.js'
import { type UserRange, vectorRanges } from './transfer.js'
import { UserBytes } from './user-bytes.js'

const SPLICE_NONBLOCK = 2
const SPLICE_FLAGS = 0xf
/** Bytes that are moved at once. */
const CHUNK = 65536

export function spliceCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(75, 'vmsplice', 'fpux', (c) => spliceMemory(vfs, c)),
    syscall(76, 'splice', 'fpfpux', (c) => splice(vfs, c)),
    syscall(77, 'tee', 'ffux', (c) => tee(vfs, c)),
  ]
}

function pipeOf(file: OpenFile): Pipe | undefined {
  return file.kind === 'pipe' ? objectOf<PipeEnd>(file).pipe : undefined
}

/** What moves, whence and whither. */
interface Splice {
  readonly source: OpenFile
  readonly from: Position
  readonly target: OpenFile
  readonly to: Position
  readonly bytes: number
  readonly isNonBlocking: boolean
}

function splice(vfs: Vfs, c: SyscallContext): number {
  const [bytes, flags] = [Math.min(c.args.address(4), TRANSFER_MAX), c.args.int(5)]
  if (bytes === 0) return 0
  if ((flags & ~SPLICE_FLAGS) !== 0) return -EINVAL
  const source = fileArgument(c, 0)
  if (typeof source === 'number') return source
  const target = fileArgument(c, 2)
  if (typeof target === 'number') return target
  const error = checkPositions(vfs, c, source, target)
  if (error !== 0) return error
  const from = Position.read(c, 1, source)
  if (typeof from === 'number') return from
  const to = Position.read(c, 3, target)
  if (typeof to === 'number') return to
  if (from.start < 0 || to.start < 0) return -EINVAL
  const refused = checkEnds(source, target)
  if (refused !== 0) return refused
  const quick = (flags & SPLICE_NONBLOCK) !== 0 || isNonBlocking(target)
  const what = { source, from, target, to, bytes, isNonBlocking: quick }
  return target.kind === 'pipe' ? fillPipe(vfs, c, what) : drainPipe(vfs, c, what)
}

/** Positions are for what has them: -ESPIPE for a pipe, -EINVAL for another file that has none. */
function checkPositions(vfs: Vfs, c: SyscallContext, source: OpenFile, target: OpenFile): number {
  for (const [file, argument] of [
    [source, 1],
    [target, 3],
  ] as const) {
    if (c.args.isZero(argument)) continue
    if (file.kind === 'pipe') return -ESPIPE
    if (!isSeekable(vfs, file)) return -EINVAL
  }
  return 0
}

function checkEnds(source: OpenFile, target: OpenFile): number {
  if (!isReadable(source) || !isWritable(target)) return -EBADF
  const [one, other] = [pipeOf(source), pipeOf(target)]
  if (one === undefined && other === undefined) return -EINVAL
  if (one === other || source.kind === 'directory') return -EINVAL
  return one !== undefined && other === undefined && (target.flags & Open.append) !== 0 ? -EINVAL : 0
}

/** From anything into a pipe: as much as is there and as it has room for. */
function fillPipe(vfs: Vfs, c: SyscallContext, what: Splice): number {
  const { source, from, target, bytes } = what
  const pipe = pipeOf(target)!
  if (pipe.readers === 0) return broken(vfs, c)
  if (isPipeFull(pipe)) return wait(vfs, c, target, what)
  const staging = new Uint8Array(Math.min(bytes, CHUNK, pipeRoom(pipe)))
  const got = operationsOf(source).read(vfs, source, from.start, staging)
  if (got === -EAGAIN) return wait(vfs, c, source, what)
  if (got <= 0) return got
  const put = vfs.pipes.write(pipe, new BufferFlow(staging.subarray(0, got)), false, false)
  return put < 0 ? put : finish(put, from, what)
}

/** From a pipe into something else: what that does not take stays in the pipe. */
function drainPipe(vfs: Vfs, c: SyscallContext, what: Splice): number {
  const { source, target, to, bytes } = what
  const { write } = operationsOf(target)
  let moved = 0
  const done = vfs.pipes.drain(pipeOf(source)!, bytes, (part) => {
    const put = write(vfs, target, to.start + moved, part)
    moved += Math.max(0, put)
    return put
  })
  if (done === -EPIPE) return broken(vfs, c)
  if (done === -EAGAIN) return wait(vfs, c, pipeOf(source)!.slots.length === 0 ? source : target, what)
  return done <= 0 ? done : finish(done, to, what)
}

function finish(done: number, position: Position, { source, target }: Splice): number {
  const file = target.kind === 'pipe' ? source : target
  if (operationsOf(file).channel !== undefined) return done
  return position.advance(done) === 0 ? done : -EFAULT
}

function wait(vfs: Vfs, c: SyscallContext, file: OpenFile, what: { isNonBlocking: boolean }): number {
  return what.isNonBlocking || isNonBlocking(file) ? -EAGAIN : parkFor(vfs, c, file, 0)
}

function broken(vfs: Vfs, c: SyscallContext): number {
  vfs.env.raise(c.process, c.thread, Signal.PIPE)
  return -EPIPE
}

function tee(vfs: Vfs, c: SyscallContext): number {
  const [bytes, flags] = [Math.min(c.args.address(2), TRANSFER_MAX), c.args.int(3)]
  if ((flags & ~SPLICE_FLAGS) !== 0) return -EINVAL
  if (bytes === 0) return 0
  const source = fileArgument(c, 0)
  if (typeof source === 'number') return source
  const target = fileArgument(c, 1)
  if (typeof target === 'number') return target
  if (!isReadable(source) || !isWritable(target)) return -EBADF
  const [from, to] = [pipeOf(source), pipeOf(target)]
  if (from === undefined || to === undefined || from === to) return -EINVAL
  const done = vfs.pipes.tee(from, to, bytes)
  if (done === -EPIPE) return broken(vfs, c)
  const what = { isNonBlocking: (flags & SPLICE_NONBLOCK) !== 0 || isNonBlocking(target) }
  return done === -EAGAIN ? wait(vfs, c, from.slots.length === 0 ? source : target, what) : done
}

/** One range after the other: what can be held on to before the first that cannot, and that there is room for. */
function fillFromMemory(vfs: Vfs, c: SyscallContext, pipe: Pipe, ranges: readonly UserRange[]): number {
  let done = 0
  for (const range of ranges) {
    if (range.length === 0) continue
    const written = vfs.pipes.write(pipe, new UserBytes(c, [range], true), false, false)
    if (written < 0) return done > 0 ? done : written
    done += written
    if (written < range.length) break
  }
  return done
}

/** The program's pages are copied: as readv or writev, but for what fits at once. */
function spliceMemory(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(3)
  if ((flags & ~SPLICE_FLAGS) !== 0) return -EINVAL
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const pipe = pipeOf(file)
  if (pipe === undefined) return -EBADF
  const ranges = vectorRanges(c, c.args.address(1), c.args.int(2))
  if (typeof ranges === 'number') return ranges
  const done = isWritable(file)
    ? fillFromMemory(vfs, c, pipe, ranges)
    : vfs.pipes.read(pipe, new UserBytes(c, ranges))
  if (done === -EPIPE) return broken(vfs, c)
  return done === -EAGAIN ? wait(vfs, c, file, { isNonBlocking: (flags & SPLICE_NONBLOCK) !== 0 }) : done
}

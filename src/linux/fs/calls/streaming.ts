/** Reading and writing what has no position, with waits in between: pipes, sockets, eventfd. */
import { EAGAIN, EPIPE } from '../../../base/errno.js'
import { Signal } from '../../signal-numbers.js'
import type { SyscallContext } from '../../syscall-context.js'
import { PARKED, WaitKind } from '../../wait.js'
import { operationsOf } from '../file-operations.js'
import { Open } from '../flags.js'
import type { ByteSink, ByteSource } from '../ipc/byte-flow.js'
import type { ChannelOperations } from '../ipc/channel.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import type { UserRange } from './transfer.js'
import { UserBytes } from './user-bytes.js'
import { deadlineAfter } from './waiting.js'

export interface StreamOptions {
  /** Never waits: O_NONBLOCK, MSG_DONTWAIT. */
  readonly isNonBlocking: boolean
  /** No SIGPIPE: MSG_NOSIGNAL. */
  readonly isQuiet: boolean
  /** Nanoseconds that it waits at most. */
  readonly timeout?: number
}

export function isNonBlocking(file: OpenFile): boolean {
  return (file.flags & Open.nonBlock) !== 0
}

export interface ParkOptions {
  /** When it ends with -EAGAIN: SO_RCVTIMEO, SO_SNDTIMEO. */
  readonly deadline?: number
  /** Bits of further event sources. */
  readonly alsoFor?: number
}

/**
 * The thread waits for a file; what the call has done so far is kept, and is its result if a signal or the deadline ends
 * the wait.
 */
export function parkFor(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  done: number,
  { deadline = Number.POSITIVE_INFINITY, alsoFor = 0 }: ParkOptions = {},
): number {
  if (c.linux.clock.now() >= deadline) return done > 0 ? done : -EAGAIN
  c.thread.progress = done
  const result = c.thread.park(WaitKind.file, operationsOf(file).waitsFor(vfs, file) | alsoFor, deadline)
  return result === PARKED || done === 0 ? result : done
}

export function receiveRanges(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  { receive }: ChannelOperations,
  ranges: readonly UserRange[],
): number {
  const sink: ByteSink = new UserBytes(c, ranges)
  const done = receive(vfs, file, sink)
  if (done !== -EAGAIN || isNonBlocking(file)) return done
  return parkFor(vfs, c, file, 0)
}

export function sendRanges(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  channel: ChannelOperations,
  ranges: readonly UserRange[],
): number {
  const source = new UserBytes(c, ranges).skip(c.thread.progress)
  const options = { isNonBlocking: isNonBlocking(file), isQuiet: channel.isQuiet?.(file) ?? false }
  return sendAll(vfs, c, file, source, options, (goesOn) =>
    channel.send(vfs, file, source, goesOn, c.process),
  )
}

/** A page of the source is asked for (userfaultfd): the call goes on when it has come. */
export const isMissing = (c: SyscallContext): boolean => c.mm.userfaults.missed !== undefined

/**
 * Sends until the source is empty, waiting when there is no room. What was sent before a wait is `thread.progress`.
 * Bytes in all, or the errno of the first piece; SIGPIPE when nobody reads any more.
 */
export function sendAll(
  vfs: Vfs,
  c: SyscallContext,
  file: OpenFile,
  source: ByteSource,
  options: StreamOptions,
  send: (goesOn: boolean) => number,
): number {
  let done = c.thread.progress
  for (;;) {
    const sent = send(done > 0)
    if (sent === -EPIPE && !options.isQuiet) vfs.env.raise(c.process, c.thread, Signal.PIPE)
    if (sent === -EAGAIN && !options.isNonBlocking) {
      const deadline = deadlineAfter(c, options.timeout ?? Number.POSITIVE_INFINITY)
      return parkFor(vfs, c, file, done, { deadline })
    }
    if (sent < 0 && isMissing(c)) {
      c.thread.progress = done
      return sent
    }
    if (sent < 0) return done > 0 ? done : sent
    done += sent
    if (source.left === 0 || sent === 0) return done
  }
}

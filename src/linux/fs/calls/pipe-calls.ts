/** pipe2, eventfd2, and the open of a FIFO, which waits for the other end. */
import { EFAULT, EINVAL } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { PARKED } from '../../wait.js'
import { Open } from '../flags.js'
import { makeEventFile } from '../ipc/event-counter.js'
import { makePipe, partnerOf, partnersEver } from '../ipc/pipe-file.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { parkFor } from './streaming.js'
import { installFile, put, userOfCall } from './support.js'

/** O_NOTIFICATION_PIPE, which needs a kernel with watch queues, has the bit of O_EXCL. */
const PIPE_FLAGS = Open.closeOnExec | Open.nonBlock | Open.direct
const EFD_SEMAPHORE = 1
const EVENT_FLAGS = EFD_SEMAPHORE | Open.closeOnExec | Open.nonBlock

export function pipeCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(19, 'eventfd2', 'ux', (c) => createEventFile(vfs, c)),
    syscall(59, 'pipe2', 'po', (c) => createPipe(vfs, c)),
  ]
}

function createPipe(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(1)
  if ((flags & ~PIPE_FLAGS) !== 0) return -EINVAL
  const ends = makePipe(vfs, flags & (Open.nonBlock | Open.direct))
  return installPair(c, ends, c.args.address(0), (flags & Open.closeOnExec) !== 0)
}

/** Two new files under the lowest numbers, which go to the program; or none: -EMFILE, -EFAULT. */
export function installPair(
  c: SyscallContext,
  [one, other]: readonly [OpenFile, OpenFile],
  address: number,
  closeOnExec: boolean,
): number {
  const user = userOfCall(c)
  const first = installFile(c, one, closeOnExec)
  const second = installFile(c, other, closeOnExec)
  const stored =
    first < 0 || second < 0 || put(c, address, new Uint8Array(Int32Array.of(first, second).buffer))
  if (stored === 0) return 0
  if (first >= 0) user.closeNumber(first)
  if (second >= 0) user.closeNumber(second)
  return first < 0 ? first : second < 0 ? second : -EFAULT
}

function createEventFile(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(1)
  if ((flags & ~EVENT_FLAGS) !== 0) return -EINVAL
  const file = makeEventFile(vfs, c.args.low(0), (flags & EFD_SEMAPHORE) !== 0, flags & Open.nonBlock)
  return installFile(c, file, (flags & Open.closeOnExec) !== 0)
}

/** The first part of opening a FIFO: its number, or a wait for the other end with the file kept for the second. */
export function openFifo(vfs: Vfs, c: SyscallContext, file: OpenFile, closeOnExec: boolean): number {
  if (partnerOf(file) === 0) return installFile(c, file, closeOnExec)
  file.references++
  userOfCall(c).opening.set(c.thread.ptr, { file, partners: partnersEver(file) })
  return waitForPartner(vfs, c, file)
}

function waitForPartner(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  const result = parkFor(vfs, c, file, 0)
  if (result !== PARKED) giveUp(c)
  return result
}

/** The call runs again: the file that it is opening, if it is; a signal may have come in place of the other end. */
export function goOnOpening(vfs: Vfs, c: SyscallContext, closeOnExec: boolean): number {
  const { file, partners } = userOfCall(c).opening.get(c.thread.ptr)!
  if (partnersEver(file) === partners) return waitForPartner(vfs, c, file)
  userOfCall(c).opening.delete(c.thread.ptr)
  file.references--
  return installFile(c, file, closeOnExec)
}

function giveUp(c: SyscallContext): void {
  const user = userOfCall(c)
  const opening = user.opening.get(c.thread.ptr)!
  user.opening.delete(c.thread.ptr)
  user.drop(opening.file)
}

export function isOpening(c: SyscallContext): boolean {
  return c.thread.isResumed && userOfCall(c).opening.has(c.thread.ptr)
}

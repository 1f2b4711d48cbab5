/** struct msghdr and the flags of messages. */
import { EFAULT, EMSGSIZE } from '../../../base/errno.js'
import type { SyscallContext } from '../../syscall-context.js'
import { IOV_MAX } from '../flags.js'
import { take, uint64 } from './support.js'
import { type UserRange, vectorRanges } from './transfer.js'

export const MessageFlag = {
  outOfBand: 1,
  peek: 2,
  controlTruncated: 8,
  truncated: 0x20,
  dontWait: 0x40,
  waitAll: 0x100,
  noSignal: 0x4000,
  waitForOne: 0x10000,
  closeOnExec: 0x4000_0000,
} as const

export const HEADER_BYTES = 56
/** struct mmsghdr: a header and what was moved, rounded up. */
export const HEADER_STEP = 64
export const HEADER_NAME_LENGTH = 8
export const HEADER_CONTROL_LENGTH = 40
export const HEADER_FLAGS = 48

export interface MessageHeader {
  readonly address: number
  readonly name: number
  readonly nameLength: number
  readonly ranges: UserRange[]
  readonly control: number
  readonly controlLength: number
}

/** -EFAULT, -EMSGSIZE for too long a vector, -EINVAL. */
export function headerAt(c: SyscallContext, address: number): MessageHeader | number {
  const view = take(c, address, HEADER_BYTES)
  if (view === undefined) return -EFAULT
  const count = uint64(view, 24)
  if (count > IOV_MAX) return -EMSGSIZE
  const ranges = vectorRanges(c, uint64(view, 16), count)
  if (typeof ranges === 'number') return ranges
  return {
    address,
    name: uint64(view, 0),
    nameLength: view.getInt32(HEADER_NAME_LENGTH, true),
    ranges,
    control: uint64(view, 32),
    controlLength: uint64(view, HEADER_CONTROL_LENGTH),
  }
}

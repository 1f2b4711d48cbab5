/** epoll_create1, epoll_ctl, epoll_pwait and epoll_pwait2. */
import { EBADF, EFAULT, EINTR, EINVAL } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { ERESTARTNOHAND } from '../../wait.js'
import { operationsOf } from '../file-operations.js'
import { Open } from '../flags.js'
import { checkWatch, makeEpoll, rewatch, takeReady, unwatch, type Watcher, watch } from '../ipc/epoll.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { fileArgument, installFile, isBuffer, put, take } from './support.js'
import { deadlineAfter, deadlineArgument, maskAt, underMask, waitUntil } from './waiting.js'

/** struct epoll_event: the bits, four bytes of nothing, the program's data. */
const EVENT_BYTES = 16
/** EP_MAX_EVENTS. */
const EVENTS_MAX = Math.floor((2 ** 31 - 1) / EVENT_BYTES)
const Control = { add: 1, delete: 2, modify: 3 } as const
const NANOSECONDS_PER_MILLISECOND = 1_000_000

export function epollCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(20, 'epoll_create1', 'x', (c) => create(vfs, c)),
    syscall(21, 'epoll_ctl', 'fdfp', (c) => control(vfs, c)),
    syscall(22, 'epoll_pwait', 'fpddp', (c) => wait(vfs, c, milliseconds(c))),
    syscall(441, 'epoll_pwait2', 'fpdpp', (c) => wait(vfs, c, deadlineArgument(c, 3))),
  ]
}

function create(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.int(0)
  if ((flags & ~Open.closeOnExec) !== 0) return -EINVAL
  return installFile(c, makeEpoll(vfs), (flags & Open.closeOnExec) !== 0)
}

function control(vfs: Vfs, c: SyscallContext): number {
  const operation = c.args.int(1)
  const event = operation === Control.delete ? undefined : take(c, c.args.address(3), EVENT_BYTES)
  if (event === undefined && operation !== Control.delete) return -EFAULT
  const on = fileArgument(c, 0)
  if (typeof on === 'number') return on
  const fd = c.args.int(2)
  const file = fileArgument(c, 2)
  if (typeof file === 'number') return file
  const error = checkWatch(vfs, on, file)
  if (error !== 0) return error
  if (event === undefined) return unwatch(on, file, fd)
  const request = {
    events: event.getInt32(0, true),
    dataLow: event.getUint32(8, true),
    dataHigh: event.getUint32(12, true),
  }
  if (operation === Control.add) return watch(vfs, on, file, fd, request)
  return operation === Control.modify ? rewatch(vfs, on, file, fd, request) : -EINVAL
}

/** A timeout in milliseconds: negative ones never end. */
function milliseconds(c: SyscallContext): number {
  const timeout = c.args.int(3)
  return timeout < 0 ? Number.POSITIVE_INFINITY : deadlineAfter(c, timeout * NANOSECONDS_PER_MILLISECOND)
}

/** A signal always ends it with EINTR: it is never made again by itself. */
function wait(vfs: Vfs, c: SyscallContext, deadline: number): number {
  if (deadline < 0) return deadline
  const mask = maskAt(c, c.args.address(4), c.args.address(5))
  const result = underMask(c, mask, () => waitForEvents(vfs, c, deadline))
  return result === -ERESTARTNOHAND ? -EINTR : result
}

function waitForEvents(vfs: Vfs, c: SyscallContext, deadline: number): number {
  const most = c.args.int(2)
  if (most <= 0 || most > EVENTS_MAX) return -EINVAL
  if (!isBuffer(c, c.args.address(1), most * EVENT_BYTES)) return -EFAULT
  const on = fileArgument(c, 0)
  if (typeof on === 'number') return -EBADF
  if (on.kind !== 'epoll') return -EINVAL
  const count = report(vfs, c, on, most)
  return count === 0 ? waitUntil(c, deadline, operationsOf(on).waitsFor(vfs, on)) : count
}

/** How many events were stored; -EFAULT when not even the first could be. */
function report(vfs: Vfs, c: SyscallContext, on: OpenFile, most: number): number {
  let address = c.args.address(1)
  let fault = 0
  const count = takeReady(vfs, on, most, (watcher, bits) => {
    fault = put(c, address, encodeEvent(watcher, bits))
    address += EVENT_BYTES
    return fault === 0
  })
  return count === 0 ? fault : count
}

function encodeEvent({ dataLow, dataHigh }: Watcher, bits: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(bits, 0, dataLow, dataHigh).buffer)
}

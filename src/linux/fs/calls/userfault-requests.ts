/** The requests of ioctl_userfaultfd(2) that are about a range of pages. The file's context is `context`. */
import { EAGAIN, EFAULT, EINVAL, ENOENT, ENOMEM, ESRCH } from '../../../base/errno.js'
import { NULL, PAGE_MASK, PAGE_SIZE, type Ptr, pageOf, type Vpn } from '../../../base/numbers.js'
import { type FillMode, fillPages } from '../../../fault/fill-userfault.js'
import { moveUserfault } from '../../../fault/move-userfault.js'
import { copyFromUser } from '../../../fault/user-copy.js'
import { AddressSpace } from '../../../space/address-space.js'
import { hasHugePart, registerRange, unregisterRange } from '../../../space/register-userfault.js'
import { VM_UFFD_MINOR, VM_UFFD_MISSING } from '../../../space/vm-flags.js'
import { LockRank } from '../../../state/atomics.js'
import type { SyscallContext } from '../../syscall-context.js'
import { put, take, uint64 } from './support.js'

/** WAKE, COPY, ZEROPAGE, MOVE, CONTINUE and POISON, by number; those that huge pages of a pool have too. */
const RANGE_REQUESTS = 0x1bcn
const HUGE_REQUESTS = 0x18cn
const CONTINUE_REQUEST = 0x80n
const MODE_MISSING = 1
const MODE_WRITE_PROTECT = 2
const MODE_MINOR = 4
const DO_NOT_WAKE = 1
const ALLOW_HOLES = 2

interface Range {
  readonly start: Vpn
  readonly pages: number
}

/** validate_range: whole pages, at least one, in the user's part. */
function rangeAt(c: SyscallContext, view: DataView, startAt: number, lengthAt: number): Range | undefined {
  if ((view.getUint32(startAt, true) & PAGE_MASK) !== 0) return undefined
  return isRange(c, view, startAt, lengthAt)
    ? { start: pageOf(uint64(view, startAt)), pages: uint64(view, lengthAt) / PAGE_SIZE }
    : undefined
}

/** The same for a start inside a page. */
function isRange(c: SyscallContext, view: DataView, startAt: number, lengthAt: number): boolean {
  const length = uint64(view, lengthAt)
  if ((view.getUint32(lengthAt, true) & PAGE_MASK) !== 0 || length === 0) return false
  return uint64(view, startAt) + length <= c.mm.arch.userEnd * PAGE_SIZE
}

/** With the lock of the context's space; `gone` when that is no more. */
function inSpace(
  c: SyscallContext,
  context: Ptr,
  gone: number,
  change: (space: AddressSpace) => number,
): number {
  const { atomics, memory, userfaults } = c.mm
  if (userfaults.space(context) === NULL) return gone
  const space = new AddressSpace(memory, userfaults.space(context))
  atomics.lock(space.lock, LockRank.space)
  const result = change(space)
  atomics.unlock(space.lock, LockRank.space)
  return result
}

export function register(c: SyscallContext, context: Ptr): number {
  const address = c.args.address(2)
  const view = take(c, address, 24)
  if (view === undefined) return -EFAULT
  const mode = view.getUint32(16, true)
  const isKnown = (mode & ~(MODE_MISSING | MODE_MINOR)) === 0 && view.getUint32(20, true) === 0
  if (mode === 0 || !isKnown || (mode & MODE_WRITE_PROTECT) !== 0) return -EINVAL
  const range = rangeAt(c, view, 0, 8)
  if (range === undefined) return -EINVAL
  const end = (range.start + range.pages) as Vpn
  const flags =
    ((mode & MODE_MISSING) !== 0 ? VM_UFFD_MISSING : 0) | ((mode & MODE_MINOR) !== 0 ? VM_UFFD_MINOR : 0)
  let isHuge = false
  const result = inSpace(c, context, -ENOMEM, (space) => {
    isHuge = hasHugePart(c.mm, space, range.start, end)
    return registerRange(c.mm, space, context, range.start, end, flags)
  })
  if (result < 0) return result
  const requests = isHuge ? HUGE_REQUESTS : RANGE_REQUESTS
  const offered = (mode & MODE_MINOR) !== 0 ? requests : requests & ~CONTINUE_REQUEST
  return put(c, address + 24, new Uint8Array(BigUint64Array.of(offered).buffer))
}

/** Whoever waits for a page of the range goes on. */
export function unregister(c: SyscallContext, context: Ptr): number {
  const view = take(c, c.args.address(2), 16)
  if (view === undefined) return -EFAULT
  const range = rangeAt(c, view, 0, 8)
  if (range === undefined) return -EINVAL
  const end = (range.start + range.pages) as Vpn
  return inSpace(c, context, -ENOMEM, (space) =>
    unregisterRange(c.mm, space, range.start, end, (owner, from, to) =>
      c.linux.userfaults.wake(owner, from * PAGE_SIZE, to * PAGE_SIZE),
    ),
  )
}

export function wake(c: SyscallContext, context: Ptr): number {
  const view = take(c, c.args.address(2), 16)
  if (view === undefined) return -EFAULT
  const range = rangeAt(c, view, 0, 8)
  if (range === undefined) return -EINVAL
  wakePages(c, context, range.start, range.pages)
  return 0
}

function wakePages(c: SyscallContext, context: Ptr, start: number, pages: number): void {
  c.linux.userfaults.wake(context, start * PAGE_SIZE, (start + pages) * PAGE_SIZE)
}

/** Where the fields of a request are: the range, the mode, and the result. */
interface Layout {
  readonly bytes: number
  readonly start: number
  readonly length: number
  readonly mode: number
  readonly result: number
}

const RANGE_LAYOUT: Layout = { bytes: 24, start: 0, length: 8, mode: 16, result: 24 }
const COPY_LAYOUT: Layout = { bytes: 32, start: 0, length: 16, mode: 24, result: 32 }
const SOURCE = 8

/** The mode's bits that are not known; those of write protection are, where they are refused later. */
const KNOWN_MODES: Readonly<Record<FillMode, number>> = { copy: 3, zero: 1, continue: 3, poison: 1 }

export function fill(c: SyscallContext, context: Ptr, mode: FillMode): number {
  const layout = mode === 'copy' ? COPY_LAYOUT : RANGE_LAYOUT
  return transfer(c, context, layout, (view) => {
    if (mode === 'copy' && !isRange(c, view, SOURCE, layout.length)) return -EINVAL
    const range = rangeAt(c, view, layout.start, layout.length)
    const bits = view.getUint32(layout.mode, true)
    if (range === undefined || view.getUint32(layout.mode + 4, true) !== 0) return -EINVAL
    if ((bits & ~KNOWN_MODES[mode]) !== 0) return -EINVAL
    return () => fillRange(c, context, mode, range, (bits & 2) !== 0, uint64(view, SOURCE))
  })
}

/** A call that waits for a page of the source goes on where it was. */
function fillRange(
  c: SyscallContext,
  context: Ptr,
  mode: FillMode,
  range: Range,
  isProtected: boolean,
  source: number,
): number {
  const bring = (index: number, target: Uint8Array) =>
    copyFromUser(c.mm, c.space, source + index * PAGE_SIZE, target)
  const request = { context, ...range, mode, isProtected, ...(mode === 'copy' ? { bring } : {}) }
  const done = fillPages(c.mm, request, c.thread.progress)
  if (c.mm.userfaults.missed === undefined) return done
  c.thread.progress = Math.max(done, 0)
  return -EFAULT
}

export function move(c: SyscallContext, context: Ptr): number {
  return transfer(c, context, COPY_LAYOUT, (view) => {
    if (c.mm.userfaults.space(context) !== c.space.ptr) return -EINVAL
    const target = rangeAt(c, view, 0, 16)
    const source = rangeAt(c, view, SOURCE, 16)
    const bits = view.getUint32(24, true)
    if (target === undefined || source === undefined || view.getUint32(28, true) !== 0) return -EINVAL
    if ((bits & ~(DO_NOT_WAKE | ALLOW_HOLES)) !== 0) return -EINVAL
    const allowsHoles = (bits & ALLOW_HOLES) !== 0
    return () => moveUserfault(c.mm, { context, ...target, source: source.start, allowsHoles })
  })
}

/**
 * What the requests that bring pages have in common: -EAGAIN while the space is changing; the bytes done or the errno as the
 * structure's result; -EAGAIN when it is not all; and who waits for a page goes on.
 */
function transfer(
  c: SyscallContext,
  context: Ptr,
  layout: Layout,
  decode: (view: DataView) => (() => number) | number,
): number {
  const address = c.args.address(2)
  if (c.mm.userfaults.isChanging(context)) return putResult(c, address, layout, -EAGAIN)
  const view = take(c, address, layout.bytes)
  if (view === undefined) return -EFAULT
  const carry = decode(view)
  if (typeof carry === 'number') return carry
  if (c.mm.userfaults.space(context) === NULL) return -ESRCH
  const pages = carry()
  if (c.mm.userfaults.missed !== undefined) return -EFAULT
  const problem = putResult(c, address, layout, pages < 0 ? pages : pages * PAGE_SIZE)
  if (problem < 0 || pages < 0) return problem
  const isAll = pages * PAGE_SIZE === uint64(view, layout.length)
  const doesWake = (view.getUint32(layout.mode, true) & DO_NOT_WAKE) === 0
  if (doesWake) wakePages(c, context, pageOf(uint64(view, layout.start)), pages)
  return isAll ? 0 : -EAGAIN
}

/** -EFAULT, or the errno that was stored, or 0. */
function putResult(c: SyscallContext, address: number, { result }: Layout, value: number): number {
  const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)
  return put(c, address + result, bytes) < 0 ? -EFAULT : Math.min(value, 0)
}

/** UFFDIO_WRITEPROTECT: no range can be registered for it here. */
export function protect(c: SyscallContext, context: Ptr): number {
  if (c.mm.userfaults.isChanging(context)) return -EAGAIN
  const view = take(c, c.args.address(2), 24)
  if (view === undefined) return -EFAULT
  const range = rangeAt(c, view, 0, 8)
  const bits = view.getUint32(16, true)
  if (range === undefined || view.getUint32(20, true) !== 0 || bits > 2) return -EINVAL
  return c.mm.userfaults.space(context) === NULL ? -ESRCH : -ENOENT
}

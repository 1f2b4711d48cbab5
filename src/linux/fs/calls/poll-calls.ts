/** ppoll and pselect6: which files are ready, or a wait until one is. */
import { EBADF, EFAULT, EINVAL } from '../../../base/errno.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { operationsOf } from '../file-operations.js'
import { Poll } from '../flags.js'
import type { Vfs } from '../vfs.js'
import { fileLimit, put, take, uint64, userOfCall } from './support.js'
import { deadlineArgument, finishWait, maskAt, underMask, waitUntil } from './waiting.js'

const POLLFD_BYTES = 8
const ALWAYS_REPORTED = Poll.error | Poll.hangUp | Poll.invalid
/** What a select set means in poll bits, in the order of its arguments. */
const SELECT_BITS = [
  Poll.in | Poll.readNormal | Poll.readBand | Poll.hangUp | Poll.error,
  Poll.out | Poll.writeNormal | Poll.writeBand | Poll.error,
  Poll.priority,
] as const

export function pollCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(72, 'pselect6', 'dppppp', (c) => select(vfs, c)),
    syscall(73, 'ppoll', 'pupp', (c) => poll(vfs, c)),
  ]
}

/** What of `wanted` holds of a file number; POLLNVAL when nothing is open there. */
function readiness(vfs: Vfs, c: SyscallContext, fd: number, wanted: number): number {
  const file = userOfCall(c).files.get(fd)
  if (file === undefined || file.kind === 'path') return Poll.invalid
  return operationsOf(file).poll(vfs, file) & (wanted | ALWAYS_REPORTED)
}

function waitsFor(vfs: Vfs, c: SyscallContext, fd: number): number {
  const file = userOfCall(c).files.get(fd)
  return file === undefined ? 0 : operationsOf(file).waitsFor(vfs, file)
}

function poll(vfs: Vfs, c: SyscallContext): number {
  const deadline = deadlineArgument(c, 2)
  if (deadline < 0) return deadline
  const mask = maskAt(c, c.args.address(3), c.args.address(4))
  return finishWait(
    c,
    2,
    deadline,
    underMask(c, mask, () => pollUntil(vfs, c, deadline)),
  )
}

function pollUntil(vfs: Vfs, c: SyscallContext, deadline: number): number {
  const count = c.args.low(1)
  if (count > fileLimit(c)) return -EINVAL
  const view = take(c, c.args.address(0), count * POLLFD_BYTES)
  if (view === undefined) return -EFAULT
  let ready = 0
  let waits = 0
  for (let at = 0; at < view.byteLength; at += POLLFD_BYTES) {
    const fd = view.getInt32(at, true)
    const found = fd < 0 ? 0 : readiness(vfs, c, fd, view.getUint16(at + 4, true))
    view.setUint16(at + 6, found, true)
    if (found !== 0) ready++
    waits |= waitsFor(vfs, c, fd)
  }
  if (ready === 0) {
    const result = waitUntil(c, deadline, waits)
    if (result !== 0) return result
  }
  return put(c, c.args.address(0), new Uint8Array(view.buffer)) === 0 ? ready : -EFAULT
}

/** Three sets of bits, one a file number; absent ones are `undefined`. */
type Sets = (DataView | undefined)[]

/** The mask comes as a record of its own: address and size. */
function select(vfs: Vfs, c: SyscallContext): number {
  const record = c.args.isZero(5) ? undefined : take(c, c.args.address(5), 16)
  if (record === undefined && !c.args.isZero(5)) return -EFAULT
  const deadline = deadlineArgument(c, 4)
  if (deadline < 0) return deadline
  const mask = record && maskAt(c, uint64(record, 0), uint64(record, 8))
  return finishWait(
    c,
    4,
    deadline,
    underMask(c, mask, () => selectUntil(vfs, c, deadline)),
  )
}

function selectUntil(vfs: Vfs, c: SyscallContext, deadline: number): number {
  const count = Math.min(c.args.int(0), userOfCall(c).files.capacity)
  if (count < 0) return -EINVAL
  const sets = setsArgument(c, count)
  if (sets === undefined) return -EFAULT
  const found = sets.map((set) =>
    set === undefined ? undefined : new DataView(new ArrayBuffer(set.byteLength)),
  )
  const ready = examineSets(vfs, c, count, sets, found)
  if (ready < 0) return ready
  if (ready === 0) {
    const result = waitUntil(c, deadline, waitsOfSets(vfs, c, count, sets))
    if (result !== 0) return result
  }
  return putSets(c, found) ? ready : -EFAULT
}

function setsArgument(c: SyscallContext, count: number): Sets | undefined {
  const bytes = Math.ceil(count / 64) * 8
  const sets: Sets = []
  for (let i = 1; i <= 3; i++) {
    const set = c.args.isZero(i) ? undefined : take(c, c.args.address(i), bytes)
    if (set === undefined && !c.args.isZero(i)) return undefined
    sets.push(set)
  }
  return sets
}

function hasFile(set: DataView | undefined, fd: number): boolean {
  return set !== undefined && ((set.getUint8(fd >> 3) >> (fd & 7)) & 1) === 1
}

/** Fills `found` and returns how many bits it has; -EBADF for a number that is not open. */
function examineSets(vfs: Vfs, c: SyscallContext, count: number, sets: Sets, found: Sets): number {
  let ready = 0
  for (let fd = 0; fd < count; fd++) {
    for (const [i, set] of sets.entries()) {
      if (!hasFile(set, fd)) continue
      const bits = readiness(vfs, c, fd, SELECT_BITS[i]!)
      if (bits === Poll.invalid) return -EBADF
      if ((bits & SELECT_BITS[i]!) === 0) continue
      ready++
      found[i]!.setUint8(fd >> 3, found[i]!.getUint8(fd >> 3) | (1 << (fd & 7)))
    }
  }
  return ready
}

function waitsOfSets(vfs: Vfs, c: SyscallContext, count: number, sets: Sets): number {
  let waits = 0
  for (let fd = 0; fd < count; fd++) {
    if (sets.some((set) => hasFile(set, fd))) waits |= waitsFor(vfs, c, fd)
  }
  return waits
}

function putSets(c: SyscallContext, found: Sets): boolean {
  return found.every(
    (set, i) => set === undefined || put(c, c.args.address(i + 1), new Uint8Array(set.buffer)) === 0,
  )
}

/**
 * System calls about the memory of other processes: process_vm_readv(2), process_vm_writev(2) (mm/process_vm_access.c of
 * Linux), process_madvise(2) and process_mrelease(2).
 */
import { EACCES, EFAULT, EINVAL, EPERM, ESRCH } from '../../base/errno.js'
import { PAGE_MASK, PAGE_SIZE } from '../../base/numbers.js'
import { readPinned, writeRemote } from '../../fault/remote-copy.js'
import { copyFromUserPartial, copyToUserPartial } from '../../fault/user-copy.js'
import type { AddressSpace } from '../../space/address-space.js'
import { reapSpace } from '../../space/reap-space.js'
import { LockRank } from '../../state/atomics.js'
import { type AdviceRange, advise } from '../../syscall/advise.js'
import * as mman from '../../syscall/mman.js'
import { processOfPidFile } from '../fs/calls/pid-file-calls.js'
import { take, uint64 } from '../fs/calls/support.js'
import { type UserRange, vectorRanges } from '../fs/calls/transfer.js'
import { Capability } from '../fs/capabilities.js'
import { may } from '../fs/credentials.js'
import { userOf } from '../fs/file-user.js'
import { IOV_MAX } from '../fs/flags.js'
import type { Process } from '../process.js'
import { mayAccess } from '../process-access.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { processNamed } from './numbers.js'

/** Local memory, piece by piece. */
class LocalFlow {
  readonly #c: SyscallContext
  readonly #ranges: readonly UserRange[]
  #range = 0
  #offset = 0
  moved = 0

  constructor(c: SyscallContext, ranges: readonly UserRange[]) {
    this.#c = c
    this.#ranges = ranges
  }

  /** Bytes of the current piece that are left: 0 at the end of all. */
  get left(): number {
    while (this.#range < this.#ranges.length && this.#ranges[this.#range]!.length === this.#offset) {
      this.#range++
      this.#offset = 0
    }
    return this.#range < this.#ranges.length ? this.#ranges[this.#range]!.length - this.#offset : 0
  }

  /** Moves bytes of the current piece, in as far as the program may access them; how many. */
  move(bytes: Uint8Array, copy: typeof copyToUserPartial): number {
    const { mm, space } = this.#c
    const done = copy(mm, space, this.#ranges[this.#range]!.address + this.#offset, bytes)
    this.#offset += done
    this.moved += done
    return done
  }
}

/** The other side's vector is not looked at but for negative lengths: -EINVAL, -EFAULT. */
function remoteRanges(c: SyscallContext): UserRange[] | number {
  const count = c.args.address(4)
  if (count > IOV_MAX) return -EINVAL
  const view = take(c, c.args.address(3), count * 16)
  if (view === undefined) return -EFAULT
  const ranges: UserRange[] = []
  for (let i = 0; i < count; i++) {
    if (view.getInt32(i * 16 + 12, true) < 0) return -EINVAL
    ranges.push({ address: uint64(view, i * 16), length: uint64(view, i * 16 + 8) })
  }
  return ranges
}

/** The process whose memory it is: -ESRCH, also when it has none any more; -EPERM. */
function partnerOf(c: SyscallContext): Process | number {
  const id = c.args.int(0)
  const process = id === 0 ? undefined : processNamed(c, id)
  if (process === undefined || process.isZombie) return -ESRCH
  const refused = hasSameMemory(c, process) ? 0 : mayAccess(c.process, process, 'real')
  return refused < 0 ? refused : process
}

function hasSameMemory(c: SyscallContext, process: Process): boolean {
  return process.space.ptr === c.space.ptr
}

function transfer(c: SyscallContext, writes: boolean): number {
  if (!c.args.isZero(5)) return -EINVAL
  const local = vectorRanges(c, c.args.address(1), c.args.low(2))
  if (typeof local === 'number') return local
  const flow = new LocalFlow(c, local)
  if (flow.left === 0) return 0
  const remote = remoteRanges(c)
  if (typeof remote === 'number') return remote
  if (remote.every(({ length }) => length === 0)) return 0
  const process = partnerOf(c)
  if (typeof process === 'number') return process
  return moveAll(c, flow, process.space, remote, writes)
}

/** Bytes moved up to the first obstacle on either side, or -EFAULT when that was none, or a page that will come (userfaultfd). */
function moveAll(
  c: SyscallContext,
  flow: LocalFlow,
  space: AddressSpace,
  remote: readonly UserRange[],
  writes: boolean,
): number {
  for (const { address, length } of remote) {
    for (let at = 0; at < length && flow.left > 0; ) {
      const held = holdPages(c, space, address + at, length - at, writes)
      const done = moveHeld(c, flow, space, { address: address + at, length: held }, writes)
      if (held === 0 || (done < held && flow.left > 0))
        return flow.moved > 0 && c.mm.userfaults.missed === undefined ? flow.moved : -EFAULT
      at += held
    }
  }
  return flow.moved
}

/** Pages of the other program that Linux holds on to at a time: pointers to them fill two pages. */
const HELD_PAGES_MAX = 1024
const NOTHING = new Uint8Array(0)

/** All of them are faulted in before anything is moved, also those that there is no local memory for. Bytes up to the first that cannot be. */
function holdPages(
  c: SyscallContext,
  space: AddressSpace,
  address: number,
  length: number,
  writes: boolean,
): number {
  let at = 0
  for (let pages = 0; at < length && pages < HELD_PAGES_MAX; pages++) {
    const problem = (writes ? writeRemote : readPinned)(c.mm, space, address + at, NOTHING)
    if (problem < 0) break
    at += PAGE_SIZE - ((address + at) & PAGE_MASK)
  }
  return Math.min(at, length)
}

/** Moves bytes of such pages until the local memory ends or is in the way; how many. */
function moveHeld(
  c: SyscallContext,
  flow: LocalFlow,
  space: AddressSpace,
  { address, length }: UserRange,
  writes: boolean,
): number {
  const page = new Uint8Array(Math.min(PAGE_SIZE, length))
  for (let at = 0; at < length; ) {
    const inPage = PAGE_SIZE - ((address + at) & PAGE_MASK)
    const part = page.subarray(0, Math.min(inPage, length - at, flow.left))
    if (part.length === 0) return at
    const move = writes ? pushPart : pullPart
    const done = move(c, flow, space, address + at, part)
    at += done
    if (done < part.length) return at
  }
  return length
}

/** From the other program: bytes that have arrived. */
function pullPart(
  c: SyscallContext,
  flow: LocalFlow,
  space: AddressSpace,
  from: number,
  part: Uint8Array,
): number {
  return readPinned(c.mm, space, from, part) < 0 ? 0 : flow.move(part, copyToUserPartial)
}

/** To the other program: what could be read. */
function pushPart(
  c: SyscallContext,
  flow: LocalFlow,
  space: AddressSpace,
  to: number,
  part: Uint8Array,
): number {
  const got = flow.move(part, copyFromUserPartial)
  return got > 0 && writeRemote(c.mm, space, to, part.subarray(0, got)) < 0 ? 0 : got
}

/** Advice that takes nothing away. */
const FOR_OTHERS: readonly number[] = [
  mman.MADV_COLD,
  mman.MADV_PAGEOUT,
  mman.MADV_WILLNEED,
  mman.MADV_COLLAPSE,
]

function processMadvise(c: SyscallContext): number {
  if (c.args.low(4) !== 0) return -EINVAL
  const ranges = vectorRanges(c, c.args.address(1), c.args.low(2))
  if (typeof ranges === 'number') return ranges
  const process = processOfPidFile(c, 0)
  if (typeof process === 'number') return process
  const advice = c.args.int(3)
  if (!FOR_OTHERS.includes(advice)) return -EINVAL
  if (process.isZombie) return -ESRCH
  const isOwn = hasSameMemory(c, process)
  if (!isOwn && mayAccess(c.process, process, 'files') < 0) return -EACCES
  if (!isOwn && !may(userOf(c.process).credentials, Capability.nice)) return -EPERM
  return adviseRanges(c, process.space, ranges, advice)
}

/** Bytes of the ranges before the first that fails, or its errno. Of ranges without length only the very first is looked at, when another one has some. */
function adviseRanges(
  c: SyscallContext,
  space: AddressSpace,
  ranges: readonly UserRange[],
  advice: number,
): number {
  let done = 0
  if (ranges.every(({ length }) => length === 0)) return 0
  for (const [i, range] of ranges.entries()) {
    if (range.length === 0 && i > 0) continue
    const result = advise(c.mm, space, adviceRange(range), advice)
    if (result < 0) return done > 0 ? done : result
    done += range.length
  }
  return done
}

/** Both numbers are below TASK_SIZE, and so exact. */
function adviceRange({ address, length }: UserRange): AdviceRange {
  return {
    start: Math.floor(address / PAGE_SIZE),
    isAligned: address % PAGE_SIZE === 0,
    pages: Math.ceil(length / PAGE_SIZE),
    isEmpty: length === 0,
  }
}

function processMrelease(c: SyscallContext): number {
  if (c.args.low(1) !== 0) return -EINVAL
  const process = processOfPidFile(c, 0)
  if (typeof process === 'number') return process
  if (process.isZombie) return -ESRCH
  if (!isDying(c, process)) return -EINVAL
  c.mm.atomics.lock(process.space.lock, LockRank.space)
  reapSpace(c.mm, process.space)
  c.mm.atomics.unlock(process.space.lock, LockRank.space)
  return 0
}

/** SIGKILL is on its way to everybody who has this memory (task_will_free_mem). */
function isDying(c: SyscallContext, process: Process): boolean {
  for (const other of c.linux.processes.values()) {
    if (other.isZombie || other.space.ptr !== process.space.ptr) continue
    if (!c.linux.threadOf(other).isKilled) return false
  }
  return true
}

export const processMemoryCalls: readonly Syscall[] = [
  syscall(270, 'process_vm_readv', 'dpupux', (c) => transfer(c, false)),
  syscall(271, 'process_vm_writev', 'dpupux', (c) => transfer(c, true)),
  syscall(440, 'process_madvise', 'fpuAx', processMadvise),
  syscall(448, 'process_mrelease', 'fx', processMrelease),
]

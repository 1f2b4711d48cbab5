/** ioctl(PAGEMAP_SCAN) on /proc/PID/pagemap (do_pagemap_scan; Documentation/admin-guide/mm/pagemap.rst). */
import { EFAULT, EINVAL, ENOSPC, ESRCH } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { CATEGORIES_ALL, PageScan, ScanFlag, type ScanRequest } from '../../../space/page-scan.js'
import { LockRank } from '../../../state/atomics.js'
import { StructWriter } from '../../calls/user-data.js'
import type { SyscallContext } from '../../syscall-context.js'
import { put, take, uint64 } from '../calls/support.js'

/** PAGEMAP_SCAN of <linux/fs.h>. */
const SCAN = 0xc060_6610
/** struct pm_scan_arg, and where the kernel answers in it. */
const ARGUMENT_BYTES = 96
const WALK_END = 32
const REGION_BYTES = 24
/** access_ok() knows no other end on riscv64. */
const ADDRESS_MAX = 2 ** 63 - 1

/** What was asked, checked: addresses in bytes. */
interface Scan extends ScanRequest {
  readonly start: number
  readonly end: number
  readonly target: number
  readonly room: number
}

/** The number of regions written, or -ESRCH, -EFAULT, -EINVAL, -EPERM; -EINVAL also for any other request. */
export function controlPagemap(c: SyscallContext, space: AddressSpace | undefined): number {
  if (c.args.low(1) !== SCAN) return -EINVAL
  if (space === undefined) return -ESRCH
  const address = c.args.address(2)
  const view = take(c, address, ARGUMENT_BYTES)
  const scan = view === undefined ? -EFAULT : decode(view)
  if (typeof scan === 'number') return scan
  const walk = new PageScan(c.mm, space, scan, scan.room)
  const result = scanAll(c, space, scan, walk)
  const end = walk.stoppedAt === 0 ? scan.end : walk.stoppedAt * PAGE_SIZE
  const answer = new StructWriter(8).u64(0, end)
  return put(c, address + WALK_END, answer.bytes) === 0 ? result : -EFAULT
}

/** pagemap_scan_get_args: the checks and their order. */
function decode(view: DataView): Scan | number {
  const [size, flags, start, end, , vec, room, most] = fields(view)
  const [inverted, mask, anyOf, returned] = fields(view).slice(8)
  const categories = [inverted, mask, anyOf, returned]
  if (size !== ARGUMENT_BYTES || flags! > (ScanFlag.writeProtect | ScanFlag.checkTracked)) return -EINVAL
  if (categories.some((set) => set! > CATEGORIES_ALL)) return -EINVAL
  if (start! % PAGE_SIZE !== 0) return -EINVAL
  if (end! < start! || end! > ADDRESS_MAX) return -EFAULT
  if (vec === 0 && room !== 0) return -EINVAL
  if (vec !== 0 && vec! + room! * REGION_BYTES > ADDRESS_MAX) return -EFAULT
  return {
    flags: flags!,
    start: start!,
    end: Math.ceil(end! / PAGE_SIZE) * PAGE_SIZE,
    target: vec!,
    room: room!,
    pagesMax: most === 0 ? Number.POSITIVE_INFINITY : most!,
    inverted: inverted!,
    mask: mask!,
    anyOf: anyOf!,
    returned: returned!,
  }
}

function fields(view: DataView): number[] {
  return Array.from({ length: ARGUMENT_BYTES / 8 }, (_, i) => uint64(view, i * 8))
}

/** Walks and hands out in turns, as long as a walk ends for want of room and the asker has some left. */
function scanAll(c: SyscallContext, space: AddressSpace, scan: Scan, walk: PageScan): number {
  const end = scan.end / PAGE_SIZE
  let regions = 0
  for (let at = scan.start / PAGE_SIZE; at < end; at = walk.stoppedAt) {
    c.mm.atomics.lock(space.lock, LockRank.space)
    const result = walk.walk(at, end)
    c.mm.atomics.unlock(space.lock, LockRank.space)
    const written = writeRegions(c, scan.target + regions * REGION_BYTES, walk)
    if (written < 0) return written
    regions += written
    if (result !== -ENOSPC) return result < 0 ? result : regions
    if (walk.isFull) return regions
  }
  return regions
}

function writeRegions(c: SyscallContext, address: number, walk: PageScan): number {
  const regions = walk.takeRegions()
  const out = new StructWriter(regions.length * REGION_BYTES)
  regions.forEach(({ start, end, categories }, i) => {
    const at = i * REGION_BYTES
    out
      .u64(at, start * PAGE_SIZE)
      .u64(at + 8, end * PAGE_SIZE)
      .u64(at + 16, categories)
  })
  return put(c, address, out.bytes) === 0 ? regions.length : -EFAULT
}

/**
 * mmap(2): riscv_sys_mmap, ksys_mmap_pgoff and do_mmap of Linux 6.12, in their order of checks. What is asked for is
 * decoded into a MapRequest with no effect; then, under the lock, a place is chosen, the file's rights are
 * looked at, and space/ maps.
 */
import {
  EACCES,
  EAGAIN,
  EEXIST,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { populateQuietly } from '../fault/populate.js'
import type { AddressSpace } from '../space/address-space.js'
import { getUnmappedArea } from '../space/get-unmapped-area.js'
import { mapRegion } from '../space/map-region.js'
import { ObjectKind } from '../space/page-object.js'
import {
  MAP_COUNT_MAX,
  MAP_MIN_PAGE,
  VM_DONTDUMP,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAY_ACCESS,
  VM_MAYEXEC,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_SHARED,
  VM_SYNC,
  VM_WIPEONFORK,
} from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import type { FileBacking, FileResolver } from './file-backing.js'
import * as mman from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** What an mmap asks for, decoded. */
export interface MapRequest {
  /** Address asked for, in pages; whether it is a multiple of a page. */
  readonly page: number
  readonly isAligned: boolean
  readonly pages: number
  readonly prot: number
  readonly flags: number
  /** Flag bits above bit 31 were set. */
  readonly unknownFlags: boolean
  readonly file: FileBacking | undefined
  /** Where in the file, in pages. */
  readonly offset: number
}

/** mmap(addr, len, prot, flags, fd, offset): the address, or a negative errno. */
export function sysMmap(
  mm: FaultEnv,
  space: AddressSpace,
  args: SyscallArguments,
  resolve: FileResolver,
): number {
  if (!args.isPageAligned(5)) return -EINVAL
  const flags = args.low(3)
  const file = findFile(flags, args.int(4), resolve)
  if (typeof file === 'number') return file
  if (args.isZero(1)) return -EINVAL
  return mapRequest(mm, space, {
    page: args.page(0),
    isAligned: args.isPageAligned(0),
    pages: args.pagesUp(1),
    prot: args.low(2),
    flags,
    unknownFlags: !args.is32Bit(3),
    file,
    offset: args.page(5),
  })
}

/** The file that backs the mapping, undefined for anonymous memory. There are no huge pages. */
function findFile(flags: number, fd: number, resolve: FileResolver): FileBacking | undefined | number {
  const wantsHuge = (flags & mman.MAP_HUGETLB) !== 0
  if ((flags & mman.MAP_ANONYMOUS) !== 0) return wantsHuge ? hugeProblem(flags) : undefined
  const file = resolve(fd)
  return wantsHuge && typeof file !== 'number' ? -EINVAL : file
}

/** -EINVAL for a size that riscv64 does not have; of the others none are set aside. */
function hugeProblem(flags: number): number {
  const shift = (flags >>> mman.MAP_HUGE_SHIFT) & mman.MAP_HUGE_MASK
  return [0, 16, 21, 30].includes(shift) ? -ENOMEM : -EINVAL
}

/** do_mmap under the lock, then what MAP_POPULATE and locked memory want. */
export function mapRequest(mm: FaultEnv, space: AddressSpace, request: MapRequest): number {
  mm.atomics.lock(space.lock, LockRank.space)
  const populates = wantsPopulate(space, request.flags)
  const page = mapLocked(mm, space, request)
  mm.atomics.unlock(space.lock, LockRank.space)
  if (page < 0) return page
  if (populates) populateQuietly(mm, space, page as Vpn, (page + request.pages) as Vpn)
  return page * PAGE_SIZE
}

function wantsPopulate(space: AddressSpace, flags: number): boolean {
  if ((flags & mman.MAP_LOCKED) !== 0 || (space.defaultFlags & VM_LOCKED) !== 0) return true
  return (flags & (mman.MAP_POPULATE | mman.MAP_NONBLOCK)) === mman.MAP_POPULATE
}

function mapLocked(mm: FaultEnv, space: AddressSpace, request: MapRequest): number {
  const { pages, flags, file } = request
  if (pages === 0) return -ENOMEM
  if (space.vmaCount > MAP_COUNT_MAX) return -ENOMEM
  let vmFlags = (request.prot & 7) | flagBits(flags) | space.defaultFlags | VM_MAY_ACCESS
  const start = choosePlace(mm, space, request, vmFlags)
  if (start < 0) return start
  const problem = lockProblem(space, vmFlags, flags, pages)
  if (problem !== 0) return problem
  const kind = file === undefined ? anonymousFlags(request, vmFlags) : fileFlags(request, file, vmFlags)
  if (kind < 0) return kind
  vmFlags = kind
  if ((flags & mman.MAP_NORESERVE) !== 0) vmFlags |= VM_NORESERVE
  return mapAt(mm, space, request, start as Vpn, vmFlags)
}

/** calc_vm_flag_bits(). */
function flagBits(flags: number): number {
  let bits = 0
  if ((flags & mman.MAP_GROWSDOWN) !== 0) bits |= VM_GROWSDOWN
  if ((flags & mman.MAP_LOCKED) !== 0) bits |= VM_LOCKED
  if ((flags & mman.MAP_SYNC) !== 0) bits |= VM_SYNC
  if ((flags & mman.MAP_STACK) !== 0) bits |= VM_NOHUGEPAGE
  return bits
}

/** Where it goes: what MAP_FIXED says, or a free place, near the hint if that is free (__get_unmapped_area). */
function choosePlace(mm: FaultEnv, space: AddressSpace, request: MapRequest, vmFlags: number): number {
  const { page, pages, flags, isAligned } = request
  if (pages > mm.arch.userEnd) return -ENOMEM
  if ((flags & (mman.MAP_FIXED | mman.MAP_FIXED_NOREPLACE)) === 0) {
    const hint = page !== 0 && page < MAP_MIN_PAGE ? MAP_MIN_PAGE : page
    return getUnmappedArea(mm, space, areaWanted(request, hint as Vpn, vmFlags))
  }
  if (page + pages > mm.arch.userEnd || (page + pages === mm.arch.userEnd && !isAligned)) return -ENOMEM
  if (!isAligned) return -EINVAL
  if ((flags & mman.MAP_FIXED_NOREPLACE) === 0) return page
  return isFree(mm, space, page as Vpn, pages) ? page : -EEXIST
}

/** mlock_future_ok() and can_do_mlock(): -EPERM, -EAGAIN beyond RLIMIT_MEMLOCK, or 0. */
function lockProblem(space: AddressSpace, vmFlags: number, flags: number, pages: number): number {
  if ((flags & mman.MAP_LOCKED) !== 0 && space.limitLocked === 0) return -EPERM
  if ((vmFlags & VM_LOCKED) === 0) return 0
  return (space.lockedPages + pages) * PAGE_SIZE > space.limitLocked ? -EAGAIN : 0
}

/** VM flags of anonymous memory, or a negative errno. */
function anonymousFlags({ flags }: MapRequest, vmFlags: number): number {
  const growsDown = (vmFlags & VM_GROWSDOWN) !== 0
  switch (flags & mman.MAP_TYPE) {
    case mman.MAP_SHARED:
      return growsDown ? -EINVAL : vmFlags | VM_SHARED | VM_MAYSHARE
    case mman.MAP_DROPPABLE:
      if ((flags & mman.MAP_LOCKED) !== 0 || growsDown) return -EINVAL
      return vmFlags | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP
    case mman.MAP_PRIVATE:
      return vmFlags
    default:
      return -EINVAL
  }
}

/** The flags that MAP_SHARED knows; MAP_SHARED_VALIDATE refuses others (LEGACY_MAP_MASK). */
const LEGACY_FLAGS =
  mman.MAP_SHARED |
  mman.MAP_PRIVATE |
  mman.MAP_FIXED |
  mman.MAP_FIXED_NOREPLACE |
  mman.MAP_ANONYMOUS |
  mman.MAP_DENYWRITE |
  mman.MAP_EXECUTABLE |
  mman.MAP_UNINITIALIZED |
  mman.MAP_GROWSDOWN |
  mman.MAP_LOCKED |
  mman.MAP_NORESERVE |
  mman.MAP_POPULATE |
  mman.MAP_NONBLOCK |
  mman.MAP_STACK |
  mman.MAP_HUGETLB

/** Pages that a file offset may reach: MAX_LFS_FILESIZE, 2^63 - 1 bytes. */
const FILE_PAGES_MAX = 2 ** 51 - 1

/** VM flags of a file mapping, or a negative errno. */
function fileFlags(request: MapRequest, file: FileBacking, vmFlags: number): number {
  if (request.offset > FILE_PAGES_MAX - request.pages) return -EOVERFLOW
  const type = request.flags & mman.MAP_TYPE
  if (type === mman.MAP_PRIVATE) return readableFlags(file, vmFlags)
  if (type !== mman.MAP_SHARED && type !== mman.MAP_SHARED_VALIDATE) return -EINVAL
  const unknown = request.unknownFlags || (request.flags & ~LEGACY_FLAGS) !== 0
  if (type === mman.MAP_SHARED_VALIDATE && unknown) return -EOPNOTSUPP
  if ((request.prot & mman.PROT_WRITE) !== 0 && !file.writable) return -EACCES
  const shared = vmFlags | VM_SHARED | VM_MAYSHARE
  return readableFlags(file, file.writable ? shared : shared & ~(VM_MAYWRITE | VM_SHARED))
}

/** What shared and private mappings of a file need alike. */
function readableFlags(file: FileBacking, vmFlags: number): number {
  if (!file.readable) return -EACCES
  if (!file.executable && (vmFlags & VM_EXEC) !== 0) return -EPERM
  if (!file.mappable) return -ENODEV
  if ((vmFlags & VM_GROWSDOWN) !== 0) return -EINVAL
  return file.executable ? vmFlags : vmFlags & ~VM_MAYEXEC
}

/** Maps at a place that was chosen; shared anonymous memory gets an object of its own. */
function mapAt(mm: FaultEnv, space: AddressSpace, request: MapRequest, start: Vpn, flags: number): number {
  const { pages, file } = request
  const isFile = file !== undefined && file.object !== NULL
  if (isFile || (flags & VM_SHARED) === 0) {
    const object = isFile ? file.object : NULL
    return mapRegion(mm, space, { start, pages, flags, object, ...offsetOf(mm, request, start, object) })
  }
  const object = mm.objects.create(ObjectKind.anonymousShared, pages * PAGE_SIZE)
  if (object === NULL) return -ENOMEM
  const result = mapRegion(mm, space, { start, pages, flags, object, pageOffset: 0, file: mm.objects.identity(object) })
  mm.objects.release(object)
  return result
}

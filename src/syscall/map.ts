/**
 * mmap(2): riscv_sys_mmap, ksys_mmap_pgoff and do_mmap of Linux 6.12, in their order of checks. What is asked for is
 * decoded into a MapRequest with no effect; then, under the lock, a place is chosen, the file's rights are
 * looked at, and space/ maps.
 */
import { EAGAIN, EINVAL, ENOMEM, EOVERFLOW, EPERM } from '../base/errno.js'
import { NULL, PAGE_MASK, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { populateQuietly } from '../fault/populate.js'
import { type AddressSpace, SpaceFlag } from '../space/address-space.js'
import { pagesOfKind } from '../space/huge-pool.js'
import { mapAnywhere, mapAt, placeMapping, type MapRequest as RegionRequest } from '../space/map-region.js'
import { isEnoughMemory, Overcommit } from '../space/overcommit.js'
import { ObjectKind } from '../space/page-object.js'
import { enterKhugepaged } from '../space/scanned-spaces.js'
import { lowestPlacedPage, mapCountMax } from '../space/tunables.js'
import { unmapRange } from '../space/unmap-range.js'
import { VM_ACCESS_FLAGS, VM_EXEC, VM_LOCKED, VM_MAY_ACCESS, VM_NORESERVE } from '../space/vm-flags.js'
import { MAPPED_UNNAMED } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { readSetting, Setting } from '../state/settings.js'
import type { FileBacking, FileResolver } from './file-backing.js'
import { anonymousFlags, fileFlags, flagBits, type MapRequest } from './map-flags.js'
import { hugeFile, mapHuge, placeHuge } from './map-huge.js'
import * as mman from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** Flags of memory that a program has for itself, at a place that it leaves to us. */
const ANYWHERE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS

/** mmap(addr, len, prot, flags, fd, offset): the address, or a negative errno. */
export function sysMmap(
  mm: FaultEnv,
  space: AddressSpace,
  args: SyscallArguments,
  resolve: FileResolver,
): number {
  const flags = args.low(3)
  if (flags === ANYWHERE && args.isZero(0) && args.isZero(5)) return mapPrivate(mm, space, args)
  if (!args.isPageAligned(5)) return -EINVAL
  const file = findFile(args, resolve)
  if (typeof file === 'number') return file
  if (args.isZero(1)) return -EINVAL
  const unit = file?.huge === undefined ? 1 : pagesOfKind(file.huge)
  const pages = roundedPages(args.pagesUp(1), unit)
  if (pages <= 0) return pages === 0 ? -ENOMEM : pages
  if (wrapsAround(args)) return -EOVERFLOW
  return mapRequest(mm, space, {
    page: args.page(0),
    misaligned: args.low(0) & PAGE_MASK,
    pages,
    prot: args.low(2),
    flags,
    unknownFlags: !args.is32Bit(3),
    file,
    offset: args.page(5),
  })
}

/** Anonymous memory wherever there is room, the commonest request: nothing but its length can be wrong. */
function mapPrivate(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  if (args.isZero(1)) return -EINVAL
  const pages = args.pagesUp(1)
  if (pages === 0) return -ENOMEM
  const access = args.low(2) & VM_ACCESS_FLAGS
  mm.atomics.lock(space.lock, LockRank.space)
  const { defaultFlags } = space
  const flags = access | impliedExec(space, access) | defaultFlags | VM_MAY_ACCESS
  const page = mapAnywhere(mm, space, pages, flags)
  mm.atomics.unlock(space.lock, LockRank.space)
  if (page < 0) return page
  if ((defaultFlags & VM_LOCKED) !== 0) populateQuietly(mm, space, page as Vpn, (page + pages) as Vpn)
  return page * PAGE_SIZE
}

/** Up to whole huge pages: a length that becomes 0 so is -EINVAL. */
function roundedPages(pages: number, unit: number): number {
  if (unit === 1) return pages
  return pages === 0 || pages > 2 ** 52 - unit ? -EINVAL : Math.ceil(pages / unit) * unit
}

/** The offset is signed, so a negative one is a page number near 2^64: the end of the mapping may lie beyond that. */
function wrapsAround(args: SyscallArguments): boolean {
  return args.high(5) >>> 31 !== 0 && args.page(5) + args.pagesUp(1) >= 2 ** 52
}

/** The file that backs the mapping, undefined for anonymous memory. Memory of huge pages is one of the kernel's own files. */
function findFile(args: SyscallArguments, resolve: FileResolver): FileBacking | undefined | number {
  const flags = args.low(3)
  const wantsHuge = (flags & mman.MAP_HUGETLB) !== 0
  if ((flags & mman.MAP_ANONYMOUS) !== 0) return wantsHuge ? hugeFile(flags) : undefined
  const file = resolve(args.int(4))
  return wantsHuge && typeof file !== 'number' && file.huge === undefined ? -EINVAL : file
}

/** do_mmap under the lock, then what MAP_POPULATE and locked memory want. */
export function mapRequest(mm: FaultEnv, space: AddressSpace, request: MapRequest): number {
  const object = backingOf(mm, request)
  if (object < 0) return object
  mm.atomics.lock(space.lock, LockRank.space)
  const populates = wantsPopulate(space, request.flags)
  const page = mapLocked(mm, space, request, object as Ptr)
  mm.atomics.unlock(space.lock, LockRank.space)
  if (object !== NULL) mm.objects.release(object as Ptr)
  if (page < 0) return page
  if (populates) populateQuietly(mm, space, page as Vpn, (page + request.pages) as Vpn)
  return page * PAGE_SIZE
}

/** The object that is mapped, with a reference; a new one for shared anonymous memory, NULL for private. */
function backingOf(mm: FaultEnv, { file, flags, pages }: MapRequest): Ptr | number {
  if (file !== undefined && file.object !== NULL) {
    mm.objects.retain(file.object)
    return file.object
  }
  if (file?.huge !== undefined) return mm.objects.create(file.huge, 0) || -ENOMEM
  const type = flags & mman.MAP_TYPE
  if (type !== mman.MAP_SHARED && (file === undefined || type !== mman.MAP_SHARED_VALIDATE)) return NULL
  if (pages > mm.arch.userEnd) return -ENOMEM
  return mm.objects.create(ObjectKind.anonymousShared, pages * PAGE_SIZE) || -ENOMEM
}

function wantsPopulate(space: AddressSpace, flags: number): boolean {
  if ((flags & mman.MAP_LOCKED) !== 0 || (space.defaultFlags & VM_LOCKED) !== 0) return true
  return (flags & (mman.MAP_POPULATE | mman.MAP_NONBLOCK)) === mman.MAP_POPULATE
}

function mapLocked(mm: FaultEnv, space: AddressSpace, request: MapRequest, object: Ptr): number {
  const { flags, file } = request
  if (space.vmaCount > mapCountMax(mm)) return -ENOMEM
  const wanted = protectionOf(space, request) | flagBits(flags) | space.defaultFlags | VM_MAY_ACCESS
  const region = regionOf(mm, request, object, wanted)
  const start = choosePlace(mm, space, request, region)
  if (start < 0) return start
  const vmFlags = file === undefined ? anonymousFlags(request, wanted) : fileFlags(request, file, wanted)
  if (vmFlags < 0) return vmFlags
  if (file?.huge !== undefined) return mapHuge(mm, space, start as Vpn, request, region, vmFlags)
  const granted = vmFlags | (isUnreserved(mm, flags) ? VM_NORESERVE : 0)
  const page = mapAt(mm, space, start as Vpn, region, granted)
  if (page >= 0 && object !== NULL) enterKhugepaged(mm, space, mm.vmas.find(space, page as Vpn))
  const isNew = object !== NULL && (file === undefined || file.object === NULL)
  if (page < 0 || !isNew || (granted & VM_NORESERVE) !== 0) return page
  return promiseObject(mm, space, request, object, page as Vpn)
}

/** READ_IMPLIES_EXEC: but for files where nothing may be executed. */
function protectionOf(space: AddressSpace, { prot, file }: MapRequest): number {
  const mayExecute = file === undefined || file.executable
  return (prot & VM_ACCESS_FLAGS) | (mayExecute ? impliedExec(space, prot) : 0)
}

function impliedExec(space: AddressSpace, prot: number): number {
  const implies = (space.flags & SpaceFlag.readImpliesExec) !== 0 && (prot & mman.PROT_READ) !== 0
  return implies ? VM_EXEC : 0
}

/** MAP_NORESERVE counts unless nothing may be promised that is not there. */
function isUnreserved(mm: FaultEnv, flags: number): boolean {
  if ((flags & mman.MAP_NORESERVE) === 0) return false
  return readSetting(mm.memory, Setting.overcommitMemory) !== Overcommit.never
}

/** New shared memory is promised as a whole (shmem_acct_size). When it cannot be, what was in its place is gone already. */
function promiseObject(
  mm: FaultEnv,
  space: AddressSpace,
  { pages }: MapRequest,
  object: Ptr,
  page: Vpn,
): number {
  if (isEnoughMemory(mm, space, pages)) {
    mm.objects.promise(object)
    return page
  }
  unmapRange(mm, space, page, (page + pages) as Vpn)
  return -ENOMEM
}

/** The same request in the words of space/. */
function regionOf(mm: FaultEnv, request: MapRequest, object: Ptr, flags: number): RegionRequest {
  const { page, pages, file, offset } = request
  const fixed = (request.flags & mman.MAP_FIXED) !== 0
  const noReplace = (request.flags & mman.MAP_FIXED_NOREPLACE) !== 0
  const pageOffset = file === undefined ? 0 : offset
  const identity = object === NULL ? 0 : (file?.identity ?? mm.objects.identity(object))
  const shown = object !== NULL && file?.unnamed === true ? identity + MAPPED_UNNAMED : identity
  const special = undefined
  return { start: page as Vpn, pages, flags, object, pageOffset, fixed, noReplace, file: shown, special }
}

/** Where it goes: what MAP_FIXED says, or a free place, near the hint if that is free (__get_unmapped_area). */
function choosePlace(mm: FaultEnv, space: AddressSpace, request: MapRequest, region: RegionRequest): number {
  const isFixed = region.fixed || region.noReplace === true
  if (isFixed && request.misaligned !== 0) return misalignedProblem(mm, request)
  const isHuge = request.file?.huge !== undefined
  const start = isHuge ? placeHuge(mm, space, request, region) : placeMapping(mm, space, region)
  const mayNotLock = (request.flags & mman.MAP_LOCKED) !== 0 && space.limitLocked === 0
  if (mayNotLock && (start >= 0 || start === -EAGAIN)) return -EPERM
  return start
}

/** An order for a place that is no multiple of a page. Linux takes the last 4095 addresses for its own errnos. */
function misalignedProblem(mm: FaultEnv, { page, pages, misaligned }: MapRequest): number {
  if (pages > mm.arch.userEnd - lowestPlacedPage(mm)) return -ENOMEM
  if (page === 2 ** 52 - 1) return misaligned - PAGE_SIZE
  return page + pages >= mm.arch.userEnd ? -ENOMEM : -EINVAL
}

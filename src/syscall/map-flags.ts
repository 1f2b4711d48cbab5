/** Which VM flags a mapping gets, or why it is refused: the second half of do_mmap's checks. */
import { EACCES, EINVAL, ENODEV, EOPNOTSUPP, EOVERFLOW, EPERM } from '../base/errno.js'
import {
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_DROPPABLE,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGETLB,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_SHARED,
  VM_SYNC,
  VM_WIPEONFORK,
  VM_WRITE,
} from '../space/vm-flags.js'
import type { FileBacking } from './file-backing.js'
import * as mman from './mman.js'

/** What an mmap asks for, decoded. */
export interface MapRequest {
  /** Address asked for, in pages, and the bytes by which it misses a multiple of a page. */
  readonly page: number
  readonly misaligned: number
  readonly pages: number
  readonly prot: number
  readonly flags: number
  /** Flag bits above bit 31 were set. */
  readonly unknownFlags: boolean
  readonly file: FileBacking | undefined
  /** Where in the file, in pages. */
  readonly offset: number
}

/** calc_vm_flag_bits(). */
export function flagBits(flags: number): number {
  let bits = 0
  if ((flags & mman.MAP_GROWSDOWN) !== 0) bits |= VM_GROWSDOWN
  if ((flags & mman.MAP_LOCKED) !== 0) bits |= VM_LOCKED
  if ((flags & mman.MAP_SYNC) !== 0) bits |= VM_SYNC
  if ((flags & mman.MAP_STACK) !== 0) bits |= VM_NOHUGEPAGE
  return bits
}

/** VM flags of anonymous memory, or a negative errno. */
export function anonymousFlags({ flags }: MapRequest, vmFlags: number): number {
  const growsDown = (vmFlags & VM_GROWSDOWN) !== 0
  switch (flags & mman.MAP_TYPE) {
    case mman.MAP_SHARED:
      return growsDown ? -EINVAL : vmFlags | VM_SHARED | VM_MAYSHARE
    case mman.MAP_DROPPABLE:
      if ((flags & mman.MAP_LOCKED) !== 0 || growsDown) return -EINVAL
      return vmFlags | VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP
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
  mman.MAP_ANONYMOUS |
  mman.MAP_DENYWRITE |
  mman.MAP_EXECUTABLE |
  mman.MAP_HUGE_2MB |
  mman.MAP_HUGE_1GB |
  mman.MAP_UNINITIALIZED |
  mman.MAP_GROWSDOWN |
  mman.MAP_LOCKED |
  mman.MAP_NORESERVE |
  mman.MAP_POPULATE |
  mman.MAP_NONBLOCK |
  mman.MAP_STACK |
  mman.MAP_HUGETLB

/** Pages that a file's offset may reach: MAX_LFS_FILESIZE, 2^63 - 1 bytes. From there on the offset is negative. */
export const FILE_PAGES_MAX = 2 ** 51 - 1

/** VM flags of a file mapping, or a negative errno. */
export function fileFlags(request: MapRequest, file: FileBacking, vmFlags: number): number {
  const pagesMax = file.mappable ? FILE_PAGES_MAX - request.pages : FILE_PAGES_MAX
  if (request.offset > pagesMax) return -EOVERFLOW
  const type = request.flags & mman.MAP_TYPE
  if (type === mman.MAP_PRIVATE) {
    const flags = readableFlags(file, vmFlags)
    return flags >= 0 && file.secret === true ? -EINVAL : flags
  }
  if (type !== mman.MAP_SHARED && type !== mman.MAP_SHARED_VALIDATE) return -EINVAL
  const unknown = request.unknownFlags || (request.flags & ~LEGACY_FLAGS) !== 0
  if (type === mman.MAP_SHARED_VALIDATE && unknown) return -EOPNOTSUPP
  if ((request.prot & mman.PROT_WRITE) !== 0 && !file.writable) return -EACCES
  const shared = vmFlags | VM_SHARED | VM_MAYSHARE
  const granted = readableFlags(file, file.writable ? shared : shared & ~(VM_MAYWRITE | VM_SHARED))
  return granted >= 0 && file.sealed === true ? sealedFlags(granted) : granted
}

function kindFlags(file: FileBacking): number {
  if (file.huge !== undefined) return VM_HUGETLB | VM_DONTEXPAND
  return file.secret === true ? VM_DONTDUMP : 0
}

/** What the seals of a memfd leave of a shared mapping: to look at, for good (seal_check_write). */
function sealedFlags(vmFlags: number): number {
  return (vmFlags & VM_WRITE) !== 0 ? -EPERM : vmFlags & ~VM_MAYWRITE
}

/** What shared and private mappings of a file need alike. */
function readableFlags(file: FileBacking, vmFlags: number): number {
  if (!file.readable) return -EACCES
  if (!file.executable && (vmFlags & VM_EXEC) !== 0) return -EPERM
  if (!file.mappable && file.refusal === undefined) return -ENODEV
  if ((vmFlags & VM_GROWSDOWN) !== 0) return -EINVAL
  if (file.refusal !== undefined) return file.refusal
  const granted = vmFlags | kindFlags(file)
  return file.executable ? granted : granted & ~VM_MAYEXEC
}

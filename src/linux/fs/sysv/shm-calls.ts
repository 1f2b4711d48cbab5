/** shmget, shmat and shmdt: ipc/shm.c of Linux 6.12, in its order of checks. */
import { EACCES, EEXIST, EINVAL, ENOENT, ENOMEM, EPERM } from '../../../base/errno.js'
import { NULL, pagesFor, type Vpn } from '../../../base/numbers.js'
import { hugeKind } from '../../../space/huge-pool.js'
import { isEnoughMemory, Overcommit } from '../../../space/overcommit.js'
import { ObjectKind } from '../../../space/page-object.js'
import { Vma } from '../../../space/vma.js'
import { readIntSetting, readUnsignedSetting, Setting } from '../../../state/settings.js'
import { detachShared } from '../../../syscall/detach-shared.js'
import type { FileBacking } from '../../../syscall/file-backing.js'
import { mapRequest } from '../../../syscall/map.js'
import * as mman from '../../../syscall/mman.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { userOfCall } from '../calls/support.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import type { Vfs } from '../vfs.js'
import { controlSegment } from './shm-control.js'
import { isAllowed } from './shm-permission.js'
import type { ShmSegment } from './shm-segment.js'
import { SHM_PROVIDER } from './shm-segments.js'

const IPC_CREAT = 0o1000
const IPC_EXCL = 0o2000
const SHM_HUGETLB = 0o4000
const SHM_NORESERVE = 0o10000
const SHM_RDONLY = 0o10000
const SHM_RND = 0o20000
const SHM_REMAP = 0o40000
const SHM_EXEC = 0o100000

/** MAX_LFS_FILESIZE and one: the size of a file is signed. */
const FILE_BYTES_LIMIT = 2 ** 63

export function sharedMemoryCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(194, 'shmget', 'xux', (c) => get(vfs, c)),
    syscall(195, 'shmctl', 'ddp', (c) => controlSegment(vfs, c)),
    syscall(196, 'shmat', 'dpx', (c) => attach(vfs, c)),
    syscall(197, 'shmdt', 'p', detach),
  ]
}

function get(vfs: Vfs, c: SyscallContext): number {
  const [key, flags] = [c.args.int(0), c.args.int(2)]
  const bytes = c.args.address(1)
  const found = key === 0 ? undefined : vfs.segments.byKey(key)
  if (found !== undefined) return getExisting(c, found, bytes, flags)
  if (key !== 0 && (flags & IPC_CREAT) === 0) return -ENOENT
  return create(vfs, c, key, bytes, flags)
}

function getExisting(c: SyscallContext, segment: ShmSegment, bytes: number, flags: number): number {
  const both = IPC_CREAT | IPC_EXCL
  if ((flags & both) === both) return -EEXIST
  if (segment.bytes < bytes) return -EINVAL
  return isAllowed(userOfCall(c).credentials, segment, flags) ? segment.id : -EACCES
}

function create(vfs: Vfs, c: SyscallContext, key: number, bytes: number, flags: number): number {
  if (bytes < 1 || bytes > readUnsignedSetting(c.mm.memory, Setting.shmMax)) return -EINVAL
  const { credentials } = userOfCall(c)
  const huge =
    (flags & SHM_HUGETLB) !== 0 ? hugeKind((flags >>> mman.MAP_HUGE_SHIFT) & mman.MAP_HUGE_MASK) : 0
  const isStrict = huge === 0 && readIntSetting(c.mm.memory, Setting.overcommitMemory) === Overcommit.never
  const isReserved = (flags & SHM_NORESERVE) === 0 || isStrict
  if (huge === undefined) return -EINVAL
  if (huge !== 0) {
    if (!may(credentials, Capability.lockMemory)) return -EPERM
    if (isReserved) return -ENOMEM
  } else if (bytes >= FILE_BYTES_LIMIT) return -EINVAL
  else if (isReserved && !isEnoughMemory(c.mm, c.space, pagesFor(bytes))) return -ENOMEM
  const { user, group } = credentials
  const kind = huge === 0 ? ObjectKind.tmpfs : huge
  const permissions = flags & 0o777
  const wanted = { key, bytes, kind, permissions, uid: user.effective, gid: group.effective }
  const segment = vfs.segments.create(wanted)
  if (typeof segment === 'number') return segment
  if (isReserved) c.mm.objects.promise(segment.object)
  return segment.id
}

/** What shmat asks for. */
interface Attachment {
  readonly page: number
  readonly isFixed: boolean
  readonly protection: number
  /** Permission bits that it needs. */
  readonly access: number
  readonly replaces: boolean
}

function attach(vfs: Vfs, c: SyscallContext): number {
  const id = c.args.int(0)
  const wanted = attachment(c)
  if (id < 0 || typeof wanted === 'number') return -EINVAL
  const segment = vfs.segments.byId(id)
  if (segment === undefined) return -EINVAL
  if (!isAllowed(userOfCall(c).credentials, segment, wanted.access)) return -EACCES
  const pages = pagesFor(c.mm.objects.size(segment.object))
  if (wanted.isFixed && !wanted.replaces && wanted.page !== 0 && !isFree(c, wanted.page, pages))
    return -EINVAL
  return mapRequest(c.mm, c.space, {
    page: wanted.page,
    misaligned: 0,
    pages,
    prot: wanted.protection,
    flags: mman.MAP_SHARED | (wanted.isFixed ? mman.MAP_FIXED : 0),
    unknownFlags: false,
    file: backingOf(vfs, c, segment, (wanted.access & 0o222) !== 0),
    offset: 0,
  })
}

/** The place and the rights, decoded; -EINVAL for an address that is not a multiple of a page and may not be rounded. */
function attachment(c: SyscallContext): Attachment | number {
  const flags = c.args.int(2)
  const replaces = (flags & SHM_REMAP) !== 0
  const page = c.args.page(1)
  const isAligned = c.args.isPageAligned(1)
  const isFixed = !c.args.isZero(1)
  if (!isFixed && replaces) return -EINVAL
  if (!isAligned && ((flags & SHM_RND) === 0 || (page === 0 && replaces))) return -EINVAL
  const isReadOnly = (flags & SHM_RDONLY) !== 0
  const isExecutable = (flags & SHM_EXEC) !== 0
  const protection = isReadOnly ? mman.PROT_READ : mman.PROT_READ | mman.PROT_WRITE
  return {
    page,
    isFixed,
    protection: isExecutable ? protection | mman.PROT_EXEC : protection,
    access: (isReadOnly ? 0o444 : 0o666) | (isExecutable ? 0o111 : 0),
    replaces,
  }
}

/** Nothing is mapped there, and the range does not wrap around. */
function isFree({ mm, space }: SyscallContext, page: number, pages: number): boolean {
  if (page + pages > 2 ** 52 - 1) return false
  const next = mm.vmas.find(space, page as Vpn)
  return next === NULL || new Vma(mm.memory, next).start >= page + pages
}

/** Every attachment is an open file of its own: two are never merged. */
function backingOf(vfs: Vfs, { mm }: SyscallContext, { object }: ShmSegment, writable: boolean): FileBacking {
  const identity = vfs.state.nextOpenFile++
  const backing = { object, identity, readable: true, writable, executable: true, mappable: true }
  return mm.objects.isHuge(object) ? { ...backing, huge: mm.objects.kind(object), reserved: true } : backing
}

function detach(c: SyscallContext): number {
  if (!c.args.isPageAligned(0)) return -EINVAL
  return detachShared(c.mm, c.space, c.args.page(0) as Vpn, SHM_PROVIDER)
}

/** ioctl(PROCMAP_QUERY) on /proc/PID/maps: one mapping, without reading a text (do_procmap_query of fs/proc/task_mmu.c). */
import { E2BIG, EFAULT, EINVAL, ENAMETOOLONG, ENOENT, ENOTTY, ESRCH } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, pageOf, type Vpn } from '../../../base/numbers.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { unitOf } from '../../../space/huge-pool.js'
import { mappingName } from '../../../space/maps.js'
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from '../../../space/vm-flags.js'
import { Special, Vma } from '../../../space/vma.js'
import { LockRank } from '../../../state/atomics.js'
import { readBuildId } from '../../build-id.js'
import { StructWriter } from '../../calls/user-data.js'
import type { SyscallContext } from '../../syscall-context.js'
import { put, take, uint64 } from '../calls/support.js'
import { PATH_MAX } from '../flags.js'
import { bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'

/** PROCMAP_QUERY of <linux/fs.h>. */
const QUERY = 0xc068_6611
/** struct procmap_query, and what of it there must be at least. */
const QUERY_BYTES = 104
const QUERY_BYTES_MIN = 24

/** PROCMAP_QUERY_*: what the mapping must allow, which one is meant. */
const QueryFlag = { readable: 1, writable: 2, executable: 4, shared: 8, orNext: 16, fileBacked: 32 } as const
const FLAGS_ALL = 63
const RIGHTS = [
  [QueryFlag.readable, VM_READ],
  [QueryFlag.writable, VM_WRITE],
  [QueryFlag.executable, VM_EXEC],
  [QueryFlag.shared, VM_MAYSHARE],
] as const

interface Query {
  /** Bytes of the structure as the program knows it. */
  readonly size: number
  readonly flags: number
  readonly address: number
  readonly name: { readonly size: number; readonly address: number }
  readonly id: { readonly size: number; readonly address: number }
}

/** 0, or -EFAULT, -E2BIG, -EINVAL, -ESRCH, -ENOENT, -ENAMETOOLONG; -ENOTTY for any other request. */
export function controlMaps(c: SyscallContext, vfs: Vfs, space: AddressSpace | undefined): number {
  if (c.args.low(1) !== QUERY) return -ENOTTY
  const query = readQuery(c, c.args.address(2))
  if (typeof query === 'number') return query
  if (space === undefined) return -ESRCH
  c.mm.atomics.lock(space.lock, LockRank.space)
  const answer = answerTo(c, vfs, space, query)
  c.mm.atomics.unlock(space.lock, LockRank.space)
  return typeof answer === 'number' ? answer : writeAnswer(c, vfs, query, answer)
}

/** As copy_struct_from_user: what a newer program knows more of must be zero. */
function readQuery(c: SyscallContext, address: number): Query | number {
  const head = take(c, address, 8)
  if (head === undefined) return -EFAULT
  const size = uint64(head, 0)
  if (size > PAGE_SIZE) return -E2BIG
  if (size < QUERY_BYTES_MIN) return -EINVAL
  const bytes = take(c, address, size)
  if (bytes === undefined) return -EFAULT
  const view = new DataView(new ArrayBuffer(Math.max(size, QUERY_BYTES)))
  new Uint8Array(view.buffer).set(new Uint8Array(bytes.buffer))
  if (new Uint8Array(view.buffer).subarray(QUERY_BYTES).some((byte) => byte !== 0)) return -E2BIG
  const name = { size: view.getUint32(80, true), address: uint64(view, 88) }
  const id = { size: view.getUint32(84, true), address: uint64(view, 96) }
  const flags = uint64(view, 8)
  if (flags > FLAGS_ALL) return -EINVAL
  if ((name.size === 0) !== (name.address === 0) || (id.size === 0) !== (id.address === 0)) return -EINVAL
  return { size, flags, address: uint64(view, 16), name, id }
}

interface Answer {
  readonly bytes: StructWriter
  /** The name with its NUL; empty without one. */
  readonly name: Uint8Array
  readonly object: Ptr
}

function answerTo(c: SyscallContext, vfs: Vfs, space: AddressSpace, query: Query): Answer | number {
  const vma = findMapping(c, space, query)
  if (vma === undefined) return -ENOENT
  const hasFile = vma.object !== NULL && vma.special === Special.none
  const file = hasFile ? vfs.names.of(vma.object) : undefined
  const text = query.name.size === 0 ? '' : mappingName(c.mm, space, vma, () => file?.path ?? '')
  const name = text === '' ? new Uint8Array(0) : bytesOf(`${text}\0`)
  if (name.length > Math.min(query.name.size, PATH_MAX)) return -ENAMETOOLONG
  const rights = RIGHTS.reduce((all, [flag, bit]) => ((vma.flags & bit) !== 0 ? all | flag : all), 0)
  const [major = 0, minor = 0] = file?.device.split(':').map((digits) => Number.parseInt(digits, 16)) ?? []
  const bytes = new StructWriter(QUERY_BYTES)
    .u64(0, query.size)
    .u64(8, query.flags)
    .u64(16, query.address)
    .u64(24, vma.start * PAGE_SIZE)
    .u64(32, vma.end * PAGE_SIZE)
    .u64(40, rights)
    .u64(48, unitOf(c.mm, vma) * PAGE_SIZE)
    .u64(56, hasFile ? vma.pageOffset * PAGE_SIZE : 0)
    .u64(64, file?.inode ?? 0)
    .u32(72, major)
    .u32(76, minor)
    .u32(80, name.length)
    .u64(88, query.name.address)
    .u64(96, query.id.address)
  return { bytes, name, object: hasFile ? vma.object : NULL }
}

/** query_matching_vma: the mapping that holds the address, or the next one that fits. */
function findMapping({ mm }: SyscallContext, space: AddressSpace, query: Query): Vma | undefined {
  const { flags, address } = query
  const vma = new Vma(mm.memory, NULL)
  let page = pageOf(address)
  while (page < mm.arch.userEnd) {
    vma.at(mm.vmas.find(space, page as Vpn))
    if (vma.ptr === NULL) return undefined
    const isNext = vma.start * PAGE_SIZE > address
    if (fits(vma, flags) && ((flags & QueryFlag.orNext) !== 0 || !isNext)) return vma
    if ((flags & QueryFlag.orNext) === 0) return undefined
    page = vma.end
  }
  return undefined
}

function fits(vma: Vma, flags: number): boolean {
  const hasFile = vma.object !== NULL && vma.special === Special.none
  if ((flags & QueryFlag.fileBacked) !== 0 && !hasFile) return false
  return RIGHTS.every(([flag, bit]) => (flags & flag) === 0 || (vma.flags & bit) !== 0)
}

function writeAnswer(c: SyscallContext, vfs: Vfs, query: Query, { bytes, name, object }: Answer): number {
  const id = query.id.size === 0 ? undefined : buildIdOf(vfs, object)
  if (id !== undefined && query.id.size < id.length) return -ENAMETOOLONG
  bytes.u32(84, id?.length ?? 0)
  if (put(c, query.name.address, name) < 0) return -EFAULT
  if (id !== undefined && put(c, query.id.address, id) < 0) return -EFAULT
  return put(c, c.args.address(2), bytes.bytes.subarray(0, query.size))
}

function buildIdOf({ contents }: Vfs, object: Ptr): Uint8Array | undefined {
  if (object === NULL) return undefined
  const read = (offset: number, target: Uint8Array) => contents.read(object, offset, target)
  return readBuildId({ size: contents.size(object), read })
}

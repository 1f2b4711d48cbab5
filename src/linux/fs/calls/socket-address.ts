/** struct sockaddr_un in the program's memory. */
import { ECONNREFUSED, EFAULT, EINVAL, EPROTOTYPE } from '../../../base/errno.js'
import type { SyscallContext } from '../../syscall-context.js'
import { FileType } from '../flags.js'
import { AF_UNIX, type UnixSocket } from '../ipc/unix-socket.js'
import { typeOf } from '../nodes.js'
import { byteString, bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import { put, take, userOfCall, walkerOf } from './support.js'

/** Bytes of sun_family, and of all of it. */
const FAMILY_BYTES = 2
const ADDRESS_MAX = 110
/** sizeof(struct sockaddr_storage): no address is longer. */
const STORAGE_BYTES = 128

export interface SocketAddress {
  readonly family: number
  /** `sun_path` as UnixSocket.name has it; empty: none was given. */
  readonly name: string
  /** Bytes given. */
  readonly length: number
}

/** An address as it stands there: -EINVAL for an impossible length, -EFAULT. */
export function addressAt(c: SyscallContext, address: number, length: number): SocketAddress | number {
  if (length < 0 || length > STORAGE_BYTES) return -EINVAL
  const view = take(c, address, length)
  if (view === undefined) return -EFAULT
  const family = length < FAMILY_BYTES ? 0 : view.getUint16(0, true)
  const path = byteString(new Uint8Array(view.buffer).subarray(FAMILY_BYTES, length))
  const isAbstract = path.startsWith('\0')
  return { family, name: isAbstract ? path : path.split('\0')[0]!, length }
}

/** 0 or -EINVAL: what unix sockets can be bound to or connect to. */
export function checkAddress({ family, length }: SocketAddress): number {
  return length <= FAMILY_BYTES || length > ADDRESS_MAX || family !== AF_UNIX ? -EINVAL : 0
}

/** The socket that an address names: -ECONNREFUSED, -EPROTOTYPE for one of another type, or what the path says. */
export function findSocket(
  vfs: Vfs,
  c: SyscallContext,
  { name }: SocketAddress,
  type: number,
): UnixSocket | number {
  const found = name.startsWith('\0') ? vfs.sockets.named(name, type) : socketAt(vfs, c, name)
  if (typeof found === 'number') return found
  return found.type === type ? found : -EPROTOTYPE
}

function socketAt(vfs: Vfs, c: SyscallContext, path: string): UnixSocket | number {
  const dentry = vfs.walk.resolve(walkerOf(c), userOfCall(c).cwd, path, true)
  if (typeof dentry === 'number') return dentry
  if (typeOf(dentry.inode) !== FileType.socket) return -ECONNREFUSED
  return dentry.inode.socket ?? -ECONNREFUSED
}

/** The address of a socket of that name, as getsockname(2) gives it. */
export function encodeAddress(name: string): Uint8Array {
  const isPath = name !== '' && !name.startsWith('\0')
  const path = bytesOf(isPath ? `${name}\0` : name)
  const bytes = new Uint8Array(FAMILY_BYTES + path.length)
  bytes[0] = AF_UNIX
  bytes.set(path, FAMILY_BYTES)
  return bytes
}

/** Stores an address where there is room for `length` of its bytes, and its whole length: 0, -EFAULT, -EINVAL. */
export function putAddress(
  c: SyscallContext,
  bytes: Uint8Array,
  address: number,
  lengthAddress: number,
): number {
  const room = take(c, lengthAddress, 4)?.getInt32(0, true)
  if (room === undefined) return -EFAULT
  if (room < 0) return -EINVAL
  if (put(c, address, bytes.subarray(0, room)) !== 0) return -EFAULT
  return put(c, lengthAddress, new Uint8Array(Int32Array.of(bytes.length).buffer))
}

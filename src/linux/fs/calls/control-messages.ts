/** Control messages (cmsg(3)): files and credentials that go with the bytes of a socket. */

import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from '../../../base/errno.js'
import { idOf, numberOf } from '../../calls/numbers.js'
import type { SyscallContext } from '../../syscall-context.js'
import { credentialsOf } from '../ipc/socket-file.js'
import type { Attachments, Received } from '../ipc/socket-transfer.js'
import type { Credentials } from '../ipc/unix-socket.js'
import type { OpenFile } from '../open-file.js'
import { installFile, put, take, uint64, userOfCall } from './support.js'

const HEADER_BYTES = 16
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const SCM_CREDENTIALS = 2
const CREDENTIALS_BYTES = 12
/** SCM_MAX_FD. */
const FILES_MAX = 253
/** What a program may have in flight of it: net.core.optmem_max. */
export const CONTROL_MAX = 131_072

const aligned = (bytes: number) => Math.ceil(bytes / 8) * 8

/** What a message takes along: -EINVAL, -EBADF, -EFAULT, -ESRCH, -EPERM. */
export function attachmentsAt(c: SyscallContext, address: number, length: number): Attachments | number {
  const own: Attachments = { credentials: credentialsOf(c.process), isExplicit: false, files: [] }
  if (length < HEADER_BYTES) return own
  const view = take(c, address, length)
  if (view === undefined) return -EFAULT
  let found = own
  for (let at = 0; at + HEADER_BYTES <= length; ) {
    const size = uint64(view, at)
    if (size < HEADER_BYTES || size > length - at) return -EINVAL
    const next = withMessage(c, found, new DataView(view.buffer, at, size))
    if (typeof next === 'number') return next
    found = next
    at += aligned(size)
  }
  return found
}

/** `so far` and what one control message adds; those of other levels are passed over. */
function withMessage(c: SyscallContext, soFar: Attachments, message: DataView): Attachments | number {
  if (message.getInt32(8, true) !== SOL_SOCKET) return soFar
  const type = message.getInt32(12, true)
  if (type === SCM_RIGHTS) return withFiles(c, soFar, message)
  return type === SCM_CREDENTIALS ? withCredentials(c, soFar, message) : -EINVAL
}

function withFiles(c: SyscallContext, soFar: Attachments, message: DataView): Attachments | number {
  const files: OpenFile[] = [...soFar.files]
  const count = Math.floor((message.byteLength - HEADER_BYTES) / 4)
  if (count > FILES_MAX || files.length + count > FILES_MAX) return -EINVAL
  for (let i = 0; i < count; i++) {
    const file = userOfCall(c).files.get(message.getInt32(HEADER_BYTES + i * 4, true))
    if (file === undefined) return -EBADF
    files.push(file)
  }
  return { ...soFar, files }
}

function withCredentials(c: SyscallContext, soFar: Attachments, message: DataView): Attachments | number {
  if (message.byteLength !== HEADER_BYTES + CREDENTIALS_BYTES) return -EINVAL
  const [pid, uid, gid] = [0, 4, 8].map((offset) => message.getInt32(HEADER_BYTES + offset, true))
  if (uid === -1 || gid === -1) return -EINVAL
  const id = idOf(c, pid!)
  if (!c.linux.processes.has(id)) return pid! <= 0 ? -EPERM : -ESRCH
  return { ...soFar, isExplicit: true, credentials: { pid: id, uid: uid!, gid: gid! } }
}

/** Where control messages go, one after the other. */
export class ControlWriter {
  readonly #c: SyscallContext
  readonly #address: number
  readonly #room: number
  /** Bytes written: msg_controllen. */
  length = 0
  /** Something did not fit: MSG_CTRUNC. */
  isTruncated = false

  constructor(c: SyscallContext, address: number, room: number) {
    this.#c = c
    this.#address = address
    this.#room = address === 0 ? 0 : room
  }

  get #left(): number {
    return this.#room - this.length
  }

  credentials({ pid, uid, gid }: Credentials): void {
    this.#write(SCM_CREDENTIALS, new Uint8Array(Int32Array.of(numberOf(this.#c, pid), uid, gid).buffer))
  }

  /** Gives the program numbers for files that came, as far as there is room for them; all are then dropped. */
  files(files: readonly OpenFile[], closeOnExec: boolean): void {
    const most = Math.max(0, Math.floor((this.#left - HEADER_BYTES) / 4))
    const numbers: number[] = []
    for (const file of files.slice(0, most)) {
      const fd = this.#install(file, closeOnExec)
      if (fd < 0) break
      numbers.push(fd)
    }
    if (numbers.length < files.length) this.isTruncated = true
    if (numbers.length > 0) this.#write(SCM_RIGHTS, new Uint8Array(Int32Array.from(numbers).buffer))
    for (const file of files) userOfCall(this.#c).drop(file)
  }

  /** installFile drops what has no other reference: the message's is given back by the caller. */
  #install(file: OpenFile, closeOnExec: boolean): number {
    return installFile(this.#c, file, closeOnExec)
  }

  /** As much as fits; the length in the header says how much that is. */
  #write(type: number, data: Uint8Array): void {
    if (this.#left < HEADER_BYTES) {
      this.isTruncated = true
      return
    }
    const size = Math.min(HEADER_BYTES + data.length, this.#left)
    if (size < HEADER_BYTES + data.length) this.isTruncated = true
    const bytes = new Uint8Array(HEADER_BYTES + data.length)
    new DataView(bytes.buffer).setUint32(0, size, true)
    bytes[8] = SOL_SOCKET
    bytes[12] = type
    bytes.set(data, HEADER_BYTES)
    put(this.#c, this.#address + this.length, bytes.subarray(0, size))
    this.length += Math.min(aligned(size), this.#left)
  }
}

/** What came with a message, for the program; `closeOnExec`: MSG_CMSG_CLOEXEC. */
export function writeReceived(
  writer: ControlWriter,
  { credentials, files }: Received,
  passesCredentials: boolean,
  closeOnExec: boolean,
): void {
  if (passesCredentials && credentials !== undefined) writer.credentials(credentials)
  if (files.length > 0) writer.files(files, closeOnExec)
}

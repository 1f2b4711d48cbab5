/** ioctl(2): close-on-exec and blocking for every file, and what a terminal answers. */
import { EFAULT, ENOTTY } from '../../../base/errno.js'
import type { HostOutput } from '../../host.js'
import type { Syscall, SyscallContext } from '../../syscall-context.js'
import { operationsOf, sizeOf } from '../file-operations.js'
import { Ioctl, Open } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { fileArgument, put, take, userOfCall } from './support.js'

/** struct termios of the kernel: four words of flags, c_line, 19 control characters. */
const TERMIOS_BYTES = 36
const TERMIOS_FLAGS = [0x500, 0x5, 0xbf, 0x8a3b]
const CONTROL_CHARACTERS = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0]
const DEFAULT_SIZE = { columns: 80, rows: 24 }

export function ioctlCalls(vfs: Vfs): Syscall[] {
  return [{ number: 29, name: 'ioctl', handler: (c) => ioctl(vfs, c), trace: 'fxx' }]
}

function ioctl(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return file
  const request = c.args.low(1)
  switch (request) {
    case Ioctl.closeOnExec:
    case Ioctl.noCloseOnExec:
      userOfCall(c).files.descriptor(c.args.int(0))!.closeOnExec = request === Ioctl.closeOnExec
      return 0
    case Ioctl.nonBlocking:
      return setNonBlocking(c, file)
    case Ioctl.bytesReadable:
      return bytesReadable(vfs, c, file)
    default:
      return terminalIoctl(vfs, c, file, request)
  }
}

function setNonBlocking(c: SyscallContext, file: OpenFile): number {
  const view = take(c, c.args.address(2), 4)
  if (view === undefined) return -EFAULT
  file.flags = view.getInt32(0, true) === 0 ? file.flags & ~Open.nonBlock : file.flags | Open.nonBlock
  return 0
}

function bytesReadable(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  const { channel } = operationsOf(file)
  if (file.kind !== 'pages' && channel?.bytesReadable === undefined) return -ENOTTY
  const left = channel?.bytesReadable?.(vfs, file) ?? sizeOf(vfs, file.dentry.inode) - file.position
  return put(c, c.args.address(2), new Uint8Array(Int32Array.of(left).buffer))
}

function terminalIoctl(vfs: Vfs, c: SyscallContext, file: OpenFile, request: number): number {
  const terminal = file.kind === 'device' ? vfs.devices.of(file.dentry.inode)?.terminal : undefined
  if (terminal === undefined) return -ENOTTY
  switch (request) {
    case Ioctl.getTerminal:
      return put(c, c.args.address(2), termios())
    case Ioctl.setTerminal:
    case Ioctl.setTerminalWait:
    case Ioctl.setTerminalFlush:
      return take(c, c.args.address(2), TERMIOS_BYTES) === undefined ? -EFAULT : 0
    case Ioctl.getWindowSize:
      return put(c, c.args.address(2), windowSize(terminal))
    case Ioctl.setWindowSize:
    case Ioctl.setProcessGroup:
      return 0
    case Ioctl.getProcessGroup:
      return put(c, c.args.address(2), new Uint8Array(Uint32Array.of(c.process.id).buffer))
    default:
      return -ENOTTY
  }
}

function termios(): Uint8Array {
  const bytes = new Uint8Array(TERMIOS_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [i, flags] of TERMIOS_FLAGS.entries()) view.setUint32(i * 4, flags, true)
  bytes.set(CONTROL_CHARACTERS, 17)
  return bytes
}

function windowSize(terminal: HostOutput): Uint8Array {
  const { columns, rows } = terminal.size?.() ?? DEFAULT_SIZE
  return new Uint8Array(Uint16Array.of(rows, columns, 0, 0).buffer)
}

/** What ioctl(2) does on a terminal (ioctl_tty(2)), and who may use it from the background. */
import { EFAULT, EINVAL, ENOTTY, EPERM, ESRCH } from '../../../base/errno.js'
import { idOf, numberOf } from '../../calls/numbers.js'
import type { HostOutput } from '../../host.js'
import { Signal } from '../../signal-numbers.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Ioctl } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import { TERMIOS_BYTES, type TerminalState } from '../terminal.js'
import type { Vfs } from '../vfs.js'
import { put, take } from './support.js'

const WINDOW_BYTES = 8
const DEFAULT_SIZE = { columns: 80, rows: 24 }

/** The host's terminal behind a file, if it is one. */
function terminalOf(vfs: Vfs, file: OpenFile): HostOutput | undefined {
  return file.kind === 'device' ? vfs.devices.of(file.dentry.inode)?.terminal : undefined
}

/** -ENOTTY for what is no terminal, or does not know the request. */
export function terminalIoctl(vfs: Vfs, c: SyscallContext, file: OpenFile, request: number): number {
  const screen = terminalOf(vfs, file)
  if (screen === undefined) return -ENOTTY
  const { terminal } = vfs.state
  const address = c.args.address(2)
  switch (request) {
    case Ioctl.getTerminal:
      return put(c, address, terminal.attributes)
    case Ioctl.setTerminal:
    case Ioctl.setTerminalWait:
    case Ioctl.setTerminalFlush:
      return changeFrom(vfs, c, () => setAttributes(c, terminal))
    case Ioctl.getWindowSize:
      return put(c, address, terminal.size ?? windowSize(screen))
    case Ioctl.setWindowSize:
      return setWindowSize(c, terminal)
    case Ioctl.getProcessGroup:
      return putWord(c, numberOf(c, foregroundOf(terminal, c)))
    case Ioctl.setProcessGroup:
      return changeFrom(vfs, c, () => setForeground(c, terminal))
    case Ioctl.getSession:
      return putWord(c, numberOf(c, sessionOf(terminal, c)))
    case Ioctl.setControllingTerminal:
      return takeControl(c, terminal)
    case Ioctl.outputQueued:
      return putWord(c, 0)
    case Ioctl.sendBreak:
    case Ioctl.sendBreakLong:
    case Ioctl.flowControl:
    case Ioctl.flushTerminal:
    case Ioctl.giveUpTerminal:
      return 0
    default:
      return -ENOTTY
  }
}

function putWord(c: SyscallContext, value: number): number {
  return put(c, c.args.address(2), new Uint8Array(Uint32Array.of(value).buffer))
}

/** The session of the first who asks owns the terminal, and its group is in the foreground. */
function sessionOf(terminal: TerminalState, { process }: SyscallContext): number {
  if (terminal.session === 0) {
    terminal.session = process.sessionId
    terminal.foreground = process.groupId
  }
  return terminal.session
}

function foregroundOf(terminal: TerminalState, c: SyscallContext): number {
  sessionOf(terminal, c)
  return terminal.foreground
}

/** Whether the terminal is the controlling one of the caller. */
function isControlling(terminal: TerminalState, c: SyscallContext): boolean {
  return sessionOf(terminal, c) === c.process.sessionId
}

/** A change, which stops a process in the background (SIGTTOU). */
function changeFrom(vfs: Vfs, c: SyscallContext, change: () => number): number {
  const refused = checkBackground(vfs, c, Signal.TTOU)
  return refused === 0 ? change() : refused
}

function checkBackground(vfs: Vfs, c: SyscallContext, signal: number): number {
  const { terminal } = vfs.state
  if (!isControlling(terminal, c) || c.process.groupId === terminal.foreground) return 0
  return vfs.env.signals.jobs.checkTerminal(c.process, c.thread, terminal.foreground, signal)
}

/** Reading from the background: SIGTTIN and -ERESTARTSYS, or -EIO. 0 for what is no terminal. */
export function checkTerminalRead(vfs: Vfs, c: SyscallContext, file: OpenFile): number {
  const isShared = vfs.state.terminal.foreground !== 0 && terminalOf(vfs, file) !== undefined
  return isShared ? checkBackground(vfs, c, Signal.TTIN) : 0
}

function setAttributes(c: SyscallContext, terminal: TerminalState): number {
  const view = take(c, c.args.address(2), TERMIOS_BYTES)
  if (view === undefined) return -EFAULT
  terminal.attributes = new Uint8Array(view.buffer)
  return 0
}

function setWindowSize(c: SyscallContext, terminal: TerminalState): number {
  const view = take(c, c.args.address(2), WINDOW_BYTES)
  if (view === undefined) return -EFAULT
  terminal.size = new Uint8Array(view.buffer)
  return 0
}

function windowSize(screen: HostOutput): Uint8Array {
  const { columns, rows } = screen.size?.() ?? DEFAULT_SIZE
  return new Uint8Array(Uint16Array.of(rows, columns, 0, 0).buffer)
}

/** tcsetpgrp(3): a group of the caller's session. */
function setForeground(c: SyscallContext, terminal: TerminalState): number {
  const number = take(c, c.args.address(2), 4)?.getInt32(0, true)
  if (number === undefined) return -EFAULT
  if (!isControlling(terminal, c)) return -ENOTTY
  if (number < 0) return -EINVAL
  const group = idOf(c, number)
  const members = [...c.linux.processes.values()].filter(({ groupId }) => groupId === group)
  if (members.length === 0) return -ESRCH
  if (members.every(({ sessionId }) => sessionId !== c.process.sessionId)) return -EPERM
  terminal.foreground = group
  return 0
}

/** The leader of a session takes the terminal, if nobody has it. */
function takeControl(c: SyscallContext, terminal: TerminalState): number {
  const { process } = c
  if (isControlling(terminal, c)) return 0
  const isLeader = process.sessionId === process.id
  const hasOwner = [...c.linux.processes.values()].some(({ sessionId }) => sessionId === terminal.session)
  if (!isLeader || hasOwner) return -EPERM
  terminal.session = process.sessionId
  terminal.foreground = process.groupId
  return 0
}

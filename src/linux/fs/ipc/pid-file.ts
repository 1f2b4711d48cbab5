/** pidfd_open(2): a file that stands for a process or thread, whoever gets its number later (fs/pidfs.c of Linux). */
import { EBADF, EINVAL, EOPNOTSUPP, ESRCH } from '../../../base/errno.js'
import { numbersOf } from '../../pid-namespace.js'
import { ProcessFlag } from '../../process.js'
import { Open, Poll } from '../flags.js'
import { type Dentry, makeDentry, makeInode } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { channel } from './channel.js'
import type { EventSource } from './event-source.js'
import { objectOf } from './file-object.js'

/** PIDFD_THREAD: what is done to the file is done to the one thread. */
export const PID_FILE_THREAD = Open.exclusive
const PERMISSIONS = 0o700
const ENDED = Poll.in | Poll.readNormal

/** What Linux calls a struct pid, while files stand for it. All of them share one inode. */
export interface Pid {
  readonly events: EventSource
  /** The number that the process or thread has, or had. */
  readonly id: number
  /** Nobody has it any more: ended, and waited for. */
  isGone: boolean
  readonly dentry: Dentry
}

export const pidOf = (file: OpenFile) => objectOf<Pid>(file)

export const pidFile = channel({
  receive: () => -EINVAL,
  send: () => -EINVAL,
  refusesPositions: true,
  poll(vfs, file) {
    const { id, isGone } = pidOf(file)
    if (isGone) return ENDED | Poll.hangUp
    const process = vfs.env.processes.get(id)
    return process?.isZombie && !process.hasFlag(ProcessFlag.lingering) ? ENDED : 0
  },
  events: (file) => pidOf(file).events,
  bytesReadable: () => 0,
  truncate: () => -EOPNOTSUPP,
  information(file, vfs) {
    const { id, isGone } = pidOf(file)
    const shown = isGone ? -1 : id
    const numbers = isGone ? [shown] : numbersOf(vfs.env.pids.homeOf(id), id)
    return `Pid:\t${shown}\nNSpid:\t${numbers.join('\t')}\n`
  },
  close(vfs, file) {
    const { id, isGone, dentry } = pidOf(file)
    if (!isGone && dentry.inode.opens === 1) vfs.state.pids.delete(id)
  },
})

/** A new open file for a number that a process or thread has. `flags`: O_NONBLOCK and PID_FILE_THREAD. */
export function makePidFile(vfs: Vfs, id: number, flags: number): OpenFile {
  const pid = vfs.state.pids.get(id) ?? makePid(vfs, id)
  const file = vfs.openFile('pidfd', pid.dentry, flags | Open.readWrite)
  file.object = pid
  return file
}

function makePid(vfs: Vfs, id: number): Pid {
  const { hidden } = vfs.state
  const inode = makeInode(hidden.inode.filesystem, PERMISSIONS, vfs.now())
  const dentry = makeDentry('anon_inode:[pidfd]', hidden, inode)
  const pid: Pid = { events: vfs.events.makeSource(), id, isGone: false, dentry }
  vfs.state.pids.set(id, pid)
  return pid
}

/** A process has ended; `isGone`: it was waited for too, or a thread has ended. Who polls its files looks. */
export function tellPidFiles(vfs: Vfs, id: number, isGone: boolean): void {
  const pid = vfs.state.pids.get(id)
  if (pid === undefined) return
  if (isGone) {
    pid.isGone = true
    vfs.state.pids.delete(id)
  }
  vfs.events.notify(pid.events, isGone ? ENDED | Poll.hangUp : ENDED)
}

/** The number behind a file: -EBADF for one that is no pidfd, -ESRCH when nobody has it any more. */
export function idOfPidFile(file: OpenFile | undefined): number {
  if (file?.kind !== 'pidfd') return -EBADF
  const { id, isGone } = pidOf(file)
  return isGone ? -ESRCH : id
}

/** /proc/locks, and the locks in /proc/PID/fdinfo: worded as lock_get_status of fs/locks.c words them. */
import type { Process } from '../../process.js'
import { deviceText } from '../describe.js'
import { Flock, type WholeLock } from '../file-locks.js'
import { userOf } from '../file-user.js'
import type { Inode } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import { LOCK_END, LockType, type RecordLock } from '../record-locks.js'
import type { Vfs } from '../vfs.js'

/** All locks, the youngest first, and behind each who waits for it. */
export function locksText({ locks }: Vfs): string {
  const all: { readonly order: number; readonly lines: string[] }[] = []
  for (const [inode, lock] of locks.whole()) {
    const waiters = locks.waitersFor(inode, lock).map((waiter) => wholeLine(inode, waiter))
    all.push({ order: lock.order, lines: [wholeLine(inode, lock), ...waiters] })
  }
  for (const [inode, lock] of locks.records.all()) {
    const waiters = locks.records.waitersFor(inode, lock).map((waiter) => recordLine(inode, waiter))
    all.push({ order: lock.order, lines: [recordLine(inode, lock), ...waiters] })
  }
  const sorted = all.sort((a, b) => b.order - a.order)
  return sorted
    .map(({ lines }, i) => lines.map((line, j) => `${i + 1}: ${j > 0 ? '-> ' : ''}${line}`).join(''))
    .join('')
}

/** What an open file and its process have locked of the file. */
export function ownLocksText({ locks }: Vfs, process: Process, file: OpenFile): string {
  const { inode } = file.dentry
  const lines: string[] = []
  for (const [of, lock] of locks.whole())
    if (of === inode && lock.file === file) lines.push(wholeLine(inode, lock))
  const owners: readonly object[] = [file, userOf(process).files]
  for (const [of, lock] of locks.records.all()) {
    if (of === inode && lock.file === file && owners.includes(lock.owner)) lines.push(recordLine(inode, lock))
  }
  return lines.map((line, i) => `lock:\t${i + 1}: ${line}`).join('')
}

function wholeLine(inode: Inode, { kind, pid }: WholeLock): string {
  return line('FLOCK ', kind === Flock.exclusive, pid, inode, '0 EOF')
}

function recordLine(inode: Inode, { type, start, end, pid }: RecordLock): string {
  const range = `${start} ${end === LOCK_END ? 'EOF' : end}`
  return line(pid < 0 ? 'OFDLCK' : 'POSIX ', type === LockType.write, pid, inode, range)
}

function line(kind: string, isWrite: boolean, pid: number, inode: Inode, range: string): string {
  const device = deviceText(inode.filesystem.device)
  return `${kind} ADVISORY  ${isWrite ? 'WRITE' : 'READ'} ${pid} ${device}:${inode.number} ${range}\n`
}

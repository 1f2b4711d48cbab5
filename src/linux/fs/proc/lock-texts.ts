/** /proc/locks, and the locks in /proc/PID/fdinfo: worded as lock_get_status of fs/locks.c words them. */
import type { Process } from '../../process.js'
import { deviceText } from '../describe.js'
import { excludesWhole, Flock, type WholeLock } from '../file-locks.js'
import { userOf } from '../file-user.js'
import type { Inode } from '../nodes.js'
import type { OpenFile } from '../open-file.js'
import { excludes, LOCK_END, LockType, type RecordLock } from '../record-locks.js'
import type { Vfs } from '../vfs.js'

/** A lock that is held or waited for, and below it what waits for it. */
interface Queued<Lock> {
  readonly lock: Lock
  readonly below: Queued<Lock>[]
}

/**
 * Who waits stands below the first lock in its way; and if others wait there that it must wait for too, below the first of those
 * (__locks_insert_block).
 */
function queued<Lock>(
  held: readonly Lock[],
  wanted: readonly Lock[],
  excludes: (one: Lock, other: Lock) => boolean,
): Queued<Lock>[] {
  const roots: Queued<Lock>[] = held.map((lock) => ({ lock, below: [] }))
  for (const lock of wanted) {
    const inTheWay = (list: readonly Queued<Lock>[]) => list.find((other) => excludes(other.lock, lock))
    let blocker = inTheWay(roots)
    for (let next = blocker; next !== undefined; next = inTheWay(next.below)) blocker = next
    blocker?.below.push({ lock, below: [] })
  }
  return roots
}

function linesOf<Lock>({ lock, below }: Queued<Lock>, lineOf: (lock: Lock) => string, level = 0): string[] {
  const arrow = level === 0 ? '' : '-> '.padStart(level + 2)
  return [arrow + lineOf(lock), ...below.flatMap((waiting) => linesOf(waiting, lineOf, level + 1))]
}

/** All locks, the youngest first, and behind each who waits for it. */
export function locksText({ locks }: Vfs): string {
  const all: { readonly order: number; readonly lines: string[] }[] = []
  const add = <Lock extends { readonly order: number }>(root: Queued<Lock>, lineOf: (lock: Lock) => string) =>
    all.push({ order: root.lock.order, lines: linesOf(root, lineOf) })
  for (const [inode, held] of locks.whole()) {
    const roots = queued(held, locks.waitersFor(inode), excludesWhole)
    for (const root of roots) add(root, (lock) => wholeLine(inode, lock))
  }
  for (const [inode, held] of locks.records.all()) {
    const roots = queued(held, locks.records.waitersFor(inode), excludes)
    for (const root of roots) add(root, (lock) => recordLine(inode, lock))
  }
  const sorted = all.sort((a, b) => b.order - a.order)
  return sorted.map(({ lines }, i) => lines.map((text) => `${i + 1}: ${text}`).join('')).join('')
}

/** What an open file and its process have locked of the file. */
export function ownLocksText({ locks }: Vfs, process: Process, file: OpenFile): string {
  const { inode } = file.dentry
  const lines: string[] = []
  for (const [of, held] of locks.whole()) {
    for (const lock of held) if (of === inode && lock.file === file) lines.push(wholeLine(inode, lock))
  }
  const owners: readonly object[] = [file, userOf(process).files]
  for (const [of, held] of locks.records.all()) {
    for (const lock of held)
      if (of === inode && lock.file === file && owners.includes(lock.owner))
        lines.push(recordLine(inode, lock))
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

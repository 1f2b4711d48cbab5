/**
 * /proc: a tree that is made up as it is looked at. The definitions are in process-files.ts and system-files.ts; here they become
 * entries. An inode's `key` is its path below the mount without the process number, its `pid` that number (0 = none).
 */
import { EACCES, EINVAL, EIO, ENOENT, ENOTTY, EPERM, ESRCH } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { type Process, ProcessFlag } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import type { SyscallContext } from '../../syscall-context.js'
import { type Credentials, ROOT } from '../credentials.js'
import type { FileEnvironment } from '../environment.js'
import { userOf } from '../file-user.js'
import type { AttributeChange, FilesystemOperations, FilesystemStatistics, Listed } from '../filesystem.js'
import { FilesystemMagic, FileType } from '../flags.js'
import { type Dentry, type Inode, makeDentry, makeInode } from '../nodes.js'
import { isWritable, type OpenFile } from '../open-file.js'
import { bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import type { ProcDirectory, ProcFile, ProcNode, RawRequest, Seeks } from './proc-node.js'
import { PROCESS_TREE } from './process-files.js'
import { hasEnded, threadWith } from './process-status.js'
import { type RecordSource, readRecords, startReading, type TextRecord } from './record-text.js'
import { SYSTEM_TREE } from './system-files.js'

/** /proc, or /sys, which is made in the same way. */
export interface MadeUp {
  readonly tree: ProcDirectory
  readonly hasProcesses: boolean
  readonly magic: number
}

/** Settings that are numbers are read from their start only (proc_dointvec). */
const NUMBERS = /^[-\d\t]+\n$/

/** Of the key of a thread's file: its number. */
const THREAD = /^task\/(\d+)/

const PROC: MadeUp = { tree: SYSTEM_TREE, hasProcesses: true, magic: FilesystemMagic.proc }

export class ProcFilesystem implements FilesystemOperations {
  readonly #env: FileEnvironment
  readonly #vfs: Vfs
  readonly #kind: MadeUp

  constructor(env: FileEnvironment, vfs: Vfs, kind: MadeUp = PROC) {
    this.#env = env
    this.#vfs = vfs
    this.#kind = kind
  }

  lookup(directory: Dentry, name: string): Dentry | number {
    const { inode } = directory
    const process = inode.pid === 0 ? undefined : this.#env.processes.get(inode.pid)
    if (inode.pid !== 0 && process === undefined) return -ENOENT
    if (inode.key === '' && inode.pid === 0) return this.#lookupTop(directory, name)
    const node = childOf(this.#nodeOf(inode), name, process, this.#vfs)
    return node === undefined ? -ENOENT : this.#entry(directory, name, node, inode.pid, join(inode.key, name))
  }

  list(directory: Dentry): readonly Listed[] | number {
    const { inode } = directory
    const process = this.#env.processes.get(inode.pid)
    const node = this.#nodeOf(inode)
    if (node?.type !== 'directory') return -ENOENT
    const names = Object.entries(node.entries(this.#vfs, process))
    const listed = names.map(([name, child]) => ({ name, number: 1, type: typeBits(child) }))
    if (inode.key !== '' || inode.pid !== 0 || !this.#kind.hasProcesses) return listed
    const pids = [...this.#env.processes.keys()]
    return [...listed, ...pids.map((id) => ({ name: `${id}`, number: 1, type: FileType.directory }))]
  }

  create(): number {
    return -EPERM
  }

  symlink(): number {
    return -EPERM
  }

  link(): number {
    return -EPERM
  }

  createUnnamed(): number {
    return -EPERM
  }

  remove(): number {
    return -EPERM
  }

  rename(): number {
    return -EPERM
  }

  exchange(): number {
    return -EPERM
  }

  readLink(dentry: Dentry, pid: number): string | Dentry | number {
    const node = this.#nodeOf(dentry.inode)
    if (node?.type !== 'link') return -EINVAL
    return node.target(this.#vfs, this.#env.processes.get(dentry.inode.pid), pid)
  }

  linkText(dentry: Dentry, pid: number): string | number {
    const process = this.#env.processes.get(dentry.inode.pid)
    const node = this.#nodeOf(dentry.inode)
    if (node?.type !== 'link') return -EINVAL
    const text = node.text?.(this.#vfs, process) ?? node.target(this.#vfs, process, pid)
    return typeof text === 'object' ? -EIO : text
  }

  /** /proc/PID/fd says how many entries it has. */
  refresh({ inode }: Dentry): number {
    const process = this.#env.processes.get(inode.pid)
    if (inode.key === 'fd' && process !== undefined) inode.size = userOf(process).files.numbers().length
    return 0
  }

  setAttributes(_dentry: Dentry, _change: AttributeChange): number {
    return -EPERM
  }

  pages(): number {
    return -EACCES
  }

  resize(): number {
    return 0
  }

  allocate(): number {
    return -EINVAL
  }

  write(): number {
    return -EINVAL
  }

  sync(): number {
    return -EINVAL
  }

  forget(): void {}

  statistics(): FilesystemStatistics {
    return { magic: this.#kind.magic, blocks: 0, blocksFree: 0, files: 0, filesFree: 0 }
  }

  /** How an entry is opened: as a text, or by a reader of its own. */
  isRaw(inode: Inode): boolean {
    const node = this.#nodeOf(inode)
    return node?.type === 'file' && node.raw !== undefined
  }

  seeksOf({ inode }: Dentry): Seeks {
    const node = this.#nodeOf(inode)
    if (node?.type !== 'file') return 'sequence'
    const isPlain = this.#isSysfs || isSetting(inode)
    return node.seeks ?? (isPlain ? 'plain' : node.raw === undefined ? 'sequence' : 'memory')
  }

  /** Whether writes have no position to be told. Files of /sys are such sequences only as long as they are not open for writing (kernfs_fop_open). */
  hasNoWritePosition(file: OpenFile): boolean {
    return this.seeksOf(file.dentry) === 'sequence' || (this.#isSysfs && !isWritable(file))
  }

  /** Whether a write moves the position: of a setting of /proc/sys or /sys. Nearly all else in /proc takes what is written and stays where it was. */
  movesWhenWritten(inode: Inode): boolean {
    if (this.#isSysfs || isSetting(inode)) return true
    const node = this.#nodeOf(inode)
    return node?.type === 'file' && node.writeMoves === true
  }

  get #isSysfs(): boolean {
    return this.#kind.magic === FilesystemMagic.sysfs
  }

  /** The process whose directory an entry is (not one in it, or a thread's); 0 = it is none. */
  processOf({ inode }: Dentry): number {
    const isTop = inode.filesystem.kind === 'proc' && inode.key === ''
    return isTop && this.#env.processes.has(inode.pid) ? inode.pid : 0
  }

  /** What opening asks beyond the permission bits: who may look at a process's memory (proc_mem_open). 0, -EACCES or -ESRCH. */
  mayOpen(inode: Inode, writes: boolean): number {
    // Of a file that cannot be written /sys says so at once, to root too (kernfs_fop_open).
    if (writes && this.#isSysfs && (inode.mode & 0o222) === 0) return -EACCES
    const node = this.#nodeOf(inode)
    if (node?.type !== 'file') return 0
    const caller = this.#env.currentProcess()
    if (writes && node.refuses !== undefined) return caller ? node.refuses(userOf(caller).credentials) : 0
    const isEnded = this.#hasEnded(inode)
    if (isEnded && node.onceEnded?.open !== undefined) return node.onceEnded.open
    if (node.memory === undefined || isEnded) return 0
    const process = this.#env.processes.get(inode.pid)
    if (process === undefined) return -ESRCH
    return caller === undefined || mayAccess(caller, process, 'files') === 0 ? 0 : -EACCES
  }

  /** Binds a new open file to the memory that its process has now, and to who opened it. */
  opened(file: OpenFile, who: Credentials): void {
    const { pid } = file.dentry.inode
    const process = pid === 0 ? undefined : this.#env.processes.get(pid)
    file.space = process === undefined || this.#hasEnded(file.dentry.inode) ? 0 : process.space.id
    file.opener = who
    const node = this.#nodeOf(file.dentry.inode)
    if (node?.type !== 'file' || node.kept !== true) return
    const whole = this.#whole(node, file.dentry.inode)
    if (typeof whole !== 'number') file.kept = whole.text
  }

  /** Bytes at a position: 0 at the end; -ESRCH when the process is gone, and what the file itself says. */
  read(file: OpenFile, position: number, target: Uint8Array): number {
    const { inode } = file.dentry
    const node = this.#nodeOf(inode)
    const isGone = inode.pid !== 0 && !this.#env.processes.has(inode.pid)
    if (node?.type !== 'file') return isGone ? -ESRCH : -ENOENT
    if (node.raw !== undefined && this.#textOnceEnded(node, inode) === undefined)
      return node.raw.read(this.#request(file), position, target)
    if (isSetting(inode)) return this.#readSetting(node, inode, position, target)
    file.reading ??= startReading()
    return readRecords(file.reading, this.#sourceOf(node, file, isGone), position, target)
  }

  writeAt(file: OpenFile, position: number, source: Uint8Array): number {
    const { inode } = file.dentry
    const node = this.#nodeOf(inode)
    const process = this.#env.processes.get(inode.pid)
    if (node?.type !== 'file') return -ESRCH
    if (node.raw?.write !== undefined) return node.raw.write(this.#request(file), position, source)
    return node.write === undefined
      ? -EIO
      : node.write(source, process, this.#env, position, file.opener ?? ROOT)
  }

  /** ioctl(2) on a file of a process: -ENOTTY for nearly all. */
  control(c: SyscallContext, file: OpenFile): number {
    const node = this.#nodeOf(file.dentry.inode)
    if (node?.type !== 'file' || node.ioctl === undefined) return -ENOTTY
    return node.ioctl(c, this.#vfs, this.#spaceOf(file))
  }

  #request(file: OpenFile): RawRequest {
    const process = this.#env.processes.get(file.dentry.inode.pid)
    return { vfs: this.#vfs, process, space: this.#spaceOf(file), opener: file.opener ?? ROOT }
  }

  /** The memory that the file was opened for, if any program still has it. */
  #spaceOf({ space: id, dentry }: OpenFile): AddressSpace | undefined {
    const process = this.#env.processes.get(dentry.inode.pid)
    if (process !== undefined && !process.isZombie && process.space.id === id) return process.space
    let found: AddressSpace | undefined
    this.#env.mm.spaces.forEach((space) => {
      if (space.id === id) found = space
    })
    return found
  }

  #sourceOf(node: ProcFile, file: OpenFile, isGone: boolean): RecordSource {
    const { records } = node
    const space = node.memory === undefined ? undefined : this.#spaceOf(file)
    if (records !== undefined) return (cursor) => (isGone ? -ESRCH : records(this.#vfs, space, cursor))
    const { kept } = file
    if (kept !== null) return (cursor) => (cursor === 0 ? { text: kept, next: 1 } : undefined)
    if (node.memory !== undefined && space === undefined) return () => undefined
    return (cursor) => (cursor === 0 ? this.#whole(node, file.dentry.inode) : undefined)
  }

  /** Whether a process has ended, or the first thread that a file is about. */
  #hasEnded({ pid, key }: Inode): boolean {
    const process = this.#env.processes.get(pid)
    if (process === undefined) return false
    const id = THREAD.exec(key)?.[1]
    return hasEnded(process, threadWith(process, this.#env, id === undefined ? pid : Number(id)))
  }

  #textOnceEnded({ onceEnded }: ProcFile, inode: Inode): string | undefined {
    return onceEnded?.text !== undefined && this.#hasEnded(inode) ? onceEnded.text : undefined
  }

  #whole(node: ProcFile, inode: Inode): TextRecord | number {
    const process = this.#env.processes.get(inode.pid)
    const text = this.#textOnceEnded(node, inode) ?? node.text(this.#vfs, process, this.#env)
    return typeof text === 'number' ? text : { text, next: 1 }
  }

  #readSetting(node: ProcFile, inode: Inode, position: number, target: Uint8Array): number {
    const whole = this.#whole(node, inode)
    if (typeof whole === 'number') return whole
    if (position > 0 && NUMBERS.test(whole.text)) return 0
    const part = bytesOf(whole.text).subarray(position, position + target.length)
    target.set(part)
    return part.length
  }

  /** The definition of an inode, walked to from its tree's top by its key. */
  #nodeOf({ pid, key }: Inode): ProcNode | undefined {
    const process = this.#env.processes.get(pid)
    let node: ProcNode | undefined = pid === 0 ? this.#kind.tree : PROCESS_TREE
    for (const name of key.split('/')) {
      if (name !== '') node = childOf(node, name, process, this.#vfs)
    }
    return node
  }

  #lookupTop(root: Dentry, name: string): Dentry | number {
    if (this.#kind.hasProcesses && /^[1-9][0-9]*$/.test(name)) {
      const number = Number(name)
      return this.#env.processes.has(number) ? this.#entry(root, name, PROCESS_TREE, number, '') : -ENOENT
    }
    const node = childOf(this.#kind.tree, name, undefined, this.#vfs)
    return node === undefined ? -ENOENT : this.#entry(root, name, node, 0, name)
  }

  #entry(directory: Dentry, name: string, node: ProcNode, pid: number, key: string): Dentry {
    const known = directory.children.get(name)
    if (known !== undefined) return this.#owned(known)
    const inode = makeInode(directory.inode.filesystem, typeBits(node) | node.permissions, this.#vfs.now())
    inode.pid = pid
    inode.key = key
    if (this.#isSysfs && node.type === 'file') inode.size = PAGE_SIZE
    const dentry = makeDentry(name, directory, inode)
    directory.children.set(name, dentry)
    return this.#owned(dentry)
  }

  /** The files of a process belong to its effective user; to root when others must not look in (task_dump_owner). */
  #owned(dentry: Dentry): Dentry {
    const { inode } = dentry
    const process = this.#env.processes.get(inode.pid)
    const isOpenFolder = inode.mode === (FileType.directory | 0o555)
    const isHidden = this.#hasEnded(inode) || ((process?.flags ?? 0) & ProcessFlag.notDumpable) !== 0
    const { user, group } =
      process === undefined || (isHidden && !isOpenFolder) ? ROOT : userOf(process).credentials
    inode.uid = user.effective
    inode.gid = group.effective
    return dentry
  }
}

/** Of /proc/sys. */
function isSetting({ pid, key, filesystem }: Inode): boolean {
  return pid === 0 && filesystem.kind === 'proc' && key.startsWith('sys/')
}

function childOf(
  node: ProcNode | undefined,
  name: string,
  process: Process | undefined,
  vfs: Vfs,
): ProcNode | undefined {
  return node?.type === 'directory' ? node.find(name, vfs, process) : undefined
}

function join(key: string, name: string): string {
  return key === '' ? name : `${key}/${name}`
}

function typeBits(node: ProcNode): number {
  if (node.type === 'directory') return FileType.directory
  return node.type === 'link' ? FileType.symlink : FileType.regular
}

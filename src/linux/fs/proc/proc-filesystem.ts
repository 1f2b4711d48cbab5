/**
 * /proc: a tree that is made up as it is looked at. The definitions are in process-files.ts and system-files.ts; here they become
 * entries. An inode's `key` is its path below the mount without the process number, its `pid` that number (0 = none).
 */
import { EACCES, EINVAL, EIO, ENOENT, EPERM } from '../../../base/errno.js'
import type { Process } from '../../process.js'
import { ROOT } from '../credentials.js'
import type { FileEnvironment } from '../environment.js'
import { userOf } from '../file-user.js'
import type { AttributeChange, FilesystemOperations, FilesystemStatistics, Listed } from '../filesystem.js'
import { FilesystemMagic, FileType } from '../flags.js'
import { type Dentry, type Inode, makeDentry, makeInode } from '../nodes.js'
import { bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import { readPagemap } from './pagemap.js'
import type { ProcDirectory, ProcNode } from './proc-node.js'
import { PROCESS_TREE } from './process-files.js'
import { readMemory, writeMemory } from './process-memory.js'
import { SYSTEM_TREE } from './system-files.js'

/** /proc, or /sys, which is made in the same way. */
export interface MadeUp {
  readonly tree: ProcDirectory
  readonly hasProcesses: boolean
  readonly magic: number
}

/** Files that are no texts: of a process or a thread. */
const RAW = /(^|\/)(pagemap|mem)$/
/** Files that stay with the memory that the process had when they were opened. */
const ABOUT_MEMORY = /(^|\/)(environ|auxv|maps|smaps|smaps_rollup|pagemap|mem)$/

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
    const names = Object.entries({ ...node.children, ...node.dynamic?.(this.#vfs, process) })
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
    return inode.pid !== 0 && RAW.test(inode.key)
  }

  /** Number of the address space that a file shows; 0 when it shows none. */
  spaceOf({ pid, key }: Inode): number {
    const process = pid !== 0 && ABOUT_MEMORY.test(key) ? this.#env.processes.get(pid) : undefined
    return process === undefined || process.isZombie ? 0 : process.space.id
  }

  /** The contents of a file at this moment. */
  text(inode: Inode): Uint8Array {
    const node = this.#nodeOf(inode)
    if (node?.type !== 'file') return new Uint8Array(0)
    return bytesOf(node.text(this.#vfs, this.#env.processes.get(inode.pid), this.#env))
  }

  writeText(inode: Inode, source: Uint8Array, position: number): number {
    const node = this.#nodeOf(inode)
    const process = this.#env.processes.get(inode.pid)
    if (node?.type !== 'file' || node.write === undefined) return -EIO
    return node.write(source, process, this.#env, position)
  }

  /** Bytes of /proc/PID/pagemap (multiples of 8) or mem. */
  readRaw({ pid, key }: Inode, position: number, target: Uint8Array): number {
    const process = this.#env.processes.get(pid)
    if (process === undefined || process.isZombie) return 0
    if (key.endsWith('pagemap')) return readPagemap(this.#env.mm, process.space, position, target)
    return readMemory(this.#vfs, process, position, target)
  }

  writeRaw({ pid, key }: Inode, position: number, source: Uint8Array): number {
    const process = this.#env.processes.get(pid)
    if (process === undefined || process.isZombie) return 0
    return key.endsWith('pagemap') ? -EINVAL : writeMemory(this.#vfs, process, position, source)
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
    const node = childOf(this.#kind.tree, name, undefined, this.#vfs)
    if (node !== undefined) return this.#entry(root, name, node, 0, name)
    const number = /^[1-9][0-9]*$/.test(name) ? Number(name) : 0
    if (!this.#kind.hasProcesses || !this.#env.processes.has(number)) return -ENOENT
    return this.#entry(root, name, PROCESS_TREE, number, '')
  }

  #entry(directory: Dentry, name: string, node: ProcNode, pid: number, key: string): Dentry {
    const known = directory.children.get(name)
    if (known !== undefined) return this.#owned(known)
    const inode = makeInode(directory.inode.filesystem, typeBits(node) | node.permissions, this.#vfs.now())
    inode.pid = pid
    inode.key = key
    const dentry = makeDentry(name, directory, inode)
    directory.children.set(name, dentry)
    return this.#owned(dentry)
  }

  /** The files of a process belong to its effective user. */
  #owned(dentry: Dentry): Dentry {
    const process = this.#env.processes.get(dentry.inode.pid)
    const { user, group } = process === undefined ? ROOT : userOf(process).credentials
    dentry.inode.uid = user.effective
    dentry.inode.gid = group.effective
    return dentry
  }
}

/** Names are looked for among the definitions' own: `constructor` is none. */
function childOf(
  node: ProcNode | undefined,
  name: string,
  process: Process | undefined,
  vfs: Vfs,
): ProcNode | undefined {
  if (node?.type !== 'directory') return undefined
  if (Object.hasOwn(node.children, name)) return node.children[name]
  const found = node.dynamic?.(vfs, process) ?? {}
  return Object.hasOwn(found, name) ? found[name] : undefined
}

function join(key: string, name: string): string {
  return key === '' ? name : `${key}/${name}`
}

function typeBits(node: ProcNode): number {
  if (node.type === 'directory') return FileType.directory
  return node.type === 'link' ? FileType.symlink : FileType.regular
}

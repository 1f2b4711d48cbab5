/** What the files of a machine look like from outside: numbers, and the tree as text. */
import { sizeOf } from './file-operations.js'
import type { Dentry, Inode } from './nodes.js'
import type { Vfs } from './vfs.js'

export interface FileStats {
  readonly mounts: number
  /** Entries and inodes of the root file system. */
  readonly entries: number
  readonly inodes: number
  /** Open file descriptions on these inodes. */
  readonly opens: number
  /** Bytes that their sizes add up to; holes count. */
  readonly bytes: number
}

/** Every entry of the root file system with its depth; what is mounted is left out. */
function* entriesOf(directory: Dentry, depth = 0): Generator<[Dentry, number]> {
  for (const child of directory.children.values()) {
    yield [child, depth]
    yield* entriesOf(child, depth + 1)
  }
}

export function fileStats(vfs: Vfs): FileStats {
  const inodes = new Set<Inode>()
  let entries = 0
  for (const [{ inode }] of entriesOf(vfs.root)) {
    entries++
    inodes.add(inode)
  }
  const sum = (of: (inode: Inode) => number) => [...inodes].reduce((total, inode) => total + of(inode), 0)
  const mounts = vfs.state.filesystems.filter(({ mountPath }) => mountPath !== '').length
  const opens = sum((inode) => inode.opens)
  return { mounts, entries, inodes: inodes.size, opens, bytes: sum((inode) => sizeOf(vfs, inode)) }
}

/** Mode, links, size and name of every entry, indented. */
export function dumpTree(vfs: Vfs): string {
  let text = ''
  for (const [{ name, inode, mounted }, depth] of entriesOf(vfs.root)) {
    const kind = mounted === null ? '' : ` (${mounted.inode.filesystem.kind} mounted)`
    const numbers = `${inode.mode.toString(8).padStart(6, '0')} ${inode.links} ${sizeOf(vfs, inode)}`
    text += `${'  '.repeat(depth)}${name} ${numbers}${kind}\n`
  }
  return text
}

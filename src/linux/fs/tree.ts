/** Changes of the tree of names: links between entries and the link counts, as every file system that keeps them needs. */
import { assert, InvariantError } from '../../base/assert.js'
import { FileType } from './flags.js'
import { type Dentry, type Inode, isDirectory, makeDentry, type Time } from './nodes.js'

/** Gives an inode a name. A directory's `..` counts as a link of its parent. */
export function attach(directory: Dentry, name: string, inode: Inode): Dentry {
  const dentry = makeDentry(name, directory, inode)
  directory.children.set(name, dentry)
  if (isDirectory(inode)) directory.inode.links++
  return dentry
}

/** Takes a name away: the inode loses a link, a directory both of its own. */
export function detach(dentry: Dentry): void {
  const directory = dentry.parent
  assert(
    directory !== null && directory.children.get(dentry.name) === dentry,
    'a name hangs in its directory',
  )
  directory.children.delete(dentry.name)
  dentry.unlinked = true
  if (isDirectory(dentry.inode)) {
    directory.inode.links--
    dentry.inode.links = 0
  } else {
    dentry.inode.links--
  }
}

/** Renames an entry; the new name is free. It is listed as a new one, or in place of the one that it replaced. */
export function move(dentry: Dentry, directory: Dentry, name: string, order?: number): void {
  const from = dentry.parent
  assert(from !== null, 'a root is not moved')
  from.children.delete(dentry.name)
  directory.children.set(name, dentry)
  if (isDirectory(dentry.inode)) {
    from.inode.links--
    directory.inode.links++
  }
  dentry.parent = directory
  dentry.name = name
  dentry.order = order ?? dentry.inode.filesystem.nextOrder++
}

/** Two entries change places. */
export function swap(one: Dentry, other: Dentry): void {
  const { parent, name } = one
  assert(parent !== null && other.parent !== null, 'a root is not moved')
  const otherParent = other.parent
  const otherName = other.name
  hang(other, parent, name)
  hang(one, otherParent, otherName)
  const difference = Number(isDirectory(one.inode)) - Number(isDirectory(other.inode))
  parent.inode.links -= difference
  otherParent.inode.links += difference
}

function hang(dentry: Dentry, directory: Dentry, name: string): void {
  directory.children.set(name, dentry)
  dentry.parent = directory
  dentry.name = name
  dentry.order = dentry.inode.filesystem.nextOrder++
}

/** What a changed directory shows. */
export function touchDirectory(directory: Inode, now: Time): void {
  directory.modified = now
  directory.changed = now
}

/** Every invariant of a tree whose `children` are complete; throws InvariantError. */
export function checkTree(root: Dentry): void {
  const links = new Map<Inode, number>()
  visit(root, links)
  for (const [inode, count] of links) {
    if (inode.links !== count && !hasUnseenNames(inode, count))
      throw new InvariantError('a link count differs from the names there are')
  }
}

/** A file of the host may have names that nobody has looked at, or that lie outside. */
function hasUnseenNames(inode: Inode, count: number): boolean {
  return inode.below !== null && !isDirectory(inode) && inode.links > count
}

function visit(directory: Dentry, links: Map<Inode, number>): void {
  let own = 2
  for (const [name, child] of directory.children) {
    if (child.name !== name || child.parent !== directory || child.unlinked) {
      throw new InvariantError('an entry does not hang where it says')
    }
    if (isDirectory(child.inode)) {
      own++
      visit(child, links)
    } else {
      links.set(child.inode, (links.get(child.inode) ?? 0) + 1)
    }
  }
  for (const [name, { type }] of directory.inode.below?.names ?? []) {
    if (directory.children.has(name)) throw new InvariantError('an entry is still looked for below')
    if (type === FileType.directory) own++
  }
  if (links.has(directory.inode)) throw new InvariantError('a directory has two names')
  links.set(directory.inode, own)
}

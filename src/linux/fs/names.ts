/**
 * Making, removing and renaming names. The checks and their order are those of Linux' fs/namei.c; what is left when all have
 * passed is done by the file system.
 */
import {
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
} from '../../base/errno.js'
import { Capability } from './capabilities.js'
import {
  type Credentials,
  checkAccess,
  checkChange,
  isOwner,
  isProtected,
  May,
  may,
  own,
} from './credentials.js'
import { FileType, Rename } from './flags.js'
import { Notice } from './ipc/inotify.js'
import { type Dentry, type Inode, isAncestor, isDirectory, isMadeUp, isRegular } from './nodes.js'
import type { Vfs } from './vfs.js'
import type { Place, Walker } from './walk.js'
import { tellInode, tellMoved, tellName, tellRemoved } from './watching.js'

/**
 * Whether something new can be made there: 0, or what filename_create says. `directory`: a trailing slash is fine. In /proc a
 * name that is not there cannot even be asked for: -ENOENT before anything else.
 */
function checkFree(vfs: Vfs, walker: Walker, place: Place, directory: boolean): number {
  if (place.last !== 'name') return -EEXIST
  const there = vfs.walk.entry(walker, place)
  if (typeof there !== 'number') return -EEXIST
  if (there !== -ENOENT || isMadeUp(place.directory.inode.filesystem)) return there
  if (place.slash && !directory) return -ENOENT
  if (place.directory.inode.filesystem.readOnly) return -EROFS
  if (place.directory.unlinked) return -ENOENT
  return checkChange(walker.credentials, place.directory.inode)
}

/** What a new entry's maker has of it: 0, or why there is none. */
function finish(vfs: Vfs, walker: Walker, { directory }: Place, made: Dentry | number): number {
  if (typeof made === 'number') return made
  own(walker.credentials, directory.inode, made.inode)
  tellName(vfs, directory, Notice.create, made.name, made.inode)
  return 0
}

/** mknodat and mkdirat: `mode` has the type and the permissions, umask applied. */
export function make(vfs: Vfs, walker: Walker, place: Place, mode: number, rdev: number): number {
  const error = checkFree(vfs, walker, place, (mode & FileType.mask) === FileType.directory)
  if (error !== 0) return error
  const isDevice = (mode & FileType.mask) === FileType.character || (mode & FileType.mask) === FileType.block
  if (isDevice && !may(walker.credentials, Capability.makeDevice)) return -EPERM
  const made = vfs.operations(place.directory).create(place.directory, place.name, mode, rdev, vfs.now())
  return finish(vfs, walker, place, made)
}

export function makeSymlink(vfs: Vfs, walker: Walker, place: Place, target: string): number {
  if (target === '') return -ENOENT
  const error = checkFree(vfs, walker, place, false)
  if (error !== 0) return error
  const made = vfs.operations(place.directory).symlink(place.directory, place.name, target, vfs.now())
  return finish(vfs, walker, place, made)
}

/** A further name for a file. */
export function makeLink(vfs: Vfs, walker: Walker, existing: Dentry, place: Place): number {
  const error = checkFree(vfs, walker, place, false)
  if (error !== 0) return error
  const { inode } = existing
  if (inode.filesystem !== place.directory.inode.filesystem) return -EXDEV
  if (!isSafeSource(walker.credentials, inode)) return -EPERM
  if (isDirectory(inode)) return -EPERM
  if (inode.links === 0 && !existing.name.startsWith('#')) return -ENOENT
  const made = vfs.operations(place.directory).link(place.directory, place.name, existing, vfs.now())
  if (typeof made === 'number') return made
  tellInode(vfs, inode, Notice.attributes)
  tellName(vfs, place.directory, Notice.create, place.name, inode)
  return 0
}

/** fs.protected_hardlinks: others' files get a further name only from who may read and write them, and programs do not. */
function isSafeSource(who: Credentials, inode: Inode): boolean {
  if (isOwner(who, inode)) return true
  const isProgram = (inode.mode & 0o4000) !== 0 || (inode.mode & 0o2010) === 0o2010
  return isRegular(inode) && !isProgram && checkAccess(who, inode, May.read | May.write) === 0
}

/** may_delete: write access to the directory; -EPERM when its sticky bit protects the entry. */
function checkRemoval(walker: Walker, directory: Dentry, { inode }: Dentry): number {
  const refused = checkChange(walker.credentials, directory.inode)
  if (refused !== 0) return refused
  return isProtected(walker.credentials, directory.inode, inode) ? -EPERM : 0
}

/** unlinkat without AT_REMOVEDIR. */
export function removeFile(vfs: Vfs, walker: Walker, place: Place): number {
  if (place.last !== 'name') return -EISDIR
  if (place.directory.inode.filesystem.readOnly) return -EROFS
  const dentry = vfs.walk.entry(walker, place)
  if (typeof dentry === 'number') return dentry
  const refused = checkRemoval(walker, place.directory, dentry)
  if (refused !== 0) return refused
  if (isDirectory(dentry.inode)) return -EISDIR
  if (place.slash) return -ENOTDIR
  return remove(vfs, place.directory, dentry)
}

export function removeDirectory(vfs: Vfs, walker: Walker, place: Place): number {
  if (place.last === 'dotdot') return -ENOTEMPTY
  if (place.last === 'dot') return -EINVAL
  if (place.last === 'root') return -EBUSY
  if (place.directory.inode.filesystem.readOnly) return -EROFS
  const dentry = vfs.walk.entry(walker, place)
  if (typeof dentry === 'number') return dentry
  const refused = checkRemoval(walker, place.directory, dentry)
  if (refused !== 0) return refused
  if (!isDirectory(dentry.inode)) return -ENOTDIR
  if (dentry.mounted !== null) return -EBUSY
  return remove(vfs, place.directory, dentry)
}

function remove(vfs: Vfs, directory: Dentry, dentry: Dentry): number {
  const result = vfs.operations(dentry).remove(dentry, vfs.now())
  if (result === 0) tellRemoved(vfs, directory, dentry)
  return result
}

/** renameat2. */
export function rename(vfs: Vfs, walker: Walker, from: Place, to: Place, flags: number): number {
  const error = checkPlaces(from, to, flags)
  if (error !== 0) return error
  const dentry = vfs.walk.entry(walker, from)
  if (typeof dentry === 'number') return dentry
  const target = vfs.walk.entry(walker, to)
  if (typeof target === 'number' && (target !== -ENOENT || isMadeUp(to.directory.inode.filesystem)))
    return target
  const replaced = typeof target === 'number' ? undefined : target
  const refused = checkRename(dentry, replaced, from, to, flags)
  if (refused !== 0) return refused
  if (replaced?.inode === dentry.inode) return 0
  const denied = checkMoving(walker, dentry, replaced, from, to)
  if (denied !== 0) return denied
  const isExchange = (flags & Rename.exchange) !== 0
  const [was, will] = [nameOf(from), nameOf(to)]
  const result = carryOut(vfs, dentry, replaced, to, flags)
  if (result !== 0) return result
  tellMoved(vfs, dentry.inode, was, will, isExchange ? undefined : replaced?.inode)
  if (isExchange) tellMoved(vfs, replaced!.inode, will, was, undefined)
  return 0
}

const nameOf = ({ directory, name }: Place) => ({ directory, name })

/** What vfs_rename asks of the user. A directory that gets another parent is written to, too. */
function checkMoving(
  walker: Walker,
  dentry: Dentry,
  replaced: Dentry | undefined,
  from: Place,
  to: Place,
): number {
  const { credentials } = walker
  const atTarget =
    replaced === undefined
      ? checkChange(credentials, to.directory.inode)
      : checkRemoval(walker, to.directory, replaced)
  const moves = isDirectory(dentry.inode) && from.directory !== to.directory
  const itself = moves ? checkAccess(credentials, dentry.inode, May.write) : 0
  return checkRemoval(walker, from.directory, dentry) || atTarget || itself
}

function checkPlaces(from: Place, to: Place, flags: number): number {
  if (from.directory.inode.filesystem !== to.directory.inode.filesystem) return -EXDEV
  if (from.last !== 'name') return -EBUSY
  if (to.last !== 'name') return (flags & Rename.noReplace) !== 0 ? -EEXIST : -EBUSY
  return from.directory.inode.filesystem.readOnly ? -EROFS : 0
}

function checkRename(
  dentry: Dentry,
  replaced: Dentry | undefined,
  from: Place,
  to: Place,
  flags: number,
): number {
  const exchange = (flags & Rename.exchange) !== 0
  if ((flags & Rename.noReplace) !== 0 && replaced !== undefined) return -EEXIST
  if (exchange && replaced === undefined) return -ENOENT
  const slash = from.slash || (!exchange && to.slash)
  if (slash && !isDirectory(dentry.inode)) return -ENOTDIR
  if (exchange && to.slash && !isDirectory(replaced!.inode)) return -ENOTDIR
  if (isAncestor(dentry, to.directory)) return -EINVAL
  if (replaced !== undefined && isAncestor(replaced, from.directory)) return exchange ? -EINVAL : -ENOTEMPTY
  if (to.directory.unlinked) return -ENOENT
  return replaced === undefined ? busy(dentry) : checkReplaced(dentry, replaced, exchange)
}

function checkReplaced(dentry: Dentry, replaced: Dentry, exchange: boolean): number {
  if (replaced.inode === dentry.inode) return 0
  if (!exchange && isDirectory(dentry.inode) && !isDirectory(replaced.inode)) return -ENOTDIR
  if (!exchange && !isDirectory(dentry.inode) && isDirectory(replaced.inode)) return -EISDIR
  return busy(dentry) || busy(replaced)
}

function busy(dentry: Dentry): number {
  return dentry.mounted === null ? 0 : -EBUSY
}

function carryOut(vfs: Vfs, dentry: Dentry, replaced: Dentry | undefined, to: Place, flags: number): number {
  const operations = vfs.operations(dentry)
  if ((flags & Rename.exchange) !== 0) return operations.exchange(dentry, replaced!, vfs.now())
  return operations.rename(dentry, to.directory, to.name, replaced, vfs.now())
}

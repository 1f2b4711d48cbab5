/** open(2): checks and their order as fs/open.c and fs/namei.c have them. */
import { EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EROFS, ETXTBSY } from '../../base/errno.js'
import { NULL } from '../../base/numbers.js'
import { type Credentials, checkAccess, checkChange, isOwnFiles, May, own, ROOT } from './credentials.js'
import { DEVICE_TTY } from './devices.js'
import { FileType, Open } from './flags.js'
import { Notice } from './ipc/inotify.js'
import { attachPipe, mayOpenFifo } from './ipc/pipe-file.js'
import { type Dentry, type Inode, isDirectory, isMadeUp, isSymlink, typeOf } from './nodes.js'
import type { FileKind, OpenFile } from './open-file.js'
import type { Vfs } from './vfs.js'
import type { Place, Walker } from './walk.js'
import { tellFile, tellName } from './watching.js'

/** What open(2) forgets once the file is open. */
const NOT_KEPT = Open.create | Open.exclusive | Open.noControllingTerminal | Open.truncate | Open.closeOnExec
/** All that O_PATH lets stand. */
const PATH_FLAGS = Open.directory | Open.noFollow | Open.path | Open.closeOnExec
const TEMPORARY_MASK = Open.temporary | Open.directory | Open.create

export interface OpenRequest {
  readonly start: Dentry
  readonly path: string
  readonly flags: number
  /** Permissions of a new file, umask applied. */
  readonly mode: number
}

/** Flags that contradict each other: 0 or -EINVAL. */
export function checkOpenFlags(flags: number): number {
  if ((flags & Open.path) !== 0) return 0
  if ((flags & Open.temporary) !== 0) {
    if ((flags & TEMPORARY_MASK) !== (Open.temporary | Open.directory)) return -EINVAL
    return wantsWrite(flags & ~Open.truncate) ? 0 : -EINVAL
  }
  const both = Open.directory | Open.create
  return (flags & both) === both ? -EINVAL : 0
}

/** The open file (no file number refers to it yet), or a negative errno. */
export function openPath(vfs: Vfs, walker: Walker, request: OpenRequest): OpenFile | number {
  const flags = (request.flags & Open.path) !== 0 ? request.flags & PATH_FLAGS : request.flags
  if ((flags & Open.temporary) !== 0) return openTemporary(vfs, walker, request)
  if ((flags & Open.create) !== 0) return openOrCreate(vfs, walker, request)
  const follow = (flags & Open.noFollow) === 0
  const dentry = vfs.walk.resolve(walker, request.start, request.path, follow)
  return typeof dentry === 'number' ? dentry : openFor(vfs, dentry, flags, walker.credentials)
}

function openOrCreate(vfs: Vfs, walker: Walker, request: OpenRequest): OpenFile | number {
  const { start, path, flags } = request
  const stopAtLink = (flags & (Open.noFollow | Open.exclusive)) !== 0
  const place = stopAtLink
    ? vfs.walk.place(walker, start, path)
    : vfs.walk.placeThroughLinks(walker, start, path)
  if (typeof place === 'number') return place
  if (place.last === 'name' && place.slash) return -EISDIR
  const found = vfs.walk.at(walker, place)
  if (found === -ENOENT) return create(vfs, walker, place, request)
  if (typeof found === 'number') return found
  if ((flags & Open.exclusive) !== 0) return -EEXIST
  if (isDirectory(found.inode)) return -EISDIR
  return openFor(vfs, found, flags, walker.credentials)
}

function create(vfs: Vfs, walker: Walker, place: Place, { flags, mode }: OpenRequest): OpenFile | number {
  const { directory, name } = place
  if (directory.unlinked || isMadeUp(directory.inode.filesystem)) return -ENOENT
  if (directory.inode.filesystem.readOnly) return -EROFS
  const refused = checkChange(walker.credentials, directory.inode)
  if (refused !== 0) return refused
  const made = vfs.operations(directory).create(directory, name, FileType.regular | mode, 0, vfs.now())
  if (typeof made === 'number') return made
  own(walker.credentials, directory.inode, made.inode)
  tellName(vfs, directory, Notice.create, name, made.inode)
  return openFor(vfs, made, flags & ~Open.truncate, ROOT)
}

function openTemporary(vfs: Vfs, walker: Walker, request: OpenRequest): OpenFile | number {
  const directory = vfs.walk.resolve(walker, request.start, request.path, true)
  if (typeof directory === 'number') return directory
  if (!isDirectory(directory.inode)) return -ENOTDIR
  if (directory.inode.filesystem.readOnly) return -EROFS
  const refused = checkChange(walker.credentials, directory.inode)
  if (refused !== 0) return refused
  const mode = FileType.regular | request.mode
  const made = vfs.operations(directory).createUnnamed(directory, mode, vfs.now())
  if (typeof made === 'number') return made
  own(walker.credentials, directory.inode, made.inode)
  return openFor(vfs, made, request.flags & ~Open.directory, ROOT)
}

/** Opens what is there for a program: who watches it is told. */
function openFor(vfs: Vfs, dentry: Dentry, flags: number, who: Credentials): OpenFile | number {
  const file = openDentry(vfs, dentry, flags, who)
  if (typeof file === 'number') return file
  tellFile(vfs, file, Notice.open)
  if (isCut(file.kind, flags)) tellFile(vfs, file, Notice.modify)
  return file
}

/** O_TRUNC of what has a size. */
function isCut(kind: FileKind, flags: number): boolean {
  return (flags & Open.truncate) !== 0 && (kind === 'pages' || kind === 'mqueue')
}

/** Opens what is there; for the machine itself unless `who` asks. */
export function openDentry(vfs: Vfs, dentry: Dentry, flags: number, who = ROOT): OpenFile | number {
  const error = mayOpen(vfs, dentry, flags, who)
  if (error !== 0) return error
  const kind = kindOf(vfs, dentry, flags)
  const isMadeUpFile = kind === 'text' || kind === 'raw'
  const barred = isMadeUpFile ? vfs.madeUp(dentry).mayOpen(dentry.inode, wantsWrite(flags)) : 0
  if (barred !== 0) return barred
  if (kind === 'pages') {
    const pages = vfs.operations(dentry).pages(dentry, wantsWrite(flags))
    if (pages < 0) return pages
  }
  if (isCut(kind, flags)) {
    const result = vfs.resize(dentry, 0)
    if (result !== 0) return result
  }
  const file = vfs.openFile(kind, dentry, (flags & ~NOT_KEPT) | (kind === 'path' ? 0 : Open.largeFile))
  if (kind === 'pipe') attachPipe(vfs, file)
  if (isMadeUpFile) vfs.madeUp(dentry).opened(file, who)
  return file
}

function mayOpen(vfs: Vfs, dentry: Dentry, flags: number, who: Credentials): number {
  const { inode } = dentry
  if ((flags & Open.directory) !== 0 && !isDirectory(inode)) return -ENOTDIR
  if ((flags & Open.path) !== 0) return 0
  if (isSymlink(inode)) return -ELOOP
  const isOwn = isOwnFiles(inode, vfs.env.currentProcess()?.id)
  const refused = isOwn ? 0 : checkAccess(who, inode, wantedAccess(flags))
  if (isFifo(inode)) return refused || mayOpenFifo(inode, flags)
  const isDevice = typeOf(inode) === FileType.character || typeOf(inode) === FileType.fifo
  if (wantsWrite(flags)) {
    if (isDirectory(inode)) return -EISDIR
    if (!isDevice && inode.filesystem.readOnly) return -EROFS
  }
  if (refused !== 0) return refused
  if (isDevice) {
    if (vfs.devices.of(inode) === undefined) return -ENXIO
    return inode.rdev === DEVICE_TTY && !vfs.devices.hasTerminal ? -ENXIO : 0
  }
  if (wantsWrite(flags) && inode.runners > 0) return -ETXTBSY
  return isDirectory(inode) || typeOf(inode) === FileType.regular ? 0 : -ENXIO
}

function kindOf(vfs: Vfs, dentry: Dentry, flags: number): FileKind {
  const { inode } = dentry
  if ((flags & Open.path) !== 0) return 'path'
  if (isDirectory(inode)) return 'directory'
  if (isFifo(inode)) return 'pipe'
  if (typeOf(inode) !== FileType.regular) return 'device'
  if (inode.queue !== null) return 'mqueue'
  if (inode.namespace !== null) return 'namespace'
  if (!isMadeUp(inode.filesystem)) return 'pages'
  return vfs.madeUp(dentry).isRaw(inode) ? 'raw' : 'text'
}

/** A pipe of the machine's own, and not one of the host's. */
function isFifo(inode: Inode): boolean {
  return typeOf(inode) === FileType.fifo && inode.key === ''
}

/** May bits. The fourth access mode asks for both. */
function wantedAccess(flags: number): number {
  const isRead = (flags & Open.accessMode) !== Open.writeOnly
  return (isRead ? May.read : 0) | (wantsWrite(flags) ? May.write : 0)
}

/** The access that opening needs to the contents: O_TRUNC needs it too. */
function wantsWrite(flags: number): boolean {
  return (flags & Open.accessMode) !== Open.readOnly || (flags & Open.truncate) !== 0
}

/** Whether a regular file has contents that can be mapped. */
export function isMappable(file: OpenFile): boolean {
  return (file.kind === 'pages' || file.kind === 'secret') && file.dentry.inode.pages !== NULL
}

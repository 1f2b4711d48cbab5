/** Tells the watches of inotify(7) what happens to files (include/linux/fsnotify.h of Linux). */
import { readSetting, Setting } from '../../state/settings.js'
import { Poll } from './flags.js'
import { dropWatch, NOTICES, Notice, queueEvent, type Watch } from './ipc/inotify.js'
import { type Dentry, type Inode, isDirectory } from './nodes.js'
import type { OpenFile } from './open-file.js'
import type { Vfs } from './vfs.js'

/** Of these events a program hears nothing about folders: Linux never told. */
const PLAIN = Notice.moveSelf | Notice.deleteSelf

/** Of a file itself: MOVE_SELF, DELETE_SELF, and ATTRIB for its number of names. */
export function tellInode(vfs: Vfs, inode: Inode, mask: number): void {
  if (inode.watches === null) return
  const all = mask | directoryBit(inode)
  for (const watch of inode.watches) tell(vfs, watch, all, '', 0)
}

/** Of a name in a folder: it came or went. */
export function tellName(
  vfs: Vfs,
  { inode }: Dentry,
  mask: number,
  name: string,
  about: Inode,
  cookie = 0,
): void {
  if (inode.watches === null) return
  const all = mask | directoryBit(about)
  for (const watch of inode.watches) tell(vfs, watch, all, name, cookie)
}

/** Of what stands behind a name: who watches its folder is told, with the name, and who watches itself. */
export function tellEntry(vfs: Vfs, dentry: Dentry, mask: number): void {
  if (vfs.state.inotify.watches === 0) return
  tellBoth(vfs, dentry, mask, false)
}

/** Of a file that is open. */
export function tellFile(vfs: Vfs, { dentry, kind }: OpenFile, mask: number): void {
  if (vfs.state.inotify.watches === 0 || kind === 'path') return
  tellBoth(vfs, dentry, mask, dentry.unlinked)
}

function tellBoth(vfs: Vfs, { parent, inode, name }: Dentry, mask: number, isUnlinked: boolean): void {
  const all = mask | directoryBit(inode)
  const folder = parent !== null && parent.inode !== inode ? parent.inode.watches : null
  for (const watch of folder ?? [])
    if (!(isUnlinked && watch.excludesUnlinked)) tell(vfs, watch, all, name, 0)
  for (const watch of inode.watches ?? [])
    if (!(isUnlinked && watch.excludesUnlinked)) tell(vfs, watch, all, '', 0)
}

function directoryBit(inode: Inode): number {
  return isDirectory(inode) ? Notice.isDirectory : 0
}

function tell(vfs: Vfs, watch: Watch, mask: number, name: string, cookie: number): void {
  if ((mask & watch.mask & NOTICES) === 0) return
  queue(vfs, watch, (mask & PLAIN) !== 0 ? mask & ~Notice.isDirectory : mask, name, cookie)
  if (watch.isOneShot) ignore(vfs, watch)
}

function queue(vfs: Vfs, { instance, number }: Watch, mask: number, name: string, cookie: number): void {
  const most = readSetting(vfs.env.mm.memory, Setting.inotifyEventsMax)
  const isNew = queueEvent(instance, { watch: number, mask: mask >>> 0, cookie, name }, most)
  if (isNew) vfs.events.notify(instance.events, Poll.in | Poll.readNormal)
}

/** A watch ends: the last that is heard of it. */
export function ignore(vfs: Vfs, watch: Watch): void {
  dropWatch(vfs.state.inotify, watch)
  queue(vfs, watch, Notice.ignored, '', 0)
}

/** The last name of a file is gone, and nobody has it open. */
export function tellGone(vfs: Vfs, inode: Inode): void {
  if (inode.watches === null) return
  tellInode(vfs, inode, Notice.deleteSelf)
  for (const watch of inode.watches ?? []) ignore(vfs, watch)
}

/** A name was taken away, and perhaps with it the file. */
export function tellRemoved(vfs: Vfs, directory: Dentry, { inode, name }: Dentry): void {
  if (vfs.state.inotify.watches === 0) return
  if (!isDirectory(inode)) tellInode(vfs, inode, Notice.attributes)
  if (inode.links === 0 && inode.opens === 0) tellGone(vfs, inode)
  tellName(vfs, directory, Notice.delete, name, inode)
}

/** A name has moved; `replaced` stood there before. */
export function tellMoved(
  vfs: Vfs,
  inode: Inode,
  from: { readonly directory: Dentry; readonly name: string },
  to: { readonly directory: Dentry; readonly name: string },
  replaced: Inode | undefined,
): void {
  const { inotify } = vfs.state
  if (inotify.watches === 0) return
  const cookie = ++inotify.nextCookie
  tellName(vfs, from.directory, Notice.movedFrom, from.name, inode, cookie)
  tellName(vfs, to.directory, Notice.movedTo, to.name, inode, cookie)
  if (replaced !== undefined) tellInode(vfs, replaced, Notice.attributes)
  tellInode(vfs, inode, Notice.moveSelf)
  if (replaced !== undefined && replaced.links === 0 && replaced.opens === 0) tellGone(vfs, replaced)
}

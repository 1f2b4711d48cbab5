/** What the root file system holds before anything is mounted: the directories that programs expect, /dev, a few files. */
import { DEVICE_NODES } from './devices.js'
import { deviceNumber, FileType } from './flags.js'
import type { Dentry } from './nodes.js'
import { bytesOf, fromUnicode } from './text.js'
import type { Vfs } from './vfs.js'

const DEVICE_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const

/** Of /etc. */
const FILES = [
  ['passwd', 'root:x:0:0:root:/root:/bin/sh\n'],
  ['group', 'root:x:0:\n'],
  ['hostname', 'pagoda\n'],
  ['hosts', '127.0.0.1\tlocalhost pagoda\n'],
] as const

/** Where everybody may write. */
const STICKY = 0o1777

/** Fills an empty root: nothing is in the way, so no path is looked up. A machine too small for a few names ends with fewer of them. */
export function buildBootTree(vfs: Vfs): void {
  const { root } = vfs
  add(vfs, root, 'bin')
  const dev = add(vfs, root, 'dev')
  const etc = add(vfs, root, 'etc')
  for (const name of ['home', 'lib']) add(vfs, root, name)
  const proc = add(vfs, root, 'proc')
  add(vfs, root, 'root')
  const sys = add(vfs, root, 'sys')
  add(vfs, root, 'tmp', STICKY)
  const usr = add(vfs, root, 'usr')
  for (const name of ['bin', 'lib']) add(vfs, usr, name)
  add(vfs, add(vfs, root, 'var'), 'tmp', STICKY)
  fillDevices(vfs, dev)
  for (const [name, text] of FILES) vfs.addFileIn(etc, name, bytesOf(text))
  vfs.mountOwn('proc', '/proc', proc)
  vfs.mountOwn('sysfs', '/sys', sys)
  mountShared(vfs, dev)
}

/** Directories of tmpfs need no frame, so making one cannot fail. */
function add(vfs: Vfs, parent: Dentry, name: string, permissions = 0o755): Dentry {
  const mode = FileType.directory | permissions
  return vfs.operations(parent).create(parent, name, mode, 0, vfs.now()) as Dentry
}

/** What lies over a root of the host's; a root that has something else than a directory there goes without. */
export function mountOverRoot(vfs: Vfs): void {
  for (const kind of ['proc', 'sysfs'] as const) {
    const path = kind === 'proc' ? '/proc' : '/sys'
    const place = vfs.makeDirectories(path)
    if (typeof place !== 'number') vfs.mountOwn(kind, path, place)
  }
  const dev = vfs.makeDirectories('/dev')
  if (typeof dev !== 'number') mountDevices(vfs, dev)
  const temporary = vfs.makeDirectories('/tmp')
  if (typeof temporary !== 'number') vfs.mountOwn('tmpfs', '/tmp', temporary, STICKY)
}

function mountDevices(vfs: Vfs, place: Dentry): void {
  const dev = vfs.mountOwn('tmpfs', '/dev', place)
  fillDevices(vfs, dev)
  mountShared(vfs, dev)
}

/** Where shm_open(3) has its files: a tmpfs of its own. */
function mountShared(vfs: Vfs, dev: Dentry): void {
  vfs.mountOwn('tmpfs', '/dev/shm', add(vfs, dev, 'shm', STICKY), STICKY)
}

function fillDevices(vfs: Vfs, dev: Dentry): void {
  const operations = vfs.operations(dev)
  for (const [name, major, minor, permissions] of DEVICE_NODES) {
    const mode = FileType.character | permissions
    operations.create(dev, name, mode, deviceNumber(major, minor), vfs.now())
  }
  for (const [name, target] of DEVICE_LINKS) operations.symlink(dev, name, fromUnicode(target), vfs.now())
}

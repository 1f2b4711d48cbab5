/** What the root file system holds before anything is mounted: the directories that programs expect, /dev, a few files. */
import { DEVICE_NODES } from './devices.js'
import { deviceNumber, FileType } from './flags.js'
import type { Dentry } from './nodes.js'
import { fromUnicode } from './text.js'
import type { Vfs } from './vfs.js'

const DIRECTORIES = [
  'bin',
  'dev',
  'etc',
  'home',
  'lib',
  'proc',
  'root',
  'sys',
  'tmp',
  'usr/bin',
  'usr/lib',
  'var/tmp',
]
/** Where everybody may write. */
const STICKY = ['tmp', 'var/tmp']

const DEVICE_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const

const FILES = [
  ['/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'],
  ['/etc/group', 'root:x:0:\n'],
  ['/etc/hostname', 'pagoda\n'],
  ['/etc/hosts', '127.0.0.1\tlocalhost pagoda\n'],
] as const

/** Fills an empty root. A machine too small for a few names ends with fewer of them. */
export function buildBootTree(vfs: Vfs): void {
  for (const path of DIRECTORIES) vfs.makeDirectories(path)
  for (const path of STICKY) directoryAt(vfs, path).inode.mode = FileType.directory | 0o1777
  fillDevices(vfs, directoryAt(vfs, 'dev'))
  for (const [path, text] of FILES) vfs.addFile(path, new TextEncoder().encode(text))
  vfs.mountOwn('proc', '/proc', directoryAt(vfs, 'proc'))
  vfs.mountOwn('sysfs', '/sys', directoryAt(vfs, 'sys'))
  mountShared(vfs, directoryAt(vfs, 'dev'))
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
  if (typeof temporary !== 'number') vfs.mountOwn('tmpfs', '/tmp', temporary, 0o1777)
}

function mountDevices(vfs: Vfs, place: Dentry): void {
  const dev = vfs.mountOwn('tmpfs', '/dev', place)
  fillDevices(vfs, dev)
  mountShared(vfs, dev)
}

/** Where shm_open(3) has its files: a tmpfs of its own. */
function mountShared(vfs: Vfs, dev: Dentry): void {
  const shared = vfs.operations(dev).create(dev, 'shm', FileType.directory | 0o1777, 0, vfs.now()) as Dentry
  vfs.mountOwn('tmpfs', '/dev/shm', shared, 0o1777)
}

function fillDevices(vfs: Vfs, dev: Dentry): void {
  const operations = vfs.operations(dev)
  for (const [name, major, minor, permissions] of DEVICE_NODES) {
    const mode = FileType.character | permissions
    operations.create(dev, name, mode, deviceNumber(major, minor), vfs.now())
  }
  for (const [name, target] of DEVICE_LINKS) operations.symlink(dev, name, fromUnicode(target), vfs.now())
}

/** Directories of tmpfs need no frame, so making one cannot fail. */
function directoryAt(vfs: Vfs, path: string): Dentry {
  return vfs.makeDirectories(path) as Dentry
}

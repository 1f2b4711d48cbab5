/** How files are called where a path is wanted of what may have none: /proc/PID/fd, maps, getcwd. */
import { NULL, type Ptr } from '../../base/numbers.js'
import { ObjectKind, type PageObjects } from '../../space/page-object.js'
import type { MappingName } from '../syscall-context.js'
import { type Dentry, type Inode, pathFrom } from './nodes.js'

/** Mapped files that are remembered before those that are gone are looked for. */
const NAMES_MAX = 256

/** The path of an entry, `NAME (deleted)` without one; for what never had a path, its name. */
export function pathOf(dentry: Dentry, root: Dentry): string {
  const path = pathFrom(dentry, root) ?? nameOf(dentry)
  return dentry.unlinked ? `${path} (deleted)` : path
}

/** A message queue has a folder, though no path leads there. */
function nameOf({ name, inode }: Dentry): string {
  return inode.queue === null ? name : `/${name}`
}

/** Names of page objects, for /proc/PID/maps. */
export class ObjectNames {
  readonly #objects: PageObjects
  readonly #root: () => Dentry
  /** By identity of the object. */
  readonly #names = new Map<number, Dentry>()

  constructor(objects: PageObjects, root: () => Dentry) {
    this.#objects = objects
    this.#root = root
  }

  /** A file is about to be mapped. */
  note(object: Ptr, dentry: Dentry): void {
    if (object === NULL) return
    this.#names.set(this.#objects.identity(object), dentry)
    if (this.#names.size > NAMES_MAX) this.#prune()
  }

  /** The file whose pages an object has; undefined for memory without one. */
  inodeOf(object: Ptr): Inode | undefined {
    return this.entryOf(object)?.inode
  }

  /** Where that file is, or was. */
  entryOf(object: Ptr): Dentry | undefined {
    return this.#names.get(this.#objects.identity(object))
  }

  /** The path in it is a byte string. */
  of(object: Ptr): MappingName {
    if (object === NULL) return { device: '00:00', inode: 0, path: '' }
    const identity = this.#objects.identity(object)
    const dentry = this.#names.get(identity)
    if (dentry === undefined) return anonymousName(this.#objects.kind(object), identity)
    const { device } = dentry.inode.filesystem
    return { device: deviceText(device), inode: dentry.inode.number, path: pathOf(dentry, this.#root()) }
  }

  /** Forgets the objects that are no more. */
  #prune(): void {
    const living = new Set<number>()
    this.#objects.forEach((object) => {
      living.add(this.#objects.identity(object))
    })
    for (const identity of this.#names.keys()) if (!living.has(identity)) this.#names.delete(identity)
  }
}

const ANON_HUGE_PAGE = '/anon_hugepage (deleted)'

/** Shared anonymous memory is a deleted file of the kernel's own tmpfs. */
function anonymousName(kind: ObjectKind, inode: number): MappingName {
  const isHuge = kind === ObjectKind.huge || kind === ObjectKind.gigantic
  const path = kind === ObjectKind.anonymousShared ? '/dev/zero (deleted)' : isHuge ? ANON_HUGE_PAGE : ''
  return { device: '00:01', inode, path }
}

/** `00:15` of a device number. */
export function deviceText(device: number): string {
  const major = (device >>> 8) & 0xfff
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00)
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`
}

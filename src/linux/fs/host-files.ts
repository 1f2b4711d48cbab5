/**
 * Host files that the guest reads and writes: an open handle and a page object for each. Pages are read from the host when
 * they are first touched. A file that nobody has open keeps its pages for a while; when it is opened again and the host's
 * has another size or time of change, they are dropped.
 */
import { EBADF, EIO, ENXIO } from '../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../../base/numbers.js'
import type { PageProvider } from '../../space/page-object.js'
import type { FileContents } from './contents.js'
import type { HostDirectory, HostHandle } from './host-directory.js'
import type { Dentry, Filesystem, Inode, Time } from './nodes.js'

/** Closed files whose pages and handles are kept. */
const IDLE_MAX = 32

interface HostFile {
  readonly inode: Inode
  readonly host: HostDirectory
  handle: HostHandle
  writable: boolean
  /** What the host said when the file was last known to agree with its pages. */
  size: number
  modified: Time
}

export class HostFiles {
  readonly #contents: FileContents
  /** By the identity of the page object, which is what a provider is asked with. */
  readonly #files = new Map<number, HostFile>()
  #idle: Inode[] = []

  constructor(contents: FileContents) {
    this.#contents = contents
  }

  /** Serves the pages of one mount. */
  provide(provider: number): void {
    const pages: PageProvider = {
      readPage: (id, index, target) => this.#readPage(id, index, target),
      readPages: (id, index, target) => this.#readPages(id, index, target),
      writePage: (id, index, source) => this.#writePage(id, index, source),
      closed: (object) => this.#unmapped(object),
    }
    this.#contents.provide(provider, pages)
  }

  /** The page object of a host file, its handle good for writing if asked. */
  open(dentry: Dentry, host: HostDirectory, path: string, writable: boolean): Ptr | number {
    const { inode } = dentry
    if (inode.opens === 0 && this.#isStale(inode)) this.drop(inode)
    const known = this.#file(inode)
    if (known !== undefined && (known.writable || !writable)) return inode.pages
    const handle = host.open(path, writable)
    if (handle < 0) return handle
    if (known === undefined) return this.#add(inode, host, handle, writable)
    known.host.close(known.handle)
    known.handle = handle
    known.writable = true
    return inode.pages
  }

  /** -EBADF when it is not open for writing. */
  write(inode: Inode, offset: number, source: Uint8Array): number {
    const file = this.#file(inode)
    if (file === undefined) return -EBADF
    const written = file.host.write(file.handle, offset, source)
    if (written > 0) this.#contents.update(inode.pages, offset, source.subarray(0, written))
    return written
  }

  resize(inode: Inode, bytes: number): number {
    const file = this.#file(inode)
    if (file === undefined) return -EBADF
    return file.host.truncate(file.handle, bytes) || this.#contents.resize(inode.pages, bytes)
  }

  /** fsync: what mappings changed, then the host's own buffers. */
  sync(inode: Inode): number {
    const file = this.#file(inode)
    if (file === undefined) return 0
    const result = this.#contents.writeBack(inode.pages)
    return file.writable ? result || file.host.sync(file.handle) : result
  }

  /** Every file (of one mount), whatever becomes of the others: 0 or the first negative errno. */
  syncAll(filesystem?: Filesystem): number {
    let result = 0
    for (const { inode, writable } of this.#files.values()) {
      if (!writable || (filesystem !== undefined && inode.filesystem !== filesystem)) continue
      const written = this.#contents.writeBack(inode.pages)
      result ||= written
    }
    return result
  }

  /** An open file's own size is the truth. */
  takeSize(inode: Inode): void {
    if (inode.pages !== NULL && inode.opens > 0) inode.size = this.#contents.size(inode.pages)
  }

  /** Nobody has it open any more. */
  idle(inode: Inode): void {
    const file = this.#file(inode)
    if (file === undefined) return
    this.#settle(file)
    this.#idle = this.#idle.filter((other) => other !== inode)
    this.#idle.push(inode)
    this.#evict()
  }

  /** The last view of a file that nobody has open is gone: what it changed is written. */
  #unmapped(object: Ptr): void {
    const file = this.#files.get(this.#contents.identity(object))
    if (file === undefined || file.inode.opens > 0 || this.#contents.isMapped(object)) return
    if (file.writable) this.#contents.writeBackUnmapped(object)
    this.#remember(file)
  }

  /**
   * Gives the pages and the handle back, unless a mapping still needs them: then once it is gone. Changes that could not be
   * written stay, to be tried again and at last reported, as long as the file has a name.
   */
  drop(inode: Inode): void {
    const file = this.#file(inode)
    if (file === undefined) return
    this.#idle = this.#idle.filter((other) => other !== inode)
    const isMapped = this.#contents.isMapped(inode.pages)
    if (!isMapped) this.#settle(file)
    if (isMapped || (inode.links > 0 && this.#contents.dirtyPages(inode.pages) > 0)) {
      this.#idle.push(inode)
      return
    }
    this.#files.delete(this.#contents.identity(inode.pages))
    file.host.close(file.handle)
    this.#contents.release(inode.pages)
    inode.pages = NULL
  }

  #add(inode: Inode, host: HostDirectory, handle: HostHandle, writable: boolean): Ptr | number {
    const pages = this.#contents.createProvided(inode.size, inode.filesystem.provider)
    if (pages === NULL) {
      host.close(handle)
      return -EIO
    }
    inode.pages = pages
    const { size, modified } = inode
    const file = { inode, host, handle, writable, size, modified }
    this.#files.set(this.#contents.identity(pages), file)
    return pages
  }

  #file(inode: Inode): HostFile | undefined {
    return inode.pages === NULL ? undefined : this.#files.get(this.#contents.identity(inode.pages))
  }

  /** `inode` has just been brought up to date by the look-up. */
  #isStale(inode: Inode): boolean {
    const file = this.#file(inode)
    if (file === undefined || this.#contents.isMapped(inode.pages)) return false
    const { seconds, nanoseconds } = inode.modified
    const same = file.modified.seconds === seconds && file.modified.nanoseconds === nanoseconds
    return !same || file.size !== inode.size
  }

  /** Writes back, and remembers how the host's file looks now. */
  #settle(file: HostFile): void {
    if (file.writable) this.#contents.writeBack(file.inode.pages)
    this.#remember(file)
  }

  #remember(file: HostFile): void {
    const stat = file.host.statHandle(file.handle)
    if (typeof stat === 'number') return
    file.size = stat.size
    file.modified = stat.modified
  }

  /** Oldest first; those that are open again or mapped stay. */
  #evict(): void {
    for (const inode of [...this.#idle]) {
      if (this.#idle.length <= IDLE_MAX) return
      if (inode.opens === 0 && !this.#contents.isMapped(inode.pages)) this.drop(inode)
    }
  }

  #readPage(id: number, index: number, target: Uint8Array): number {
    const file = this.#files.get(id)
    if (file === undefined) return -EIO
    const done = readUpTo(file, index, target)
    if (done < 0) return done
    if (done === 0 && this.#isShorter(file, index)) return -ENXIO
    if (done < target.length) target.fill(0, done)
    return 0
  }

  #readPages(id: number, index: number, target: Uint8Array): number {
    const file = this.#files.get(id)
    if (file === undefined) return -EIO
    const done = readUpTo(file, index, target)
    if (done <= target.length - PAGE_SIZE) return done < 0 ? done : -ENXIO
    target.fill(0, done)
    return 0
  }

  /** Whether somebody on the host has made the file end before a page that it had. */
  #isShorter(file: HostFile, index: number): boolean {
    const stat = file.host.statHandle(file.handle)
    return typeof stat !== 'number' && stat.size <= index * PAGE_SIZE
  }

  #writePage(id: number, index: number, source: Uint8Array): number {
    const file = this.#files.get(id)
    if (file === undefined) return -EIO
    let done = 0
    while (done < source.length) {
      const count = file.host.write(file.handle, index * PAGE_SIZE + done, source.subarray(done))
      if (count <= 0) return count || -EIO
      done += count
    }
    return 0
  }
}

/** Bytes that the host has of some pages, up to the end of the file, or a negative errno. */
function readUpTo({ host, handle }: HostFile, index: number, target: Uint8Array): number {
  let done = 0
  while (done < target.length) {
    const rest = done === 0 ? target : target.subarray(done)
    const count = host.read(handle, index * PAGE_SIZE + done, rest)
    if (count < 0) return count
    if (count > rest.length) return -EIO
    if (count === 0) break
    done += count
  }
  return done
}

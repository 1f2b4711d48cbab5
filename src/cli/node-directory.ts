/** A folder of this machine, for mounting in a guest. */
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { EIO, ELOOP, errnoByName } from '../base/errno.js'
import type { HostDirectory, HostHandle, HostListed, HostStat } from '../linux/fs/host-directory.js'

const { constants } = fs
type Time = HostStat['modified']

/** The Linux errno of a failed node:fs call, negative: its name decides, since hosts number them differently. */
function failure(error: unknown): number {
  const code = (error as NodeJS.ErrnoException)?.code
  return -((code !== undefined && errnoByName(code)) || EIO)
}

function attempt<T>(operation: () => T): T | number {
  try {
    return operation()
  } catch (error) {
    return failure(error)
  }
}

/** For operations that return nothing: 0, or a negative errno. */
function done(operation: () => void): number {
  return attempt(() => {
    operation()
    return 0
  })
}

function time(nanoseconds: bigint): Time {
  const seconds = nanoseconds / 1_000_000_000n
  return { seconds: Number(seconds), nanoseconds: Number(nanoseconds - seconds * 1_000_000_000n) }
}

function statOf(stat: fs.BigIntStats): HostStat {
  return {
    mode: Number(stat.mode),
    size: Number(stat.size),
    links: Number(stat.nlink),
    identity: `${stat.dev}:${stat.ino}`,
    accessed: time(stat.atimeNs),
    modified: time(stat.mtimeNs),
    changed: time(stat.ctimeNs),
  }
}

function typeBits(entry: fs.Dirent): number {
  if (entry.isDirectory()) return constants.S_IFDIR
  if (entry.isSymbolicLink()) return constants.S_IFLNK
  if (entry.isFIFO()) return constants.S_IFIFO
  if (entry.isSocket()) return constants.S_IFSOCK
  if (entry.isCharacterDevice()) return constants.S_IFCHR
  if (entry.isBlockDevice()) return constants.S_IFBLK
  return constants.S_IFREG
}

const seconds = ({ seconds, nanoseconds }: Time) => seconds + nanoseconds / 1e9

export class NodeDirectory implements HostDirectory {
  readonly #root: string
  readonly #readOnly: boolean

  /** Throws when `path` is no folder. With `readOnly` no file is ever opened for writing here, whatever the guest does. */
  constructor(path: string, readOnly = false) {
    this.#root = fs.realpathSync.native(path)
    this.#readOnly = readOnly
    if (!fs.statSync(this.#root).isDirectory()) throw new Error(`${path} is not a directory`)
  }

  /**
   * The host's path. The guest's walker has resolved every link; a link that a folder on the way has turned into since
   * (something else on the host changes the tree under us) is refused, so that nothing outside is ever reached.
   */
  #at(path: string): string {
    const full = path === '' ? this.#root : join(this.#root, path)
    if (path.split('/').includes('..')) throw Object.assign(new Error('a path upwards'), { code: 'EACCES' })
    const parent = path === '' ? full : dirname(full)
    if (fs.realpathSync.native(parent) !== parent) {
      throw Object.assign(new Error('a folder on the way is a link'), { code: 'ELOOP', errno: ELOOP })
    }
    return full
  }

  #change(operation: () => void): number {
    return done(() => {
      if (this.#readOnly) throw Object.assign(new Error('mounted read-only'), { code: 'EROFS' })
      operation()
    })
  }

  lstat(path: string): HostStat | number {
    return attempt(() => statOf(fs.lstatSync(this.#at(path), { bigint: true })))
  }

  list(path: string): readonly HostListed[] | number {
    return attempt(() =>
      fs
        .readdirSync(this.#at(path), { withFileTypes: true })
        .map((entry) => ({ name: entry.name, type: typeBits(entry) })),
    )
  }

  readLink(path: string): string | number {
    return attempt(() => fs.readlinkSync(this.#at(path)))
  }

  open(path: string, writable: boolean): HostHandle {
    const access = writable && !this.#readOnly ? constants.O_RDWR : constants.O_RDONLY
    return attempt(() => fs.openSync(this.#at(path), access | constants.O_NOFOLLOW | constants.O_NONBLOCK))
  }

  close(handle: HostHandle): void {
    done(() => fs.closeSync(handle))
  }

  read(handle: HostHandle, offset: number, target: Uint8Array): number {
    return attempt(() => fs.readSync(handle, target, 0, target.length, offset))
  }

  write(handle: HostHandle, offset: number, source: Uint8Array): number {
    return attempt(() => fs.writeSync(handle, source, 0, source.length, offset))
  }

  truncate(handle: HostHandle, bytes: number): number {
    return done(() => fs.ftruncateSync(handle, bytes))
  }

  sync(handle: HostHandle): number {
    return done(() => fs.fsyncSync(handle))
  }

  statHandle(handle: HostHandle): HostStat | number {
    return attempt(() => statOf(fs.fstatSync(handle, { bigint: true })))
  }

  createFile(path: string, permissions: number): number {
    return this.#change(() => fs.closeSync(fs.openSync(this.#at(path), 'wx', permissions)))
  }

  makeDirectory(path: string, permissions: number): number {
    return this.#change(() => fs.mkdirSync(this.#at(path), permissions))
  }

  symlink(path: string, target: string): number {
    return this.#change(() => fs.symlinkSync(target, this.#at(path)))
  }

  link(existing: string, path: string): number {
    return this.#change(() => fs.linkSync(this.#at(existing), this.#at(path)))
  }

  unlink(path: string): number {
    return this.#change(() => fs.unlinkSync(this.#at(path)))
  }

  removeDirectory(path: string): number {
    return this.#change(() => fs.rmdirSync(this.#at(path)))
  }

  rename(from: string, to: string): number {
    return this.#change(() => fs.renameSync(this.#at(from), this.#at(to)))
  }

  setPermissions(path: string, permissions: number): number {
    return this.#change(() => fs.chmodSync(this.#at(path), permissions))
  }

  setTimes(path: string, accessed: Time, modified: Time): number {
    return this.#change(() => fs.lutimesSync(this.#at(path), seconds(accessed), seconds(modified)))
  }
}

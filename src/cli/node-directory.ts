/** A folder of this machine, for mounting in a guest. */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { EIO, ELOOP, errnoByName } from '../base/errno.js'
import type { HostDirectory, HostHandle, HostListed, HostStat } from '../linux/fs/host-directory.js'

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

function statOf(stat: BigIntStats): HostStat {
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

function typeBits(entry: Dirent): number {
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
    this.#root = realpathSync.native(path)
    this.#readOnly = readOnly
    if (!statSync(this.#root).isDirectory()) throw new Error(`${path} is not a directory`)
  }

  /**
   * The host's path. The guest's walker has resolved every link; a link that a folder on the way has turned into since
   * (something else on the host changes the tree under us) is refused, so that nothing outside is ever reached.
   */
  #at(path: string): string {
    const full = path === '' ? this.#root : join(this.#root, path)
    if (path.split('/').includes('..')) throw Object.assign(new Error('a path upwards'), { code: 'EACCES' })
    const parent = path === '' ? full : dirname(full)
    if (realpathSync.native(parent) !== parent) {
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
    return attempt(() => statOf(lstatSync(this.#at(path), { bigint: true })))
  }

  list(path: string): readonly HostListed[] | number {
    return attempt(() =>
      readdirSync(this.#at(path), { withFileTypes: true }).map((entry) => ({
        name: entry.name,
        type: typeBits(entry),
      })),
    )
  }

  readLink(path: string): string | number {
    return attempt(() => readlinkSync(this.#at(path)))
  }

  open(path: string, writable: boolean): HostHandle {
    const access = writable && !this.#readOnly ? constants.O_RDWR : constants.O_RDONLY
    return attempt(() => openSync(this.#at(path), access | constants.O_NOFOLLOW | constants.O_NONBLOCK))
  }

  close(handle: HostHandle): void {
    done(() => closeSync(handle))
  }

  read(handle: HostHandle, offset: number, target: Uint8Array): number {
    return attempt(() => readSync(handle, target, 0, target.length, offset))
  }

  write(handle: HostHandle, offset: number, source: Uint8Array): number {
    return attempt(() => writeSync(handle, source, 0, source.length, offset))
  }

  truncate(handle: HostHandle, bytes: number): number {
    return done(() => ftruncateSync(handle, bytes))
  }

  sync(handle: HostHandle): number {
    return done(() => fsyncSync(handle))
  }

  statHandle(handle: HostHandle): HostStat | number {
    return attempt(() => statOf(fstatSync(handle, { bigint: true })))
  }

  createFile(path: string, permissions: number): number {
    return this.#change(() => closeSync(openSync(this.#at(path), 'wx', permissions)))
  }

  makeDirectory(path: string, permissions: number): number {
    return this.#change(() => mkdirSync(this.#at(path), permissions))
  }

  symlink(path: string, target: string): number {
    return this.#change(() => symlinkSync(target, this.#at(path)))
  }

  link(existing: string, path: string): number {
    return this.#change(() => linkSync(this.#at(existing), this.#at(path)))
  }

  unlink(path: string): number {
    return this.#change(() => unlinkSync(this.#at(path)))
  }

  removeDirectory(path: string): number {
    return this.#change(() => rmdirSync(this.#at(path)))
  }

  rename(from: string, to: string): number {
    return this.#change(() => renameSync(this.#at(from), this.#at(to)))
  }

  setPermissions(path: string, permissions: number): number {
    return this.#change(() => chmodSync(this.#at(path), permissions))
  }

  setTimes(path: string, accessed: Time, modified: Time): number {
    return this.#change(() => lutimesSync(this.#at(path), seconds(accessed), seconds(modified)))
  }
}

/** How the entries of /proc are defined: a tree of these. */
import { ESRCH } from '../../../base/errno.js'
import type { AddressSpace } from '../../../space/address-space.js'
import type { Process } from '../../process.js'
import type { SyscallContext } from '../../syscall-context.js'
import type { Credentials } from '../credentials.js'
import type { FileEnvironment } from '../environment.js'
import type { Dentry } from '../nodes.js'
import type { Vfs } from '../vfs.js'
import type { RecordSource } from './record-text.js'

export type ProcEntries = Readonly<Record<string, ProcNode>>

/** Entries that come and go: fd. */
export type DynamicEntries = (vfs: Vfs, process: Process | undefined) => ProcEntries

/**
 * A directory. Its entries are made part by part when somebody looks for one that is in none of the parts before: there are hundreds, and few
 * programs look at more than one of them.
 */
export class ProcDirectory {
  readonly type = 'directory'
  readonly permissions: number
  readonly #dynamic: DynamicEntries | undefined
  readonly #makers: readonly (() => ProcEntries)[]
  readonly #made: ProcEntries[] = []

  constructor(makers: readonly (() => ProcEntries)[], permissions: number, dynamic?: DynamicEntries) {
    this.#makers = makers
    this.permissions = permissions
    this.#dynamic = dynamic
  }

  /** Names are looked for among the definitions' own: `constructor` is none. */
  find(name: string, vfs: Vfs, process: Process | undefined): ProcNode | undefined {
    for (let part = 0; part < this.#makers.length; part++) {
      const entries = this.#part(part)
      if (Object.hasOwn(entries, name)) return entries[name]
    }
    const found = this.#dynamic?.(vfs, process) ?? {}
    return Object.hasOwn(found, name) ? found[name] : undefined
  }

  entries(vfs: Vfs, process: Process | undefined): ProcEntries {
    const parts = this.#makers.map((_, part) => this.#part(part))
    return Object.assign({}, ...parts, this.#dynamic?.(vfs, process))
  }

  #part(part: number): ProcEntries {
    const made = this.#made[part]
    if (made !== undefined) return made
    const entries = this.#makers[part]!()
    this.#made[part] = entries
    return entries
  }
}

/** Of a process, or a first thread, that has ended: what opening the file fails with, and what else is read. */
export interface OnceEnded {
  readonly open?: number
  readonly text?: string
}

export const WITHOUT_MEMORY: OnceEnded = { open: -ESRCH }

/** What a file about a process's memory lets one do, and so what its opener must be allowed: to look, or to change things. */
export type MemoryUse = 'look' | 'change'

/** Contents that are no text: read and written where one likes. `space` is undefined when the program is gone. */
export interface RawContents {
  read(request: RawRequest, position: number, target: Uint8Array): number
  write?(request: RawRequest, position: number, source: Uint8Array): number
}

export interface RawRequest {
  readonly vfs: Vfs
  /** Whose file it is, if that is not gone. */
  readonly process: Process | undefined
  readonly space: AddressSpace | undefined
  /** Who opened the file. */
  readonly opener: Credentials
}

export interface ProcFile {
  readonly type: 'file'
  readonly permissions: number
  /** All of it, a byte string; or a negative errno for who reads. */
  readonly text: (vfs: Vfs, process: Process | undefined, env: FileEnvironment) => string | number
  /** Instead of `text`: record by record. `space` is that of the opening; undefined when it is gone. */
  readonly records?: (vfs: Vfs, space: AddressSpace | undefined, cursor: number) => ReturnType<RecordSource>
  readonly raw?: RawContents
  /** A file that stays with the memory that the process had when it was opened. */
  readonly memory?: MemoryUse
  readonly onceEnded?: OnceEnded
  /** Its text is that of the opening, even when the memory that it tells of is gone. */
  readonly kept?: true
  /** Bytes taken, or a negative errno. `process` is the one that the file is about; who writes is `env.currentProcess()`, `opener` who opened the file. */
  readonly write?: (
    source: Uint8Array,
    process: Process | undefined,
    env: FileEnvironment,
    position: number,
    opener: Credentials,
  ) => number
  /** Why who opens it for writing may not, whatever the file's permissions say. */
  readonly refuses?: (who: Credentials) => number
  /** What is written moves the position, as for few files of /proc that are no settings. */
  readonly writeMoves?: true
  /** How its positions are moved, where that is not as for most: a sequence, or `memory` for what is read by a reader of its own. */
  readonly seeks?: Seeks
  /** ioctl(2): -ENOTTY without. */
  readonly ioctl?: (c: SyscallContext, vfs: Vfs, space: AddressSpace | undefined) => number
}

/**
 * What lseek(2) makes of a file that is made up:
 *
 *     sequence  it has no end (seq_lseek), and what is written has no position to be told (-ESPIPE)
 *     memory    it has no end (mem_lseek)
 *     plain     it ends where its size says, 0 for most (generic_file_llseek)
 *     still     it stays where it is (noop_llseek)
 */
export type Seeks = 'sequence' | 'memory' | 'plain' | 'still'

export interface ProcLink {
  readonly type: 'link'
  readonly permissions: number
  /** Where it leads: a path, or an entry that need not have one. `pid` is who asks. */
  readonly target: (vfs: Vfs, process: Process | undefined, pid: number) => string | Dentry | number
  /** What readlink says, when that is not the target itself. */
  readonly text?: (vfs: Vfs, process: Process | undefined) => string | number
}

export type ProcNode = ProcDirectory | ProcFile | ProcLink

/** `makers`: what is looked for most comes first, by itself. */
export function directory(...makers: readonly (() => ProcEntries)[]): ProcDirectory {
  return new ProcDirectory(makers, 0o555)
}

export function changingDirectory(dynamic: DynamicEntries, permissions = 0o555): ProcDirectory {
  return new ProcDirectory([], permissions, dynamic)
}

/** A directory of /sys: its owner may write to it. */
export function folder(make: () => ProcEntries): ProcDirectory {
  return new ProcDirectory([make], 0o755)
}

export function file(text: ProcFile['text'], permissions = 0o444): ProcFile {
  return { type: 'file', permissions, text }
}

/** For what belongs to a process: -ESRCH once it is gone. */
export function processFile(
  text: (process: Process, vfs: Vfs, env: FileEnvironment) => string | number,
  permissions = 0o444,
): ProcFile {
  return file((vfs, process, env) => (process === undefined ? -ESRCH : text(process, vfs, env)), permissions)
}

export function link(target: ProcLink['target'], text?: ProcLink['text']): ProcLink {
  return { type: 'link', permissions: 0o777, target, ...(text && { text }) }
}

/** How the entries of /proc are defined: a tree of these. */
import type { Process } from '../../process.js'
import type { FileEnvironment } from '../environment.js'
import type { Dentry } from '../nodes.js'
import type { Vfs } from '../vfs.js'

export interface ProcDirectory {
  readonly type: 'directory'
  readonly permissions: number
  readonly children: Readonly<Record<string, ProcNode>>
  /** Entries that come and go: fd. */
  readonly dynamic?: (vfs: Vfs, process: Process | undefined) => Readonly<Record<string, ProcNode>>
}

export interface ProcFile {
  readonly type: 'file'
  readonly permissions: number
  /** A byte string. */
  readonly text: (vfs: Vfs, process: Process | undefined, env: FileEnvironment) => string
  /** Bytes taken, or a negative errno. `process` is the one that the file is about; who writes is `env.currentProcess()`. */
  readonly write?: (
    source: Uint8Array,
    process: Process | undefined,
    env: FileEnvironment,
    position: number,
  ) => number
}

export interface ProcLink {
  readonly type: 'link'
  readonly permissions: number
  /** Where it leads: a path, or an entry that need not have one. `pid` is who asks. */
  readonly target: (vfs: Vfs, process: Process | undefined, pid: number) => string | Dentry | number
  /** What readlink says, when that is not the target itself. */
  readonly text?: (vfs: Vfs, process: Process | undefined) => string | number
}

export type ProcNode = ProcDirectory | ProcFile | ProcLink

export function directory(
  children: Readonly<Record<string, ProcNode>>,
  dynamic?: ProcDirectory['dynamic'],
): ProcDirectory {
  return { type: 'directory', permissions: 0o555, children, ...(dynamic && { dynamic }) }
}

export function file(text: ProcFile['text'], permissions = 0o444): ProcFile {
  return { type: 'file', permissions, text }
}

/** For what belongs to a process; nothing once it is gone. */
export function processFile(
  text: (process: Process, vfs: Vfs, env: FileEnvironment) => string,
  permissions = 0o444,
): ProcFile {
  return file((vfs, process, env) => (process === undefined ? '' : text(process, vfs, env)), permissions)
}

export function link(target: ProcLink['target'], text?: ProcLink['text']): ProcLink {
  return { type: 'link', permissions: 0o777, target, ...(text && { text }) }
}

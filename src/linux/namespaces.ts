/**
 * The namespaces of a machine (namespaces(7)). Of most kinds there is the one that Linux begins with and no other; those of process
 * numbers can be nested. A number stands for a namespace in all of /proc: it is the inode number of its file.
 */
import { CloneFlag } from './clone-flags.js'
import { PidNamespace } from './pid-namespace.js'
import type { Process } from './process.js'
import type { Thread } from './thread.js'

/** How Linux calls the kinds, and what clone(2) and setns(2) call them. */
export const NamespaceFlag = {
  net: CloneFlag.newNet,
  uts: CloneFlag.newUts,
  ipc: CloneFlag.newIpc,
  pid: CloneFlag.newPid,
  user: CloneFlag.newUser,
  mnt: CloneFlag.newMounts,
  cgroup: CloneFlag.newCgroup,
  time: CloneFlag.newTime,
} as const
export type NamespaceKind = keyof typeof NamespaceFlag

export interface Namespace {
  readonly kind: NamespaceKind
  readonly number: number
}

/** What a thread has: the files of /proc/PID/ns, in their order there. */
export const NAMESPACE_NAMES = [
  'net',
  'uts',
  'ipc',
  'pid',
  'pid_for_children',
  'user',
  'mnt',
  'cgroup',
  'time',
  'time_for_children',
] as const
export type NamespaceName = (typeof NAMESPACE_NAMES)[number]

/** Numbers of the first namespaces (PROC_*_INIT_INO; the last two are the first that were given out). */
const INITIAL: Readonly<Record<NamespaceKind, number>> = {
  time: 0xefff_fffa,
  cgroup: 0xefff_fffb,
  pid: 0xefff_fffc,
  user: 0xefff_fffd,
  uts: 0xefff_fffe,
  ipc: 0xefff_ffff,
  net: 0xf000_0000,
  mnt: 0xf000_0001,
}
const NUMBERS_FROM = 0xf000_0002

export class Namespaces {
  /** The namespace of process numbers that all others are in. */
  readonly outermost = new PidNamespace(undefined, INITIAL.pid)
  #nextNumber = NUMBERS_FROM

  /** The one that Linux began with. */
  initial(kind: NamespaceKind): Namespace {
    return kind === 'pid' ? this.outermost : { kind, number: INITIAL[kind] }
  }

  /** A new one of process numbers within another. */
  makePid(parent: PidNamespace): PidNamespace {
    return new PidNamespace(parent, this.#nextNumber++)
  }

  /**
   * What a thread has by a name; undefined when it has ended and kept only its numbers, or when nobody has been born into the
   * namespace yet.
   */
  of(process: Process, thread: Thread | undefined, name: NamespaceName): Namespace | undefined {
    if (name === 'pid') return process.namespace
    if (name === 'user') return this.initial(name)
    if (thread === undefined) return undefined
    if (name === 'pid_for_children') return bornInto(thread.childNamespace ?? process.namespace)
    return this.initial(name === 'time_for_children' ? 'time' : name)
  }
}

function bornInto(namespace: PidNamespace): PidNamespace | undefined {
  return namespace.isNested && namespace.initId === 0 ? undefined : namespace
}

/** How readlink(2) tells of one: `pid:[4026531836]`. */
export function namespaceText({ kind, number }: Namespace): string {
  return `${kind}:[${number}]`
}

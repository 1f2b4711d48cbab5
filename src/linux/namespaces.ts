/**
 * The namespaces of a machine (namespaces(7)). Of most kinds there is the one that Linux begins with and no other; those of process
 * numbers can be nested, and of time there can be several. A number stands for a namespace in all of /proc: it is the inode number of its file.
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Clock } from './clock.js'
import { CloneFlag } from './clone-flags.js'
import { OUTERMOST_NUMBER, PidNamespace } from './pid-namespace.js'
import { PidNamespaces } from './pid-namespaces.js'
import type { Process } from './process.js'
import type { Thread } from './thread.js'
import { TimeNamespace, TimeNamespaces } from './time-namespace.js'
import type { ClockBase, TimeOffset } from './time-offset.js'

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
  pid: OUTERMOST_NUMBER,
  user: 0xefff_fffd,
  uts: 0xefff_fffe,
  ipc: 0xefff_ffff,
  net: 0xf000_0000,
  mnt: 0xf000_0001,
}
const NUMBERS_FROM = 0xf000_0002

export class Namespaces {
  readonly pids: PidNamespaces
  readonly times: TimeNamespaces
  readonly #mm: MemoryManager

  constructor(mm: MemoryManager, clock: Clock) {
    this.#mm = mm
    this.pids = new PidNamespaces(mm)
    this.times = new TimeNamespaces(mm, clock)
  }

  #takeNumber(): number {
    return NUMBERS_FROM + this.#mm.memory.u32[wordIndex(Word.namespaces)]!++
  }

  /** The one that Linux began with. */
  initial(kind: NamespaceKind): Namespace {
    return kind === 'pid' ? this.pids.outermost : { kind, number: INITIAL[kind] }
  }

  /** A new one of process numbers within another, for the caller to release; undefined without memory. */
  makePid(parent: PidNamespace): PidNamespace | undefined {
    return this.pids.create(parent, this.#takeNumber())
  }

  /** Where the processes that a thread makes are born from now on; undefined: where its own is. */
  setChildNamespace(thread: Thread, namespace: PidNamespace | undefined): void {
    if (namespace !== undefined) this.pids.retain(namespace)
    if (thread.childNamespace !== undefined) this.pids.release(thread.childNamespace)
    thread.childNamespace = namespace
  }

  /** A thread ends. */
  leave(thread: Thread): void {
    this.setChildTime(thread, NULL)
    this.setChildNamespace(thread, undefined)
  }

  /** A new one of time with the offsets of another, for the caller to release; NULL without memory. */
  makeTime(from: Ptr): Ptr {
    const made = this.times.create(from, NUMBERS_FROM)
    if (made !== NULL) this.times.at(made).number = this.#takeNumber()
    return made
  }

  /** Where the children of a thread will be. */
  setChildTime(thread: Thread, time: Ptr): void {
    this.times.retain(time)
    this.times.release(thread.childTime)
    thread.childTime = time
  }

  /** The process is in a namespace of time from now on; its offsets stay what they are. */
  enterTime(process: Process, time: Ptr): void {
    this.times.retain(time)
    this.times.release(process.timeNamespace)
    process.timeNamespace = time
    this.times.freeze(time)
  }

  /** What is added to a clock that a process reads. */
  offset(process: Process | undefined, base: ClockBase): TimeOffset {
    return this.times.offset(process?.timeNamespace ?? NULL, base)
  }

  /** The file of a namespace is open, or is not any more. */
  hold(namespace: Namespace): void {
    if (namespace instanceof TimeNamespace) this.times.retain(namespace.ptr)
    if (namespace instanceof PidNamespace) this.pids.retain(namespace)
  }
  letGo(namespace: Namespace): void {
    if (namespace instanceof TimeNamespace) this.times.release(namespace.ptr)
    if (namespace instanceof PidNamespace) this.pids.release(namespace)
  }

  /** Asserts that each is held by as many as have it, but for its file, the numbers in it and namespaces within. */
  check(processes: Iterable<Process>, threads: Iterable<Thread>): void {
    const [times, pids] = [new Map<Ptr, number>(), new Map<Ptr, number>()]
    for (const process of processes) {
      count(times, process.timeNamespace)
      count(pids, process.namespace.ptr)
    }
    for (const thread of threads) {
      count(times, thread.childTime)
      count(pids, thread.childNamespace?.ptr ?? NULL)
    }
    for (const [ptr, held] of times) {
      assert(this.times.at(ptr).references >= held, 'everybody who has a namespace of time holds it')
    }
    for (const [ptr, held] of pids) {
      assert(this.pids.at(ptr).references >= held, 'everybody who has a namespace of numbers holds it')
    }
    const areThere = times.size <= this.times.used && pids.size <= this.pids.used
    assert(areThere, 'a namespace that somebody has is there')
  }

  time(ptr: Ptr): Namespace {
    return ptr === NULL ? this.initial('time') : this.times.at(ptr)
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
    if (name === 'time') return this.time(process.timeNamespace)
    return name === 'time_for_children' ? this.time(thread.childTime) : this.initial(name)
  }
}

function count(holders: Map<Ptr, number>, ptr: Ptr): void {
  if (ptr !== NULL) holders.set(ptr, (holders.get(ptr) ?? 0) + 1)
}

function bornInto(namespace: PidNamespace): PidNamespace | undefined {
  return namespace.isNested && namespace.initId === 0 ? undefined : namespace
}

/** How readlink(2) tells of one: `pid:[4026531836]`. */
export function namespaceText({ kind, number }: Namespace): string {
  return `${kind}:[${number}]`
}

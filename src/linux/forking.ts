/** New threads and processes (kernel/fork.c of Linux): clone(2) after its arguments were decoded. */
import { EAGAIN, EFAULT, ENOMEM, EPERM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { storeUser32 } from '../fault/user-copy.js'
import { HART_CONTEXT_BYTES, HartField } from '../hart/hart-state.js'
import { resetStack } from './alternate-stack.js'
import { CloneFlag } from './clone-flags.js'
import { PID_FILE_THREAD } from './fs/ipc/pid-file.js'
import { Limit } from './limits.js'
import type { Linux } from './linux.js'
import { makeNamespace, mayMakeNamespace, mayRestore } from './namespace-making.js'
import type { PidNamespace } from './pid-namespace.js'
import { type Process, ProcessFlag } from './process.js'
import { PtraceEvent } from './ptrace/ptrace-numbers.js'
import { finishCall, setX } from './registers.js'
import { Signal } from './signal-numbers.js'
import type { Thread } from './thread.js'
import { inheritName } from './thread-name.js'
import { THREAD_BLOCKED, ThreadFlag } from './thread-record.js'
import { inheritSlack } from './timer-slack.js'
import { ERESTARTNOINTR, WaitKind } from './wait.js'

export interface CloneRequest {
  /** CloneFlag bits. */
  readonly flags: number
  /** CLONE_CLEAR_SIGHAND: handlers become default. */
  readonly clearsHandlers: boolean
  readonly exitSignal: number
  /** Stack pointer of the child, 0 = the parent's. */
  readonly stackPointer: number
  /** Two halves, for CLONE_SETTLS. */
  readonly tlsLow: number
  readonly tlsHigh: number
  readonly parentTid: number
  readonly childTid: number
  /** Where the number of the pidfd goes, for CLONE_PIDFD. */
  readonly pidFile: number
  /** The numbers that it shall have, from its own namespace outwards; any where there is none. */
  readonly numbers: readonly number[]
}

/** Of the memory of a machine threads may take an eighth, at 16 KiB each (fork_init). */
const KERNEL_STACK_BYTES = 16384
const SHARE = 8
const THREADS_MIN = 20
const SCHED_RESET_ON_FORK = 0x4000_0000
/** A new process starts with these flags of its parent. */
const INHERITED = ProcessFlag.noNewPrivileges | ProcessFlag.notDumpable

export class Forking {
  readonly #linux: Linux
  readonly #threadsMax: number

  constructor(linux: Linux) {
    this.#linux = linux
    const bytes = linux.mm.buddy.totalFrames() * PAGE_SIZE
    this.#threadsMax = Math.max(THREADS_MIN, Math.floor(bytes / (SHARE * KERNEL_STACK_BYTES)))
  }

  /**
   * The child's number as the caller has it, or PARKED while a vfork's child has the memory. -EAGAIN, -ENOMEM; what a new
   * namespace (-EPERM, -EINVAL, -ENOSPC) or the choice of numbers refuses.
   */
  clone(process: Process, thread: Thread, request: CloneRequest): number {
    if (thread.hasSignal) return -ERESTARTNOINTR
    const namespace = this.#isOverLimit(process) ? -EAGAIN : this.#namespaceFor(process, thread, request)
    if (typeof namespace === 'number') return namespace
    const time = this.#timeFor(thread, request)
    const result = time < 0 ? time : this.#cloneInto(process, thread, namespace, time as Ptr, request)
    const { pids, times } = this.#linux.namespaces
    if (time >= 0) times.release(time as Ptr)
    pids.release(namespace)
    return result
  }

  /** Into which namespace of time its children will be born, for the caller to release: -ENOMEM. */
  #timeFor({ childTime }: Thread, { flags }: CloneRequest): Ptr | number {
    const { namespaces } = this.#linux
    if ((flags & CloneFlag.newTime) === 0) return namespaces.times.retain(childTime)
    return namespaces.makeTime(childTime) || -ENOMEM
  }

  #cloneInto(
    process: Process,
    thread: Thread,
    namespace: PidNamespace,
    time: Ptr,
    request: CloneRequest,
  ): number {
    const { userfaults } = this.#linux
    const id = this.#takeId(process, namespace, request.numbers)
    if (id < 0) return id
    const isThread = (request.flags & CloneFlag.thread) !== 0
    const child = isThread
      ? this.#makeThread(process, id)
      : this.#makeProcess(process, id, namespace, request)
    if (child === undefined) {
      this.#linux.ends.release(id)
      return -ENOMEM
    }
    this.#enterTime(process, child, time, request)
    if (!this.#follow(thread, child, request)) {
      this.#unmake(child, isThread)
      return -ENOMEM
    }
    const problem = this.#openPid(process, child, request)
    if (problem < 0) return problem
    if ((request.flags & CloneFlag.semaphores) !== 0) process.setFlag(ProcessFlag.undoList, true)
    if (!isThread) this.#begin(namespace, child)
    if (!isThread) this.#linux.processOf(child).maker = this.#makerOf(process, thread, request)
    this.#fillThread(thread, child, request)
    this.#tellNumber(process, child, request)
    const isVfork = (request.flags & CloneFlag.vfork) !== 0
    if (isVfork || !userfaults.holdChild(thread, child)) child.start()
    const number = process.namespace.numberOf(id)
    return isVfork ? this.#waitForChild(thread, child, number) : number
  }

  /** The thread of the parent whose child it is. */
  #makerOf({ maker }: Process, thread: Thread, { flags }: CloneRequest): number {
    return (flags & CloneFlag.parent) !== 0 ? maker : thread.id
  }

  /** RLIMIT_NPROC counts the threads and zombies of a user other than root. */
  #isOverLimit(process: Process): boolean {
    const { files } = process
    if (files.realUser === 0 || files.isUnlimited) return false
    let count = 0
    for (const other of this.#linux.processes.values()) {
      if (other.files.realUser === files.realUser) count += Math.max(1, other.threadCount)
    }
    return count >= process.softLimit(Limit.processes)
  }

  /** Where the child is born, for the caller to release. Threads stay where they are. */
  #namespaceFor(process: Process, thread: Thread, { flags }: CloneRequest): PidNamespace | number {
    const current = thread.childNamespace ?? process.namespace
    if ((flags & CloneFlag.newPid) === 0) {
      return (flags & CloneFlag.newTime) !== 0 && !mayMakeNamespace(process)
        ? -EPERM
        : this.#linux.namespaces.pids.retain(current)
    }
    return makeNamespace(this.#linux.namespaces, process, current)
  }

  /** Who shares the memory stays in the time that it has until it is another program. */
  #enterTime(parent: Process, child: Thread, time: Ptr, { flags }: CloneRequest): void {
    const { namespaces, processTable, programs } = this.#linux
    namespaces.setChildTime(child, time)
    if ((flags & CloneFlag.thread) !== 0) return
    const process = processTable.of(child)
    if ((flags & CloneFlag.memory) !== 0 || time === parent.timeNamespace) {
      namespaces.enterTime(process, parent.timeNamespace)
    } else programs.enterTime(process, time)
  }

  #takeId(process: Process, namespace: PidNamespace, numbers: readonly number[]): number {
    const { threads, processTable } = this.#linux
    if (threads.count >= this.#threadsMax) return -EAGAIN
    return processTable.pids.take(namespace, numbers, numbers.length > 0 && mayRestore(process))
  }

  /** Number 1 is the one with whom its namespace ends. */
  #begin(namespace: PidNamespace, child: Thread): void {
    if (!namespace.isNested || namespace.numberOf(child.id) !== 1) return
    namespace.initId = child.id
    this.#linux.processOf(child).setFlag(ProcessFlag.unkillable, true)
  }

  #makeThread(process: Process, id: number): Thread | undefined {
    const thread = this.#linux.threads.create(id, process.ptr)
    if (thread !== undefined) process.threadCount++
    return thread
  }

  /** A process with one thread that is not filled yet; undefined without memory, and then nothing is left of it. */
  #makeProcess(
    parent: Process,
    id: number,
    namespace: PidNamespace,
    request: CloneRequest,
  ): Thread | undefined {
    const { mm, processTable } = this.#linux
    const space = this.#spaceFor(parent, request)
    if (space === NULL) return undefined
    const thread = this.#makeRecords(parent, id, namespace, request)
    if (thread === undefined) {
      mm.spaces.release(space)
      return undefined
    }
    const child = processTable.of(thread)
    child.space.at(space)
    this.#inherit(parent, child, request)
    return thread
  }

  /** Who traces a thread may hear of those that it makes, and traces them too; false without memory. */
  #follow(thread: Thread, child: Thread, { flags, exitSignal }: CloneRequest): boolean {
    if (!thread.hasFlag(ThreadFlag.traced)) return true
    const kind = exitSignal === Signal.CHLD ? PtraceEvent.fork : PtraceEvent.clone
    const event = (flags & CloneFlag.vfork) !== 0 ? PtraceEvent.vfork : kind
    const isHidden = (flags & CloneFlag.untraced) !== 0
    return this.#linux.tracing.follow(thread, child, isHidden ? 0 : event, (flags & CloneFlag.traced) !== 0)
  }

  /** CLONE_PIDFD: the parent gets a file for the child. -EMFILE, -EFAULT, and the child is unmade. */
  #openPid(process: Process, child: Thread, { flags, pidFile }: CloneRequest): number {
    if ((flags & CloneFlag.pidFile) === 0) return 0
    const { files, mm } = this.#linux
    const isThread = (flags & CloneFlag.thread) !== 0
    const fd = files.openPid(process, child.id, isThread ? PID_FILE_THREAD : 0)
    if (fd >= 0 && storeUser32(mm, process.space, pidFile, fd) === 0) return 0
    if (fd >= 0) files.closeNumber(process, fd)
    this.#unmake(child, isThread)
    return fd < 0 ? fd : -EFAULT
  }

  /** A thread that was made and has not started, with the process that was made for it. */
  #unmake(thread: Thread, isThread: boolean): void {
    const { ends, mm, namespaces, processTable, threads, tracing } = this.#linux
    const process = processTable.of(thread)
    process.threadCount--
    tracing.forget(thread)
    namespaces.leave(thread)
    threads.remove(thread)
    if (isThread) {
      ends.release(thread.id)
      return
    }
    namespaces.enterTime(process, NULL)
    mm.spaces.release(process.space.ptr)
    process.files.close()
    ends.forget(process)
  }

  /** A process whose parent has died before it could start. */
  abandon(child: Thread): void {
    this.#unmake(child, false)
  }

  #spaceFor(parent: Process, { flags }: CloneRequest): Ptr {
    const { spaces } = this.#linux.mm
    const { ptr } = parent.space
    if ((flags & CloneFlag.memory) === 0) return spaces.clone(ptr)
    spaces.retain(ptr)
    return ptr
  }

  #makeRecords(
    parent: Process,
    id: number,
    namespace: PidNamespace,
    request: CloneRequest,
  ): Thread | undefined {
    const { processTable } = this.#linux
    const { flags } = request
    const { actions } = processTable
    const handlers =
      (flags & CloneFlag.signalActions) !== 0 ? actions.share(parent.actions) : actions.copy(parent.actions)
    if (handlers === NULL) return undefined
    const files = parent.files.fork((flags & CloneFlag.files) !== 0, (flags & CloneFlag.surroundings) !== 0)
    const under = (flags & CloneFlag.parent) !== 0 ? parent.parent : parent
    const child = processTable.create(id, files, handlers, under, namespace)
    const thread = child && this.#makeThread(child, id)
    if (thread !== undefined) return thread
    files.close()
    if (child === undefined) actions.release(handlers)
    else processTable.remove(child)
    return undefined
  }

  #inherit(parent: Process, child: Process, request: CloneRequest): void {
    child.flags = parent.flags & INHERITED
    child.setFlag(ProcessFlag.vforked, (request.flags & CloneFlag.vfork) !== 0)
    child.exitSignal = (request.flags & CloneFlag.parent) !== 0 ? parent.exitSignal : request.exitSignal
    child.personality = parent.personality
    child.groupId = parent.groupId
    child.sessionId = parent.sessionId
    child.startTime = this.#linux.clock.now()
    child.copyLimits(parent)
    child.outOfMemoryScore = parent.outOfMemoryScore
    child.outOfMemoryLeast = parent.outOfMemoryLeast
    child.coreFilter = parent.coreFilter
    if (request.clearsHandlers) this.#linux.signals.resetActions(child)
  }

  /** Registers and what else a thread has from the one that made it. */
  #fillThread(thread: Thread, child: Thread, request: CloneRequest): void {
    const { mm, scheduler } = this.#linux
    const { u32 } = mm.memory
    mm.memory.copy(child.ptr, scheduler.contextOf(thread), HART_CONTEXT_BYTES)
    u32[(child.ptr + HartField.isReserved) >>> 2] = 0
    finishCall(u32, child.ptr, 0)
    if (request.stackPointer !== 0) setX(u32, child.ptr, 2, request.stackPointer)
    if ((request.flags & CloneFlag.setTls) !== 0) setTls(u32, child.ptr, request)
    const blocked = (thread.ptr + THREAD_BLOCKED) as Ptr
    mm.memory.copy((child.ptr + THREAD_BLOCKED) as Ptr, blocked, 8)
    inheritName(thread, child, this.#linux.processOf(child))
    child.memoryPolicy = thread.memoryPolicy
    child.habits = thread.habits
    inheritSlack(thread, child)
    this.#copyStack(thread, child, request)
    this.#copyPolicy(thread, child)
  }

  /** Who shares the memory cannot share the signal stack too, unless it has the memory for itself (vfork). */
  #copyStack(thread: Thread, child: Thread, { flags }: CloneRequest): void {
    resetStack(child)
    if ((flags & (CloneFlag.memory | CloneFlag.vfork)) === CloneFlag.memory) return
    child.altBase = thread.altBase
    child.altSize = thread.altSize
    child.altFlags = thread.altFlags
  }

  #copyPolicy(thread: Thread, child: Thread): void {
    if ((thread.policy & SCHED_RESET_ON_FORK) !== 0) return
    child.policy = thread.policy
    child.priority = thread.priority
    child.nice = thread.nice
  }

  /** Writes that fail are nobody's business. */
  #tellNumber(process: Process, child: Thread, { flags, parentTid, childTid }: CloneRequest): void {
    const { mm, processTable, scheduler } = this.#linux
    if ((flags & CloneFlag.parentSetTid) !== 0)
      storeUser32(mm, process.space, parentTid, process.namespace.numberOf(child.id))
    if ((flags & CloneFlag.childSetTid) !== 0) {
      const { namespace, space } = processTable.of(child)
      scheduler.chargeTo(child, () => storeUser32(mm, space, childTid, namespace.numberOf(child.id)))
    }
    if ((flags & CloneFlag.childClearTid) !== 0) child.clearChildTid = childTid
  }

  /** vfork: the parent's thread waits until the child has another program or has ended. */
  #waitForChild(thread: Thread, child: Thread, number: number): number {
    thread.progress = number
    return thread.parkKillable(WaitKind.vfork, child.id)
  }
}

function setTls(u32: Uint32Array, context: Ptr, { tlsLow, tlsHigh }: CloneRequest): void {
  const at = (context + HartField.x + 4 * 8) >>> 2
  u32[at] = tlsLow
  u32[at + 1] = tlsHigh
}

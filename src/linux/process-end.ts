/** How threads and processes end, and what is left of them (kernel/exit.c of Linux). */
import { NULL, type Ptr } from '../base/numbers.js'
import { storeUser32 } from '../fault/user-copy.js'
import { AddressSpace } from '../space/address-space.js'
import { type ChildInfo, childInfo } from './child-info.js'
import type { Linux } from './linux.js'
import type { PidNamespace } from './pid-namespace.js'
import { CHILDREN_USAGE, PROCESS_USAGE, type Process, ProcessFlag } from './process.js'
import { ACTION_FLAGS } from './signal-actions.js'
import { SA_NOCLDWAIT, SIGNAL_MAX, Signal, SignalCode } from './signal-numbers.js'
import { realUserOf } from './signal-permission.js'
import { type Thread, ThreadState } from './thread.js'
import { addUsage, NO_USAGE, readUsage, type Usage } from './usage.js'
import { WaitKind } from './wait.js'

export class ProcessEnd {
  readonly #linux: Linux
  /** Whose memory and files are being given back: what ends with it is that process's doing, whoever has killed it. */
  ending: Process | undefined

  constructor(linux: Linux) {
    this.#linux = linux
  }

  /** exit(2): one thread ends, and with the last one its process. The process's status is that of its first thread. */
  endThread(process: Process, thread: Thread, status: number): void {
    const isFirst = thread.id === process.id
    if (isFirst && !process.hasFlag(ProcessFlag.exiting)) process.exitStatus = status
    this.leaveMemory(process, thread)
    this.#takeOut(process, thread, status)
    if (process.threadCount === 0) this.#endProcess(process)
    else for (const other of this.#linux.threads.ofProcess(process.ptr)) other.wakeForSignal()
  }

  /** exit(2): a thread ends, when its tracer has let it. */
  leaveThread(process: Process, thread: Thread, status: number): void {
    if (!this.#linux.tracing.stopsAtEnd(process, thread, status)) this.endThread(process, thread, status)
  }

  /** exit_group(2), or death by a signal: every thread ends. */
  endGroup(process: Process, status: number): void {
    if (process.isZombie || process.hasFlag(ProcessFlag.exiting)) return
    process.exitStatus = status
    process.setFlag(ProcessFlag.exiting, true)
    for (const thread of this.#linux.threads.ofProcess(process.ptr)) {
      if (thread.state !== ThreadState.exited) this.leaveThread(process, thread, status)
    }
  }

  /** Threads of a process that ends, but that have stopped once more for their tracers, end now. */
  endRest(process: Process): void {
    for (const thread of this.#linux.threads.ofProcess(process.ptr)) {
      if (thread.state !== ThreadState.exited) this.endThread(process, thread, process.exitStatus)
    }
  }

  /** execve(2): the other threads end, and the one that is left takes over the number of the first. */
  endOthers(process: Process, survivor: Thread): void {
    const { threads } = this.#linux
    for (const thread of threads.ofProcess(process.ptr)) {
      if (thread === survivor) continue
      if (thread.id === process.id) this.#linux.tracing.forget(thread)
      if (thread.state !== ThreadState.exited) {
        this.leaveMemory(process, thread)
        this.#takeOut(process, thread, Signal.KILL)
      }
      if (thread.id === process.id) threads.remove(thread)
    }
    if (survivor.id === process.id) return
    this.#forgetFirst(process)
    const { id } = survivor
    this.#linux.files.taskEnded(id, true)
    threads.renumber(survivor, process.id)
    this.release(id)
  }

  /** The first thread has ended before, and another takes its place. */
  #forgetFirst(process: Process): void {
    const tracee = this.#linux.tracing.zombieOf(process)
    if (tracee !== undefined) this.#linux.tracing.forgetZombie(process, tracee)
  }

  /** What a thread leaves in its program's memory: released locks, its number wiped out (mm_release). */
  leaveMemory(process: Process, thread: Thread): void {
    this.#linux.scheduler.chargeTo(thread, () => this.#leaveMemory(process, thread))
  }

  #leaveMemory(process: Process, thread: Thread): void {
    const { mm, futexes } = this.#linux
    futexes.release(process, thread)
    const address = thread.clearChildTid
    if (address === 0) return
    thread.clearChildTid = 0
    if (process.threadCount === 1 && mm.spaces.references(process.space.ptr) === 1) return
    storeUser32(mm, process.space, address, 0)
    futexes.wakeShared(process.space, address)
  }

  /** The thread runs no more. Its record goes, but that of the first thread stays as long as there are others. */
  #takeOut(process: Process, thread: Thread, status: number): void {
    const { mm, scheduler, signals, threads } = this.#linux
    this.#linux.userfaults.threadEnds(thread)
    this.#linux.files.threadEnds(thread)
    addUsage(mm.memory, (process.ptr + PROCESS_USAGE) as Ptr, this.#linux.usageOfThread(thread))
    signals.leaveThread(thread)
    this.#linux.namespaces.leave(thread)
    scheduler.forget(thread)
    thread.userTime = 0
    thread.systemTime = 0
    thread.minorFaults = 0
    thread.majorFaults = 0
    thread.exit()
    process.threadCount--
    const isKept = this.#linux.tracing.threadEnds(process, thread, status)
    if (thread.id === process.id) return
    const { id } = thread
    this.#linux.files.taskEnded(id, true)
    threads.remove(thread)
    if (!isKept) this.release(id)
  }

  /** When the first process ends, so does every other. */
  #endProcess(process: Process): void {
    const { mm, reporter, threads } = this.#linux
    const wasFirst = reporter.first === process
    reporter.noteEnd(process)
    this.#linux.time.timers.leaveProcess(process)
    for (const thread of threads.ofProcess(process.ptr)) threads.remove(thread)
    this.letParentGoOn(process)
    this.noteResident(process)
    const space = process.space.ptr
    process.space = new AddressSpace(mm.memory, NULL)
    this.ending = process
    mm.spaces.release(space)
    process.files.close()
    this.#linux.namespaces.enterTime(process, NULL)
    this.ending = undefined
    this.#leaveChildren(process)
    this.#linux.signals.endProcess(process)
    this.#linux.signals.jobs.checkOrphans(process, process.parent, process)
    process.flags = (process.flags & ~(ProcessFlag.stopped | ProcessFlag.continued)) | ProcessFlag.zombie
    this.told(process)
    if (wasFirst) this.#linux.stop()
  }

  /** How much memory the program had that ends, or is replaced, is remembered for its process. */
  noteResident(process: Process): void {
    const usage = { ...NO_USAGE, residentPages: process.space.counts.peakRssPages }
    addUsage(this.#linux.mm.memory, (process.ptr + PROCESS_USAGE) as Ptr, usage)
  }

  /** The thread that waits in vfork(2) for this process goes on. */
  letParentGoOn(process: Process): void {
    if (!process.hasFlag(ProcessFlag.vforked)) return
    process.setFlag(ProcessFlag.vforked, false)
    this.#linux.threads.wake(WaitKind.vfork, process.id, 1)
  }

  /**
   * Orphans go to the nearest ancestor that asked for them, or to number 1 of their namespace; that of the outermost one forgets
   * them when they end. With number 1 of a nested one all others end.
   */
  #leaveChildren(process: Process): void {
    if (process.namespace.isNested && process.namespace.initId === process.id) {
      this.#endNamespace(process)
      return
    }
    const { processTable, signals } = this.#linux
    const reaper = this.#reaperOf(process)
    for (const child of processTable.childrenOf(process)) {
      const signal = this.#deathSignal(child)
      if (signal !== 0) {
        const info = signals.info({
          signal,
          code: SignalCode.user,
          processId: child.namespace.numberOf(process.id),
        })
        signals.sendToProcess(child, signal, info)
      }
      processTable.reparent(child, reaper)
      child.exitSignal = Signal.CHLD
      if (child.isZombie) this.#leftTo(child)
      else signals.jobs.checkOrphans(child, process)
    }
  }

  /** A zombie has another parent, who hears of it unless a tracer is before it. */
  #leftTo(child: Process): void {
    if (this.#linux.tracing.zombieOf(child) === undefined) this.#notifyParent(child)
  }

  #deathSignal(child: Process): number {
    return this.#linux.threads.of(child.ptr)?.deathSignal ?? 0
  }

  #reaperOf({ parent, namespace }: Process): Process | undefined {
    let ancestor = parent
    while (ancestor !== undefined && ancestor.namespace.level === namespace.level) {
      if (ancestor.hasFlag(ProcessFlag.subreaper) && !ancestor.isZombie) return ancestor
      ancestor = ancestor.parent
    }
    return namespace.isNested ? this.#linux.processes.get(namespace.initId) : undefined
  }

  /** Its first process has ended: the others are killed, and until they are gone nobody hears of it (zap_pid_ns_processes). */
  #endNamespace(init: Process): void {
    const { processTable, signals } = this.#linux
    const { namespace } = init
    namespace.isClosed = true
    init.setFlag(ProcessFlag.lingering, true)
    for (const child of processTable.childrenOf(init)) if (child.isZombie) this.#notifyParent(child)
    for (const other of this.#othersIn(namespace, init)) {
      const info = signals.info({ signal: Signal.KILL, code: SignalCode.kernel })
      signals.sendToProcess(other, Signal.KILL, info)
    }
    init.setFlag(ProcessFlag.lingering, this.#othersIn(namespace, init).length > 0)
  }

  #othersIn(namespace: PidNamespace, init: Process): Process[] {
    const { processes } = this.#linux
    return [...namespace.ids()]
      .map((id) => processes.get(id))
      .filter((process) => process !== undefined && process !== init) as Process[]
  }

  /** Nobody has a number any more, unless somebody is still called so. The first of a namespace may have waited for that. */
  release(id: number): void {
    const { processTable, processes } = this.#linux
    const home = processTable.pids.release(id)
    if (home === undefined) return
    for (let namespace = home; namespace.parent !== undefined; namespace = namespace.parent) {
      const init = processes.get(namespace.initId)
      if (!init?.hasFlag(ProcessFlag.lingering) || this.#othersIn(namespace, init).length > 0) continue
      init.setFlag(ProcessFlag.lingering, false)
      if (init.isZombie) this.told(init)
    }
    processTable.pids.namespaces.release(home)
  }

  /** All of a process has ended: those who wait for it hear of it. */
  told(process: Process): void {
    this.#linux.files.taskEnded(process.id, false)
    this.#notifyParent(process)
  }

  /** The parent hears of a zombie; one that does not want to know has it forgotten at once. */
  #notifyParent(process: Process): void {
    const { parent, exitSignal } = process
    if (process.hasFlag(ProcessFlag.lingering) || process.deadTracees > 0) return
    if (this.#notifyTracer(process)) return
    if (parent === undefined || parent.hasFlag(ProcessFlag.lingering)) {
      this.forget(process)
      return
    }
    const isUnwanted = exitSignal === Signal.CHLD && this.#ignoresChildren(parent)
    this.#sendExitSignal(parent, process, exitSignal)
    if (isUnwanted) this.forget(process)
    this.wakeWaiters(parent)
  }

  /** Who traces its first thread hears of a zombie before its parent, and keeps it whatever becomes of other children. */
  #notifyTracer(process: Process): boolean {
    const tracee = this.#linux.tracing.zombieOf(process)
    if (tracee === undefined) return false
    const tracer = this.#linux.tracing.tracerProcess(tracee)
    const signal = tracer === process.parent ? process.exitSignal : Signal.CHLD
    this.tellEnd(tracer, process, process.id, signal, childInfo(process.exitStatus))
    return true
  }

  /** A tracer has let go of a zombie, which its parent hears of now; that was the tracer itself: it may not want to know. */
  freed(process: Process, wasParent: boolean): void {
    const { parent } = process
    if (!wasParent || parent === undefined) this.#notifyParent(process)
    else if (this.#ignoresChildren(parent)) {
      this.forget(process)
      this.wakeWaiters(parent)
    }
  }

  #ignoresChildren(parent: Process): boolean {
    const { mm, signals } = this.#linux
    const flags = mm.memory.u32[(parent.action(Signal.CHLD) + ACTION_FLAGS) >>> 2]!
    return signals.sender.isRefused(parent, Signal.CHLD) || (flags & SA_NOCLDWAIT) !== 0
  }

  #sendExitSignal(parent: Process, process: Process, signal: number): void {
    const { signals } = this.#linux
    const isRefused = signal === Signal.CHLD && signals.sender.isRefused(parent, signal)
    if (!isRefused) this.#send(parent, process, process.id, signal, childInfo(process.exitStatus))
  }

  #send(to: Process, process: Process, id: number, signal: number, { code, status }: ChildInfo): void {
    if (signal === 0 || signal > SIGNAL_MAX || to.isZombie) return
    const { signals, threads } = this.#linux
    const main = threads.of(to.ptr)
    // Mostly nobody listens: then nothing need be gathered for them.
    if (main === undefined || (signal === Signal.CHLD && signals.sender.isIgnored(to, main, signal))) return
    const { userTime, systemTime } = readUsage(this.#linux.mm.memory, (process.ptr + PROCESS_USAGE) as Ptr)
    const userId = realUserOf(process)
    const processId = to.namespace.numberOf(id)
    const info = signals.info({ code, status, signal, processId, userId, userTime, systemTime })
    signals.sendToProcess(to, signal, info, main)
  }

  /** A tracer hears of the end of a thread or process. */
  tellEnd(tracer: Process, process: Process, id: number, signal: number, how: ChildInfo): void {
    this.#send(tracer, process, id, signal, how)
    this.wakeWaiters(tracer)
  }

  /** Threads of a process that wait for a child look again. */
  wakeWaiters(parent: Process): void {
    for (const thread of this.#linux.threads.ofProcess(parent.ptr)) {
      if (thread.state === ThreadState.parked && thread.waitKind === WaitKind.child) thread.wakeForEvent()
    }
  }

  /** wait4(2) has told the parent: what the child used counts for the parent from now on. */
  reap(process: Process, usage: Usage): void {
    const { parent } = process
    if (parent !== undefined) addUsage(this.#linux.mm.memory, (parent.ptr + CHILDREN_USAGE) as Ptr, usage)
    this.forget(process)
  }

  /** The last of a zombie goes. */
  forget(process: Process): void {
    const { files, processTable, signals } = this.#linux
    this.#forgetFirst(process)
    const { id, groupId, sessionId } = process
    signals.leaveProcess(process)
    processTable.remove(process)
    files.taskEnded(id, true)
    for (const number of [id, groupId, sessionId]) this.release(number)
  }
}

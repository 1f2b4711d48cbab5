/**
 * What a program needs besides memory, put together: a machine with processes, their threads, files, signals and time.
 *
 *     const linux = new Linux({ mm, hart, host, files })
 *     const problem = linux.start('/bin/hello', ['hello'], ['HOME=/'])
 *     const report = problem ?? (await linux.run())
 */

import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { mapsText } from '../space/maps.js'
import { applyWatermarks } from '../space/tunables.js'
import { Special, Vma } from '../space/vma.js'
import { Word, wordIndex } from '../state/layout.js'
import { Setting, writeSetting } from '../state/settings.js'
import { Clock, type ClockMode } from './clock.js'
import type { ExecProblem } from './exec.js'
import { Forking } from './forking.js'
import type { FileEnvironment, MachineTimes } from './fs/environment.js'
import { fromUnicode } from './fs/text.js'
import { Futexes } from './futexes.js'
import type { Host } from './host.js'
import { HostLoop } from './host-loop.js'
import { KernelTime } from './kernel-time.js'
import { applyLimits, setDefaultLimits } from './limits.js'
import { Namespaces } from './namespaces.js'
import { OutOfMemoryKiller } from './out-of-memory.js'
import type { PidAllocator } from './pid-allocator.js'
import { PROCESS_USAGE, type Process, ProcessFlag } from './process.js'
import { ProcessEnd } from './process-end.js'
import { ProcessTable } from './process-table.js'
import { Profiler } from './profiler.js'
import { NO_MEMORY, Programs } from './programs.js'
import { Tracing } from './ptrace/tracing.js'
import { withRandom } from './random-source.js'
import type { ExitReport } from './report.js'
import { Reporter } from './reporter.js'
import { Scheduler } from './scheduler.js'
import { Signal, SignalCode } from './signal-numbers.js'
import { type SignalEnv, Signals } from './signals.js'
import type { FileServices } from './syscall-context.js'
import { SyscallDispatcher } from './syscall-dispatcher.js'
import { makeSyscallTable } from './syscall-table.js'
import type { Thread } from './thread.js'
import { ThreadList } from './thread-list.js'
import { Timekeeper } from './timekeeper.js'
import { initSlack } from './timer-slack.js'
import { Tracer } from './trace.js'
import { readUsage, sumOfUsage, type Usage } from './usage.js'
import { UserfaultWaits } from './userfault-waits.js'
import { VDSO_SIGRETURN } from './vdso-code.js'
import type { WaitKind } from './wait.js'

export interface LinuxOptions {
  readonly mm: MemoryManager
  readonly hart: Hart
  readonly host: Host
  /** Makes the file system: tmpfs, mounts, /dev, /proc. */
  readonly files: (env: FileEnvironment) => FileServices
  /** Default virtual: an instruction takes a nanosecond, so that every run is the same. */
  readonly clock?: ClockMode
  /** Where the first process starts. Default /. */
  readonly cwd?: string
  /** false: programs are not laid out at random, /proc/sys/kernel/randomize_va_space begins with 0. Default true. */
  readonly aslr?: boolean
  /** Whether the hart answers the commonest page faults without stopping: every run is the same, only faster. Default true. */
  readonly answerFaults?: boolean | undefined
  /** Gets a line, without its newline, for every system call. */
  readonly trace?: ((line: string) => void) | undefined
  /** Called when a slice of a run is over, some milliseconds of the host's, and there will be others. */
  readonly betweenSlices?: (() => void) | undefined
  /** Whether a profile of the run is taken. Default false. */
  readonly profile?: boolean | undefined
  /** Whether the report says how the memory stood when the program ended. Default true. */
  readonly memoryReport?: boolean | undefined
}

/** How far a run goes at most. */
export interface RunLimits {
  /** Instructions from now on; default no limit. */
  readonly instructions?: number
}

/** Number of the group and the session that the first process is born into: those of number 1. */
const FIRST_GROUP = 1

export class Linux implements SignalEnv, FileEnvironment {
  readonly mm: MemoryManager
  readonly hart: Hart
  readonly host: Host
  readonly clock: Clock
  readonly kernelTime: KernelTime
  readonly files: FileServices
  readonly signals: Signals
  readonly threads: ThreadList
  readonly namespaces: Namespaces
  readonly processTable: ProcessTable
  readonly futexes: Futexes
  readonly time: Timekeeper
  readonly scheduler: Scheduler
  readonly programs: Programs
  readonly forking: Forking
  readonly ends: ProcessEnd
  readonly reporter: Reporter
  readonly killer: OutOfMemoryKiller
  readonly betweenSlices: (() => void) | undefined
  /** Nothing unless `profile` asked for it. */
  readonly profiler: Profiler | undefined
  readonly userfaults: UserfaultWaits
  readonly tracing: Tracing
  readonly #loop: HostLoop
  readonly #cwd: string

  constructor(options: LinuxOptions) {
    const { mm, hart, host } = options
    this.mm = mm
    this.hart = hart
    this.host = host
    this.#cwd = options.cwd ?? '/'
    applyWatermarks(mm)
    if (options.aslr === false) writeSetting(mm.memory, Setting.randomizeVaSpace, 0)
    this.clock = new Clock(options.clock ?? 'virtual', mm.memory, () => hart.instructions())
    this.kernelTime = new KernelTime(this)
    this.threads = new ThreadList(mm)
    this.userfaults = new UserfaultWaits(this)
    this.namespaces = new Namespaces(mm, this.clock)
    this.processTable = new ProcessTable(mm, this.threads, this.namespaces.pids)
    this.files = options.files(this)
    this.signals = new Signals(this)
    this.futexes = new Futexes(mm, this.threads, this.processTable)
    this.time = new Timekeeper(this)
    const tracer = options.trace === undefined ? undefined : new Tracer(options.trace)
    const dispatcher = new SyscallDispatcher(this, makeSyscallTable(this.files.syscalls), tracer)
    this.scheduler = new Scheduler(this, dispatcher, options.answerFaults !== false)
    mm.objects.asker = () => this.#asker()
    this.tracing = new Tracing(this, dispatcher)
    this.programs = new Programs(this)
    this.forking = new Forking(this)
    this.killer = new OutOfMemoryKiller(this)
    this.ends = new ProcessEnd(this)
    this.reporter = new Reporter(this, dispatcher, options.memoryReport !== false)
    this.betweenSlices = options.betweenSlices
    this.profiler = options.profile === true ? new Profiler(hart, this) : undefined
    this.#loop = new HostLoop(this, this.scheduler)
  }

  /** By process number: living ones and zombies. */
  get processes(): ReadonlyMap<number, Process> {
    return this.processTable.byId
  }

  get pids(): PidAllocator {
    return this.processTable.pids
  }

  /** Makes the first process and loads a program into it; what is wrong with the program, or nothing. */
  start(path: string, args: readonly string[], environment: readonly string[]): ExecProblem | undefined {
    const thread = this.#makeFirst()
    if (thread === undefined) return NO_MEMORY
    const process = this.processOf(thread)
    const problem = this.programs.load(process, thread, {
      path: fromUnicode(path),
      arguments: args.map(fromUnicode),
      environment: environment.map(fromUnicode),
    })
    if (problem === undefined) {
      this.reporter.begin(process)
      thread.start()
      return undefined
    }
    this.threads.remove(thread)
    process.files.close()
    this.ends.forget(process)
    return problem
  }

  /** A process with one thread, of default limits and actions and without memory; undefined when there is none for it. */
  #makeFirst(): Thread | undefined {
    const { actions } = this.processTable
    const id = this.processTable.takeId()
    const handlers = actions.create()
    if (handlers === 0 || id < 0) return undefined
    const files = this.files.createFiles(this.#cwd)
    const process = this.processTable.create(id, files, handlers, undefined)
    const thread = process && this.threads.create(id, process.ptr)
    if (process !== undefined && thread !== undefined) {
      process.threadCount = 1
      initSlack(thread)
      process.groupId = FIRST_GROUP
      process.sessionId = FIRST_GROUP
      setDefaultLimits(process, this.mm.memory.bytes)
      return thread
    }
    files.close()
    if (process === undefined) actions.release(handlers)
    else this.processTable.remove(process)
    return undefined
  }

  /** Runs to the end in slices of about 10 ms, letting other things of the host run in between. */
  async run(limits: RunLimits = {}): Promise<ExitReport> {
    return this.reporter.exitReport(await this.#loop.run(this.#lastInstruction(limits)))
  }

  /** Runs to the end at once: for programs that never wait for the host. One that does is `stuck`. */
  runSync(limits: RunLimits = {}): ExitReport {
    return this.reporter.exitReport(this.#loop.runSync(this.#lastInstruction(limits)))
  }

  #lastInstruction({ instructions = Number.POSITIVE_INFINITY }: RunLimits): number {
    return this.hart.instructions() + instructions
  }

  /** Ends every process, as SIGKILL does. */
  stop(outOfMemory = false): void {
    this.tracing.releaseAll()
    for (const process of [...this.processes.values()]) {
      if (this.processes.get(process.id) === process) this.#kill(process, outOfMemory)
    }
  }

  #kill(process: Process, outOfMemory: boolean): void {
    if (process.isZombie) return
    if (process.hasFlag(ProcessFlag.exiting)) {
      this.ends.endRest(process)
      return
    }
    const info = this.signals.info({ signal: Signal.KILL, code: SignalCode.kernel })
    this.killed(process, this.threadOf(process), Signal.KILL, info, outOfMemory)
  }

  /** The machine needs the process's memory. */
  endForMemory(process: Process): void {
    this.#kill(process, true)
  }

  processOf(thread: Thread): Process {
    return this.processTable.of(thread)
  }

  currentProcess(): Process | undefined {
    if (this.ends.ending !== undefined) return this.ends.ending
    const thread = this.mm.memory.u32[wordIndex(Word.currentThread)]! as Ptr
    return thread === NULL ? undefined : this.processOf(this.threads.at(thread))
  }

  /** The oldest thread of a process that lives. */
  threadOf(process: Process): Thread {
    return this.threads.of(process.ptr)!
  }

  /** The hart translates by this space's tables from now on. */
  activate(space: AddressSpace): void {
    this.hart.setRoot(space.root)
  }

  /** A signal that nobody handles ends the process. */
  killed(process: Process, thread: Thread, signal: number, info: Uint8Array, outOfMemory = false): void {
    this.reporter.noteCrash(process, { signal, info, outOfMemory, pc: this.#pcOf(thread) })
    this.ends.endGroup(process, signal)
  }

  #pcOf(thread: Thread): number {
    const at = (this.scheduler.contextOf(thread) + HartField.pc) >>> 2
    return this.mm.memory.u32[at + 1]! * 0x1_0000_0000 + this.mm.memory.u32[at]!
  }

  /** /proc/PID/maps. */
  mapsOf(process: Process): string {
    return mapsText(this.mm, process.space, ({ object }) => this.files.nameOfObject(object))
  }

  /** Address of the trampoline in a process's [vdso]. */
  trampoline(process: Process): number {
    const vma = new Vma(this.mm.memory, this.mm.vmas.first(process.space))
    while (vma.ptr !== NULL && vma.special !== Special.vdso) vma.at(this.mm.vmas.next(vma.ptr))
    return vma.ptr === NULL ? 0 : vma.start * PAGE_SIZE + VDSO_SIGRETURN
  }

  /** Fills with the machine's seeded random bytes: getrandom, /dev/urandom. */
  randomBytes(target: Uint8Array): void {
    withRandom(this.mm.memory, (random) => {
      for (let i = 0; i < target.length; i++) target[i] = random.uint32() >>> 24
    })
  }

  /** Sends a signal of the kernel's to the thread that makes a call: SIGPIPE, SIGXFSZ. */
  raise(process: Process, thread: Thread, signal: number): void {
    const info = this.signals.info({ signal, code: SignalCode.user, processId: process.id })
    this.signals.sendToThread(process, thread, signal, info)
  }

  /** Sends a signal from outside, as a terminal does on Ctrl-C, to the first process. Nothing when it has ended. */
  interrupt(signal: number): void {
    for (const process of this.processes.values()) {
      const info = this.signals.info({ signal, code: SignalCode.kernel })
      this.signals.sendToProcess(process, signal, info)
      break
    }
    this.#loop.interrupt()
  }

  /** Lets threads that are parked for an event run again, all of the kind when no argument is given; how many there were. */
  wake(kind: WaitKind, argument?: number, most = Number.POSITIVE_INFINITY): number {
    return this.threads.wake(kind, argument, most)
  }

  /** Lets threads run again that wait for one of a set of files. */
  wakeFiles(mask: number): void {
    this.threads.wakeFiles(mask)
  }

  /** What the hart has done since the start. */
  machineTimes(): MachineTimes {
    const user = this.hart.instructions()
    const system = this.kernelTime.total
    return { user, system, idle: Math.max(0, this.clock.now() - user - system) }
  }

  /** The space of who makes the call or fault that is being done, with its process's rights as they are now. */
  #asker(): AddressSpace | undefined {
    const process = this.scheduler.currentProcess
    if (process === undefined || process.isZombie) return undefined
    applyLimits(process, process.space)
    return process.space
  }

  /** What a living process has used so far, without its children. */
  usageOf(process: Process): Usage {
    let usage = readUsage(this.mm.memory, (process.ptr + PROCESS_USAGE) as Ptr)
    for (const thread of this.threads.ofProcess(process.ptr)) {
      usage = sumOfUsage(usage, this.usageOfThread(thread))
    }
    const residentPages = Math.max(usage.residentPages, process.space.counts.peakRssPages)
    return { ...usage, residentPages }
  }

  /** Of one thread; memory is its process's. */
  usageOfThread(thread: Thread): Usage {
    this.scheduler.chargeFaults()
    const { systemTime, minorFaults, majorFaults } = thread
    const userTime = this.scheduler.userTimeOf(thread)
    return { userTime, systemTime, minorFaults, majorFaults, residentPages: 0 }
  }

  /** Asserts that processes, threads and futexes are sound; the memory manager has its own check. */
  check(): void {
    this.threads.check()
    this.processTable.check()
    this.futexes.check()
    this.userfaults.check()
    this.time.timers.check()
    this.tracing.check()
    this.namespaces.check(this.processes.values(), this.threads)
  }
}

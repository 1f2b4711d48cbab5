/**
 * What a program needs besides memory, put together: a machine with a process, its threads, files, signals and time.
 *
 *     const linux = new Linux({ mm, hart, host, files })
 *     const problem = linux.start('/bin/hello', ['hello'], ['HOME=/'])
 *     const report = problem ?? (await linux.run())
 */
import { errnoMessage } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { storeUser32 } from '../fault/user-copy.js'
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import type { CacheId } from '../slab/cache-table.js'
import { AddressSpace } from '../space/address-space.js'
import { mapsText } from '../space/maps.js'
import { Special, Vma } from '../space/vma.js'
import { Word, wordIndex } from '../state/layout.js'
import { Clock, type ClockMode } from './clock.js'
import { type CrashEvent, describeCrash } from './crash.js'
import { type ExecProblem, isExecProblem, type LoadedProgram, loadProgram } from './exec.js'
import type { FileEnvironment } from './fs/environment.js'
import type { Host } from './host.js'
import { HostLoop } from './host-loop.js'
import { setDefaultLimits } from './limits.js'
import { PROCESS_BYTES, PROCESS_PENDING, Process, STILL_RUNNING } from './process.js'
import type { CrashReport, ExitReport, MemoryReport } from './report.js'
import { Scheduler } from './scheduler.js'
import { Signal, SignalCode } from './signal-numbers.js'
import { type SignalEnv, Signals, SS_DISABLE } from './signals.js'
import type { FileServices } from './syscall-context.js'
import { SyscallDispatcher } from './syscall-dispatcher.js'
import { makeSyscallTable } from './syscall-table.js'
import { THREAD_PENDING, type Thread, ThreadState } from './thread.js'
import { ThreadList } from './thread-list.js'
import { Tracer } from './trace.js'
import { VDSO_SIGRETURN } from './vdso.js'
import { VdsoPages } from './vdso-pages.js'
import { WaitKind as Wait, type WaitKind } from './wait.js'

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
  /** Gets a line, without its newline, for every system call. */
  readonly trace?: ((line: string) => void) | undefined
}

/** Number of the first process, whose parent is number 1, which is not there. */
const FIRST_PROCESS = 2
const RANDOM_BYTES = 16
const NAME_LENGTH = 15
const TICK_NANOSECONDS = 100

export class Linux implements SignalEnv, FileEnvironment {
  readonly mm: MemoryManager
  readonly hart: Hart
  readonly host: Host
  readonly clock: Clock
  readonly files: FileServices
  readonly signals: Signals
  readonly threads: ThreadList
  readonly #processes = new Map<number, Process>()
  readonly #byRecord = new Map<Ptr, Process>()
  readonly #processCache: CacheId
  readonly #dispatcher: SyscallDispatcher
  readonly #scheduler: Scheduler
  readonly #loop: HostLoop
  readonly #cwd: string
  #pages: VdsoPages | undefined
  #crash: CrashReport | undefined
  #exitStatus = STILL_RUNNING
  #memoryReport: MemoryReport | undefined

  constructor(options: LinuxOptions) {
    const { mm, hart, host } = options
    this.mm = mm
    this.hart = hart
    this.host = host
    this.#cwd = options.cwd ?? '/'
    this.clock = new Clock(options.clock ?? 'virtual', () => hart.instructions())
    this.files = options.files(this)
    this.threads = new ThreadList(mm)
    this.signals = new Signals(this)
    this.#processCache = mm.slab.createCache('process', PROCESS_BYTES)
    const tracer = options.trace === undefined ? undefined : new Tracer(options.trace)
    this.#dispatcher = new SyscallDispatcher(this, makeSyscallTable(this.files.syscalls), tracer)
    this.#scheduler = new Scheduler(this, this.threads, this.#dispatcher)
    this.#loop = new HostLoop(this, this.#scheduler)
  }

  /** By process number. */
  get processes(): ReadonlyMap<number, Process> {
    return this.#processes
  }

  /** Makes the first process and loads a program into it; what is wrong with the program, or nothing. */
  start(path: string, args: readonly string[], environment: readonly string[]): ExecProblem | undefined {
    this.#pages ??= VdsoPages.create(this.mm)
    const process = this.#createProcess()
    const thread = process && this.threads.create(process.id, process.ptr)
    if (process === undefined || thread === undefined) return { errno: -12, reason: 'not enough memory' }
    thread.altFlags = SS_DISABLE
    const problem = this.#load(process, thread, path, args, environment)
    if (problem !== undefined) this.#remove(process, thread)
    return problem
  }

  /** Runs to the end in slices of about 10 ms, letting other things of the host run in between. */
  async run(): Promise<ExitReport> {
    const end = await this.#loop.run()
    return this.#exitReport(end === 'stuck')
  }

  /** Runs to the end at once: for programs that never wait for the host. One that does is `stuck`. */
  runSync(): ExitReport {
    return this.#exitReport(this.#loop.runSync() === 'stuck')
  }

  #createProcess(): Process | undefined {
    const record = this.mm.slab.allocate(this.#processCache)
    if (record === NULL || this.#pages === undefined) return undefined
    const space = new AddressSpace(this.mm.memory, NULL)
    const process = new Process(this.mm.memory, record, space, this.files.createFiles(this.#cwd))
    process.id = FIRST_PROCESS
    process.parentId = 1
    process.exitStatus = STILL_RUNNING
    process.timerDeadline = Number.POSITIVE_INFINITY
    setDefaultLimits(process, this.mm.memory.bytes)
    this.#processes.set(process.id, process)
    this.#byRecord.set(record, process)
    return process
  }

  processOf(thread: Thread): Process {
    return this.#byRecord.get(thread.process)!
  }

  /** A thread that can take a signal for its process. */
  threadOf(process: Process): Thread {
    return this.threads.of(process.ptr)!
  }

  /** execve(2): 0, or a negative errno and nothing has changed. */
  execute(
    process: Process,
    thread: Thread,
    path: string,
    args: readonly string[],
    environment: readonly string[],
  ): number {
    return this.#load(process, thread, path, args.length === 0 ? [''] : args, environment)?.errno ?? 0
  }

  #load(
    process: Process,
    thread: Thread,
    path: string,
    args: readonly string[],
    environment: readonly string[],
  ): ExecProblem | undefined {
    const file = this.files.openExecutable(process, path)
    if (typeof file === 'number') return { errno: file, reason: errnoMessage(file) }
    const random = new Uint8Array(RANDOM_BYTES)
    this.randomBytes(random)
    const execution = { path, arguments: args, environment, random }
    const loaded = loadProgram(this.mm, this.#pages!, process, file, execution)
    file.close()
    if (isExecProblem(loaded)) return loaded
    process.executable = file.path
    process.name = file.path.split('/').pop()!.slice(0, NAME_LENGTH)
    process.arguments = args
    process.environment = environment
    this.#replaceProgram(process, thread, loaded)
    return undefined
  }

  /** The point of no return: the old program is gone. */
  #replaceProgram(process: Process, thread: Thread, loaded: LoadedProgram): void {
    const old = process.space.ptr
    process.space = loaded.space
    process.bias = loaded.bias
    this.#resetRegisters(this.#scheduler.contextOf(thread), loaded)
    if (old !== NULL) {
      this.activate(loaded.space)
      this.mm.spaces.release(old)
      process.files.closeOnExec()
    }
    this.signals.resetActions(process)
    thread.altFlags = SS_DISABLE
    thread.altBase = 0
    thread.altSize = 0
    thread.clearChildTid = 0
  }

  #resetRegisters(context: Ptr, loaded: LoadedProgram): void {
    const { memory } = this.mm
    memory.fill(context, 0, HartField.reservationValue + 8)
    const put = (field: number, value: number) => {
      memory.u32[(context + field) >>> 2] = value >>> 0
      memory.u32[((context + field) >>> 2) + 1] = Math.floor(value / 0x1_0000_0000)
    }
    put(HartField.pc, loaded.entry)
    put(HartField.x + 2 * 8, loaded.stackPointer)
  }

  /** The hart translates by this space's tables from now on. */
  activate(space: AddressSpace): void {
    this.hart.setRoot(space.root)
  }

  /** exit_group(2). The status is as wait4(2) gives it. */
  exit(process: Process, status: number): void {
    const thread = this.threadOf(process)
    if (thread.clearChildTid !== 0) {
      storeUser32(this.mm, process.space, thread.clearChildTid, 0)
      this.wake(Wait.futex, thread.clearChildTid)
    }
    this.#memoryReport = this.memoryReport(process)
    this.#exitStatus = status
    process.exitStatus = status
    this.#remove(process, thread)
  }

  /** Gives back all that a process holds. */
  #remove(process: Process, thread: Thread): void {
    this.signals.queues.clear(thread, (thread.ptr + THREAD_PENDING) as Ptr)
    this.signals.queues.clear(process, (process.ptr + PROCESS_PENDING) as Ptr)
    thread.state = ThreadState.exited
    this.#scheduler.forget(thread)
    this.threads.remove(thread)
    thread.at(NULL)
    process.files.close()
    if (process.space.ptr !== NULL) this.mm.spaces.release(process.space.ptr)
    this.#processes.delete(process.id)
    this.#byRecord.delete(process.ptr)
    this.mm.slab.free(this.#processCache, process.ptr)
  }

  /** A signal that nobody handles ends the process. */
  killed(process: Process, thread: Thread, signal: number, info: Uint8Array, outOfMemory = false): void {
    const event: CrashEvent = { signal, info, outOfMemory, pc: this.#pcOf(thread) }
    this.#crash = describeCrash(event, this.mapsOf(process), this.#symbolAt(process, event.pc))
    this.exit(process, signal)
  }

  #pcOf(thread: Thread): number {
    const at = (this.#scheduler.contextOf(thread) + HartField.pc) >>> 2
    return this.mm.memory.u32[at + 1]! * 0x1_0000_0000 + this.mm.memory.u32[at]!
  }

  #symbolAt(process: Process, pc: number): string | undefined {
    const file = this.files.openExecutable(process, process.executable)
    if (typeof file === 'number') return undefined
    const symbols = process.readSymbols(file)
    file.close()
    return symbols?.describe(pc)
  }

  /** /proc/PID/maps. */
  mapsOf(process: Process): string {
    return mapsText(this.mm, process.space, ({ object }) => this.files.nameOfObject(object))
  }

  memoryReport(process: Process): MemoryReport {
    return {
      maps: this.mapsOf(process),
      stats: this.mm.stats(),
      instructions: this.hart.instructions(),
      systemCalls: this.#dispatcher.count,
      missing: Object.fromEntries(this.#dispatcher.missing),
      residentPages: process.space.rssPages,
      mappings: process.space.vmaCount,
    }
  }

  #exitReport(stuck: boolean): ExitReport {
    const signal = this.#exitStatus & 0x7f
    const first = [...this.#processes.values()][0]
    const memory = stuck && first !== undefined ? this.memoryReport(first) : this.#memoryReport!
    const exitCode = stuck ? 124 : signal !== 0 ? 128 + signal : (this.#exitStatus >> 8) & 0xff
    return { exitCode, crash: this.#crash, stuck, memory }
  }

  /** Address of the trampoline in a process's [vdso]. */
  trampoline(process: Process): number {
    const vma = new Vma(this.mm.memory, this.mm.vmas.first(process.space))
    while (vma.ptr !== NULL && vma.special !== Special.vdso) vma.at(this.mm.vmas.next(vma.ptr))
    return vma.ptr === NULL ? 0 : vma.start * PAGE_SIZE + VDSO_SIGRETURN
  }

  /** Fills with the machine's seeded random bytes: getrandom, /dev/urandom. */
  randomBytes(target: Uint8Array): void {
    const state = wordIndex(Word.randomState)
    const random = new Random(this.mm.memory.u32[state]!)
    for (let i = 0; i < target.length; i++) target[i] = random.uint32() >>> 24
    this.mm.memory.u32[state] = random.seed
  }

  /** Sends a signal of the kernel's to the thread that makes a call: SIGPIPE, SIGXFSZ. */
  raise(process: Process, thread: Thread, signal: number): void {
    const info = this.signals.info({ signal, code: SignalCode.user, processId: process.id })
    this.signals.sendToThread(process, thread, signal, info)
  }

  /** Lets threads that are parked for an event run again, all of the kind when no argument is given; how many there were. */
  wake(kind: WaitKind, argument?: number, most = Number.POSITIVE_INFINITY): number {
    return this.threads.wake(kind, argument, most)
  }

  /** Nanoseconds of processor time: an instruction takes one. */
  cpuTime(): number {
    return this.hart.instructions()
  }

  /** ITIMER_REAL: sends SIGALRM when its time has come. */
  expireTimer(process: Process, thread: Thread): void {
    if (process.timerDeadline === Number.POSITIVE_INFINITY) return
    const now = this.clock.now()
    if (process.timerDeadline > now) return
    const { timerInterval: interval } = process
    const missed = interval === 0 ? 0 : Math.floor((now - process.timerDeadline) / interval) + 1
    process.timerDeadline =
      interval === 0 ? Number.POSITIVE_INFINITY : process.timerDeadline + missed * interval
    const info = this.signals.info({ signal: Signal.ALRM, code: SignalCode.kernel })
    this.signals.sendToProcess(process, thread, Signal.ALRM, info)
  }

  /** Instructions to run before a timer or another thread may be due, `most` at most. */
  budget(process: Process, most: number): number {
    if (this.clock.mode === 'real') return most
    const due = Math.min(process.timerDeadline, this.threads.firstDeadline())
    return due === Number.POSITIVE_INFINITY ? most : Math.max(1, Math.min(most, due - this.clock.now()))
  }

  /** When something will happen by itself: a sleep ends, a timer fires. Infinity = never. */
  nextDeadline(): number {
    let first = this.threads.firstDeadline()
    for (const process of this.#processes.values()) first = Math.min(first, process.timerDeadline)
    return first
  }

  /** Time has passed or was skipped: threads, timers and the `time` register follow. */
  passTime(): void {
    const now = this.clock.now()
    this.threads.wakeOverdue(now)
    for (const process of this.#processes.values()) this.expireTimer(process, this.threadOf(process))
    const base = this.clock.mode === 'real' ? now : now - this.hart.instructions()
    this.hart.setNumber(HartField.timeBase, Math.floor(base / TICK_NANOSECONDS))
  }
}

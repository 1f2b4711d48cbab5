/**
 * What a program needs besides memory, put together: a machine with a process, its threads, files, signals and time.
 *
 *     const linux = new Linux({ mm, hart, host, files })
 *     const problem = linux.start('/bin/hello', ['hello'], ['HOME=/'])
 *     const report = problem ?? (await linux.run())
 */
import { ENOMEM, errnoMessage } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { storeUser32 } from '../fault/user-copy.js'
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { mapsText } from '../space/maps.js'
import { Special, Vma } from '../space/vma.js'
import { Word, wordIndex } from '../state/layout.js'
import { resetStack } from './alternate-stack.js'
import { Clock, type ClockMode } from './clock.js'
import { type CrashEvent, describeCrash } from './crash.js'
import { type ExecProblem, isExecProblem, type LoadedProgram, loadProgram } from './exec.js'
import type { FileEnvironment } from './fs/environment.js'
import type { Host } from './host.js'
import { HostLoop, type LoopEnd } from './host-loop.js'
import { PROCESS_PENDING, type Process, STILL_RUNNING } from './process.js'
import { ProcessTable } from './process-table.js'
import type { CrashReport, ExitReport, MemoryReport } from './report.js'
import { Scheduler } from './scheduler.js'
import { Signal, SignalCode } from './signal-numbers.js'
import { type SignalEnv, Signals } from './signals.js'
import type { FileServices } from './syscall-context.js'
import { SyscallDispatcher } from './syscall-dispatcher.js'
import { makeSyscallTable } from './syscall-table.js'
import { THREAD_PENDING, type Thread, ThreadState } from './thread.js'
import { ThreadList } from './thread-list.js'
import { Timekeeper } from './timekeeper.js'
import { Tracer } from './trace.js'
import { VDSO_SIGRETURN } from './vdso.js'
import { VdsoPages } from './vdso-pages.js'
import { WaitKind } from './wait.js'

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

/** How far a run goes at most. */
export interface RunLimits {
  /** Instructions from now on; default no limit. */
  readonly instructions?: number
}

const NO_MEMORY: ExecProblem = { errno: -ENOMEM, reason: 'not enough memory for a process' }
const RANDOM_BYTES = 16
const NAME_LENGTH = 15
/** What a shell's timeout(1) answers. */
const UNFINISHED_EXIT_CODE = 124

export class Linux implements SignalEnv, FileEnvironment {
  readonly mm: MemoryManager
  readonly hart: Hart
  readonly host: Host
  readonly clock: Clock
  readonly files: FileServices
  readonly signals: Signals
  readonly threads: ThreadList
  readonly time: Timekeeper
  readonly #processes: ProcessTable
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
    this.#processes = new ProcessTable(mm)
    this.files = options.files(this)
    this.threads = new ThreadList(mm)
    this.signals = new Signals(this)
    this.time = new Timekeeper(this, this.#processes)
    const tracer = options.trace === undefined ? undefined : new Tracer(options.trace)
    this.#dispatcher = new SyscallDispatcher(this, makeSyscallTable(this.files.syscalls), tracer)
    this.#scheduler = new Scheduler(this, this.threads, this.#dispatcher)
    this.#loop = new HostLoop(this, this.#scheduler)
  }

  /** By process number. */
  get processes(): ReadonlyMap<number, Process> {
    return this.#processes.byId
  }

  /** Makes the first process and loads a program into it; what is wrong with the program, or nothing. */
  start(path: string, args: readonly string[], environment: readonly string[]): ExecProblem | undefined {
    this.#pages ??= VdsoPages.create(this.mm)
    this.#crash = undefined
    const process = this.#pages && this.#processes.create(this.files.createFiles(this.#cwd))
    if (process === undefined) return NO_MEMORY
    const thread = this.threads.create(process.id, process.ptr)
    const problem = thread === undefined ? NO_MEMORY : this.#load(process, thread, path, args, environment)
    if (problem !== undefined) this.#remove(process, thread)
    return problem
  }

  /** Runs to the end in slices of about 10 ms, letting other things of the host run in between. */
  async run(limits: RunLimits = {}): Promise<ExitReport> {
    return this.#exitReport(await this.#loop.run(this.#lastInstruction(limits)))
  }

  /** Runs to the end at once: for programs that never wait for the host. One that does is `stuck`. */
  runSync(limits: RunLimits = {}): ExitReport {
    return this.#exitReport(this.#loop.runSync(this.#lastInstruction(limits)))
  }

  #lastInstruction({ instructions = Number.POSITIVE_INFINITY }: RunLimits): number {
    return this.hart.instructions() + instructions
  }

  /** Ends every process, as SIGKILL does. */
  stop(): void {
    for (const process of [...this.processes.values()]) {
      const info = this.signals.info({ signal: Signal.KILL, code: SignalCode.kernel })
      this.killed(process, this.threadOf(process), Signal.KILL, info)
    }
  }

  processOf(thread: Thread): Process {
    return this.#processes.of(thread)
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
    process.forgetProgram()
    resetStack(thread)
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
      this.wake(WaitKind.futex, thread.clearChildTid)
    }
    this.#memoryReport = this.memoryReport(process)
    this.#exitStatus = status
    process.exitStatus = status
    this.#remove(process, thread)
  }

  /** Gives back all that a process holds. */
  #remove(process: Process, thread: Thread | undefined): void {
    this.signals.queues.clear(process, (process.ptr + PROCESS_PENDING) as Ptr)
    if (thread !== undefined) {
      this.signals.queues.clear(thread, (thread.ptr + THREAD_PENDING) as Ptr)
      thread.state = ThreadState.exited
      this.#scheduler.forget(thread)
      this.threads.remove(thread)
      thread.at(NULL)
    }
    this.#processes.remove(process)
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

  #exitReport(end: LoopEnd): ExitReport {
    const { first } = this.#processes
    const signal = this.#exitStatus & 0x7f
    const code = signal !== 0 ? 128 + signal : (this.#exitStatus >> 8) & 0xff
    return {
      exitCode: end === 'ended' ? code : UNFINISHED_EXIT_CODE,
      crash: this.#crash,
      stuck: end === 'stuck',
      limited: end === 'limit',
      memory: first === undefined ? this.#memoryReport! : this.memoryReport(first),
    }
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

  /** Sends a signal from outside, as a terminal does on Ctrl-C, to the first process. Nothing when it has ended. */
  interrupt(signal: number): void {
    for (const process of this.processes.values()) {
      const info = this.signals.info({ signal, code: SignalCode.kernel })
      this.signals.sendToProcess(process, this.threadOf(process), signal, info)
      break
    }
    this.#loop.interrupt()
  }

  /** Lets threads that are parked for an event run again, all of the kind when no argument is given; how many there were. */
  wake(kind: WaitKind, argument?: number, most = Number.POSITIVE_INFINITY): number {
    return this.threads.wake(kind, argument, most)
  }

  /** Nanoseconds of processor time: an instruction takes one. */
  cpuTime(): number {
    return this.hart.instructions()
  }
}

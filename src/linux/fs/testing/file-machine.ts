/** For tests: the files of a machine with one process, whose system calls are made directly, without a hart. */
import { assert } from '../../../base/assert.js'
import { EAGAIN } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../../../base/numbers.js'
import { copyFromUser, copyToUser } from '../../../fault/user-copy.js'
import type { FaultInjector } from '../../../frame/fault-injector.js'
import type { MemoryManager } from '../../../mm.js'
import { AddressSpace } from '../../../space/address-space.js'
import { mapRegion } from '../../../space/map-region.js'
import { anonymous, bootMachine, locked } from '../../../space/testing.js'
import { VM_READ, VM_WRITE } from '../../../space/vm-flags.js'
import { SyscallArguments } from '../../../syscall/syscall-arguments.js'
import { Clock } from '../../clock.js'
import type { Host, HostInput, HostOutput } from '../../host.js'
import { Namespaces } from '../../namespaces.js'
import { PidAllocator } from '../../pid-allocator.js'
import type { PidNamespace } from '../../pid-namespace.js'
import type { Process } from '../../process.js'
import type { Syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import type { Thread } from '../../thread.js'
import { NO_USAGE } from '../../usage.js'
import { ERESTARTSYS, PARKED, WaitKind } from '../../wait.js'
import type { FileEnvironment } from '../environment.js'
import { Files } from '../file-services.js'
import type { FileUser } from '../file-user.js'
import type { HostDirectory } from '../host-directory.js'
import { bytesOf, fromUnicode } from '../text.js'

const DATA_PAGE = 0x100
const DATA_PAGES = 96
const STACK_PAGE = 0x200
/** Where argument strings are put, and where results are wanted: `OUT`. */
const STRINGS = DATA_PAGE * PAGE_SIZE
const STRINGS_MAX = 8 * PAGE_SIZE
export const OUT = STRINGS + STRINGS_MAX
export const OUT_BYTES = (DATA_PAGES - 8) * PAGE_SIZE
/** An address at which nothing is mapped. */
export const UNMAPPED = 0x7000_0000
export const AT_FDCWD = -100
const PID = 42
/** No calls are made that need them; /proc finds no timers. */
const WITHOUT_THREADS = { time: { timers: { queue: { ofProcess: () => [] } } } } as unknown as Pick<
  FileEnvironment,
  'time' | 'signals' | 'userfaults'
>

/** A stream of the host that a test fills: `undefined` = nothing there yet. */
export class TestInput implements HostInput {
  readonly chunks: (string | undefined)[] = []
  terminal = false

  read(target: Uint8Array): number {
    const chunk = this.chunks.shift()
    if (chunk === undefined) return this.chunks.length > 0 || this.isPending ? -EAGAIN : 0
    const bytes = bytesOf(chunk).subarray(0, target.length)
    target.set(bytes)
    if (bytes.length < chunk.length) this.chunks.unshift(chunk.slice(bytes.length))
    return bytes.length
  }

  /** More will come. */
  isPending = false

  isReady(): boolean {
    return this.chunks.length > 0 || !this.isPending
  }

  ready(): Promise<void> {
    return Promise.resolve()
  }
}

export class TestOutput implements HostOutput {
  text = ''
  /** What the next write answers instead of taking everything. */
  answer: number | undefined
  terminal = false

  write(source: Uint8Array): number {
    if (this.answer !== undefined && this.answer < 0) return this.answer
    const taken = source.subarray(0, this.answer ?? source.length)
    this.text += String.fromCharCode(...taken)
    return taken.length
  }

  isReady(): boolean {
    return this.answer !== -EAGAIN
  }

  ready(): Promise<void> {
    return Promise.resolve()
  }
}

type Argument = number | string | Uint8Array

/** What the calls use of a thread. */
export interface TestThread {
  readonly ptr: number
  isResumed: boolean
  waitKind: number
  waitArgument: number
  /** A signal has come: it does not park. */
  hasSignal: boolean
  /** What it waits for has come. */
  isWoken: boolean
  readonly policy: number
  nice: number
  progress: number
  deadline: number
  park(kind: number, argument: number, deadline?: number): number
  endWait(): void
  wakeForEvent(): void
}

export class FileMachine {
  readonly mm: MemoryManager
  readonly faults: FaultInjector
  readonly stdin = new TestInput()
  readonly stdout = new TestOutput()
  readonly stderr = new TestOutput()
  readonly files: Files
  readonly user: FileUser
  readonly space: AddressSpace
  /** Signals raised so far. */
  readonly signals: number[] = []
  /** Arguments of the park calls so far. */
  readonly parked: { argument: number; deadline: number }[] = []
  /** Masks of the files that woke waiting threads. */
  readonly woken: number[] = []
  readonly limits = new Map<number, number>([[7, 1024]])
  readonly process: Process
  readonly #table: ReadonlyMap<string, Syscall>
  readonly #argumentPtr: Ptr
  #instructions = 1000
  /** Those that made calls, by number. */
  readonly threads = new Map<number, TestThread>()
  #strings = STRINGS

  /** `layers`: folders of the host that make the root, the uppermost first. */
  constructor(mebibytes = 8, cwd = '/', layers: readonly HostDirectory[] = []) {
    const { mm, faults } = bootMachine(mebibytes)
    this.mm = mm
    this.faults = faults
    const processes = new Map<number, Process>()
    const host: Host = { stdin: this.stdin, stdout: this.stdout, stderr: this.stderr }
    const clock = new Clock('virtual', mm.memory, () => this.#instructions++)
    const namespaces = new Namespaces(mm, clock)
    this.files = new Files(
      {
        mm,
        host,
        clock,
        processes,
        processTable: { childrenOf: () => [] },
        namespaces,
        pids: new PidAllocator(mm, namespaces.pids, { takeId: () => PID, isFree: (id) => id !== PID }),
        currentProcess: () => this.process,
        threads: { ofProcess: () => [], at: (record) => this.threads.get(record) as unknown as Thread },
        usageOf: () => ({ ...NO_USAGE, minorFaults: this.space.counts.minorFaults }),
        usageOfThread: () => NO_USAGE,
        machineTimes: () => ({ user: 0, system: 0, idle: 0 }),
        randomBytes: (target) => target.fill(0x5a),
        scheduler: { contextOf: ({ ptr }) => ptr },
        tracing: { tracerOf: () => undefined },
        raise: (_process, _thread, signal) => this.signals.push(signal),
        wakeFiles: (mask) => this.woken.push(mask),
        ...WITHOUT_THREADS,
      },
      layers,
    )
    this.space = new AddressSpace(mm.memory, mm.spaces.create())
    this.#map(DATA_PAGE, DATA_PAGES)
    this.#map(STACK_PAGE, 1)
    this.#tell('program\0--flag\0', 'HOME=/root\0')
    this.user = this.files.createFiles(cwd)
    this.process = this.#makeProcess(namespaces.pids.outermost)
    processes.set(PID, this.process)
    if (layers.length === 0) this.#runProgram()
    this.#argumentPtr = mm.slab.createCache('test_arguments', 48, 8).allocateZeroed()
    this.#table = new Map(this.files.syscalls.flat().map((call) => [call.name, call]))
  }

  #runProgram(): void {
    this.files.addFile('/bin/program', new Uint8Array(), 0o755)
    const program = this.files.openExecutable(this.process, '/bin/program')
    assert(typeof program !== 'number', 'the test has a program')
    program.runBy(this.process)
    program.close()
  }

  /** Arguments and environment, where a program finds them. */
  #tell(args: string, environment: string): void {
    const { parts } = this.space
    parts.argumentsStart = STACK_PAGE * PAGE_SIZE
    parts.argumentsEnd = parts.environmentStart = parts.argumentsStart + args.length
    parts.environmentEnd = parts.environmentStart + environment.length
    this.poke(parts.argumentsStart, bytesOf(args + environment))
  }

  #map(page: number, pages: number): void {
    const start = locked(this.mm, this.space, () =>
      mapRegion(this.mm, this.space, anonymous(page, pages, VM_READ | VM_WRITE)),
    )
    assert(start === (page as Vpn), 'the test has memory for its arguments')
  }

  #makeProcess(namespace: PidNamespace): Process {
    const softLimit = (resource: number) => this.limits.get(resource) ?? Number.POSITIVE_INFINITY
    const fields = {
      id: PID,
      number: PID,
      namespace,
      ptr: NULL,
      parentId: 1,
      groupId: PID,
      sessionId: 1,
      threadCount: 1,
      startTime: 0,
      personality: 0,
      exitSignal: 17,
      flags: 0,
      hasFlag: () => false,
      name: 'program',
      outOfMemoryScore: 0,
      outOfMemoryLeast: 0,
      coreFilter: 0x33,
      space: this.space,
      files: this.user,
      softLimit,
      hardLimit: softLimit,
    }
    return fields as unknown as Process
  }

  /**
   * Makes a call. Strings are put into the program's memory with a zero behind them, byte arrays as they are, and their
   * addresses passed.
   */
  call(name: string, ...values: Argument[]): number {
    return this.begin(name, ...values)()
  }

  /** A call by a thread of its own: run once, and again after it parked. */
  begin(name: string, ...values: Argument[]): (() => number) & { readonly thread: TestThread } {
    const call = this.#table.get(name)
    assert(call !== undefined, 'the call is in the table')
    this.#strings = STRINGS
    const words = values.map((value) => this.#place(value))
    const thread = this.#thread()
    const run = () => {
      const result = call.handler(this.#context(words, thread))
      thread.isResumed = result === PARKED
      return result
    }
    return Object.assign(run, { thread })
  }

  #place(value: Argument): number {
    if (typeof value === 'number') return value
    const bytes = typeof value === 'string' ? bytesOf(`${fromUnicode(value)}\0`) : value
    const address = this.#strings
    assert(address + bytes.length <= OUT, 'the arguments fit')
    this.poke(address, bytes)
    this.#strings += Math.ceil(bytes.length / 8) * 8
    return address
  }

  #context(words: readonly number[], thread: TestThread): SyscallContext {
    const { mm, space, process } = this
    const { u32 } = mm.memory
    for (let i = 0; i < 6; i++) {
      const value = words[i] ?? 0
      u32[(this.#argumentPtr >>> 2) + i * 2] = (value % 2 ** 32) >>> 0
      u32[(this.#argumentPtr >>> 2) + i * 2 + 1] = Math.floor(value / 2 ** 32) >>> 0
    }
    const args = new SyscallArguments(mm.memory).at(this.#argumentPtr)
    const { clock, processes } = this.files.vfs.env
    const linux = { clock, processes }
    return { mm, linux, process, thread, space, args } as unknown as SyscallContext
  }

  #thread(): TestThread {
    const thread: TestThread = {
      ptr: this.threads.size + 1,
      isResumed: false,
      waitKind: WaitKind.none,
      waitArgument: 0,
      hasSignal: false,
      isWoken: false,
      policy: 0,
      nice: 0,
      progress: 0,
      deadline: Number.POSITIVE_INFINITY,
      park: (kind, argument, deadline = Number.POSITIVE_INFINITY) => {
        this.parked.push({ argument, deadline })
        Object.assign(thread, { waitKind: kind, waitArgument: argument, deadline, isWoken: false })
        return thread.hasSignal ? -ERESTARTSYS : PARKED
      },
      endWait: () => {
        thread.waitKind = WaitKind.none
      },
      wakeForEvent: () => {
        thread.isWoken = true
      },
    }
    this.threads.set(thread.ptr, thread)
    return thread
  }

  poke(address: number, bytes: Uint8Array): void {
    assert(copyToUser(this.mm, this.space, address, bytes) === 0, 'the test writes to its own memory')
  }

  /** Makes all the program's pages present, so that calls need no frames but their own. */
  populate(): void {
    this.poke(STRINGS, new Uint8Array(DATA_PAGES * PAGE_SIZE))
  }

  peek(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    assert(copyFromUser(this.mm, this.space, address, bytes) === 0, 'the test reads its own memory')
    return bytes
  }

  view(address: number, length: number): DataView {
    return new DataView(this.peek(address, length).buffer)
  }

  open(path: string, flags = 0, mode = 0o644): number {
    return this.call('openat', AT_FDCWD, path, flags, mode)
  }

  /** A whole file as text, or a negative errno. */
  readFile(path: string): string | number {
    const fd = this.open(path)
    if (fd < 0) return fd
    const text = this.readAll(fd)
    this.call('close', fd)
    return text
  }

  /** What is left of an open file. */
  readAll(fd: number): string | number {
    let text = ''
    for (;;) {
      const count = this.call('read', fd, OUT, OUT_BYTES)
      if (count < 0) return count
      if (count === 0) return text
      text += String.fromCharCode(...this.peek(OUT, count))
    }
  }

  /** Makes or replaces a file: 0 or a negative errno. */
  writeFile(path: string, text: string): number {
    const fd = this.open(path, 0o1101)
    if (fd < 0) return fd
    const count = this.call('write', fd, bytesOf(text), text.length)
    this.call('close', fd)
    return Math.min(0, count)
  }

  /** Names in a directory, without `.` and `..`; a small buffer, so that it takes several calls. */
  names(path: string): string[] | number {
    const fd = this.open(path, 0o200000)
    if (fd < 0) return fd
    const names: string[] = []
    for (;;) {
      const count = this.call('getdents64', fd, OUT, 128)
      if (count <= 0) {
        this.call('close', fd)
        return count < 0 ? count : names.filter((name) => name !== '.' && name !== '..')
      }
      const view = this.view(OUT, count)
      for (let at = 0; at < count; at += view.getUint16(at + 16, true)) {
        const end = new Uint8Array(view.buffer, at + 19).indexOf(0)
        names.push(String.fromCharCode(...new Uint8Array(view.buffer, at + 19, end)))
      }
    }
  }

  /** Fields of struct stat, or a negative errno. `flags`: AT_SYMLINK_NOFOLLOW. */
  stat(path: string, flags = 0): { mode: number; size: number; links: number; inode: number } | number {
    const result = this.call('newfstatat', AT_FDCWD, path, OUT, flags)
    if (result < 0) return result
    const view = this.view(OUT, 128)
    return {
      inode: view.getUint32(8, true),
      mode: view.getUint32(16, true),
      links: view.getUint32(20, true),
      size: view.getUint32(48, true) + view.getUint32(52, true) * 2 ** 32,
    }
  }

  check(): void {
    this.files.check()
    this.mm.check()
  }
}

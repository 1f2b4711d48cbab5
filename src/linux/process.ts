/**
 * A process (Linux: a thread group): a record in the slab cache "process" for what the kernel decides with, and plain data for
 * what only the thread that started the machine needs (paths, arguments, open files).
 *
 *     0     numbers, lists, times
 *     224   lists of timers
 *     256   16 resource limits of two f64: soft, hard (bytes or a count; Infinity = none)
 *     512   the three timers of setitimer(2) (timer-record.ts)
 *     872   what /proc lets others set
 */
import type { Ptr } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import type { Memory } from '../state/memory.js'
import { RecordView } from '../state/record-view.js'
import type { PidNamespace } from './pid-namespace.js'
import { ACTION_BYTES, FIRST_ACTION } from './signal-actions.js'
import type { ProcessFiles } from './syscall-context.js'
import { NAME_BYTES, THREAD_NAME } from './thread-record.js'
import { USAGE_BYTES } from './usage.js'

export const PROCESS_BYTES = 904
const ID = 0
const PARENT = 4
const PERSONALITY = 8
const STATUS = 12
/** Signals sent to the process as a whole: a set of 64 bits, then the queue of their records. */
export const PROCESS_PENDING = 16
const QUEUE = 24
export const PROCESS_FLAGS = 28
const NAMESPACE = 32
const MAKER = 36
const GROUP_STOP = 40
const TRACEE = 44
const ACTIONS = 48
const EXIT_SIGNAL = 52
const GROUP = 56
const SESSION = 60
/** Heads of lists: its children; its threads. */
export const PROCESS_CHILDREN = 64
export const PROCESS_THREADS = 72
/** Links among the children of its parent. */
export const SIBLING_LINK = 80
const THREAD_COUNT = 88
const STOP_SIGNAL = 92
const START_TIME = 96
/** Usage: its own threads' that have ended, then its children's that were waited for (usage.ts). */
export const PROCESS_USAGE = 104
export const CHILDREN_USAGE = PROCESS_USAGE + USAGE_BYTES
/** Heads of lists of timers: those of timer_create(2); those of all that wait for processor time. */
export const PROCESS_TIMERS = 224
export const PROCESS_CPU_TIMERS = 232
const NEXT_TIMER_ID = 240
const EXECUTIONS = 244
const TIME_NAMESPACE = 248
const DEAD_TRACEES = 252
const LIMITS = 256
export const INTERVAL_TIMERS = 512
const LIMIT_COUNT = 16
const OUT_OF_MEMORY_SCORE = 872
const OUT_OF_MEMORY_LEAST = 876
const CORE_FILTER = 880
const NAME = 888
const CORE_FILTER_DEFAULT = 0x33
/** Of the parent of those that have none: number 1, which is not there. */
const INIT = 1

/**
 * Bits of `flags`: what prctl(2) keeps, then where the process stands in job control and in its end.
 */
export const ProcessFlag = {
  noNewPrivileges: 2,
  notDumpable: 4,
  /** PR_SET_CHILD_SUBREAPER: orphans below it become its children. */
  subreaper: 8,
  /** It has ended; its parent has not asked yet how. */
  zombie: 16,
  /** All of its threads end, with the status that stands here. */
  exiting: 32,
  /** Its parent's thread waits until it ends or becomes another program. */
  vforked: 64,
  /** It has called execve(2): its parent cannot move it to another group any more. */
  executed: 128,
  /** Job control: stopped. `stopSignal` says of what while nobody has been told. */
  stopped: 256,
  /** Job control: it goes on, and nobody has been told. */
  continued: 512,
  /** Its threads have a list of semaphore operations to undo, as those made with CLONE_SYSVSEM do. */
  undoList: 1024,
  /** The first of a namespace: signals that it does not handle do nothing to it, unless they come from outside. */
  unkillable: 2048,
  /** The first of a namespace has ended, and its parent does not hear of it before the last of the others is gone. */
  lingering: 4096,
  /** What ends it was sent to the whole process, where it stays pending. */
  endedByShared: 8192,
} as const
/** Above these bits: the signal that ends the process, as soon as one of its threads comes to it; 0 = none. */
export const FATAL_SIGNAL_SHIFT = 24
const KEPT_AT_EXEC =
  ProcessFlag.noNewPrivileges |
  ProcessFlag.subreaper |
  ProcessFlag.vforked |
  ProcessFlag.undoList |
  ProcessFlag.unkillable |
  (0xff << FATAL_SIGNAL_SHIFT)

/** `exitStatus` while it lives. */
export const STILL_RUNNING = -1

export class Process extends RecordView {
  /** The view of its address space; execve gives it another. Its `ptr` is NULL when it has ended. */
  space: AddressSpace
  files: ProcessFiles
  /** Whose numbers it sees, which it holds. */
  readonly namespace: PidNamespace
  /** NULL: its parent is the machine's, number 1. */
  parent: Process | undefined

  constructor(memory: Memory, ptr: Ptr, space: AddressSpace, files: ProcessFiles, namespace: PidNamespace) {
    super(memory, ptr)
    this.space = space
    this.files = files
    this.namespace = namespace
    this.setU32(NAMESPACE, namespace.ptr)
    this.coreFilter = CORE_FILTER_DEFAULT
  }

  /** Who is killed first for memory: -1000 to 1000. */
  get outOfMemoryScore(): number {
    return this.u32(OUT_OF_MEMORY_SCORE) | 0
  }
  set outOfMemoryScore(value: number) {
    this.setU32(OUT_OF_MEMORY_SCORE, value)
  }

  /** What others than an administrator may lower that to. */
  get outOfMemoryLeast(): number {
    return this.u32(OUT_OF_MEMORY_LEAST) | 0
  }
  set outOfMemoryLeast(value: number) {
    this.setU32(OUT_OF_MEMORY_LEAST, value)
  }

  /** What a core file would have. */
  get coreFilter(): number {
    return this.u32(CORE_FILTER)
  }
  set coreFilter(value: number) {
    this.setU32(CORE_FILTER, value)
  }

  /** Its number in the outermost namespace, by which the kernel knows it. */
  get id(): number {
    return this.u32(ID)
  }
  set id(value: number) {
    this.setU32(ID, value)
  }

  /** Which time its threads see (time-namespace.ts); NULL the first namespace's, and when it has ended. Namespaces sets it. */
  get timeNamespace(): Ptr {
    return this.u32(TIME_NAMESPACE) as Ptr
  }
  set timeNamespace(value: Ptr) {
    this.setU32(TIME_NAMESPACE, value)
  }

  /** getpid(2): its number in its own namespace. */
  get number(): number {
    return this.namespace.numberOf(this.id)
  }

  /** `id` of its parent; of the outermost namespace's number 1 when it has none. */
  get parentId(): number {
    return this.parent?.id ?? INIT
  }

  /** The parent's record, NULL for number 1. Set by ProcessTable. */
  get parentPtr(): Ptr {
    return this.u32(PARENT) as Ptr
  }
  set parentPtr(value: Ptr) {
    this.setU32(PARENT, value)
  }

  /** The `id` of its process group. */
  get groupId(): number {
    return this.u32(GROUP)
  }
  set groupId(value: number) {
    this.setU32(GROUP, value)
  }

  /** The `id` of its session. */
  get sessionId(): number {
    return this.u32(SESSION)
  }
  set sessionId(value: number) {
    this.setU32(SESSION, value)
  }

  get personality(): number {
    return this.u32(PERSONALITY)
  }
  set personality(value: number) {
    this.setU32(PERSONALITY, value)
  }

  /** As wait4 gives it: exit code in bits 8 to 15, or the signal in bits 0 to 6; STILL_RUNNING before. */
  get exitStatus(): number {
    return this.u32(STATUS) | 0
  }
  set exitStatus(value: number) {
    this.setU32(STATUS, value)
  }

  /** What its parent is sent when it ends: SIGCHLD as a rule, 0 = nothing. */
  get exitSignal(): number {
    return this.u32(EXIT_SIGNAL)
  }
  set exitSignal(value: number) {
    this.setU32(EXIT_SIGNAL, value)
  }

  /** Job control: the signal that stopped it, as long as wait4(2) has not told; 0 = none. */
  get stopSignal(): number {
    return this.u32(STOP_SIGNAL)
  }
  set stopSignal(value: number) {
    this.setU32(STOP_SIGNAL, value)
  }

  /** The signal with which job control has stopped it last. */
  get groupStop(): number {
    return this.u32(GROUP_STOP)
  }
  set groupStop(value: number) {
    this.setU32(GROUP_STOP, value)
  }

  /** Number of the thread of its parent that has made it. */
  get maker(): number {
    return this.u32(MAKER)
  }
  set maker(value: number) {
    this.setU32(MAKER, value)
  }

  /** What is kept of its first thread, which has ended, for its tracer (ptrace/tracee.ts); NULL = nothing. */
  get tracee(): Ptr {
    return this.u32(TRACEE) as Ptr
  }
  set tracee(value: Ptr) {
    this.setU32(TRACEE, value)
  }

  /** Other threads that have ended and of whose end their tracers have not heard. It is no zombie to its parent before. */
  get deadTracees(): number {
    return this.u32(DEAD_TRACEES)
  }
  set deadTracees(value: number) {
    this.setU32(DEAD_TRACEES, value)
  }

  /** Threads that have not ended. */
  get threadCount(): number {
    return this.u32(THREAD_COUNT)
  }
  set threadCount(value: number) {
    this.setU32(THREAD_COUNT, value)
  }

  /** ProcessFlag bits. */
  get flags(): number {
    return this.u32(PROCESS_FLAGS)
  }
  set flags(value: number) {
    this.setU32(PROCESS_FLAGS, value)
  }

  setFlag(flag: number, on: boolean): void {
    this.flags = on ? this.flags | flag : this.flags & ~flag
  }

  hasFlag(flag: number): boolean {
    return (this.flags & flag) !== 0
  }

  get fatalSignal(): number {
    return this.flags >>> FATAL_SIGNAL_SHIFT
  }
  set fatalSignal(signal: number) {
    this.flags |= signal << FATAL_SIGNAL_SHIFT
  }

  get isZombie(): boolean {
    return this.hasFlag(ProcessFlag.zombie)
  }

  /** execve(2): what belongs to the program that is gone. */
  forgetProgram(): void {
    this.flags = (this.flags & KEPT_AT_EXEC) | ProcessFlag.executed
    this.setU32(EXECUTIONS, this.executions + 1)
  }

  /** How often it has become another program. */
  get executions(): number {
    return this.u32(EXECUTIONS)
  }

  /** First queued record of a signal for the whole process. */
  get queue(): Ptr {
    return this.u32(QUEUE) as Ptr
  }
  set queue(value: Ptr) {
    this.setU32(QUEUE, value)
  }

  /** When it was made, in nanoseconds of the monotonic clock. */
  get startTime(): number {
    return this.f64(START_TIME)
  }
  set startTime(value: number) {
    this.setF64(START_TIME, value)
  }

  /** timer_create(2) gives numbers that were not used before. */
  takeTimerId(): number {
    const id = this.u32(NEXT_TIMER_ID)
    this.setU32(NEXT_TIMER_ID, (id + 1) & 0x7fff_ffff)
    return id
  }

  /** Record of its signals' actions (signal-actions.ts), which CLONE_SIGHAND shares; NULL when it has ended. */
  get actions(): Ptr {
    return this.u32(ACTIONS) as Ptr
  }
  set actions(value: Ptr) {
    this.setU32(ACTIONS, value)
  }

  /** Byte offset in the buffer of a signal's action. */
  action(signal: number): Ptr {
    return (this.actions + FIRST_ACTION + (signal - 1) * ACTION_BYTES) as Ptr
  }

  softLimit(resource: number): number {
    return this.f64(LIMITS + resource * 16)
  }

  hardLimit(resource: number): number {
    return this.f64(LIMITS + resource * 16 + 8)
  }

  setLimit(resource: number, soft: number, hard: number): void {
    this.setF64(LIMITS + resource * 16, soft)
    this.setF64(LIMITS + resource * 16 + 8, hard)
  }

  /** First 15 bytes of the last part of the path that was executed, as a byte string: /proc/PID/comm. The first thread's name is the same. */
  get name(): string {
    let name = ''
    for (let i = 0; i < NAME_BYTES; i++) {
      const byte = (this.u32(NAME + (i & -4)) >>> (8 * (i & 3))) & 0xff
      if (byte === 0) break
      name += String.fromCharCode(byte)
    }
    return name
  }

  /** Takes over the name of its first thread. */
  takeName(thread: Ptr): void {
    const first = (thread + THREAD_NAME) >>> 2
    this.words.copyWithin((this.ptr + NAME) >>> 2, first, first + NAME_BYTES / 4)
  }

  copyLimits(from: Process): void {
    const first = (from.ptr + LIMITS) >>> 3
    this.numbers.copyWithin((this.ptr + LIMITS) >>> 3, first, first + LIMIT_COUNT * 2)
  }

  static readonly limitCount = LIMIT_COUNT
}

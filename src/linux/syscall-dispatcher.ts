/** From an ecall to its handler and back. */
import { ENOMEM, ENOSYS } from '../base/errno.js'
import type { Ptr } from '../base/numbers.js'
import { makeRoom, ranOut } from '../fault/reclaim.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { Counter, countedHere } from '../state/counters.js'
import type { FileResolver } from '../syscall/file-backing.js'
import { SyscallArguments } from '../syscall/syscall-arguments.js'
import type { Linux } from './linux.js'
import type { Process } from './process.js'
import { finishCall } from './registers.js'
import type { Syscall } from './syscall.js'
import type { SyscallContext } from './syscall-context.js'
import { syscallName } from './syscall-names.js'
import { NUMBER_MAX, type SyscallTable } from './syscall-table.js'
import type { Thread } from './thread.js'
import { ThreadFlag } from './thread-record.js'
import type { Tracer } from './trace.js'
import { ERESTART_RESTARTBLOCK, ERESTARTSYS, PARKED, REGISTERS_SET } from './wait.js'

const A0 = HartField.x + 10 * 8
const A7 = HartField.x + 17 * 8

class CurrentCall implements SyscallContext {
  readonly mm: MemoryManager
  readonly linux: Linux
  readonly args: SyscallArguments
  readonly fileBacking: FileResolver = (fd) => this.linux.files.fileBacking(this.process, fd)
  process!: Process
  thread!: Thread

  constructor(linux: Linux) {
    this.linux = linux
    this.mm = linux.mm
    this.args = new SyscallArguments(linux.mm.memory)
  }

  get space(): AddressSpace {
    return this.process.space
  }
}

export class SyscallDispatcher {
  readonly #linux: Linux
  readonly #table: SyscallTable
  readonly #tracer: Tracer | undefined
  readonly #current: CurrentCall
  /** Calls that are not there, by name. */
  readonly missing = new Map<string, number>()
  /** Calls made; one that was parked counts once. */
  count = 0

  constructor(linux: Linux, table: SyscallTable, tracer: Tracer | undefined) {
    this.#linux = linux
    this.#table = table
    this.#tracer = tracer
    this.#current = new CurrentCall(linux)
  }

  /** Does the call whose ecall the hart has stopped at. */
  dispatch(process: Process, thread: Thread): void {
    const special = thread.flags & (ThreadFlag.resumed | ThreadFlag.traced)
    if (special === 0) this.count++
    else if ((special & ThreadFlag.traced) !== 0) {
      if (!this.#linux.tracing.calls.stopsBefore(process, thread)) this.make(process, thread)
      return
    }
    this.finish(thread, this.#call(process, thread))
  }

  /** The call of a thread that is traced, or was when it came to it. */
  make(process: Process, thread: Thread): void {
    if (!thread.isResumed) this.count++
    this.#linux.tracing.calls.leave(process, thread, this.#call(process, thread))
  }

  #call(process: Process, thread: Thread): number {
    const { hart } = this.#linux
    const call = this.#current
    call.process = process
    call.thread = thread
    call.args.at((hart.ptr + A0) as Ptr)
    const number = hart.low(A7)
    const entry = hart.high(A7) === 0 && number <= NUMBER_MAX ? this.#table[number] : undefined
    this.#tracer?.begin(call, entry, number)
    const result = entry === undefined ? this.#isMissing(number) : this.#make(entry, call)
    this.#tracer?.end(call, entry, result)
    return result
  }

  /** A call that a page is missing for waits for its reader, as does one that somebody wants to read of. */
  #make(entry: Syscall, call: CurrentCall): number {
    const { userfaults } = this.#linux
    if (!userfaults.isUsed) return this.#run(entry, call)
    return userfaults.begin(call.thread) ?? userfaults.end(call.thread, this.#run(entry, call))
  }

  /** A call that found no memory has done nothing, and is made again once there is some. */
  #run({ handler }: Syscall, call: CurrentCall): number {
    const { mm } = this.#linux
    for (let attempt = 0; ; attempt++) {
      const refused = countedHere(mm.memory, Counter.allocationFailed)
      const result = handler(call)
      if (result !== -ENOMEM || !ranOut(mm, refused) || !makeRoom(mm, attempt)) return result
    }
  }

  #isMissing(number: number): number {
    const name = syscallName(number)
    this.missing.set(name, (this.missing.get(name) ?? 0) + 1)
    return -ENOSYS
  }

  /** Its result goes to the registers, unless it is parked or has set them itself. */
  finish(thread: Thread, result: number): void {
    if (result === PARKED) return
    if (result === REGISTERS_SET) {
      if (this.#linux.scheduler.isCurrent(thread)) thread.endCall()
      return
    }
    if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK) {
      thread.restart = -result
      return
    }
    thread.endCall()
    finishCall(this.#linux.mm.memory.u32, this.#linux.hart.ptr, result)
  }
}

/** Puts a program into a process: for the first one of a machine, and for execve(2). */

import { ENOMEM } from '../base/errno.js'
import { NULL, type Ptr } from '../base/numbers.js'
import { HartField } from '../hart/hart-state.js'
import { resetStack } from './alternate-stack.js'
import { type ExecProblem, isExecProblem, type LoadedProgram, loadProgram } from './exec.js'
import { bytesOf } from './fs/text.js'
import { type Identity, identityAfterExec } from './identity.js'
import type { Linux } from './linux.js'
import { type Process, ProcessFlag } from './process.js'
import { drawLayout } from './random-layout.js'
import { withRandom } from './random-source.js'
import { Signal } from './signal-numbers.js'
import type { Thread } from './thread.js'
import { nameThread } from './thread-name.js'
import { replaceVvar, VdsoPages } from './vdso-pages.js'

export const NO_MEMORY: ExecProblem = { errno: -ENOMEM, reason: 'not enough memory for a process' }
const RANDOM_BYTES = 16
const NAME_LENGTH = 15

export interface ProgramRequest {
  readonly path: string
  readonly arguments: readonly string[]
  readonly environment: readonly string[]
}

export class Programs {
  readonly #linux: Linux
  #pages: VdsoPages | undefined

  constructor(linux: Linux) {
    this.#linux = linux
  }

  /** What is wrong with the program, and then nothing has changed; or nothing. */
  load(process: Process, thread: Thread, request: ProgramRequest): ExecProblem | undefined {
    const { files, mm } = this.#linux
    this.#pages ??= VdsoPages.create(mm, this.#linux.clock)
    if (this.#pages === undefined) return NO_MEMORY
    const random = new Uint8Array(RANDOM_BYTES)
    this.#linux.randomBytes(random)
    const identity = identityAfterExec(process)
    const layout = withRandom(mm.memory, (source) => drawLayout(mm.memory, source, identity.personality))
    const execution = { ...request, random, layout, identity }
    const vvar = this.#vvarOf(thread.childTime, this.#pages)
    const loaded = loadProgram({ mm, pages: this.#pages, vvar, files }, process, execution)
    if (isExecProblem(loaded)) return loaded
    if (!this.#unshareActions(process)) {
      mm.spaces.release(loaded.space.ptr)
      loaded.file.close()
      return NO_MEMORY
    }
    this.#replaceProgram(process, thread, loaded, identity)
    this.#describe(process, thread, loaded, request)
    return undefined
  }

  #vvarOf(time: Ptr, pages: VdsoPages): Ptr {
    return time === NULL ? pages.vvar : this.#linux.namespaces.times.at(time).vvar
  }

  /** A process whose memory nobody else has comes into a namespace of time. */
  enterTime(process: Process, time: Ptr): void {
    const { mm, namespaces } = this.#linux
    namespaces.enterTime(process, time)
    if (this.#pages !== undefined) replaceVvar(mm, process.space, this.#vvarOf(time, this.#pages))
  }

  #describe(process: Process, thread: Thread, loaded: LoadedProgram, request: ProgramRequest): void {
    loaded.file.runBy(process)
    loaded.file.close()
    nameThread(thread, process, bytesOf(request.path.split('/').pop()!.slice(0, NAME_LENGTH)))
  }

  /** The program to come resets actions that another process may have in common with this one. */
  #unshareActions(process: Process): boolean {
    const { actions } = this.#linux.processTable
    if (!actions.isShared(process.actions)) return true
    const copy = actions.copy(process.actions)
    if (copy === NULL) return false
    actions.release(process.actions)
    process.actions = copy
    return true
  }

  /** The point of no return: the old program is gone. */
  #replaceProgram(process: Process, thread: Thread, loaded: LoadedProgram, identity: Identity): void {
    const old = process.space.ptr
    if (old !== NULL) this.#leaveProgram(process, thread, identity)
    process.space = loaded.space
    if (thread.childTime !== process.timeNamespace)
      this.#linux.namespaces.enterTime(process, thread.childTime)
    this.#resetRegisters(this.#linux.scheduler.contextOf(thread), loaded)
    this.#linux.signals.resetActions(process)
    process.forgetProgram()
    process.setFlag(ProcessFlag.notDumpable, identity.isPrivate || !loaded.isReadable)
    if (identity.isPrivate) thread.deathSignal = 0
    process.personality = identity.personality
    process.exitSignal = Signal.CHLD
    resetStack(thread)
    if (old === NULL) return
    this.#linux.activate(loaded.space)
    this.#linux.mm.spaces.release(old)
    this.#linux.ends.letParentGoOn(process)
  }

  /** The other threads end, and files that ask for it are closed. */
  #leaveProgram(process: Process, thread: Thread, { credentials }: Identity): void {
    const { ends } = this.#linux
    ends.endOthers(process, thread)
    ends.leaveMemory(process, thread)
    ends.noteResident(process)
    this.#linux.time.timers.leaveProgram(process)
    if (process.files.sharesFiles) {
      const own = process.files.fork(false, true)
      process.files.close()
      process.files = own
    }
    process.files.leaveProgram(credentials)
  }

  /** Other registers than these keep what the old program had in them, as in Linux for riscv64. */
  #resetRegisters(context: Ptr, loaded: LoadedProgram): void {
    const { memory } = this.#linux.mm
    memory.fill((context + HartField.f) as Ptr, 0, HartField.reservationValue + 8 - HartField.f)
    const put = (field: number, value: number) => {
      memory.u32[(context + field) >>> 2] = value >>> 0
      memory.u32[((context + field) >>> 2) + 1] = Math.floor(value / 0x1_0000_0000)
    }
    put(HartField.pc, loaded.entry)
    put(HartField.x + 2 * 8, loaded.stackPointer)
    put(HartField.x + 10 * 8, 0)
  }
}

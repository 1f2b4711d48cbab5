/** SysV shared memory of a script's machine, by the handlers of the calls. All that they ask of a process is who it is. */
import { NULL, type Ptr } from '../../../src/base/numbers.js'
import { copyFromUser } from '../../../src/fault/user-copy.js'
import { NONE } from '../../../src/linux/fs/capabilities.js'
import { ROOT } from '../../../src/linux/fs/credentials.js'
import type { FileEnvironment } from '../../../src/linux/fs/environment.js'
import { sharedMemoryCalls } from '../../../src/linux/fs/sysv/shm-calls.js'
import { ShmSegments } from '../../../src/linux/fs/sysv/shm-segments.js'
import type { Vfs } from '../../../src/linux/fs/vfs.js'
import { PidNamespace } from '../../../src/linux/pid-namespace.js'
import type { SyscallContext } from '../../../src/linux/syscall-context.js'
import type { MemoryManager } from '../../../src/mm.js'
import type { AddressSpace } from '../../../src/space/address-space.js'
import type { SyscallArguments } from '../../../src/syscall/syscall-arguments.js'
import { SCRATCH } from './machine.js'

const INFO_BYTES = 112
const IPC_REMOVE = 0
const IPC_STAT = 2
const OWNERS_ONLY = 0o600
const REMOVED = 0o1000

const NOBODY = { ...ROOT, capabilities: { effective: NONE, permitted: NONE, inheritable: NONE } }

/** Who makes a call. */
export interface Caller {
  readonly space: AddressSpace
  readonly isPrivileged: boolean
  args(...values: number[]): SyscallArguments
}

export interface SegmentInfo {
  readonly bytes: number
  readonly attaches: number
  readonly isRemoved: boolean
}

export class MachineSegments {
  readonly #mm: MemoryManager
  readonly #segments: ShmSegments
  readonly #calls: ReadonlyMap<string, (c: SyscallContext) => number>

  constructor(mm: MemoryManager) {
    this.#mm = mm
    const env = { mm, clock: { timeOfDay: () => ({ seconds: 0 }) }, currentProcess: () => undefined }
    this.#segments = new ShmSegments(env as unknown as FileEnvironment, () => {})
    const vfs = { segments: this.#segments, state: { nextOpenFile: 1 } }
    const calls = sharedMemoryCalls(vfs as unknown as Vfs)
    this.#calls = new Map(calls.map(({ name, handler }) => [name, handler]))
  }

  #call(name: string, caller: Caller, ...values: number[]): number {
    const files = { credentials: caller.isPrivileged ? ROOT : NOBODY }
    const process = { files, namespace: new PidNamespace(this.#mm.memory, NULL, undefined) }
    const context = { mm: this.#mm, space: caller.space, process, args: caller.args(...values) }
    return this.#calls.get(name)!(context as unknown as SyscallContext)
  }

  get(caller: Caller, bytes: number): number {
    return this.#call('shmget', caller, 0, bytes, OWNERS_ONLY)
  }

  attach(caller: Caller, id: number, address: number, flags: number): number {
    return this.#call('shmat', caller, id, address, flags)
  }

  detach(caller: Caller, address: number): number {
    return this.#call('shmdt', caller, address)
  }

  remove(caller: Caller, id: number): number {
    return this.#call('shmctl', caller, id, IPC_REMOVE, 0)
  }

  /** IPC_STAT, or a negative errno. */
  look(caller: Caller, id: number): SegmentInfo | number {
    const result = this.#call('shmctl', caller, id, IPC_STAT, SCRATCH)
    if (result < 0) return result
    const view = new DataView(new ArrayBuffer(INFO_BYTES))
    copyFromUser(this.#mm, caller.space, SCRATCH, new Uint8Array(view.buffer))
    const number = (at: number) => Number(view.getBigInt64(at, true))
    const isRemoved = (view.getUint32(20, true) & REMOVED) !== 0
    return { bytes: number(48), attaches: number(88), isRemoved }
  }

  /** The id of the segment that an object belongs to, or -1. */
  idOf(object: Ptr): number {
    for (const segment of this.#segments) if (segment.object === object) return segment.id
    return -1
  }

  check(): void {
    this.#segments.check()
  }
}

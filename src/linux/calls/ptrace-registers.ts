/** What a tracer sees of a stopped thread's registers (arch/riscv/kernel/ptrace.c), and of the call that it is in. */
import { EFAULT, EINVAL } from '../../base/errno.js'
import type { Ptr } from '../../base/numbers.js'
import { copyFromUser, copyToUser } from '../../fault/user-copy.js'
import { HartField } from '../../hart/hart-state.js'
import { CallMessage } from '../ptrace/ptrace-numbers.js'
import { TraceeFlag } from '../ptrace/tracee.js'
import { Signal } from '../signal-numbers.js'
import { INFO_CODE } from '../signal-queue.js'
import type { SyscallContext } from '../syscall-context.js'
import type { Traced } from './ptrace-calls.js'
import { readStruct, StructWriter, u64 } from './user-data.js'

/** Parts of a thread's record that are a register set: where, and how many bytes. */
interface Part {
  readonly from: number
  readonly bytes: number
}
interface RegisterSet {
  readonly bytes: number
  readonly parts: readonly Part[]
}

/** Types of notes in core files. */
const NT_PRSTATUS = 1
const NT_PRFPREG = 2
const REGISTER_BYTES = 8

const SETS: ReadonlyMap<number, RegisterSet> = new Map<number, RegisterSet>([
  [
    NT_PRSTATUS,
    {
      bytes: 256,
      parts: [
        { from: HartField.pc, bytes: 8 },
        { from: HartField.x + 8, bytes: 248 },
      ],
    },
  ],
  [
    NT_PRFPREG,
    {
      bytes: 264,
      parts: [
        { from: HartField.f, bytes: 256 },
        { from: HartField.fcsr, bytes: 4 },
      ],
    },
  ],
])

/** PTRACE_GETREGSET and SETREGSET: the struct iovec says how much of the set is meant, and then how much that was. */
export function registerSet(c: SyscallContext, { thread }: Traced, isSetting: boolean): number {
  const vector = readStruct(c, c.args.address(3), 16)
  if (vector === undefined) return -EFAULT
  const set = c.args.high(2) === 0 ? SETS.get(c.args.low(2)) : undefined
  if (set === undefined || u64(vector, 8) % REGISTER_BYTES !== 0) return -EINVAL
  const address = u64(vector, 0)
  const length = Math.min(u64(vector, 8), set.bytes)
  const context = c.linux.scheduler.contextOf(thread)
  const result = isSetting ? store(c, set, context, address, length) : load(c, set, context, address, length)
  if (result < 0) return result
  return new StructWriter(8).u64(0, length).copyTo(c, c.args.address(3) + 8)
}

function load(c: SyscallContext, set: RegisterSet, context: Ptr, address: number, length: number): number {
  const bytes = new Uint8Array(set.bytes)
  let at = 0
  for (const part of set.parts) {
    bytes.set(c.mm.memory.u8.subarray(context + part.from, context + part.from + part.bytes), at)
    at += part.bytes
  }
  return copyToUser(c.mm, c.space, address, bytes.subarray(0, length))
}

function store(c: SyscallContext, set: RegisterSet, context: Ptr, address: number, length: number): number {
  const bytes = new Uint8Array(length)
  if (copyFromUser(c.mm, c.space, address, bytes) < 0) return -EFAULT
  let at = 0
  for (const part of set.parts) {
    c.mm.memory.u8.set(bytes.subarray(at, at + part.bytes), context + part.from)
    at += part.bytes
  }
  const { u32 } = c.mm.memory
  u32[(context + HartField.fcsr) >>> 2]! &= 0xff
  u32[(context + HartField.isReserved) >>> 2] = 0
  return 0
}

/** struct ptrace_syscall_info (include/uapi/linux/ptrace.h): 24 bytes, then what the kind of stop has. */
const INFO_HEAD_BYTES = 24
const ENTRY_BYTES = 80
const EXIT_BYTES = 33
const INFO_BYTES = 88
const OP_ENTRY = 1
const OP_EXIT = 2
const AUDIT_ARCH_RISCV64 = 0xc000_00f3
const GOOD_CALL = Signal.TRAP | 0x80
const ARGUMENTS = 6
/** The highest errno that a result can be. */
const ERRNO_MAX = 4095

/** PTRACE_GET_SYSCALL_INFO: bytes that there are, of which as many as asked for are copied. */
export function callInfo(c: SyscallContext, traced: Traced): number {
  const { thread } = traced
  const registers = c.linux.scheduler.contextOf(thread)
  const info = new StructWriter(INFO_BYTES).u32(4, AUDIT_ARCH_RISCV64)
  copyRegister(c, info, 8, (registers + HartField.pc) as Ptr)
  copyRegister(c, info, 16, xOf(registers, 2))
  const bytes = isCallStop(traced) ? describeCall(c, info, traced, registers) : INFO_HEAD_BYTES
  const asked = Math.min(bytes, c.args.address(2))
  const problem = copyToUser(c.mm, c.space, c.args.address(3), info.bytes.subarray(0, asked))
  return problem < 0 ? problem : bytes
}

const xOf = (registers: Ptr, x: number) => (registers + HartField.x + x * REGISTER_BYTES) as Ptr

function copyRegister(c: SyscallContext, info: StructWriter, at: number, from: Ptr): void {
  info.bytes.set(c.mm.memory.u8.subarray(from, from + REGISTER_BYTES), at)
}

/** Only with PTRACE_O_TRACESYSGOOD can it be told apart. */
function isCallStop({ tracee }: Traced): boolean {
  const { buffer } = tracee.info.slice()
  return tracee.has(TraceeFlag.hasInfo) && new DataView(buffer).getInt32(INFO_CODE, true) === GOOD_CALL
}

function describeCall(c: SyscallContext, info: StructWriter, { tracee }: Traced, registers: Ptr): number {
  if (tracee.message === CallMessage.exit) return describeExit(c, info, registers)
  info.bytes[0] = OP_ENTRY
  copyRegister(c, info, 24, xOf(registers, 17))
  copyRegister(c, info, 32, tracee.firstArgument)
  for (let i = 1; i < ARGUMENTS; i++) copyRegister(c, info, 32 + i * 8, xOf(registers, 10 + i))
  return ENTRY_BYTES
}

function describeExit(c: SyscallContext, info: StructWriter, registers: Ptr): number {
  info.bytes[0] = OP_EXIT
  copyRegister(c, info, 24, xOf(registers, 10))
  const [low, high] = [info.view.getInt32(24, true), info.view.getUint32(28, true)]
  info.bytes[32] = high === 0xffff_ffff && low >= -ERRNO_MAX && low < 0 ? 1 : 0
  return EXIT_BYTES
}

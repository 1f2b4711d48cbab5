/** System calls of riscv64 alone (arch/riscv/kernel/sys_hwprobe.c, Documentation/arch/riscv/hwprobe.rst of Linux 6.12). */
import { EFAULT, EINVAL } from '../../base/errno.js'
import { copyFromUser, copyToUser } from '../../fault/user-copy.js'
import { TIMEBASE_HZ } from '../../hart/hart-state.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { readStruct, StructWriter } from './user-data.js'

const PAIR_BYTES = 16
const WHICH_CPUS = 1
/** Bytes of a set of processors as the kernel keeps it. */
const CPU_SET_BYTES = 8
/** One processor, number 0. */
const ONLINE = 1

/** A 64-bit value in halves, and whether it is a set of bits. */
interface Answer {
  readonly low: number
  readonly high: number
  readonly isBits: boolean
}

const number = (value: number): Answer => ({
  low: value >>> 0,
  high: Math.floor(value / 0x1_0000_0000),
  isBits: false,
})
const bits = (low: number, high = 0): Answer => ({ low, high, isBits: true })

/** RISCV_HWPROBE_IMA_FD and _C; what C means for this hart, Zca and Zcd; and Zihintpause, which any hart has. */
const IMA_FD_C = 3
const EXTENSIONS_HIGH = (1 << 4) | (1 << 11) | (1 << 13)
const MISALIGNED_FAST = 3
const USER_ADDRESSES = 0x40_0000_0000

/** By key: what an RV64GC machine of QEMU answers, but for who made it. */
const ANSWERS: readonly Answer[] = [
  number(0), // MVENDORID, MARCHID, MIMPID: nobody
  number(0),
  number(0),
  bits(1), // BASE_BEHAVIOR: IMA
  bits(IMA_FD_C, EXTENSIONS_HIGH), // IMA_EXT_0
  bits(MISALIGNED_FAST), // CPUPERF_0
  number(0), // ZICBOZ_BLOCK_SIZE
  number(USER_ADDRESSES), // HIGHEST_VIRT_ADDRESS
  number(TIMEBASE_HZ), // TIME_CSR_FREQ
  number(MISALIGNED_FAST), // MISALIGNED_SCALAR_PERF
]

/** Of a pair in memory; nothing for a key that is not known. */
function answerTo(pair: DataView): Answer | undefined {
  return pair.getUint32(4, true) === 0 ? ANSWERS[pair.getUint32(0, true)] : undefined
}

/** What is written for a key that is not known: key -1, value 0. */
function unknownPair(): StructWriter {
  return new StructWriter(PAIR_BYTES).u32(0, 0xffff_ffff).u32(4, 0xffff_ffff)
}

/** The program's set of processors; a negative errno. */
function readCpus(c: SyscallContext, bytes: number): number {
  const set = new Uint8Array(bytes)
  return copyFromUser(c.mm, c.space, c.args.address(3), set) < 0 ? -EFAULT : set[0]!
}

function values(c: SyscallContext, setBytes: number): number {
  if (setBytes !== 0 || !c.args.isZero(3)) {
    const cpus = setBytes === 0 ? 0 : readCpus(c, setBytes)
    if (cpus < 0) return cpus
    if ((cpus & ONLINE) === 0) return -EINVAL
  }
  for (let i = 0; i < c.args.address(1); i++) {
    const at = c.args.address(0) + i * PAIR_BYTES
    const key = readStruct(c, at, 8)
    if (key === undefined) return -EFAULT
    const answer = answerTo(key)
    const { low, high } = answer ?? number(0)
    const pair = answer === undefined ? unknownPair() : new StructWriter(PAIR_BYTES)
    if (answer !== undefined) pair.u32(0, key.getUint32(0, true))
    if (pair.u32(8, low).u32(12, high).copyTo(c, at) < 0) return -EFAULT
  }
  return 0
}

function agrees(answer: Answer, pair: DataView): boolean {
  const low = pair.getUint32(8, true)
  const high = pair.getUint32(12, true)
  if (!answer.isBits) return answer.low === low && answer.high === high
  return (low & ~answer.low) === 0 && (high & ~answer.high) === 0
}

/** Clears the processors for which the program's values do not hold; an empty set stands for all. */
function whichCpus(c: SyscallContext, setBytes: number): number {
  if (setBytes === 0 || c.args.isZero(3)) return -EINVAL
  const asked = readCpus(c, setBytes)
  if (asked < 0) return asked
  let cpus = (asked === 0 ? ONLINE : asked) & ONLINE
  for (let i = 0; i < c.args.address(1); i++) {
    const at = c.args.address(0) + i * PAIR_BYTES
    const pair = readStruct(c, at, PAIR_BYTES)
    if (pair === undefined) return -EFAULT
    const answer = answerTo(pair)
    if (answer === undefined && unknownPair().copyTo(c, at) < 0) return -EFAULT
    if (answer === undefined || !agrees(answer, pair)) cpus = 0
  }
  const set = new Uint8Array(setBytes)
  set[0] = cpus
  return copyToUser(c.mm, c.space, c.args.address(3), set)
}

function hwprobe(c: SyscallContext): number {
  const flags = c.args.low(4)
  const setBytes = Math.min(c.args.address(2), CPU_SET_BYTES)
  if ((flags & WHICH_CPUS) !== 0) return flags === WHICH_CPUS ? whichCpus(c, setBytes) : -EINVAL
  return flags === 0 ? values(c, setBytes) : -EINVAL
}

export const riscvCalls: readonly Syscall[] = [syscall(258, 'riscv_hwprobe', 'puupx', hwprobe)]

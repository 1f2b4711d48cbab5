/**
 * prctl(PR_SET_MM): a process says where its code, data, heap, stack, arguments and environment are, for those who ask in /proc, and what it was
 * told at its start (prctl_set_mm of kernel/sys.c). Nothing moves.
 */
import { EACCES, EBUSY, EFAULT, EINVAL, ENOMEM, EPERM } from '../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, pageOf } from '../../base/numbers.js'
import { copyFromUser } from '../../fault/user-copy.js'
import type { AddressSpace } from '../../space/address-space.js'
import { SAVED_VECTOR_BYTES } from '../../space/saved-vectors.js'
import { exceedsDataLimit } from '../../space/set-brk.js'
import { lowestPlacedPage } from '../../space/tunables.js'
import { Vma } from '../../space/vma.js'
import { LockRank } from '../../state/atomics.js'
import { Capability } from '../fs/capabilities.js'
import { may } from '../fs/credentials.js'
import { userOf } from '../fs/file-user.js'
import type { SyscallContext } from '../syscall-context.js'
import { readStruct, StructWriter } from './user-data.js'

/** Byte addresses, in the order of struct prctl_mm_map. */
const FIELDS = [
  'codeStart',
  'codeEnd',
  'dataStart',
  'dataEnd',
  'brkStart',
  'brk',
  'stackStart',
  'argumentsStart',
  'argumentsEnd',
  'environmentStart',
  'environmentEnd',
] as const
type Field = (typeof FIELDS)[number]
type MemoryMap = Record<Field, number>

/** Those that PR_SET_MM_START_CODE (1) and the following options change. */
const BY_OPTION: readonly (Field | undefined)[] = [
  undefined,
  'codeStart',
  'codeEnd',
  'dataStart',
  'dataEnd',
  'stackStart',
  'brkStart',
  'brk',
  'argumentsStart',
  'argumentsEnd',
  'environmentStart',
  'environmentEnd',
]
/** Something must be mapped there, or above. */
const ON_STACK: readonly Field[] = [
  'stackStart',
  'argumentsStart',
  'argumentsEnd',
  'environmentStart',
  'environmentEnd',
]
const Option = { auxiliary: 12, executable: 13, map: 14, mapSize: 15 } as const
/** struct prctl_mm_map: the fields, u64 address and u32 bytes of an auxiliary vector, u32 file number. */
const MAP_BYTES = FIELDS.length * 8 + 16
const NO_FILE = 0xffff_ffff

/** 0; -EINVAL, -EPERM (CAP_SYS_RESOURCE), -EFAULT, -ENOMEM, -EBADF, -EACCES, -EBUSY. */
export function setMemoryMap(c: SyscallContext): number {
  const option = c.args.low(1)
  const takesMore = option === Option.auxiliary || option === Option.map || option === Option.mapSize
  if (!c.args.isZero(4) || (!c.args.isZero(3) && !takesMore)) return -EINVAL
  if (option === Option.mapSize) return new StructWriter(4).u32(0, MAP_BYTES).copyTo(c, c.args.address(2))
  if (option === Option.map) return setWhole(c)
  if (!may(userOf(c.process).credentials, Capability.resource)) return -EPERM
  if (option === Option.executable) return setExecutable(c, c.args.low(2))
  if (option === Option.auxiliary) return setVector(c)
  return setField(c, BY_OPTION[option], c.args.address(2))
}

function setField(c: SyscallContext, field: Field | undefined, address: number): number {
  const { mm, space } = c
  if (field === undefined || !isInRange(c, address)) return -EINVAL
  return locked(c, () => {
    const map = { ...mapOf(space), [field]: address }
    if (!isSound(c, map)) return -EINVAL
    if (ON_STACK.includes(field) && mm.vmas.find(space, pageOf(address)) === NULL) return -EFAULT
    Object.assign(space.parts, map)
    return 0
  })
}

/** PR_SET_MM_MAP: all at once, or nothing. */
function setWhole(c: SyscallContext): number {
  if (c.args.address(3) !== MAP_BYTES) return -EINVAL
  const request = readStruct(c, c.args.address(2), MAP_BYTES)
  if (request === undefined) return -EFAULT
  const map = Object.fromEntries(
    FIELDS.map((field, i) => [field, Number(request.getBigUint64(i * 8, true))]),
  ) as MemoryMap
  if (!isSound(c, map)) return -EINVAL
  const [vectorAt, bytes] = [Number(request.getBigUint64(88, true)), request.getUint32(96, true)]
  const vector = bytes === 0 ? undefined : readVector(c, vectorAt, bytes)
  if (typeof vector === 'number') return vector
  const kept = vector === undefined ? NULL : c.mm.spaces.vectors.create(vector)
  if (vector !== undefined && kept === NULL) return -ENOMEM
  const exchanged = exchangeExecutable(c, request.getUint32(100, true))
  if (exchanged < 0) {
    c.mm.spaces.vectors.release(kept)
    return exchanged
  }
  if (kept !== NULL) c.mm.spaces.setAuxiliary(c.space, kept)
  return locked(c, () => {
    Object.assign(c.space.parts, map)
    return 0
  })
}

function readVector(c: SyscallContext, address: number, bytes: number): Uint8Array | number {
  if (address === 0 || bytes > SAVED_VECTOR_BYTES) return -EINVAL
  const vector = new Uint8Array(SAVED_VECTOR_BYTES)
  if (copyFromUser(c.mm, c.space, address, vector.subarray(0, bytes)) < 0) return -EFAULT
  return ended(vector)
}

/** Its last pair is AT_NULL, whatever it was. */
function ended(vector: Uint8Array): Uint8Array {
  return vector.fill(0, SAVED_VECTOR_BYTES - 16)
}

/** PR_SET_MM_AUXV: another vector, zeroes behind what is given of it. */
function setVector(c: SyscallContext): number {
  const bytes = c.args.address(3)
  if (bytes > SAVED_VECTOR_BYTES) return -EINVAL
  const vector = new Uint8Array(SAVED_VECTOR_BYTES)
  if (copyFromUser(c.mm, c.space, c.args.address(2), vector.subarray(0, bytes)) < 0) return -EFAULT
  const kept = c.mm.spaces.vectors.create(ended(vector))
  if (kept === NULL) return -ENOMEM
  c.mm.spaces.setAuxiliary(c.space, kept)
  return 0
}

function exchangeExecutable(c: SyscallContext, fd: number): number {
  if (fd === NO_FILE) return 0
  const { credentials } = userOf(c.process)
  const isAllowed = may(credentials, Capability.restore) || may(credentials, Capability.administrate)
  return isAllowed ? setExecutable(c, fd) : -EPERM
}

/** PR_SET_MM_EXE_FILE: /proc/PID/exe is another program, once nothing of the old one is mapped any more (replace_mm_exe_file). */
function setExecutable(c: SyscallContext, fd: number): number {
  const program = c.linux.files.programAt(c.process, fd)
  if (typeof program === 'number') return program
  const old = c.process.files.program?.object ?? NULL
  if (locked(c, () => Number(isMapped(c, old))) === 1) return -EBUSY
  if (program.isWritten) return -EACCES
  for (const process of c.linux.processes.values())
    if (process.space.ptr === c.space.ptr) program.runBy(process)
  return 0
}

function isMapped({ mm, space }: SyscallContext, object: Ptr): boolean {
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr)))
    if (vma.object !== NULL && vma.object === object) return true
  return false
}

const mapOf = ({ parts }: AddressSpace) =>
  Object.fromEntries(FIELDS.map((field) => [field, parts[field]])) as MemoryMap

function isInRange({ mm }: SyscallContext, address: number): boolean {
  return address < mm.arch.userEnd * PAGE_SIZE && address >= lowestPlacedPage(mm) * PAGE_SIZE
}

/** validate_prctl_map_addr. */
function isSound(c: SyscallContext, map: MemoryMap): boolean {
  if (!FIELDS.every((field) => isInRange(c, map[field]))) return false
  const isOrdered =
    map.codeStart < map.codeEnd &&
    map.dataStart <= map.dataEnd &&
    map.brkStart <= map.brk &&
    map.argumentsStart <= map.argumentsEnd &&
    map.environmentStart <= map.environmentEnd
  return isOrdered && !exceedsDataLimit(c.space, map.brk - map.brkStart + map.dataEnd - map.dataStart)
}

function locked({ mm, space }: SyscallContext, act: () => number): number {
  mm.atomics.lock(space.lock, LockRank.space)
  const result = act()
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

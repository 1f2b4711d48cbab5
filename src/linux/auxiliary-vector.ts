import { PAGE_SIZE } from '../base/numbers.js'
import type { ElfProgram } from './elf.js'
import { PROGRAM_HEADER_BYTES } from './elf-header.js'
import type { Identity } from './identity.js'
import { AT_EXECFN, AT_NULL, AT_RANDOM } from './initial-stack.js'
import { SIGNAL_FRAME_BYTES } from './signal-frame.js'

/** Types (include/uapi/linux/auxvec.h, arch/riscv/include/uapi/asm/auxvec.h). */
const AT = {
  programHeaders: 3,
  programHeaderBytes: 4,
  programHeaderCount: 5,
  pageSize: 6,
  base: 7,
  flags: 8,
  entry: 9,
  uid: 11,
  euid: 12,
  gid: 13,
  egid: 14,
  hardwareCapabilities: 16,
  clockTicks: 17,
  secure: 23,
  rseqFeatureSize: 27,
  rseqAlign: 28,
  vdso: 33,
  signalStackMin: 51,
} as const

/** AT_L1I_CACHESIZE to AT_L3_CACHEGEOMETRY: unknown, as on QEMU's virt board. */
const CACHES = [40, 41, 42, 43, 44, 45, 46, 47]
/** IMAFDC, one bit a letter. */
const RV64GC = 0x112d

/** Where things were put. */
export interface LoadAddresses {
  /** What was added to the program's addresses. */
  readonly bias: number
  /** What was added to its interpreter's; 0 = it has none. */
  readonly interpreterBase: number
  readonly vdso: number
}

/** What the kernel tells a program about itself, in the order of Linux 6.12 on riscv64; `identity`: who runs it. */
export function auxiliaryVector(
  program: ElfProgram,
  { bias, interpreterBase, vdso }: LoadAddresses,
  { credentials, isSecure }: Identity,
): readonly (readonly [type: number, value: number])[] {
  const { user, group } = credentials
  return [
    [AT.vdso, vdso],
    ...CACHES.map((type) => [type, 0] as const),
    [AT.signalStackMin, SIGNAL_FRAME_BYTES],
    [AT.hardwareCapabilities, RV64GC],
    [AT.pageSize, PAGE_SIZE],
    [AT.clockTicks, 100],
    [AT.programHeaders, program.programHeaderAddress + bias],
    [AT.programHeaderBytes, PROGRAM_HEADER_BYTES],
    [AT.programHeaderCount, program.header.programHeaderCount],
    [AT.base, interpreterBase],
    [AT.flags, 0],
    [AT.entry, program.entry + bias],
    [AT.uid, user.real],
    [AT.euid, user.effective],
    [AT.gid, group.real],
    [AT.egid, group.effective],
    [AT.secure, isSecure ? 1 : 0],
    [AT_RANDOM, 0],
    [AT_EXECFN, 0],
    [AT.rseqFeatureSize, 28],
    [AT.rseqAlign, 32],
    [AT_NULL, 0],
  ]
}

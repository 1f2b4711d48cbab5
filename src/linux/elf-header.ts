/**
 * The first 64 bytes of an ELF file (System V ABI, chapter 4; RISC-V ELF psABI, chapter 8), checked. Every problem is
 * one line that says what the file is and, where there is one, the way out.
 */
export const ELF_HEADER_BYTES = 64
export const PROGRAM_HEADER_BYTES = 56
const PROGRAM_HEADERS_BYTES_MAX = 65536
const EM_RISCV = 243
const EF_RISCV_RVE = 8

export const ElfType = { executable: 2, sharedObject: 3 } as const

/** Where bytes come from; an ELF file is never read as a whole. */
export interface ElfSource {
  readonly size: number
  /** Bytes read at an offset: fewer at the end of the file, a negative errno when reading fails. */
  read(offset: number, target: Uint8Array): number
}

export interface ElfHeader {
  /** An ElfType. */
  readonly type: number
  readonly entry: number
  readonly programHeaderOffset: number
  readonly programHeaderCount: number
  readonly sectionHeaderOffset: number
  readonly sectionHeaderBytes: number
  readonly sectionHeaderCount: number
}

/** Why a file cannot be run. */
export interface ElfProblem {
  readonly problem: string
  /** What execve(2) answers: a negative errno, -ENOEXEC when there is none. */
  readonly errno?: number
  /** Linux finds out only when the old program is gone. */
  readonly late?: boolean
}

const MACHINES: ReadonlyMap<number, string> = new Map([
  [3, 'i386'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, 'PowerPC64'],
  [22, 'S/390'],
  [40, '32-bit ARM'],
  [62, 'x86-64'],
  [183, 'AArch64'],
  [247, 'BPF'],
  [258, 'LoongArch'],
])

const TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'an object file that has not been linked'],
  [4, 'a core dump'],
])

/** A 64-bit field as a number; beyond 2^53 it is rounded, which no check minds: all limits are far below. */
export function u64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true)
}

/** Exactly `length` bytes at `offset`, or nothing when the file ends before. */
export function readView(source: ElfSource, offset: number, length: number): DataView | undefined {
  if (!(offset >= 0 && length >= 0 && offset + length <= source.size)) return undefined
  const bytes = new Uint8Array(length)
  if (source.read(offset, bytes) !== length) return undefined
  return new DataView(bytes.buffer)
}

function identProblem(view: DataView): string | undefined {
  const bitsClass = view.getUint8(4)
  const data = view.getUint8(5)
  if (bitsClass === 1) return 'a 32-bit ELF file; only 64-bit RISC-V (riscv64) programs can run'
  if (bitsClass !== 2) return `a broken ELF file (class ${bitsClass})`
  if (data === 2) return 'a big-endian ELF file; only little-endian RISC-V (riscv64) programs can run'
  if (data !== 1) return `a broken ELF file (data encoding ${data})`
  if (view.getUint8(6) !== 1) return `a broken ELF file (version ${view.getUint8(6)})`
  return undefined
}

function machineProblem(view: DataView): string | undefined {
  const machine = view.getUint16(18, true)
  if (machine === EM_RISCV) {
    const embedded = (view.getUint32(48, true) & EF_RISCV_RVE) !== 0
    return embedded ? 'built for RV64E (16 registers); only RV64GC programs can run' : undefined
  }
  const name = MACHINES.get(machine) ?? `machine ${machine}`
  return `built for ${name}; only riscv64 programs can run (compile with riscv64-linux-gnu-gcc -static)`
}

function typeProblem(view: DataView): string | undefined {
  const type = view.getUint16(16, true)
  if (type === ElfType.executable || type === ElfType.sharedObject) return undefined
  return TYPES.get(type) ?? `a broken ELF file (type ${type})`
}

function tableProblem(view: DataView, size: number): string | undefined {
  const bytes = view.getUint16(54, true)
  const count = view.getUint16(56, true)
  if (count === 0) return 'an ELF file without program headers: nothing to load'
  if (bytes !== PROGRAM_HEADER_BYTES) return `a broken ELF file (program headers of ${bytes} bytes)`
  if (count * bytes > PROGRAM_HEADERS_BYTES_MAX) return `a broken ELF file (${count} program headers)`
  if (u64(view, 32) + count * bytes > size) {
    return `cut short: its program headers end at byte ${u64(view, 32) + count * bytes}, the file has ${size}`
  }
  return undefined
}

function isElf(view: DataView): boolean {
  return view.byteLength >= 4 && view.getUint32(0, false) === 0x7f454c46
}

function notElf(source: ElfSource): string {
  if (source.size === 0) return 'empty file, not a program'
  const start = readView(source, 0, Math.min(source.size, 2))
  if (start?.byteLength === 2 && start.getUint16(0, false) === 0x2321) {
    return 'a script whose first line names no interpreter'
  }
  return 'not an ELF file'
}

/** Reads and checks the header. Of an interpreter, Linux looks at the type only when the old program is gone. */
export function readElfHeader(source: ElfSource, isInterpreter = false): ElfHeader | ElfProblem {
  const magic = readView(source, 0, Math.min(source.size, 4))
  if (magic === undefined || !isElf(magic)) return { problem: notElf(source) }
  const view = readView(source, 0, ELF_HEADER_BYTES)
  if (view === undefined) return { problem: `cut short: ${source.size} bytes, an ELF header alone has 64` }
  const problem = identProblem(view) ?? machineProblem(view) ?? tableProblem(view, source.size)
  if (problem !== undefined) return { problem }
  const wrongType = typeProblem(view)
  if (wrongType !== undefined) return { problem: wrongType, late: isInterpreter }
  return {
    type: view.getUint16(16, true),
    entry: u64(view, 24),
    programHeaderOffset: u64(view, 32),
    programHeaderCount: view.getUint16(56, true),
    sectionHeaderOffset: u64(view, 40),
    sectionHeaderBytes: view.getUint16(58, true),
    sectionHeaderCount: view.getUint16(60, true),
  }
}

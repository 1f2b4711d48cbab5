/**
 * Reads an ELF program and checks all that loading it relies on, so that `exec.ts` can map it without a second look.
 * Whatever the bytes are, the answer is a program or one line that says why not.
 */

import { EIO, ELIBBAD } from '../base/errno.js'
import { PAGE_MASK, PAGE_SIZE } from '../base/numbers.js'
import {
  ELF_HEADER_BYTES,
  type ElfHeader,
  type ElfProblem,
  type ElfSource,
  ElfType,
  PROGRAM_HEADER_BYTES,
  readElfHeader,
  readView,
  u64,
} from './elf-header.js'
import { byteString } from './fs/text.js'

export type { ElfProblem, ElfSource } from './elf-header.js'

const PT_LOAD = 1
const PT_INTERP = 3
const PT_GNU_STACK = 0x6474e551
const INTERPRETER_BYTES_MIN = 2
const INTERPRETER_BYTES_MAX = 4096
/** Highest user address of Sv39. */
const ADDRESS_MAX = 0x40_0000_0000

/** What a file is read as. */
const Role = { program: 0, interpreter: 1, library: 2 } as const
type Role = (typeof Role)[keyof typeof Role]

/** Bits of `ElfSegment.flags` (p_flags). */
export const SegmentFlag = { execute: 1, write: 2, read: 4 } as const

/** A PT_LOAD segment with something in it. Addresses are the file's: a position-independent program is moved as a whole. */
export interface ElfSegment {
  readonly address: number
  readonly memoryBytes: number
  /** p_align; 0 and 1 mean none. */
  readonly align: number
  readonly fileOffset: number
  /** At most `memoryBytes`; the rest is zero. */
  readonly fileBytes: number
  readonly flags: number
}

export interface ElfProgram {
  readonly header: ElfHeader
  /** Rising by address, not overlapping, at least one. */
  readonly segments: readonly ElfSegment[]
  readonly positionIndependent: boolean
  readonly entry: number
  /** Address of the program headers in memory, 0 when no segment holds them: AT_PHDR. */
  readonly programHeaderAddress: number
  readonly executableStack: boolean
  /** Path of the program that loads this one's libraries (PT_INTERP). */
  readonly interpreter: string | undefined
}

export function isProblem(value: object): value is ElfProblem {
  return 'problem' in value
}

const hex = (value: number) => `0x${value.toString(16)}`

function segmentAt(view: DataView, at: number): ElfSegment {
  return {
    flags: view.getUint32(at + 4, true),
    fileOffset: u64(view, at + 8),
    address: u64(view, at + 16),
    fileBytes: u64(view, at + 32),
    memoryBytes: u64(view, at + 40),
    align: u64(view, at + 48),
  }
}

/** One segment by itself. `lowest` is the first address that a program may use. */
function segmentProblem(segment: ElfSegment, fileSize: number, lowest: number): string | undefined {
  const { address, memoryBytes, fileOffset, fileBytes } = segment
  const name = `segment at ${hex(address)}`
  if (fileBytes > memoryBytes) return `broken: the ${name} has more bytes in the file than in memory`
  if (address < lowest) return `broken: the ${name} covers the null page`
  if (address + memoryBytes > ADDRESS_MAX) return `broken: the ${name} ends above ${hex(ADDRESS_MAX)}`
  if (fileBytes > 0 && fileOffset + fileBytes > fileSize) {
    return `cut short: the ${name} needs ${fileOffset + fileBytes} bytes of file, there are ${fileSize}`
  }
  if (address % PAGE_SIZE !== fileOffset % PAGE_SIZE) {
    return `broken: address and file offset of the ${name} differ within the page`
  }
  return undefined
}

function segmentsProblem(segments: readonly ElfSegment[], size: number, lowest: number): string | undefined {
  if (segments.length === 0) return 'an ELF file without segments to load'
  let end = 0
  for (const segment of segments) {
    const problem = segmentProblem(segment, size, lowest)
    if (problem !== undefined) return problem
    if (segment.address < end) return `broken: its segments overlap or descend at ${hex(segment.address)}`
    end = segment.address + segment.memoryBytes
  }
  return undefined
}

/** The path in a PT_INTERP header, a byte string, with its errors as Linux has them. */
function interpreterPath(source: ElfSource, view: DataView, at: number): string | ElfProblem {
  const length = u64(view, at + 32)
  if (length < INTERPRETER_BYTES_MIN || length > INTERPRETER_BYTES_MAX) {
    return { problem: `broken: the path of its interpreter has ${length} bytes` }
  }
  const text = readView(source, u64(view, at + 8), length)
  if (text === undefined) return { problem: 'cut short: the path of its interpreter is missing', errno: -EIO }
  if (text.getUint8(length - 1) !== 0) return { problem: 'broken: the path of its interpreter does not end' }
  return byteString(new Uint8Array(text.buffer, text.byteOffset, length)).split('\0')[0]!
}

function entryProblem(header: ElfHeader, segments: readonly ElfSegment[]): string | undefined {
  const { entry } = header
  if (entry === 0 && header.type === ElfType.sharedObject) return 'a shared library, not a program'
  const home = segments.find((s) => entry >= s.address && entry < s.address + s.memoryBytes)
  if (home === undefined) return `broken: its entry point ${hex(entry)} lies in no segment`
  if ((home.flags & SegmentFlag.execute) === 0)
    return `broken: its entry point ${hex(entry)} is not executable`
  if (entry % 2 !== 0) return `broken: its entry point ${hex(entry)} is odd`
  return undefined
}

/** As Linux finds it: where the table's first byte lies in a segment's file part. */
function programHeaderAddress(header: ElfHeader, segments: readonly ElfSegment[]): number {
  const offset = header.programHeaderOffset
  const home = segments.find((s) => offset >= s.fileOffset && offset < s.fileOffset + s.fileBytes)
  return home === undefined ? 0 : offset - home.fileOffset + home.address
}

interface Table {
  readonly segments: ElfSegment[]
  executableStack: boolean
  interpreter: string | ElfProblem | undefined
}

function readTable(source: ElfSource, view: DataView): Table {
  const table: Table = { segments: [], executableStack: false, interpreter: undefined }
  for (let at = 0; at < view.byteLength; at += PROGRAM_HEADER_BYTES) {
    const type = view.getUint32(at, true)
    if (type === PT_INTERP) table.interpreter ??= interpreterPath(source, view, at)
    else if (type === PT_GNU_STACK) table.executableStack = (view.getUint32(at + 4, true) & 1) !== 0
    else if (type === PT_LOAD && u64(view, at + 40) > 0) table.segments.push(segmentAt(view, at))
  }
  return table
}

/** Reads and checks the headers of a program; its segments' bytes are not looked at. */
export function readElf(source: ElfSource): ElfProgram | ElfProblem {
  const header = readElfHeader(source)
  return isProblem(header) ? header : readImage(source, header, Role.program)
}

/** The same for what a program names as its interpreter, which cannot name another. */
export function readInterpreter(source: ElfSource): ElfProgram | ElfProblem {
  if (source.size < ELF_HEADER_BYTES) return { problem: 'cut short: no ELF file', errno: -EIO }
  const header = readElfHeader(source, true)
  const program = isProblem(header) ? header : readImage(source, header, Role.interpreter)
  return isProblem(program) ? { errno: -ELIBBAD, ...program } : program
}

/** The same for what is mapped but not begun: any shared library. */
export function readLibrary(source: ElfSource): ElfProgram | ElfProblem {
  const header = readElfHeader(source)
  return isProblem(header) ? header : readImage(source, header, Role.library)
}

function readImage(source: ElfSource, header: ElfHeader, role: Role): ElfProgram | ElfProblem {
  const view = readView(source, header.programHeaderOffset, header.programHeaderCount * PROGRAM_HEADER_BYTES)
  if (view === undefined) return { problem: 'cut short: its program headers cannot be read' }
  const { segments, executableStack, interpreter: named } = readTable(source, view)
  const interpreter = role === Role.program ? named : undefined
  if (typeof interpreter === 'object') return interpreter
  const positionIndependent = header.type === ElfType.sharedObject
  const isBegun = role !== Role.library && interpreter === undefined
  const problem =
    segmentsProblem(segments, source.size, positionIndependent ? 0 : PAGE_MASK + 1) ??
    (isBegun ? entryProblem(header, segments) : undefined)
  if (problem !== undefined) return { problem, late: true }
  return {
    header,
    segments,
    positionIndependent,
    entry: header.entry,
    programHeaderAddress: programHeaderAddress(header, segments),
    executableStack,
    interpreter,
  }
}

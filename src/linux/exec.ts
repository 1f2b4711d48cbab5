/**
 * Makes a fresh address space for a program, as Linux's binfmt_elf does: private mappings of the file's pages, zeroed
 * memory behind them, the stack, and the kernel's own pages.
 */
import { E2BIG, ENOEXEC, ENOMEM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, pageOf, pagesFor, type Vpn } from '../base/numbers.js'
import { clearUser, copyToUser } from '../fault/user-copy.js'
import type { MemoryManager } from '../mm.js'
import { AddressSpace } from '../space/address-space.js'
import { mapRegion } from '../space/map-region.js'
import { findPlace, setLayout } from '../space/placement.js'
import { VM_EXEC, VM_MAY_ACCESS, VM_READ, VM_STACK_FLAGS, VM_WRITE } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { auxiliaryVector } from './auxiliary-vector.js'
import { type ElfProgram, type ElfSegment, isProblem, readElf, SegmentFlag } from './elf.js'
import { buildInitialStack, stringBytes } from './initial-stack.js'
import { applyLimits, Limit } from './limits.js'
import type { Process } from './process.js'
import type { ExecutableFile } from './syscall-context.js'
import type { VdsoPages } from './vdso-pages.js'

/** personality(2): mappings from low addresses upwards. */
const ADDR_COMPAT_LAYOUT = 0x0200000
const STACK_EXTRA_PAGES = 32
const STACK_TOP = 0x40_0000_0000
/** Most that arguments and environment may take, whatever the stack's limit is: 3/4 of 8 MiB. */
const STRING_BYTES_MAX = 6 * 2 ** 20
const STRING_BYTES_MIN = 128 * 1024
/** Where the heap of a position-independent program begins (ELF_ET_DYN_BASE). */
const PIE_HEAP = 0x2a_aaaa_b000

export interface Execution {
  /** As execve was given it: AT_EXECFN. */
  readonly path: string
  readonly arguments: readonly string[]
  readonly environment: readonly string[]
  readonly random: Uint8Array
}

export interface LoadedProgram {
  readonly space: AddressSpace
  readonly program: ElfProgram
  /** What was added to the file's addresses. */
  readonly bias: number
  readonly entry: number
  readonly stackPointer: number
}

/** Why a program could not be loaded; `reason` is for people. */
export interface ExecProblem {
  readonly errno: number
  readonly reason: string
}

export function isExecProblem(value: object): value is ExecProblem {
  return 'reason' in value
}

const NO_MEMORY: ExecProblem = { errno: -ENOMEM, reason: 'not enough memory to load it' }

/** Loads a program for a process (for its limits and personality). Nothing of the process is changed. */
export function loadProgram(
  mm: MemoryManager,
  pages: VdsoPages,
  process: Process,
  file: ExecutableFile,
  execution: Execution,
): LoadedProgram | ExecProblem {
  const program = readElf(file)
  if (isProblem(program)) return { errno: -ENOEXEC, reason: program.problem }
  const problem = sizeProblem(mm, process, program, execution)
  if (problem !== undefined) return problem
  const record = mm.spaces.create()
  if (record === NULL) return NO_MEMORY
  const space = new AddressSpace(mm.memory, record)
  applyLimits(process, space)
  const loaded = fillSpace(mm, pages, process, space, file, program, execution)
  if (isExecProblem(loaded)) mm.spaces.release(record)
  return loaded
}

function sizeProblem(
  mm: MemoryManager,
  process: Process,
  program: ElfProgram,
  execution: Execution,
): ExecProblem | undefined {
  const limit = process.softLimit(Limit.stack) / 4
  const most = Math.max(STRING_BYTES_MIN, Math.min(limit, STRING_BYTES_MAX))
  if (stringBytes(encoded(execution)) > most) {
    return { errno: -E2BIG, reason: 'its arguments and environment are too long' }
  }
  const bytes = program.segments.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  if (bytes <= mm.buddy.totalFrames() * PAGE_SIZE) return undefined
  const needed = Math.ceil(bytes / 2 ** 20)
  const there = Math.floor((mm.buddy.totalFrames() * PAGE_SIZE) / 2 ** 20)
  return { errno: -ENOMEM, reason: `needs ${needed} MiB of memory, the machine has ${there} MiB` }
}

function encoded(execution: Execution) {
  const utf8 = new TextEncoder()
  return {
    executable: utf8.encode(execution.path),
    arguments: execution.arguments.map((text) => utf8.encode(text)),
    environment: execution.environment.map((text) => utf8.encode(text)),
  }
}

function fillSpace(
  mm: MemoryManager,
  pages: VdsoPages,
  process: Process,
  space: AddressSpace,
  file: ExecutableFile,
  program: ElfProgram,
  execution: Execution,
): LoadedProgram | ExecProblem {
  const isCompatible = (process.personality & ADDR_COMPAT_LAYOUT) !== 0
  setLayout(space, mm.arch.userEnd, process.softLimit(Limit.stack), isCompatible)
  const bias = placeProgram(mm, space, program)
  if (bias < 0) return NO_MEMORY
  for (const segment of program.segments) {
    if (mapSegment(mm, space, file, segment, bias) < 0) return NO_MEMORY
  }
  setHeap(space, program, bias)
  const vdso = pages.map(mm, space)
  if (vdso < 0) return NO_MEMORY
  const stackPointer = makeStack(mm, process, space, program, bias, vdso, execution)
  if (stackPointer < 0) return NO_MEMORY
  return { space, program, bias, entry: program.entry + bias, stackPointer }
}

/**
 * What is added to the file's addresses: nothing, or what moves a position-independent program to the highest free place
 * that suits its alignment; -ENOMEM.
 */
function placeProgram(mm: MemoryManager, space: AddressSpace, program: ElfProgram): number {
  if (!program.positionIndependent) return 0
  const { segments } = program
  const first = pageOf(segments[0]!.address)
  const last = segments[segments.length - 1]!
  const pages = pagesFor(last.address + last.memoryBytes) - first
  mm.atomics.lock(space.lock, LockRank.space)
  const wish = { start: 0 as Vpn, pages, fixed: false, pageOffset: 0, isAnonymous: false }
  const place = findPlace(mm, space, wish)
  mm.atomics.unlock(space.lock, LockRank.space)
  if (place < 0) return place
  const align = Math.max(1, ...segments.map((segment) => pagesFor(segment.align)))
  return (place - (place % align) - first) * PAGE_SIZE
}

function accessOf(flags: number): number {
  const read = (flags & SegmentFlag.read) !== 0 ? VM_READ : 0
  const write = (flags & SegmentFlag.write) !== 0 ? VM_WRITE : 0
  return read | write | ((flags & SegmentFlag.execute) !== 0 ? VM_EXEC : 0)
}

/** elf_load: the file's part, zeroes to the end of its last page, and anonymous memory behind. */
function mapSegment(
  mm: MemoryManager,
  space: AddressSpace,
  file: ExecutableFile,
  segment: ElfSegment,
  bias: number,
): number {
  const start = segment.address + bias
  const fileEnd = start + segment.fileBytes
  const access = accessOf(segment.flags)
  if (segment.fileBytes > 0) {
    const offset = pageOf(segment.fileOffset)
    const result = mapFixed(mm, space, pageOf(start), pagesFor(fileEnd), access, file.object, offset)
    if (result < 0) return result
    const isCut = segment.memoryBytes > segment.fileBytes && fileEnd % PAGE_SIZE !== 0
    const zeroed = isCut ? clearUser(mm, space, fileEnd, PAGE_SIZE - (fileEnd % PAGE_SIZE)) : 0
    if (zeroed < 0 && (access & VM_WRITE) !== 0) return zeroed
  }
  const first = segment.fileBytes > 0 ? pagesFor(fileEnd) : pageOf(start)
  const end = pagesFor(start + segment.memoryBytes)
  if (end <= first) return 0
  // Memory for .bss is readable and writable whatever the segment says (vm_brk_flags).
  return mapFixed(mm, space, first, end, VM_READ | VM_WRITE | (access & VM_EXEC), NULL, 0)
}

/** A private mapping from one page to before another. */
function mapFixed(
  mm: MemoryManager,
  space: AddressSpace,
  first: number,
  end: number,
  access: number,
  object: Ptr,
  pageOffset: number,
): number {
  const flags = access | VM_MAY_ACCESS
  const file = object === NULL ? 0 : mm.objects.identity(object)
  const request = { start: first as Vpn, pages: end - first, flags, object, pageOffset, fixed: true, file }
  mm.atomics.lock(space.lock, LockRank.space)
  const result = mapRegion(mm, space, request)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

/** The heap begins behind the program; that of a position-independent one far away from the mappings. */
function setHeap(space: AddressSpace, program: ElfProgram, bias: number): void {
  const ends = program.segments.map((segment) => segment.address + segment.memoryBytes + bias)
  const heap = program.positionIndependent ? PIE_HEAP : pagesFor(Math.max(...ends)) * PAGE_SIZE
  space.brkStart = heap
  space.brk = heap
  const data = program.segments.filter(({ flags }) => (flags & SegmentFlag.write) !== 0)
  space.dataSegmentBytes = data.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
}

/** Maps the stack and fills its top; the stack pointer, or a negative errno. */
function makeStack(
  mm: MemoryManager,
  process: Process,
  space: AddressSpace,
  program: ElfProgram,
  bias: number,
  vdso: number,
  execution: Execution,
): number {
  const stack = buildInitialStack(STACK_TOP, {
    ...encoded(execution),
    random: execution.random,
    auxiliary: auxiliaryVector(program, bias, vdso),
  })
  const stringPages = STACK_TOP / PAGE_SIZE - pageOf(stack.stringsStart)
  const most = Math.floor(process.softLimit(Limit.stack) / PAGE_SIZE)
  const least = STACK_TOP / PAGE_SIZE - pageOf(stack.stackPointer)
  const pages = Math.max(least, Math.min(stringPages + STACK_EXTRA_PAGES, most))
  const flags = VM_STACK_FLAGS | (program.executableStack ? VM_EXEC : 0)
  const start = (STACK_TOP / PAGE_SIZE - pages) as Vpn
  mm.atomics.lock(space.lock, LockRank.space)
  space.stackStart = stack.stackPointer
  const result = mapRegion(mm, space, { start, pages, flags, object: NULL, pageOffset: start, fixed: true })
  mm.atomics.unlock(space.lock, LockRank.space)
  if (result < 0) return result
  const copied = copyToUser(mm, space, stack.stackPointer, stack.bytes)
  return copied < 0 ? copied : stack.stackPointer
}

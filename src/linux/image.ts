/** An ELF file in an address space: where it goes, and its segments as private mappings (fs/binfmt_elf.c). */
import { NULL, PAGE_SIZE, type Ptr, pageOf, pagesFor, type Vpn } from '../base/numbers.js'
import { clearUser } from '../fault/user-copy.js'
import type { MemoryManager } from '../mm.js'
import { type AddressSpace, SpaceFlag } from '../space/address-space.js'
import { mapRegion } from '../space/map-region.js'
import { findPlace, UNALIGNED } from '../space/placement.js'
import { sealRange } from '../space/seal.js'
import { VM_EXEC, VM_MAY_ACCESS, VM_READ, VM_WRITE } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { type ElfProgram, type ElfSegment, SegmentFlag } from './elf.js'
import type { ExecutableFile } from './syscall-context.js'

/**
 * ELF_ET_DYN_BASE, two thirds of the address range: where a position-independent program with an interpreter begins, and
 * the heap of one without.
 */
const DYNAMIC_BASE = 0x2a_aaaa_aaaa
export const DYNAMIC_HEAP = pagesFor(DYNAMIC_BASE) * PAGE_SIZE

/** A file with what is known of it. */
export interface ElfFile {
  readonly file: ExecutableFile
  readonly program: ElfProgram
}

/** maximum_alignment: the largest p_align that is a power of two, in pages; 1 for none. */
function alignmentOf(program: ElfProgram): number {
  const powers = program.segments
    .map(({ align }) => align)
    .filter((align) => Number.isInteger(Math.log2(align)))
  return pagesFor(Math.max(PAGE_SIZE, ...powers))
}

const firstPage = (program: ElfProgram): number => pageOf(program.segments[0]!.address)

/** From the first segment's page to the end of the last one's. */
function spanOf(program: ElfProgram): number {
  const last = program.segments[program.segments.length - 1]!
  return pagesFor(last.address + last.memoryBytes) - firstPage(program)
}

const alignDown = (page: number, align: number): number => page - (page % align)

/**
 * What is added to the file's addresses of a program: nothing, or what moves it to its place; -ENOMEM. `randomPages`: by how
 * many one that has an interpreter is moved.
 */
export function placeProgram(
  mm: MemoryManager,
  space: AddressSpace,
  program: ElfProgram,
  randomPages: number,
): number {
  if (!program.positionIndependent) return 0
  const align = alignmentOf(program)
  if (program.interpreter !== undefined) {
    return (alignDown(pageOf(DYNAMIC_BASE) + randomPages, align) - firstPage(program)) * PAGE_SIZE
  }
  const place = freePlace(mm, space, spanOf(program))
  return place < 0 ? place : (alignDown(place, align) - firstPage(program)) * PAGE_SIZE
}

/** The same for a program's interpreter, whose alignment Linux does not look at. */
export function placeInterpreter(mm: MemoryManager, space: AddressSpace, program: ElfProgram): number {
  if (!program.positionIndependent) return 0
  const place = freePlace(mm, space, spanOf(program))
  return place < 0 ? place : (place - firstPage(program)) * PAGE_SIZE
}

/** Whether a bias keeps a program within the address range. */
export function isPlaced(mm: MemoryManager, program: ElfProgram, bias: number): boolean {
  const start = firstPage(program) + bias / PAGE_SIZE
  return start >= 0 && start + spanOf(program) <= mm.arch.userEnd
}

function freePlace(mm: MemoryManager, space: AddressSpace, pages: number): number {
  mm.atomics.lock(space.lock, LockRank.space)
  const place = findPlace(mm, space, 0 as Vpn, pages, UNALIGNED)
  mm.atomics.unlock(space.lock, LockRank.space)
  return place
}

/** Maps every segment: 0, or a negative errno. */
export function mapImage(mm: MemoryManager, space: AddressSpace, image: ElfFile, bias: number): number {
  for (const segment of image.program.segments) {
    const result = mapSegment(mm, space, image.file, segment, bias)
    if (result < 0) return result
  }
  return 0
}

/** READ_IMPLIES_EXEC is for what is mapped from the file; what is behind has no more than the segment says. */
function fileAccess(space: AddressSpace, access: number): number {
  const implies = (space.flags & SpaceFlag.readImpliesExec) !== 0 && (access & VM_READ) !== 0
  return implies ? access | VM_EXEC : access
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
    const result = mapFixed(
      mm,
      space,
      pageOf(start),
      pagesFor(fileEnd),
      fileAccess(space, access),
      file.object,
      offset,
    )
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

/**
 * Where the heap begins: behind the program, or far from the mappings among which the program lies. `randomPages`: how many
 * are left free in front of it, and between it and a program one more; undefined: it is not moved.
 */
export function setHeap(
  space: AddressSpace,
  program: ElfProgram,
  bias: number,
  randomPages: number | undefined,
): void {
  const ends = program.segments.map((segment) => segment.address + segment.memoryBytes + bias)
  const isAmongMappings = program.positionIndependent && program.interpreter === undefined
  const first = isAmongMappings ? DYNAMIC_HEAP : pagesFor(Math.max(...ends)) * PAGE_SIZE
  const moved = randomPages === undefined ? 0 : randomPages + (isAmongMappings ? 0 : 1)
  const heap = first + moved * PAGE_SIZE
  space.parts.brkStart = heap
  space.parts.brk = heap
}

/**
 * MMAP_PAGE_ZERO: a page of zeroes at address 0, sealed, as programs of SVr4 expect it. Linux starts the program without it
 * when there is no memory for it, or when the user may not map so low.
 */
export function mapPageZero(mm: MemoryManager, space: AddressSpace): void {
  if (mapFixed(mm, space, 0, 1, VM_READ | VM_EXEC, NULL, 0) < 0) return
  mm.atomics.lock(space.lock, LockRank.space)
  sealRange(mm, space, 0 as Vpn, 1 as Vpn)
  mm.atomics.unlock(space.lock, LockRank.space)
}

/** Where code and data are, as /proc/PID/stat tells it and RLIMIT_DATA counts it (load_elf_binary). */
export function setSegments({ parts }: AddressSpace, { segments }: ElfProgram, bias: number): void {
  const code = segments.filter(({ flags }) => (flags & SegmentFlag.execute) !== 0)
  const fileEnd = ({ address, fileBytes }: ElfSegment) => address + fileBytes
  parts.codeStart = Math.min(...code.map(({ address }) => address)) + bias
  parts.codeEnd = Math.max(0, ...code.map(fileEnd)) + bias
  parts.dataStart = Math.max(...segments.map(({ address }) => address)) + bias
  parts.dataEnd = Math.max(...segments.map(fileEnd)) + bias
}

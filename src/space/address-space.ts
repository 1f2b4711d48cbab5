/**
 * The record of an address space: 384 bytes and a line for each hart, slab cache "space". Guarded by its own lock (LockRank.space) unless
 * a field says otherwise.
 *
 *     0    i32  lock
 *     4    i32  refCount          atomic
 *     8    u32  id                1, 2, …
 *     12   u32  root              frame of the root page table
 *     16   u32  treeRoot          VmaTree
 *     20   u32  treeHeight
 *     24   u32  vmaCount
 *     28   u32  spareNodes        tree nodes set aside, linked through their parent field
 *     32   u32  spareCount
 *     36   u32  previous, next    list of all spaces (lock: LockWord.spaces)
 *     44   i32  upperTables       lock of the tables above those of 4 KiB leaves (LockRank.upperTables)
 *     48   …    what is counted (space-counts.ts); at 104, 152, 216 and 384 too
 *     60   u32  sequence          changes with the tree: an inspector that sees it change reads again
 *     64   f64  …                 see the accessors
 *     80   u32  previousScanned, nextScanned; at 96 isScanned   list of those that khugepaged looks through (lock: LockWord.khugepaged)
 *     280  …    where the parts of its program lie (program-parts.ts)
 *     384  64 bytes for each hart: what it has counted
 *
 * Who holds the lock together with others (a page fault) changes only the line of its own hart, and tables and entries under locks of
 * their own.
 */
import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { ProgramParts } from './program-parts.js'
import { HART_LINE_BYTES, HART_LINES, SpaceCounts } from './space-counts.js'

export const SPACE_ID = 8
export const SPACE_TREE_ROOT = 16
export const SPACE_TREE_HEIGHT = 20
export const SPACE_SPARE_NODES = 28
export const SPACE_SPARE_COUNT = 32
export const SPACE_SEQUENCE = 60

/** Bits of `flags`. */
export const SpaceFlag = {
  /** PR_SET_MDWE: memory that can be written never becomes executable; that not even a child has it (NO_INHERIT). */
  refusesExecGain: 1,
  refusesForItselfOnly: 2,
  /** Some mapping of it is sealed, or was: unmapping must look. */
  hasSeals: 4,
  /** Rights of the process whose call is being done: CAP_SYS_RAWIO, CAP_SYS_ADMIN; READ_IMPLIES_EXEC of its personality. */
  rawAccess: 8,
  administrator: 16,
  readImpliesExec: 32,
  /** PR_SET_THP_DISABLE. */
  hugePagesDisabled: 64,
  /** PF_RANDOMIZE: its parts lie at random places. */
  randomized: 128,
  /** PR_SET_MEMORY_MERGE. */
  mergesAll: 256,
} as const
/** Those that a call brings with it. */
export const CALLER_FLAGS = SpaceFlag.rawAccess | SpaceFlag.administrator | SpaceFlag.readImpliesExec

/** What a new space has of the flags of the one that it comes from, by fork or exec (mmf_init_flags). */
export function inheritedFlags(flags: number): number {
  const kept = flags & (SpaceFlag.refusesExecGain | SpaceFlag.hugePagesDisabled | SpaceFlag.mergesAll)
  return (flags & SpaceFlag.refusesForItselfOnly) !== 0 ? kept & ~SpaceFlag.refusesExecGain : kept
}

/** Size and alignment of a record. */
export function spaceGeometry(memory: Memory): { bytes: number; align: number } {
  return { bytes: HART_LINES + hartsOf(memory) * HART_LINE_BYTES, align: HART_LINE_BYTES }
}

function hartsOf(memory: Memory): number {
  return memory.u32[wordIndex(Word.hartCount)]!
}

/** A view on one record. */
export class AddressSpace {
  // The arrays themselves, and no helper between them and the accessors: every mapping call reads some twenty fields.
  readonly #words: Uint32Array
  readonly #numbers: Float64Array
  readonly #harts: number
  #parts: ProgramParts | undefined
  /** What is counted about it. */
  readonly counts: SpaceCounts
  ptr: Ptr

  constructor(memory: Memory, ptr: Ptr) {
    this.#harts = hartsOf(memory)
    this.#words = memory.u32
    this.#numbers = memory.f64
    this.ptr = ptr
    this.counts = new SpaceCounts(memory.u32, memory.f64, this.#harts, this)
  }

  at(ptr: Ptr): this {
    this.ptr = ptr
    return this
  }

  /** Where the parts of its program lie; made when it is first asked for, as few views are asked. */
  get parts(): ProgramParts {
    return (this.#parts ??= new ProgramParts(this.#words, this.#numbers, this))
  }

  /** The lock word. */
  get lock(): Ptr {
    return this.ptr
  }
  get refCountPtr(): Ptr {
    return (this.ptr + 4) as Ptr
  }
  /** The lock word of its upper page tables. */
  get upperTables(): Ptr {
    return (this.ptr + 44) as Ptr
  }

  get id(): number {
    return this.#words[(this.ptr + 8) >>> 2]!
  }
  set id(id: number) {
    this.#words[(this.ptr + 8) >>> 2] = id
  }

  get root(): Pfn {
    return this.#words[(this.ptr + 12) >>> 2]! as Pfn
  }
  set root(root: Pfn) {
    this.#words[(this.ptr + 12) >>> 2] = root
  }

  /** Mappings, as Linux's map_count. */
  get vmaCount(): number {
    return this.#words[(this.ptr + 24) >>> 2]!
  }
  set vmaCount(count: number) {
    this.#words[(this.ptr + 24) >>> 2] = count
  }

  get previous(): Ptr {
    return this.#words[(this.ptr + 36) >>> 2]! as Ptr
  }
  set previous(space: Ptr) {
    this.#words[(this.ptr + 36) >>> 2] = space
  }
  get next(): Ptr {
    return this.#words[(this.ptr + 40) >>> 2]! as Ptr
  }
  set next(space: Ptr) {
    this.#words[(this.ptr + 40) >>> 2] = space
  }

  get previousScanned(): Ptr {
    return this.#words[(this.ptr + 80) >>> 2]! as Ptr
  }
  set previousScanned(space: Ptr) {
    this.#words[(this.ptr + 80) >>> 2] = space
  }
  get nextScanned(): Ptr {
    return this.#words[(this.ptr + 84) >>> 2]! as Ptr
  }
  set nextScanned(space: Ptr) {
    this.#words[(this.ptr + 84) >>> 2] = space
  }
  /** khugepaged looks through it (MMF_VM_HUGEPAGE). */
  get isScanned(): boolean {
    return this.#words[(this.ptr + 96) >>> 2] !== 0
  }
  set isScanned(scanned: boolean) {
    this.#words[(this.ptr + 96) >>> 2] = scanned ? 1 : 0
  }

  get sequence(): number {
    return this.#words[(this.ptr + 60) >>> 2]!
  }
  set sequence(value: number) {
    this.#words[(this.ptr + 60) >>> 2] = value
  }

  /** Mappings are placed below it, downwards; with `mapsUpwards` from it, upwards. */
  get mapBase(): Vpn {
    return this.#numbers[(this.ptr + 88) >>> 3]! as Vpn
  }
  set mapBase(page: Vpn) {
    this.#numbers[(this.ptr + 88) >>> 3] = page
    this.searchedPages = 0
  }
  /** What a search for a place has found: below `mapBase` no gap of so many pages ends above `searchedTop`. 0 = nothing is known. */
  get searchedPages(): number {
    return this.#numbers[(this.ptr + 64) >>> 3]!
  }
  set searchedPages(pages: number) {
    this.#numbers[(this.ptr + 64) >>> 3] = pages
  }
  get searchedTop(): number {
    return this.#numbers[(this.ptr + 72) >>> 3]!
  }
  set searchedTop(page: number) {
    this.#numbers[(this.ptr + 72) >>> 3] = page
  }
  /** The legacy layout: ADDR_COMPAT_LAYOUT, or an unlimited stack. */
  get mapsUpwards(): boolean {
    return this.#words[(this.ptr + 204) >>> 2]! !== 0
  }
  set mapsUpwards(upwards: boolean) {
    this.#words[(this.ptr + 204) >>> 2] = upwards ? 1 : 0
  }
  /** Soft limits in bytes, or NO_LIMIT. */
  get limitAddressSpace(): number {
    return this.#numbers[(this.ptr + 168) >>> 3]!
  }
  set limitAddressSpace(bytes: number) {
    this.#numbers[(this.ptr + 168) >>> 3] = bytes
  }
  get limitData(): number {
    return this.#numbers[(this.ptr + 176) >>> 3]!
  }
  set limitData(bytes: number) {
    this.#numbers[(this.ptr + 176) >>> 3] = bytes
  }
  get limitStack(): number {
    return this.#numbers[(this.ptr + 184) >>> 3]!
  }
  set limitStack(bytes: number) {
    this.#numbers[(this.ptr + 184) >>> 3] = bytes
  }
  /** RLIMIT_MEMLOCK; NO_LIMIT for a process that may lock what it likes (CAP_IPC_LOCK). */
  get limitLocked(): number {
    return this.#numbers[(this.ptr + 192) >>> 3]!
  }
  set limitLocked(bytes: number) {
    this.#numbers[(this.ptr + 192) >>> 3] = bytes
  }

  /** SpaceFlag bits. */
  get flags(): number {
    return this.#words[(this.ptr + 208) >>> 2]!
  }
  set flags(flags: number) {
    this.#words[(this.ptr + 208) >>> 2] = flags
  }

  /** PR_SET_THP_DISABLE: no huge pages here, whatever is advised. */
  get hugePagesDisabled(): boolean {
    return (this.flags & SpaceFlag.hugePagesDisabled) !== 0
  }
  set hugePagesDisabled(disabled: boolean) {
    const rest = this.flags & ~SpaceFlag.hugePagesDisabled
    this.flags = disabled ? rest | SpaceFlag.hugePagesDisabled : rest
  }

  /** PR_SET_MEMORY_MERGE: what is mapped anew is marked as mergeable. */
  get mergesAll(): boolean {
    return (this.flags & SpaceFlag.mergesAll) !== 0
  }
  set mergesAll(merges: boolean) {
    const rest = this.flags & ~SpaceFlag.mergesAll
    this.flags = merges ? rest | SpaceFlag.mergesAll : rest
  }

  /** RLIMIT_DATA as brk sees it besides limitData: mappings count the hard limit when the soft one is 0. */
  get limitHeap(): number {
    return this.#numbers[(this.ptr + 264) >>> 3]!
  }
  set limitHeap(bytes: number) {
    this.#numbers[(this.ptr + 264) >>> 3] = bytes
  }

  /** Commands that membarrier(2) has registered, a bit each as it numbers them. */
  get barriers(): number {
    return this.#words[(this.ptr + 212) >>> 2]!
  }
  set barriers(commands: number) {
    this.#words[(this.ptr + 212) >>> 2] = commands
  }

  /** VmFlag that every new mapping gets: mlockall(MCL_FUTURE). */
  get defaultFlags(): number {
    return this.#words[(this.ptr + 200) >>> 2]!
  }
  set defaultFlags(flags: number) {
    this.#words[(this.ptr + 200) >>> 2] = flags
  }
}

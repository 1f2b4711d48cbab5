/**
 * The record of an address space: 336 bytes, slab cache "space". Guarded by its own lock (LockRank.space) unless
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
 *     48   u32  rssAnonymous, rssFile, rssShared   frames mapped, by kind
 *     60   u32  sequence          changes with the tree: an inspector that sees it change reads again
 *     64   f64  …                 see the accessors
 */
import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'

export const SPACE_BYTES = 336
export const SPACE_TREE_ROOT = 16
export const SPACE_TREE_HEIGHT = 20
export const SPACE_SPARE_NODES = 28
export const SPACE_SPARE_COUNT = 32

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
} as const
/** Those that a call brings with it. */
export const CALLER_FLAGS = SpaceFlag.rawAccess | SpaceFlag.administrator | SpaceFlag.readImpliesExec

/** What a new space has of the flags of the one that it comes from, by fork or exec (mmf_init_flags). */
export function inheritedFlags(flags: number): number {
  const kept = flags & (SpaceFlag.refusesExecGain | SpaceFlag.hugePagesDisabled)
  return (flags & SpaceFlag.refusesForItselfOnly) !== 0 ? kept & ~SpaceFlag.refusesExecGain : kept
}

/** A view on one record. */
export class AddressSpace {
  readonly #memory: Memory
  ptr: Ptr

  constructor(memory: Memory, ptr: Ptr) {
    this.#memory = memory
    this.ptr = ptr
  }

  at(ptr: Ptr): this {
    this.ptr = ptr
    return this
  }

  #u32(offset: number): number {
    return this.#memory.u32[(this.ptr + offset) >>> 2]!
  }
  #setU32(offset: number, value: number): void {
    this.#memory.u32[(this.ptr + offset) >>> 2] = value
  }
  #f64(offset: number): number {
    return this.#memory.f64[(this.ptr + offset) >>> 3]!
  }
  #setF64(offset: number, value: number): void {
    this.#memory.f64[(this.ptr + offset) >>> 3] = value
  }

  /** The lock word. */
  get lock(): Ptr {
    return this.ptr
  }
  get refCountPtr(): Ptr {
    return (this.ptr + 4) as Ptr
  }

  get id(): number {
    return this.#u32(8)
  }
  set id(id: number) {
    this.#setU32(8, id)
  }

  get root(): Pfn {
    return this.#u32(12) as Pfn
  }
  set root(root: Pfn) {
    this.#setU32(12, root)
  }

  /** Mappings, as Linux's map_count. */
  get vmaCount(): number {
    return this.#u32(24)
  }
  set vmaCount(count: number) {
    this.#setU32(24, count)
  }

  get previous(): Ptr {
    return this.#u32(36) as Ptr
  }
  set previous(space: Ptr) {
    this.#setU32(36, space)
  }
  get next(): Ptr {
    return this.#u32(40) as Ptr
  }
  set next(space: Ptr) {
    this.#setU32(40, space)
  }

  /** Private pages mapped (RssAnon). */
  get rssAnonymous(): number {
    return this.#u32(48)
  }
  set rssAnonymous(pages: number) {
    this.#setU32(48, pages)
  }
  /** Pages of files mapped (RssFile). */
  get rssFile(): number {
    return this.#u32(52)
  }
  set rssFile(pages: number) {
    this.#setU32(52, pages)
  }
  /** Pages of tmpfs and shared anonymous objects mapped (RssShmem). */
  get rssShared(): number {
    return this.#u32(56)
  }
  set rssShared(pages: number) {
    this.#setU32(56, pages)
  }
  get rssPages(): number {
    return this.rssAnonymous + this.rssFile + this.rssShared
  }

  /** Most pages resident at once, as it was when the number last fell (hiwater_rss). */
  get peakRss(): number {
    return this.#f64(216)
  }
  set peakRss(pages: number) {
    this.#setF64(216, pages)
  }
  /** Most pages resident at once so far (VmHWM). */
  get peakRssPages(): number {
    return Math.max(this.peakRss, this.rssPages)
  }

  get sequence(): number {
    return this.#u32(60)
  }
  set sequence(value: number) {
    this.#setU32(60, value)
  }

  /** First byte of the heap: never below it. */
  get brkStart(): number {
    return this.#f64(64)
  }
  set brkStart(address: number) {
    this.#setF64(64, address)
  }
  /** The program break, a byte address. */
  get brk(): number {
    return this.#f64(72)
  }
  set brk(address: number) {
    this.#setF64(72, address)
  }
  /** Bytes of the program's data segment, which RLIMIT_DATA counts with the heap. */
  get dataSegmentBytes(): number {
    return this.#f64(80)
  }
  set dataSegmentBytes(bytes: number) {
    this.#setF64(80, bytes)
  }

  /** Mappings are placed below it, downwards; with `mapsUpwards` from it, upwards. */
  get mapBase(): Vpn {
    return this.#f64(88) as Vpn
  }
  set mapBase(page: Vpn) {
    this.#setF64(88, page)
  }
  /** The legacy layout: ADDR_COMPAT_LAYOUT, or an unlimited stack. */
  get mapsUpwards(): boolean {
    return this.#u32(204) !== 0
  }
  set mapsUpwards(upwards: boolean) {
    this.#setU32(204, upwards ? 1 : 0)
  }
  /** Where the stack pointer was at the program's start, a byte address: names [stack]. */
  get stackStart(): number {
    return this.#f64(96)
  }
  set stackStart(address: number) {
    this.#setF64(96, address)
  }

  /** Pages of all mappings (VmSize). */
  get totalPages(): number {
    return this.#f64(104)
  }
  set totalPages(pages: number) {
    this.#setF64(104, pages)
  }
  /** Private, writable, not stack (VmData). */
  get dataPages(): number {
    return this.#f64(112)
  }
  set dataPages(pages: number) {
    this.#setF64(112, pages)
  }
  /** Executable and not writable (VmExe + VmLib). */
  get execPages(): number {
    return this.#f64(120)
  }
  set execPages(pages: number) {
    this.#setF64(120, pages)
  }
  get stackPages(): number {
    return this.#f64(128)
  }
  set stackPages(pages: number) {
    this.#setF64(128, pages)
  }
  get lockedPages(): number {
    return this.#f64(136)
  }
  set lockedPages(pages: number) {
    this.#setF64(136, pages)
  }
  /** Most pages mapped at once so far (VmPeak). */
  get peakPages(): number {
    return this.#f64(144)
  }
  set peakPages(pages: number) {
    this.#setF64(144, pages)
  }

  get minorFaults(): number {
    return this.#f64(152)
  }
  set minorFaults(count: number) {
    this.#setF64(152, count)
  }
  get majorFaults(): number {
    return this.#f64(160)
  }
  set majorFaults(count: number) {
    this.#setF64(160, count)
  }

  /** Soft limits in bytes, or NO_LIMIT. */
  get limitAddressSpace(): number {
    return this.#f64(168)
  }
  set limitAddressSpace(bytes: number) {
    this.#setF64(168, bytes)
  }
  get limitData(): number {
    return this.#f64(176)
  }
  set limitData(bytes: number) {
    this.#setF64(176, bytes)
  }
  get limitStack(): number {
    return this.#f64(184)
  }
  set limitStack(bytes: number) {
    this.#setF64(184, bytes)
  }
  /** RLIMIT_MEMLOCK; NO_LIMIT for a process that may lock what it likes (CAP_IPC_LOCK). */
  get limitLocked(): number {
    return this.#f64(192)
  }
  set limitLocked(bytes: number) {
    this.#setF64(192, bytes)
  }

  /** SpaceFlag bits. */
  get flags(): number {
    return this.#u32(208)
  }
  set flags(flags: number) {
    this.#setU32(208, flags)
  }

  /** PR_SET_THP_DISABLE: no huge pages here, whatever is advised. */
  get hugePagesDisabled(): boolean {
    return (this.flags & SpaceFlag.hugePagesDisabled) !== 0
  }
  set hugePagesDisabled(disabled: boolean) {
    const rest = this.flags & ~SpaceFlag.hugePagesDisabled
    this.flags = disabled ? rest | SpaceFlag.hugePagesDisabled : rest
  }

  /** Pages of mappings with VM_ACCOUNT. */
  get committedPages(): number {
    return this.#f64(224)
  }
  set committedPages(pages: number) {
    this.#setF64(224, pages)
  }
  /** RLIMIT_DATA as brk sees it besides limitData: mappings count the hard limit when the soft one is 0. */
  get limitHeap(): number {
    return this.#f64(264)
  }
  set limitHeap(bytes: number) {
    this.#setF64(264, bytes)
  }

  /** Commands that membarrier(2) has registered, a bit each as it numbers them. */
  get barriers(): number {
    return this.#u32(212)
  }
  set barriers(commands: number) {
    this.#setU32(212, commands)
  }

  /** VmFlag that every new mapping gets: mlockall(MCL_FUTURE). */
  get defaultFlags(): number {
    return this.#u32(200)
  }
  set defaultFlags(flags: number) {
    this.#setU32(200, flags)
  }

  /** Where the program's code begins and ends, byte addresses: of all segments that are executable. */
  get codeStart(): number {
    return this.#f64(280)
  }
  set codeStart(address: number) {
    this.#setF64(280, address)
  }

  get codeEnd(): number {
    return this.#f64(288)
  }
  set codeEnd(address: number) {
    this.#setF64(288, address)
  }

  /** Of its last segment: what is in the file. */
  get dataStart(): number {
    return this.#f64(296)
  }
  set dataStart(address: number) {
    this.#setF64(296, address)
  }

  get dataEnd(): number {
    return this.#f64(304)
  }
  set dataEnd(address: number) {
    this.#setF64(304, address)
  }

  /** Where its argument strings begin and end on the stack; the environment's follow. */
  get argumentsStart(): number {
    return this.#f64(312)
  }
  set argumentsStart(address: number) {
    this.#setF64(312, address)
  }

  get argumentsEnd(): number {
    return this.#f64(320)
  }
  set argumentsEnd(address: number) {
    this.#setF64(320, address)
  }

  get environmentEnd(): number {
    return this.#f64(328)
  }
  set environmentEnd(address: number) {
    this.#setF64(328, address)
  }
}

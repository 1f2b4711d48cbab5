/**
 * Pagoda for embedding: a machine with real page tables and Linux address spaces, without a hart. Here a refusal is
 * an ErrnoError with Linux's errno; the layers below (`machine.mm` and the functions exported at the end) return it as a
 * negative number.
 *
 *     const machine = Machine.create({ memory: 16 * 2 ** 20 })
 *     const space = machine.createSpace()
 *     const address = space.mmap({ length: 8192 })
 *     space.write(address, 'hello')
 */
import { EFAULT, EINVAL, ENOMEM, ErrnoError, ESRCH } from './base/errno.js'
import { NULL, type Pfn, type Ptr, pageOf } from './base/numbers.js'
import { Access, FaultResult } from './fault/access.js'
import { handleFault } from './fault/handle-fault.js'
import { copyFromUser, copyToUser, isUserRange } from './fault/user-copy.js'
import { type MemoryManager, type MemoryStats, mmAttach, mmInit } from './mm.js'
import { UserMapper } from './paging/user-mapper.js'
import { AddressSpace } from './space/address-space.js'
import { mapsText } from './space/maps.js'
import type { RawMemory } from './state/memory.js'
import { hashMemory, restoreSnapshot, type Snapshot, takeSnapshot } from './state/snapshot.js'
import { sysMadvise } from './syscall/advise.js'
import { sysBrk } from './syscall/brk.js'
import { sysMmap } from './syscall/map.js'
import * as mman from './syscall/mman.js'
import { sysMprotect } from './syscall/protect.js'
import { sysMremap } from './syscall/remap.js'
import { SyscallArguments } from './syscall/syscall-arguments.js'
import { sysMunmap } from './syscall/unmap.js'

export interface MachineOptions {
  /** RAM in bytes: a multiple of 64 KiB, 8 MiB to 4 GiB. Default 64 MiB. */
  readonly memory?: number
  /** Let other threads attach (needs SharedArrayBuffer). Default false. */
  readonly shared?: boolean
  /** Default 1. */
  readonly seed?: number
}

/** The RAM of one machine and everything in it. */
export class Machine {
  /** All layers of the memory manager, for whoever wants more than this class shows. */
  readonly mm: MemoryManager

  private constructor(mm: MemoryManager) {
    this.mm = mm
  }

  /** Boots a machine in a new buffer. Throws an ErrnoError on a bad size or when the host has no room. */
  static create({ memory = 64 * 2 ** 20, shared = false, seed = 1 }: MachineOptions = {}): Machine {
    return new Machine(mmInit({ bytes: memory, shared, seed }))
  }

  /**
   * A view on a machine that another thread booted with `shared`. `hart` tells the threads apart, 0 is the one that booted;
   * by default each that attaches gets the next number. Throws an ErrnoError (EINVAL) when the memory holds no machine.
   */
  static attach(memory: RawMemory, hart?: number): Machine {
    return new Machine(mmAttach(memory, hart === undefined ? {} : { hart }))
  }

  /** What to post to a worker, for Machine.attach. */
  get memory(): RawMemory {
    return this.mm.memory.raw
  }

  /** A new, empty address space. */
  createSpace(): Space {
    return new Space(this.mm, orThrow('createSpace', this.mm.spaces.create() || -ENOMEM) as Ptr)
  }

  /** Every address space that there is, the newest first. */
  spaces(): Space[] {
    return this.mm.allSpaces().map(({ ptr }) => new Space(this.mm, ptr))
  }

  stats(): MemoryStats {
    return this.mm.stats()
  }

  /** Free frames, slabs, objects and spaces as text. */
  dump(): string {
    return this.mm.dump()
  }

  /** Throws an InvariantError when anything in the machine contradicts anything else. */
  check(): void {
    this.mm.check()
  }

  snapshot(): Snapshot {
    return takeSnapshot(this.mm.memory)
  }

  /**
   * Everything is as it was; views of spaces that existed then are good again. Throws an ErrnoError (EINVAL) when the snapshot
   * is of a machine of another size.
   */
  restore(snapshot: Snapshot): void {
    restoreSnapshot(this.mm.memory, snapshot)
  }

  /** 16 hexadecimal digits that depend on everything in RAM. */
  hash(): string {
    return hashMemory(this.mm.memory)
  }
}

export interface MapOptions {
  /** Bytes; rounded up to pages. */
  readonly length: number
  /** Letters of `rwx`. Default 'rw'. */
  readonly protection?: string
  /** Where: a wish, or with `fixed` an order (what is there is replaced). */
  readonly address?: number
  readonly fixed?: boolean
  /** Seen by children of fork, and they by us. Default false. */
  readonly shared?: boolean
  /** Make all pages present at once. */
  readonly populate?: boolean
}

/** How an access ends: names of FaultResult. */
export type FaultOutcome = keyof typeof FaultResult

const ACCESS = { r: Access.read, w: Access.write, x: Access.execute } as const
const OUTCOMES = Object.keys(FaultResult) as FaultOutcome[]
/** Reads up to here are tried; a larger one must be of memory that is mapped. */
const READ_ANYHOW_MAX = 2 ** 28

/**
 * The address space of one process. Addresses and lengths are in bytes; refusals are thrown as ErrnoError: ESRCH from
 * everything once the space is gone (`exit`, here or through another view).
 */
export class Space {
  /** 1, 2, …: no two spaces of a machine have the same. */
  readonly id: number
  readonly #mm: MemoryManager
  readonly #view: AddressSpace
  readonly #words = new Uint32Array(12)
  readonly #arguments = new SyscallArguments({ u32: this.#words })

  constructor(mm: MemoryManager, space: Ptr) {
    this.#mm = mm
    this.#view = new AddressSpace(mm.memory, space)
    this.id = this.#view.id
  }

  /** The record, if the space is still there. */
  get #space(): AddressSpace {
    if (!this.#mm.spaces.isLive(this.#view.ptr, this.id)) throw new ErrnoError('the space has ended', ESRCH)
    return this.#view
  }

  /** Number of the frame that holds the root page table: what an emulator's MMU walks from (in satp: plus 0x80000). */
  get root(): Pfn {
    return this.#space.root
  }

  /** Maps anonymous memory and returns its address. */
  mmap({ length, protection = 'rw', address = 0, ...options }: MapOptions): number {
    let flags = mman.MAP_ANONYMOUS | (options.shared ? mman.MAP_SHARED : mman.MAP_PRIVATE)
    if (options.fixed) flags |= mman.MAP_FIXED
    if (options.populate) flags |= mman.MAP_POPULATE
    const args = this.#pass(address, length, protectionBits(protection), flags, -1, 0)
    return orThrow(
      'mmap',
      sysMmap(this.#mm, this.#space, args, () => -1),
    )
  }

  munmap(address: number, length: number): void {
    orThrow('munmap', sysMunmap(this.#mm, this.#space, this.#pass(address, length)))
  }

  /** `protection`: letters of `rwx`, '' for none. */
  mprotect(address: number, length: number, protection: string): void {
    const args = this.#pass(address, length, protectionBits(protection))
    orThrow('mprotect', sysMprotect(this.#mm, this.#space, args))
  }

  /** Resizes a mapping, moving it when need be; returns its address. */
  mremap(address: number, oldLength: number, newLength: number): number {
    const args = this.#pass(address, oldLength, newLength, mman.MREMAP_MAYMOVE, 0)
    return orThrow('mremap', sysMremap(this.#mm, this.#space, args))
  }

  /** The pages are forgotten: anonymous memory reads as zeroes again. */
  discard(address: number, length: number): void {
    const args = this.#pass(address, length, mman.MADV_DONTNEED)
    orThrow('madvise', sysMadvise(this.#mm, this.#space, args))
  }

  /** The program break; with an argument, tries to move it there first. */
  brk(address = 0): number {
    return sysBrk(this.#mm, this.#space, this.#pass(address))
  }

  /** What the process would read there. */
  read(address: number, length: number): Uint8Array<ArrayBuffer> {
    this.#checkRange('read', address, length)
    const bytes = newBytes(length)
    orThrow('read', copyFromUser(this.#mm, this.#space, address, bytes))
    return bytes
  }

  /** The same as text (UTF-8). */
  readText(address: number, length: number): string {
    return new TextDecoder().decode(this.read(address, length))
  }

  /** Writes as the process would. */
  write(address: number, data: Uint8Array | string): void {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    this.#checkRange('write', address, bytes.length)
    orThrow('write', copyToUser(this.#mm, this.#space, address, bytes))
  }

  /**
   * Handles a page fault: what an emulator does when its walk finds no entry that allows the access ('r', 'w' or 'x').
   * 'ok': walk again; 'segvMapErr': nothing is mapped there; 'segvAccErr': the mapping does not allow it; 'bus': past the end
   * of what is mapped; 'outOfMemory': no frame is left.
   */
  fault(address: number, access: 'r' | 'w' | 'x'): FaultOutcome {
    const kind = ACCESS[access]
    if (kind === undefined || Number.isNaN(address)) throw new ErrnoError('fault', EINVAL)
    const result = handleFault(this.#mm, this.#space, pageOf(address), kind)
    return OUTCOMES.find((name) => FaultResult[name] === result)!
  }

  /** A child: the same memory, copied on write. */
  fork(): Space {
    return new Space(this.#mm, orThrow('fork', this.#mm.spaces.clone(this.#space.ptr) || -ENOMEM) as Ptr)
  }

  /** The process ends: everything that only it had is free again. */
  exit(): void {
    this.#mm.spaces.release(this.#space.ptr)
  }

  /** Number of the frame that holds an address right now; undefined while nothing does. */
  frameAt(address: number): number | undefined {
    const mapper = new UserMapper(this.#mm, this.#space.root)
    return mapper.translate(pageOf(address)) ? mapper.lastPfn : undefined
  }

  /** The mappings, as /proc/PID/maps writes them. */
  maps(): string {
    const { objects } = this.#mm
    return mapsText(this.#mm, this.#space, ({ object }) => ({
      device: '00:01',
      inode: object === NULL ? 0 : objects.identity(object),
      path: '/dev/zero (deleted)',
    }))
  }

  /** Bytes mapped and resident, page faults so far. */
  stats(): { mapped: number; resident: number; minorFaults: number; majorFaults: number } {
    const { totalPages, rssPages, minorFaults, majorFaults } = this.#space.counts
    return { mapped: totalPages * 4096, resident: rssPages * 4096, minorFaults, majorFaults }
  }

  #checkRange(operation: string, address: number, length: number): void {
    if (!Number.isSafeInteger(length) || length < 0 || !Number.isInteger(address)) {
      throw new ErrnoError(operation, EINVAL)
    }
    const mapped = this.#space.counts.totalPages * 4096
    if (!isUserRange(this.#mm, address, length) || length > Math.max(mapped, READ_ANYHOW_MAX)) {
      throw new ErrnoError(operation, EFAULT)
    }
  }

  /** Arguments as registers hold them. */
  #pass(...values: number[]): SyscallArguments {
    values.forEach((value, i) => {
      this.#words[i * 2] = value
      this.#words[i * 2 + 1] = Math.floor(value / 2 ** 32)
    })
    return this.#arguments
  }
}

function protectionBits(letters: string): number {
  if (!/^[rwx]*$/.test(letters)) throw new ErrnoError("a protection is made of 'r', 'w' and 'x'", EINVAL)
  const bits = { r: mman.PROT_READ, w: mman.PROT_WRITE, x: mman.PROT_EXEC }
  return [...letters].reduce((all, letter) => all | bits[letter as 'r' | 'w' | 'x'], 0)
}

function newBytes(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length)
  } catch {
    throw new ErrnoError(`the host has no room for ${length} bytes`, ENOMEM)
  }
}

function orThrow(operation: string, result: number): number {
  if (result < 0) throw new ErrnoError(operation, result)
  return result
}

export { InvariantError } from './base/assert.js'
export { ErrnoError, errnoMessage, errnoName } from './base/errno.js'
export type { Pfn, Ptr, Vpn } from './base/numbers.js'
export {
  type InitOptions,
  MemoryManager,
  type MemoryStats,
  mmAttach,
  mmInit,
  type ThreadOptions,
} from './mm.js'
export { AddressSpace } from './space/address-space.js'
export type { Snapshot } from './state/snapshot.js'
/** Constants of <sys/mman.h>: PROT_READ, MAP_PRIVATE, MADV_DONTNEED, … */
export * as mman from './syscall/mman.js'
export { Access, FaultResult, handleFault }

/** For tests: a small machine with one address space, whose system calls are made with plain numbers. */
import type { Ptr, Vpn } from '../base/numbers.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { type MemoryManager, mmInit } from '../mm.js'
import { AddressSpace } from '../space/address-space.js'
import { sysMadvise } from '../syscall/advise.js'
import { sysBrk } from '../syscall/brk.js'
import type { FileBacking } from '../syscall/file-backing.js'
import * as lock from '../syscall/lock.js'
import { sysMmap } from '../syscall/map.js'
import { sysMincore } from '../syscall/mincore.js'
import { sysMsync } from '../syscall/msync.js'
import { sysSetVmaName } from '../syscall/name-memory.js'
import { sysMprotect } from '../syscall/protect.js'
import { sysMremap } from '../syscall/remap.js'
import { sysRemapFilePages } from '../syscall/remap-file-pages.js'
import { sysMseal } from '../syscall/seal.js'
import { SyscallArguments } from '../syscall/syscall-arguments.js'
import { sysMunmap } from '../syscall/unmap.js'
import type { Access, FaultResult } from './access.js'
import { handleFault } from './handle-fault.js'

/** An argument: a number (negative ones as registers hold them) or all 64 bits. */
export type Argument = number | bigint

/** One process as a test sees it. */
export class Program {
  readonly mm: MemoryManager
  readonly space: AddressSpace
  readonly faults: FaultInjector
  /** What file numbers mean to mmap. */
  readonly files = new Map<number, FileBacking | number>()
  readonly #words = new Uint32Array(12)
  readonly #arguments = new SyscallArguments({ u32: this.#words })

  constructor(mm: MemoryManager, space: AddressSpace, faults: FaultInjector) {
    this.mm = mm
    this.space = space
    this.faults = faults
  }

  static boot(mebibytes = 8, shared = false): Program {
    const faults = new FaultInjector()
    const mm = mmInit({ bytes: mebibytes * 2 ** 20, shared, debug: true, faults })
    return new Program(mm, new AddressSpace(mm.memory, mm.spaces.create()), faults)
  }

  /** A child by fork, or undefined without memory. */
  fork(): Program | undefined {
    const child = this.mm.spaces.clone(this.space.ptr)
    return child === 0
      ? undefined
      : new Program(this.mm, new AddressSpace(this.mm.memory, child), this.faults)
  }

  /** Another process on the same machine, with nothing mapped and the same files. */
  spawn(): Program {
    const space = new AddressSpace(this.mm.memory, this.mm.spaces.create())
    const other = new Program(this.mm, space, this.faults)
    for (const [fd, file] of this.files) other.files.set(fd, file)
    return other
  }

  exit(): void {
    this.mm.spaces.release(this.space.ptr)
  }

  args(...values: Argument[]): SyscallArguments {
    this.#words.fill(0)
    values.forEach((value, i) => {
      const bits = BigInt.asUintN(64, BigInt(value))
      this.#words[i * 2] = Number(bits & 0xffff_ffffn)
      this.#words[i * 2 + 1] = Number(bits >> 32n)
    })
    return this.#arguments
  }

  mmap(
    address: Argument,
    length: Argument,
    prot: Argument,
    flags: Argument,
    fd = -1,
    offset: Argument = 0,
  ): number {
    const args = this.args(address, length, prot, flags, fd, offset)
    return sysMmap(this.mm, this.space, args, (fd) => this.files.get(fd) ?? -9)
  }

  call(name: keyof typeof CALLS, ...values: Argument[]): number {
    return CALLS[name](this.mm, this.space, this.args(...values))
  }

  /** The fault of an access to an address. */
  touch(address: number, access: Access): FaultResult {
    return handleFault(this.mm, this.space, Math.floor(address / 4096) as Vpn, access)
  }
}

const CALLS = {
  munmap: sysMunmap,
  mprotect: sysMprotect,
  brk: sysBrk,
  mremap: sysMremap,
  madvise: sysMadvise,
  mincore: sysMincore,
  msync: sysMsync,
  mlock: lock.sysMlock,
  mlock2: lock.sysMlock2,
  munlock: lock.sysMunlock,
  mlockall: lock.sysMlockall,
  munlockall: lock.sysMunlockall,
  mseal: sysMseal,
  remapFilePages: sysRemapFilePages,
  /** With prctl's own number of the option first. */
  setVmaName: sysSetVmaName,
} as const

/** A file that anything may be done with. */
export function openFile(object: Ptr, rights: Partial<FileBacking> = {}): FileBacking {
  return { object, readable: true, writable: true, executable: true, mappable: true, ...rights }
}

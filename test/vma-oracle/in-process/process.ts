/** A process of a script: an address space whose system calls are functions of syscall/, and what a process has besides. */
import { EACCES, EFAULT, EINVAL, EPERM } from '../../../src/base/errno.js'
import { NULL, type Ptr, type Vpn } from '../../../src/base/numbers.js'
import { Access, FaultResult } from '../../../src/fault/access.js'
import { handleFault } from '../../../src/fault/handle-fault.js'
import { presentFrame } from '../../../src/fault/present-frame.js'
import { readPinned, writeRemote } from '../../../src/fault/remote-copy.js'
import { type Argument, Program } from '../../../src/fault/testing.js'
import { copyFromUser, copyToUser } from '../../../src/fault/user-copy.js'
import { FaultInjector } from '../../../src/frame/fault-injector.js'
import { AddressSpace, SpaceFlag } from '../../../src/space/address-space.js'
import { Vma } from '../../../src/space/vma.js'
import { advise } from '../../../src/syscall/advise.js'
import type { FileBacking } from '../../../src/syscall/file-backing.js'
import * as mman from '../../../src/syscall/mman.js'
import type { SyscallArguments } from '../../../src/syscall/syscall-arguments.js'
import { ScriptFiles } from './files.js'
import { HEAP_PAGES, type OracleMachine, SCRATCH, STACK_PAGES } from './machine.js'
import { OwnSegments } from './own-segments.js'

const PAGE = 4096
const NONE = Number.POSITIVE_INFINITY
/** RLIMIT_MEMLOCK of a Debian machine, in pages. */
const LOCKED_LIMIT = 2048
const FILE = 3
/** MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS; MAP_NORESERVE; MAP_GROWSDOWN. */
const FIXED_FLAGS = 0x32
const BESIDE_FLAGS = 0x4032
const STACK_FLAGS = 0x132
const FOR_OTHERS = [mman.MADV_COLD, mman.MADV_PAGEOUT, mman.MADV_WILLNEED, mman.MADV_COLLAPSE]
const FAULT_NAMES: Readonly<Record<number, string>> = {
  [FaultResult.segvMapErr]: '-1 MAPERR',
  [FaultResult.segvAccErr]: '-1 ACCERR',
  [FaultResult.bus]: '-1 BUS',
}

export class OracleProcess {
  readonly machine: OracleMachine
  readonly space: AddressSpace
  readonly parent: OracleProcess | undefined
  readonly files: ScriptFiles
  /** The SysV segments that it knows. */
  readonly own: OwnSegments
  readonly #program: Program
  #isPrivileged = true
  #lockedLimit = LOCKED_LIMIT
  /** What it had when the script began, in pages. */
  #size0 = 0
  #data0 = 0
  #stack0 = 0

  private constructor(machine: OracleMachine, space: AddressSpace, parent: OracleProcess | undefined) {
    this.machine = machine
    this.space = space
    this.parent = parent
    this.files = parent?.files.fork() ?? new ScriptFiles(machine.mm.objects)
    this.#program = new Program(machine.mm, space, new FaultInjector())
    this.own = new OwnSegments(machine.segments, this, parent?.own)
    if (parent === undefined) this.#mapOwn()
    else this.#inherit(parent)
    this.#applyRights()
  }

  static first(machine: OracleMachine): OracleProcess {
    return new OracleProcess(machine, machine.first, undefined)
  }

  /** What vmaoracle has: memory that answers are written to, and a heap whose end can be moved. */
  #mapOwn(): void {
    const { space, machine } = this
    space.flags |= SpaceFlag.hugePagesDisabled
    this.#mapAt(SCRATCH / PAGE, machine.scratchPages, 3, FIXED_FLAGS)
    const { beside, stack, vvar } = machine
    if (beside !== undefined) this.#mapAt(beside.first, beside.pages, 0, BESIDE_FLAGS)
    if (stack !== undefined) this.#mapStack(stack)
    if (vvar !== undefined) this.#mapTouched(vvar)
    space.parts.brkStart = machine.heap
    space.parts.brk = machine.heap
    space.limitAddressSpace = space.limitData = space.limitHeap = NONE
    space.limitStack = 2048 * PAGE
    this.call('brk', this.brk0)
    this.#size0 = space.counts.totalPages
    this.#data0 = space.counts.dataPages
    this.#stack0 = space.counts.stackPages
  }

  /** A page for which a fork makes tables, as it does for [vvar]. */
  #mapTouched(page: number): void {
    this.#mapAt(page, 1, 3, FIXED_FLAGS)
    copyToUser(this.machine.mm, this.space, page * PAGE, Uint8Array.of(1))
  }

  /** Its last page has been written to: the tables on the way to it are there. */
  #mapStack(page: number): void {
    this.#mapAt(page, STACK_PAGES, 3, STACK_FLAGS)
    copyToUser(this.machine.mm, this.space, (page + STACK_PAGES - 1) * PAGE, Uint8Array.of(1))
  }

  #mapAt(page: number, pages: number, prot: number, kind: number): void {
    this.call('mmap', page * PAGE, pages * PAGE, prot, kind, -1, 0)
  }

  #inherit(parent: OracleProcess): void {
    this.#isPrivileged = parent.#isPrivileged
    this.#lockedLimit = parent.#lockedLimit
    this.#size0 = parent.#size0
    this.#data0 = parent.#data0
    this.#stack0 = parent.#stack0
  }

  /** undefined when memory was promised to too many. */
  fork(): OracleProcess | undefined {
    const child = this.machine.mm.spaces.clone(this.space.ptr)
    if (child === NULL) return undefined
    return new OracleProcess(this.machine, new AddressSpace(this.machine.mm.memory, child), this)
  }

  exit(): void {
    this.own.end()
    this.machine.mm.spaces.release(this.space.ptr)
    this.files.close()
  }

  /** The first break of a script: a page of the heap lies below it. */
  get brk0(): number {
    return this.machine.heap + HEAP_PAGES * PAGE
  }

  address(page: number): number {
    return (this.machine.base + page) * PAGE
  }

  call(name: 'mmap' | Parameters<Program['call']>[0], ...args: Argument[]): number {
    if (name !== 'mmap') return this.#program.call(name, ...args)
    const [address, length, prot, flags, fd, offset] = args
    return this.#program.mmap(address!, length!, prot!, flags!, Number(fd), offset!)
  }

  args(...values: number[]): SyscallArguments {
    return this.#program.args(...values)
  }

  get isPrivileged(): boolean {
    return this.#isPrivileged
  }

  mapFile(file: FileBacking, args: readonly Argument[], offset: number): number {
    this.#program.files.set(FILE, file)
    const [address, length, prot, flags] = args
    return this.#program.mmap(address!, length!, prot!, flags!, FILE, offset)
  }

  /** The byte at the start of a page as the hart would load it, or -1 and the signal. */
  load(page: number): string {
    const ptr = this.#reach(page, Access.read)
    return typeof ptr === 'string' ? ptr : `${this.machine.mm.memory.u8[ptr]}`
  }

  store(page: number, byte: number): string {
    const ptr = this.#reach(page, Access.write)
    if (typeof ptr === 'string') return ptr
    this.machine.mm.memory.u8[ptr] = byte
    return '0'
  }

  #reach(page: number, access: Access): Ptr | string {
    const { mm, base } = this.machine
    const vpn = (base + page) as Vpn
    const ready = presentFrame(mm, this.space, vpn, access)
    if (ready !== NULL) return ready
    const result = handleFault(mm, this.space, vpn, access)
    if (result === FaultResult.ok) return presentFrame(mm, this.space, vpn, access)
    this.#handleSignal()
    return FAULT_NAMES[result]!
  }

  /** A handler returns by way of [vdso], which lies beside the window: the tables on the way to it, and so to the window, are there then. */
  #handleSignal(): void {
    const { mm, beside } = this.machine
    if (beside !== undefined) mm.userMappers.of(this.space.root).makeSlot(beside.first as Vpn)
  }

  /** mincore of so many pages: their bytes, or a negative errno. */
  residency(page: number, pages: number): Uint8Array | number {
    const result = this.call('mincore', this.address(page), pages * PAGE, SCRATCH)
    if (result < 0) return result
    const bytes = new Uint8Array(pages)
    copyFromUser(this.machine.mm, this.space, SCRATCH, bytes)
    return bytes
  }

  /** process_vm_readv of the first bytes of pages, one piece each: the bytes, or a negative errno. */
  readFirst(target: OracleProcess, page: number, pages: number): Uint8Array | number {
    if (!this.#mayReach(target)) return -EPERM
    const bytes = new Uint8Array(pages)
    let done = 0
    while (done < pages && this.#read(target, target.address(page + done), bytes.subarray(done, done + 1)))
      done++
    return done > 0 || pages === 0 ? bytes.subarray(0, done) : -EFAULT
  }

  writeFirst(target: OracleProcess, page: number, pages: number, byte: number): number {
    if (!this.#mayReach(target)) return -EPERM
    let done = 0
    const write = (address: number) =>
      writeRemote(this.machine.mm, target.space, address, Uint8Array.of(byte)) === 0
    while (done < pages && write(target.address(page + done))) done++
    return done > 0 || pages === 0 ? done : -EFAULT
  }

  /** process_vm_readv of one piece: bytes read, or a negative errno. */
  readPiece(page: number, offset: number, length: number): number {
    let done = 0
    while (done < length) {
      const address = this.address(page) + offset + done
      const part = new Uint8Array(Math.min(PAGE - (address % PAGE), length - done))
      if (!this.#read(this, address, part)) break
      done += part.length
    }
    return done > 0 ? done : -EFAULT
  }

  #read(target: OracleProcess, address: number, bytes: Uint8Array): boolean {
    return readPinned(this.machine.mm, target.space, address, bytes) === 0
  }

  /** Who has no capabilities may not look into a process that has some. */
  #mayReach(target: OracleProcess): boolean {
    return target === this || this.#isPrivileged || !target.#isPrivileged
  }

  /** process_madvise of ranges of pages. */
  adviseOther(target: OracleProcess, advice: number, ranges: readonly (readonly [number, number])[]): number {
    if (!FOR_OTHERS.includes(advice)) return -EINVAL
    if (target !== this && !this.#mayReach(target)) return -EACCES
    if (target !== this && !this.#isPrivileged) return -EPERM
    let done = 0
    for (const [page, pages] of ranges) {
      const range = { start: this.machine.base + page, isAligned: true, pages, isEmpty: pages === 0 }
      const result = advise(this.machine.mm, target.space, range, advice)
      if (result < 0) return done > 0 ? done : result
      done += pages * PAGE
    }
    return done
  }

  /** A limit in pages (as and data: above what it had at first); Infinity for none. */
  limit(kind: string, pages: number): void {
    const { space } = this
    if (kind === 'as') space.limitAddressSpace = (this.#size0 + pages) * PAGE
    else if (kind === 'data') space.limitData = space.limitHeap = (this.#data0 + pages) * PAGE
    else if (kind === 'stack') space.limitStack = pages * PAGE
    else this.#lockedLimit = Math.min(pages, LOCKED_LIMIT)
    this.#applyRights()
  }

  /** After mlockall(MCL_CURRENT): what lies outside of the window is not compared. */
  unlockOutside(): void {
    const { mm, base, pages } = this.machine
    const vma = new Vma(mm.memory, NULL)
    for (let at = 0; vma.at(mm.vmas.find(this.space, at as Vpn)).ptr !== NULL; at = vma.end) {
      const { start, end } = vma
      if (start < base) this.#unlock(start, Math.min(end, base))
      if (end > base + pages) this.#unlock(Math.max(start, base + pages), end)
      vma.at(mm.vmas.find(this.space, start))
    }
  }

  #unlock(start: number, end: number): void {
    this.call('munlock', start * PAGE, (end - start) * PAGE)
  }

  /** No capability is left. */
  drop(): void {
    this.#isPrivileged = false
    this.#applyRights()
  }

  #applyRights(): void {
    const rights = SpaceFlag.rawAccess | SpaceFlag.administrator
    this.space.limitLocked = this.#isPrivileged ? NONE : this.#lockedLimit * PAGE
    this.space.flags = this.#isPrivileged ? this.space.flags | rights : this.space.flags & ~rights
  }

  /** Pages of it by kind, as `stat` shows them. */
  status(): string {
    const { lockedPages, totalPages, dataPages, stackPages } = this.space.counts
    return `locked=${lockedPages} size=${totalPages - this.#size0} data=${dataPages - this.#data0} stack=${stackPages - this.#stack0}`
  }
}

import type { Ptr, Vpn } from '../src/base/numbers.js'
import { Access, FaultResult } from '../src/fault/access.js'
import { handleFault } from '../src/fault/handle-fault.js'
import { type MemoryManager, mmInit } from '../src/mm.js'
import { UserMapper } from '../src/paging/user-mapper.js'
import { AddressSpace } from '../src/space/address-space.js'
import { sysMadvise } from '../src/syscall/advise.js'
import { sysMmap } from '../src/syscall/map.js'
import { MADV_DONTNEED, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../src/syscall/mman.js'
import { sysMprotect } from '../src/syscall/protect.js'
import { SyscallArguments } from '../src/syscall/syscall-arguments.js'
import { sysMunmap } from '../src/syscall/unmap.js'

const READ_WRITE = PROT_READ | PROT_WRITE
const PAGE = 4096
const noFiles = () => -1

/** An address space without a processor: what a trap handler calls, called directly. All but the trap is in it. */
export class BareSpace {
  readonly mm: MemoryManager
  readonly #space: AddressSpace
  readonly #words = new Uint32Array(12)
  readonly #arguments = new SyscallArguments({ u32: this.#words })

  /** As mm_bench.c the space has no huge pages, unless they are what is measured. */
  constructor(megabytes: number, hugePages = false) {
    this.mm = mmInit({ bytes: megabytes * 2 ** 20 })
    this.#space = new AddressSpace(this.mm.memory, this.mm.spaces.create())
    this.#space.hugePagesDisabled = !hugePages
  }

  /** mmap of private anonymous memory; returns its first page. */
  map(pages: number, protection = READ_WRITE): Vpn {
    this.#pass(0, pages * PAGE, protection)
    this.#words[6] = MAP_PRIVATE | MAP_ANONYMOUS
    this.#words[8] = -1
    return (expectSuccess(sysMmap(this.mm, this.#space, this.#arguments, noFiles)) / PAGE) as Vpn
  }

  unmap(page: Vpn, pages: number): void {
    this.#pass(page, pages * PAGE, 0)
    expectSuccess(sysMunmap(this.mm, this.#space, this.#arguments))
  }

  makeWritable(page: Vpn): void {
    this.protect(page, READ_WRITE)
  }

  /** mprotect of one page. */
  protect(page: Vpn, protection: number): void {
    this.#pass(page, PAGE, protection)
    expectSuccess(sysMprotect(this.mm, this.#space, this.#arguments))
  }

  /** A fork's copy; `work` is done in it with this view, and then it ends. */
  inFork(work: () => void): void {
    const parent = this.#space.ptr
    const child = this.fork()
    this.#space.at(child)
    work()
    this.#space.at(parent)
    this.endFork(child)
  }

  /** A fork's copy, which `endFork` ends. */
  fork(): Ptr {
    const child = this.mm.spaces.clone(this.#space.ptr)
    if (child === 0) throw new Error('a fork had no memory')
    return child
  }

  endFork(child: Ptr): void {
    this.mm.spaces.release(child)
  }

  /** The tables, for reading. */
  get tables(): UserMapper {
    return new UserMapper(this.mm, this.#space.root)
  }

  /** madvise(MADV_DONTNEED). */
  discard(page: Vpn, pages: number): void {
    this.#pass(page, pages * PAGE, MADV_DONTNEED)
    expectSuccess(sysMadvise(this.mm, this.#space, this.#arguments))
  }

  /** What a store to the page leads to; the store itself is not made. */
  touch(page: Vpn): void {
    const result = handleFault(this.mm, this.#space, page, Access.write)
    if (result !== FaultResult.ok) throw new Error('a page fault was not resolved')
  }

  touchAll(first: Vpn, pages: number): void {
    for (let i = 0; i < pages; i++) this.touch((first + i) as Vpn)
  }

  #pass(page: number, length: number, third: number): void {
    const words = this.#words
    words[0] = (page << 12) >>> 0
    words[1] = Math.floor(page / 2 ** 20)
    words[2] = length
    words[4] = third
  }
}

function expectSuccess(result: number): number {
  if (result < 0) throw new Error(`a call failed with errno ${-result}`)
  return result
}

/** Our side: a machine with one hart and hand-made page tables, that runs the same segments as qemu. */
import { EntryFlag } from '../../src/arch/memory-management-arch.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, pageOf, type Vpn } from '../../src/base/numbers.js'
import { Exit } from '../../src/hart/exit.js'
import { Hart } from '../../src/hart/hart.js'
import { HartField } from '../../src/hart/hart-state.js'
import { type MemoryManager, mmInit } from '../../src/mm.js'
import { UserMapper } from '../../src/paging/user-mapper.js'
import {
  RECORD_ADDRESS,
  RECORD_PC,
  type Segment,
  SIGBUS,
  SIGILL,
  SIGSEGV,
  SIGTRAP,
  STATE,
  STATE_CURRENT,
  STATE_EPILOGUE,
} from './image.js'

const SYS_WRITE = 64
const A0 = 10
const A1 = 11
const A2 = 12
const A7 = 17
/** No batch needs more instructions; a hart that runs astray stops here. */
const BUDGET = 2e9

/** The signal that Linux sends for an exit. */
const SIGNAL_OF_EXIT = new Map<number, number>([
  [Exit.illegal, SIGILL],
  [Exit.breakpoint, SIGTRAP],
  [Exit.misaligned, SIGBUS],
  [Exit.loadFault, SIGSEGV],
  [Exit.storeFault, SIGSEGV],
  [Exit.fetchFault, SIGSEGV],
])

export class HartMachine {
  readonly #mm: MemoryManager
  readonly #hart: Hart
  readonly #mapper: UserMapper
  readonly #mapped: Vpn[] = []

  constructor(bytes: number, shared: boolean, threshold: number) {
    this.#mm = mmInit({ bytes, shared })
    const root = UserMapper.create(this.#mm, this.#mm.kernelMapper.root)
    this.#mapper = new UserMapper(this.#mm, root)
    this.#hart = Hart.create(this.#mm, 0, { threshold })
    this.#hart.setRoot(root)
  }

  /** Runs the runner from `entry` until it writes its output. */
  run(segments: readonly Segment[], entry: number): Uint8Array {
    for (const segment of segments) this.#map(segment)
    this.#hart.pc = entry
    const output = this.#runToWrite()
    this.#unmapAll()
    return output
  }

  #runToWrite(): Uint8Array {
    const hart = this.#hart
    for (;;) {
      const exit = hart.run(BUDGET)
      if (exit === Exit.ecall) {
        if (hart.x(A7) === SYS_WRITE) return this.#read(hart.x(A1), hart.x(A2))
        hart.setX(A0, 0)
        hart.pc += 4
      } else {
        this.#signal(exit)
      }
    }
  }

  /** What the runner's signal handler does in qemu. */
  #signal(exit: Exit): void {
    const signal = SIGNAL_OF_EXIT.get(exit)
    if (signal === undefined)
      throw new Error(`the hart stopped with exit ${exit} at ${this.#hart.pc.toString(16)}`)
    const record = this.#load64(STATE + STATE_CURRENT)
    const pc = this.#load64(STATE + STATE_EPILOGUE)
    if (pc === 0) throw new Error(`the runner itself got signal ${signal} at ${this.#hart.pc.toString(16)}`)
    this.#store64(record, signal)
    this.#store64(record + RECORD_PC * 8, this.#hart.pc)
    const isAccess = signal === SIGSEGV || signal === SIGBUS
    this.#store64(record + RECORD_ADDRESS * 8, isAccess ? this.#hart.number(HartField.tval) : this.#hart.pc)
    this.#hart.pc = pc
  }

  #map({ address, bytes, writable, executable }: Segment): void {
    const batch = this.#mm.flusher.batch(this.#mapper.root)
    const flags = EntryFlag.read | (writable ? EntryFlag.write : 0) | (executable ? EntryFlag.execute : 0)
    for (let offset = 0; offset < bytes.length; offset += PAGE_SIZE) {
      const pfn = this.#mm.buddy.allocateZeroed(0)
      if (pfn === NO_FRAME) throw new Error('the machine is too small for the batch')
      this.#mm.memory.u8.set(bytes.subarray(offset, offset + PAGE_SIZE), frameToPtr(pfn))
      const vpn = pageOf(address + offset)
      this.#mapper.map(vpn, pfn, flags | EntryFlag.user | EntryFlag.accessed, batch)
      this.#mapped.push(vpn)
    }
    batch.finish()
  }

  #unmapAll(): void {
    const batch = this.#mm.flusher.batch(this.#mapper.root)
    for (const vpn of this.#mapped) {
      const entry = this.#mapper.leaf(vpn)
      batch.releaseFrame(this.#mapper.pfn(entry))
      this.#mapper.clear(entry, vpn, batch)
    }
    batch.finish()
    this.#mapped.length = 0
  }

  #pointer(address: number): number {
    const entry = this.#mapper.leaf(pageOf(address))
    return frameToPtr(this.#mapper.pfn(entry)) + (address % PAGE_SIZE)
  }

  #read(address: number, length: number): Uint8Array {
    const output = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      const pointer = this.#pointer(address + done)
      const count = Math.min(length - done, PAGE_SIZE - (pointer % PAGE_SIZE))
      output.set(this.#mm.memory.u8.subarray(pointer, pointer + count), done)
      done += count
    }
    return output
  }

  /** Naturally aligned numbers below 2^53. */
  #load64(address: number): number {
    const pointer = this.#pointer(address)
    return this.#mm.memory.u32[pointer >>> 2]! + this.#mm.memory.u32[(pointer >>> 2) + 1]! * 2 ** 32
  }

  #store64(address: number, value: number): void {
    const pointer = this.#pointer(address)
    this.#mm.memory.u32[pointer >>> 2] = value >>> 0
    this.#mm.memory.u32[(pointer >>> 2) + 1] = Math.floor(value / 2 ** 32)
  }
}

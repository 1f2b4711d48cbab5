/** What one hart does in the storm of collapse-object.storm.test.ts: two harts, one space, one file, of which pages become huge and come apart. */
import type { Ptr } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { FaultInjector } from '../../frame/fault-injector.js'
import type { MemoryManager } from '../../mm.js'
import { AddressSpace } from '../../space/address-space.js'
import { punchHole, truncateObject } from '../../space/truncate.js'
import * as mman from '../../syscall/mman.js'
import { openFile, Program } from '../testing.js'
import { copyFromUser, copyToUser } from '../user-copy.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PAGE = 4096
const UNIT = 512
/** Two huge pages that keep what is stored, and one that is cut, punched and protected meanwhile. */
export const PAGES = 3 * UNIT
export const BASE = 0x10_0000_0000
const KEPT = 2 * UNIT
const FILE = 3

export interface StormSetting {
  readonly space: Ptr
  readonly object: Ptr
  readonly seed: number
  readonly rounds: number
}

class Hart {
  readonly #random: Random
  readonly #program: Program
  readonly #object: Ptr
  readonly #which: number
  /** What the hart has stored to its own byte of each page. */
  readonly #bytes = new Uint8Array(KEPT)
  readonly #view: number

  constructor(mm: MemoryManager, which: number, { space, object, seed }: StormSetting) {
    this.#random = new Random(seed + which)
    this.#program = new Program(mm, new AddressSpace(mm.memory, space), new FaultInjector())
    this.#program.files.set(FILE, openFile(object))
    this.#object = object
    this.#which = which
    this.#view = BASE + (which + 1) * 16 * UNIT * PAGE
  }

  run(rounds: number): void {
    const often = [this.#store, this.#store, this.#look, this.#collapse, this.#drop]
    const seldom = [this.#punch, this.#cut, this.#protect, this.#fork, this.#look, this.#map]
    for (let i = 0; i < rounds; i++) this.#random.pick(this.#random.chance(0.7) ? often : seldom).call(this)
    for (let page = 0; page < KEPT; page++) this.#see(this.#program, page)
  }

  get #mm(): MemoryManager {
    return this.#program.mm
  }

  #advise(program: Program, base: number, advice: number): number {
    const first = this.#random.pick([0, UNIT, 2 * UNIT, this.#random.below(PAGES - UNIT)])
    return program.call('madvise', base + first * PAGE, UNIT * PAGE, advice)
  }

  #store(): void {
    const { mm, space } = this.#program
    const page = this.#random.below(PAGES)
    const value = this.#random.between(1, 255)
    const result = copyToUser(mm, space, BASE + page * PAGE + this.#which, Uint8Array.of(value))
    if (page >= KEPT) return
    if (result !== 0) throw new Error('a store is refused')
    this.#bytes[page] = value
  }

  #see({ mm, space }: Program, page: number): void {
    const byte = new Uint8Array(1)
    if (copyFromUser(mm, space, BASE + page * PAGE + this.#which, byte) !== 0)
      throw new Error('a load is refused')
    if (byte[0] !== this.#bytes[page]) throw new Error('a store is lost')
  }

  #look(): void {
    for (let i = 0; i < 8; i++) this.#see(this.#program, this.#random.below(KEPT))
  }

  #collapse(): void {
    this.#advise(this.#program, BASE, mman.MADV_COLLAPSE)
  }

  #drop(): void {
    this.#advise(
      this.#program,
      BASE,
      this.#random.pick([mman.MADV_DONTNEED, mman.MADV_PAGEOUT, mman.MADV_COLD]),
    )
  }

  #punch(): void {
    punchHole(this.#mm, this.#object, KEPT + this.#random.below(UNIT), this.#random.between(1, UNIT))
  }

  #cut(): void {
    truncateObject(this.#mm, this.#object, (KEPT + this.#random.below(UNIT + 1)) * PAGE)
  }

  #protect(): void {
    const page = KEPT + this.#random.below(UNIT - 8)
    for (const prot of [mman.PROT_READ, RW])
      this.#program.call('mprotect', BASE + page * PAGE, 8 * PAGE, prot)
  }

  #fork(): void {
    const child = this.#program.fork()
    if (child === undefined) return
    for (let i = 0; i < 4; i++) this.#see(child, this.#random.below(KEPT))
    this.#advise(child, BASE, mman.MADV_COLLAPSE)
    child.exit()
  }

  /** A view of its own, private or shared, with a store to it. */
  #map(): void {
    const flags = mman.MAP_FIXED | this.#random.pick([mman.MAP_SHARED, mman.MAP_PRIVATE])
    const program = this.#program
    if (program.mmap(this.#view, KEPT * PAGE, RW, flags, FILE) !== this.#view) return
    const address = this.#view + this.#random.below(KEPT) * PAGE
    copyFromUser(program.mm, program.space, address, new Uint8Array(1))
    this.#advise(program, this.#view, mman.MADV_COLLAPSE)
    copyToUser(program.mm, program.space, address + 100, Uint8Array.of(1))
    program.call('munmap', this.#view, KEPT * PAGE)
  }
}

export function storm(mm: MemoryManager, which: number, setting: StormSetting): void {
  new Hart(mm, which, setting).run(setting.rounds)
}

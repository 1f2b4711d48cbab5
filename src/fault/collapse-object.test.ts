/** MADV_COLLAPSE of shared memory: failing allocations, pages in use, random use by several mappers against a model of pages. */
import { describe, expect, test } from 'vitest'
import { EAGAIN, EINVAL, ENOMEM } from '../base/errno.js'
import { frameToPtr, NO_FRAME, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { UserMapper } from '../paging/user-mapper.js'
import { countHugePages } from '../space/huge-usage.js'
import { ObjectKind } from '../space/object-records.js'
import { punchHole, truncateObject } from '../space/truncate.js'
import * as mman from '../syscall/mman.js'
import { openFile, Program } from './testing.js'
import { copyFromUser, copyToUser } from './user-copy.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PAGE = 4096
const UNIT = 512
const HUGE = UNIT * PAGE
const BASE = 0x10_0000_0000
const FILE = 3

/** A program that maps a file of so many pages, the whole of it, at BASE. */
function mapFile(program: Program, pages = UNIT): Ptr {
  const object = program.mm.objects.create(ObjectKind.tmpfs, pages * PAGE)
  program.files.set(FILE, openFile(object))
  mapAt(program, BASE, pages)
  return object
}

function mapAt(program: Program, address: number, pages: number, offset = 0, isPrivate = false): void {
  const flags = (isPrivate ? mman.MAP_PRIVATE : mman.MAP_SHARED) | mman.MAP_FIXED
  expect(program.mmap(address, pages * PAGE, RW, flags, FILE, offset * PAGE)).toBe(address)
}

function store(program: Program, address: number, value: number): boolean {
  return copyToUser(program.mm, program.space, address, Uint8Array.of(value)) === 0
}

function load(program: Program, address: number): number {
  const byte = new Uint8Array(1)
  return copyFromUser(program.mm, program.space, address, byte) === 0 ? byte[0]! : -1
}

const collapse = (program: Program, pages = UNIT) =>
  program.call('madvise', BASE, pages * PAGE, mman.MADV_COLLAPSE)

const hugeLeaf = ({ mm, space }: Program, address: number) =>
  new UserMapper(mm, space.root).hugeLeaf((address / PAGE) as Vpn)

function finish(program: Program, object: Ptr): void {
  const { mm } = program
  for (const { ptr } of mm.allSpaces()) mm.spaces.release(ptr)
  mm.objects.release(object)
  mm.check()
  expect(mm.stats().spaces).toBe(0)
  expect(mm.objects.stats()).toEqual({ objects: 0, pages: 0 })
}

describe('collapse of shared memory', () => {
  test('pages that another hart makes a huge page of again, while they come apart, stay one past the end of the file too', () => {
    const program = Program.boot(16)
    const { mm } = program
    const object = mapFile(program)
    truncateObject(mm, object, 300 * PAGE)
    store(program, BASE, 1)
    expect(collapse(program)).toBe(0)
    expect(mm.objects.splitFolioOf(object, 5)).toBe(true)
    expect(collapse(program), "the other hart's").toBe(0)
    mm.objects.dropPastEnd(object, 0, UNIT)
    mm.check()
    expect(mm.objects.pages(object)).toBe(UNIT)
    expect(hugeLeaf(program, BASE)).not.toBe(0)
    finish(program, object)
  })

  test('every allocation may fail: nothing is lost, and it succeeds afterwards', () => {
    let failures = 0
    for (let n = 1, goesOn = true; goesOn; n++) {
      const program = Program.boot(16)
      const object = mapFile(program)
      expect(store(program, BASE + 5 * PAGE, 7)).toBe(true)
      const free = program.mm.buddy.freeFrames()
      program.faults.reset()
      program.faults.failAt(n)
      const result = collapse(program)
      goesOn = program.faults.count >= n
      program.faults.reset()
      program.mm.check()
      if (result !== 0) {
        failures++
        expect(result).toBe(-ENOMEM)
        expect(load(program, BASE + 5 * PAGE)).toBe(7)
        expect(program.mm.buddy.freeFrames()).toBeGreaterThanOrEqual(free - UNIT)
        expect(collapse(program)).toBe(0)
      }
      program.mm.check()
      expect(hugeLeaf(program, BASE)).not.toBe(0)
      expect(load(program, BASE + 5 * PAGE)).toBe(7)
      expect(program.mm.objects.pages(object)).toBe(UNIT)
      finish(program, object)
      expect(n).toBeLessThan(30)
    }
    expect(failures).toBeGreaterThan(5)
  })

  test('advice about a part splits it, unless somebody holds a page of it', () => {
    const program = Program.boot(16)
    const { mm } = program
    const object = mapFile(program)
    expect(store(program, BASE, 7)).toBe(true)
    expect(collapse(program)).toBe(0)
    const held = mm.objects.get(object, 100) as Pfn
    mm.buddy.retain(held)
    mapAt(program, BASE, UNIT, 0, true)
    expect(program.call('madvise', BASE, HUGE, mman.MADV_NOHUGEPAGE)).toBe(0)
    expect(load(program, BASE)).toBe(7)
    const cool = () => program.call('madvise', BASE, 3 * PAGE, mman.MADV_COLD)
    expect([cool(), mm.objects.folios(), program.space.counts.rssPages > 0]).toEqual([0, 1, true])
    mm.buddy.release(held)
    expect([cool(), mm.objects.folios(), program.space.counts.rssPages > 0]).toEqual([0, 0, false])
    expect(load(program, BASE)).toBe(7)
    finish(program, object)
  })

  test('of a huge page that is split only what fallocate made stays past the end', () => {
    for (const allocated of [0, 300]) {
      const program = Program.boot(16)
      const { mm } = program
      const object = mapFile(program, 100)
      mapAt(program, BASE, UNIT)
      expect(store(program, BASE, 7)).toBe(true)
      expect(collapse(program)).toBe(0)
      mm.objects.noteAllocated(object, allocated)
      expect(mm.objects.pages(object)).toBe(UNIT)
      expect(program.call('madvise', BASE, PAGE, mman.MADV_PAGEOUT)).toBe(0)
      expect(mm.objects.pages(object)).toBe(Math.max(100, allocated))
      punchHole(mm, object, 0, UNIT)
      expect(mm.objects.pages(object)).toBe(0)
      finish(program, object)
    }
  })

  test('a page that somebody holds stays where it is: EAGAIN, and it is mapped as before', () => {
    const program = Program.boot(16)
    const { mm, space } = program
    const object = mapFile(program)
    for (let i = 0; i < 4; i++) store(program, BASE + i * PAGE, i)
    const held = mm.objects.getRetained(object, 2) as Pfn
    expect([collapse(program), space.counts.rssShared, mm.objects.folios()]).toEqual([-EAGAIN, 4, 0])
    mm.memory.u8[frameToPtr(held)] = 77
    mm.buddy.release(held)
    expect([collapse(program), load(program, BASE + 2 * PAGE), space.counts.rssShared]).toEqual([0, 77, UNIT])
    expect([countHugePages(mm).shared, mm.objects.folios()]).toEqual([1, 1])
    finish(program, object)
  })

  test('a quota that is used up refuses it, and counts what it did before', () => {
    const program = Program.boot(16)
    const { objects } = program.mm
    const quota = objects.quotas.create(100)
    const object = objects.create(ObjectKind.tmpfs, HUGE)
    objects.setQuota(object, quota)
    program.files.set(FILE, openFile(object))
    mapAt(program, BASE, UNIT)
    store(program, BASE, 1)
    expect([collapse(program), objects.quotas.used(quota), objects.pages(object)]).toEqual([-EINVAL, 1, 1])
    program.mm.check()
    expect(load(program, BASE)).toBe(1)
    objects.release(object)
    program.exit()
  })

  test('a frame that is dropped alone ends the huge page', () => {
    const program = Program.boot(16)
    const { objects } = program.mm
    const object = mapFile(program)
    store(program, BASE, 1)
    collapse(program)
    program.call('munmap', BASE, HUGE)
    objects.dropRange(object, UNIT - 1, UNIT)
    expect([objects.folios(), objects.folioOf(object, 0), objects.pages(object)]).toEqual([
      0,
      NO_FRAME,
      UNIT - 1,
    ])
    finish(program, object)
  })
})

/** A mapping of the file, and what its own pages hold where it is private. */
interface View {
  readonly program: Program
  readonly address: number
  readonly offset: number
  readonly pages: number
  readonly copies: Map<number, number> | undefined
}

const PAGES = 3 * UNIT

class Fuzzer {
  readonly #random: Random
  readonly #programs: Program[]
  readonly #object: Ptr
  #bytes = new Uint8Array(PAGES)
  #size = PAGES
  #views: View[] = []
  #next = 0

  constructor(random: Random) {
    this.#random = random
    const program = Program.boot(16)
    this.#object = program.mm.objects.create(ObjectKind.tmpfs, PAGES * PAGE)
    program.files.set(FILE, openFile(this.#object))
    this.#programs = [program, program.spawn()]
    for (let i = 0; i < 3; i++) this.#map()
  }

  get #mm() {
    return this.#programs[0]!.mm
  }

  step(): void {
    const acts = [
      this.#store,
      this.#store,
      this.#load,
      this.#collapse,
      this.#collapse,
      this.#write,
      this.#drop,
    ]
    const rare = [
      this.#map,
      this.#unmap,
      this.#protect,
      this.#punch,
      this.#truncate,
      this.#advise,
      this.#move,
    ]
    this.#random.pick(this.#random.chance(0.6) ? acts : rare).call(this)
    this.#mm.check()
  }

  /** Pages of a view, whole multiples of 2 MiB often. */
  #range(pages: number): [first: number, count: number] {
    if (this.#random.chance(0.5)) {
      const first = UNIT * this.#random.below(Math.ceil(pages / UNIT))
      return [first, Math.min(UNIT, pages - first)]
    }
    const first = this.#random.below(pages)
    return [first, Math.min(this.#random.pick([1, 3, 511, 512, 513]), pages - first)]
  }

  #map(): void {
    if (this.#views.length > 5) return
    const program = this.#random.pick(this.#programs)
    const offset = this.#random.pick([0, 0, UNIT, 5])
    const isAskew = this.#random.chance(0.2)
    const address = BASE + (this.#next++ * 8 * UNIT + offset + (isAskew ? 1 : 0)) * PAGE
    const isPrivate = this.#random.chance(0.25)
    const pages = PAGES - offset
    mapAt(program, address, pages, offset, isPrivate)
    const copies = isPrivate ? new Map<number, number>() : undefined
    this.#views.push({ program, address, offset, pages, copies })
  }

  #unmap(): void {
    const view = this.#random.pick(this.#views)
    if (this.#views.length === 1) return
    const [first, count] = this.#range(view.pages)
    expect(view.program.call('munmap', view.address + first * PAGE, count * PAGE)).toBe(0)
    this.#mm.check()
    this.#views = this.#views.filter((other) => other !== view)
    view.program.call('munmap', view.address, view.pages * PAGE)
  }

  #store(): void {
    const view = this.#random.pick(this.#views)
    const page = this.#range(view.pages)[0]
    const index = page + view.offset
    const value = this.#random.between(1, 255)
    const isDone = store(view.program, view.address + page * PAGE, value)
    if (index < this.#size) expect(isDone).toBe(true)
    if (!isDone) return
    if (view.copies !== undefined) view.copies.set(index, value)
    else this.#bytes[index] = value
  }

  #load(): void {
    const view = this.#random.pick(this.#views)
    for (let i = 0; i < 4; i++) this.#see(view, this.#range(view.pages)[0])
  }

  #see(view: View, page: number): void {
    const index = page + view.offset
    const value = view.copies?.get(index) ?? this.#bytes[index]!
    const found = load(view.program, view.address + page * PAGE)
    // A huge page may reach over the end of the file, and is mapped as a whole then, as in Linux.
    if (index < this.#size || found !== -1) expect(found).toBe(value)
  }

  #collapse(): void {
    const view = this.#random.pick(this.#views)
    const [first, count] = this.#range(view.pages)
    const result = view.program.call('madvise', view.address + first * PAGE, count * PAGE, mman.MADV_COLLAPSE)
    expect([0, -EINVAL, -ENOMEM]).toContain(result)
    if (result === 0) this.#all()
  }

  /** Through the file. */
  #write(): void {
    const index = this.#random.below(this.#size || 1)
    if (index >= this.#size) return
    const value = this.#random.between(1, 255)
    expect(this.#mm.objects.write(this.#object, index * PAGE, Uint8Array.of(value))).toBe(1)
    this.#bytes[index] = value
  }

  #drop(): void {
    const view = this.#random.pick(this.#views)
    const [first, count] = this.#range(view.pages)
    view.program.call('madvise', view.address + first * PAGE, count * PAGE, mman.MADV_DONTNEED)
    for (let i = first; i < first + count; i++) view.copies?.delete(i + view.offset)
  }

  #protect(): void {
    const view = this.#random.pick(this.#views)
    const [first, count] = this.#range(view.pages)
    for (const prot of [mman.PROT_READ, RW]) {
      expect(view.program.call('mprotect', view.address + first * PAGE, count * PAGE, prot)).toBe(0)
      this.#mm.check()
    }
  }

  /** MADV_COLD and MADV_PAGEOUT. */
  #advise(): void {
    const view = this.#random.pick(this.#views)
    const [first, count] = this.#range(view.pages)
    const advice = this.#random.pick([mman.MADV_COLD, mman.MADV_PAGEOUT])
    expect(view.program.call('madvise', view.address + first * PAGE, count * PAGE, advice)).toBe(0)
  }

  #punch(): void {
    const [first, count] = this.#range(PAGES)
    punchHole(this.#mm, this.#object, first, count)
    this.#bytes.fill(0, first, first + count)
  }

  #truncate(): void {
    const size = this.#random.pick([PAGES, PAGES, UNIT, UNIT + 7, this.#random.below(PAGES)])
    truncateObject(this.#mm, this.#object, size * PAGE)
    const isCut = size < this.#size
    this.#size = size
    if (!isCut) return
    this.#bytes.fill(0, size)
    for (const { copies } of this.#views)
      for (const index of copies?.keys() ?? []) if (index >= size) copies!.delete(index)
  }

  /** There and back again. */
  #move(): void {
    const { program, address, pages } = this.#random.pick(this.#views)
    const [first, count] = this.#range(pages)
    const from = address + first * PAGE
    const far = from + 4096 * HUGE + this.#random.pick([0, PAGE])
    expect(program.call('mremap', from, count * PAGE, count * PAGE, 3, far)).toBe(far)
    this.#mm.check()
    expect(program.call('mremap', far, count * PAGE, count * PAGE, 3, from)).toBe(from)
  }

  #all(): void {
    for (const view of this.#views) for (let page = 0; page < view.pages; page += 61) this.#see(view, page)
  }

  end(): void {
    for (const view of this.#views) for (let page = 0; page < view.pages; page++) this.#see(view, page)
    const mm = this.#mm
    for (const program of this.#programs) program.exit()
    mm.objects.release(this.#object)
    mm.check()
    expect([mm.stats().spaces, mm.objects.stats().pages]).toEqual([0, 0])
  }
}

test(`random use by several mappers agrees with a model of pages (seed ${SEED})`, () => {
  const fuzzer = new Fuzzer(new Random(SEED))
  for (let step = 0; step < fuzzSteps(150); step++) {
    try {
      fuzzer.step()
    } catch (error) {
      throw new Error(`PAGODA_SEED=${SEED}, step ${step}`, { cause: error })
    }
  }
  fuzzer.end()
})

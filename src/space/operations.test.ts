/** Random sequences of mapping operations against a model that knows pages only: protection, backing, first byte. */
import { describe, expect, test } from 'vitest'
import { EACCES, EFAULT, EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { AddressSpace } from './address-space.js'
import { adviseDontNeed } from './dont-need.js'
import { type MapRequest, mapRegion } from './map-region.js'
import { ObjectKind } from './page-object.js'
import { protectRange } from './protect-range.js'
import { type RemapRequest, remapRange } from './remap-range.js'
import { setBrk } from './set-brk.js'
import { anonymous, bootMachine, inUse, locked, peekPage, pokePage, shared } from './testing.js'
import { unmapRange } from './unmap-range.js'
import { VM_EXEC, VM_MAYWRITE, VM_READ, VM_WRITE } from './vm-flags.js'
import { Vma } from './vma.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 1200)
const BASE = 0x10000
const WINDOW = 48
const HEAP = BASE + WINDOW + 1000

interface Page {
  prot: number
  may: number
  /** 0 = private anonymous. */
  object: number
  offset: number
  /** Where the first byte of the page is kept: one per page of anonymous memory, one per page of an object. */
  cell: { value: number }
}

class Model {
  pages = new Map<number, Page>()
  readonly objectCells = new Map<string, { value: number }>()

  cell(object: number, offset: number): { value: number } {
    const key = `${object}+${offset}`
    if (!this.objectCells.has(key)) this.objectCells.set(key, { value: 0 })
    return this.objectCells.get(key)!
  }

  map(start: number, request: MapRequest): void {
    for (let i = 0; i < request.pages; i++) {
      const offset = request.pageOffset + i
      const cell = request.object === NULL ? { value: 0 } : this.cell(request.object, offset)
      const prot = request.flags & 7
      this.pages.set(start + i, {
        prot,
        may: (request.flags >>> 4) & 7,
        object: request.object,
        offset,
        cell,
      })
    }
  }

  unmap(start: number, end: number): void {
    for (let vpn = start; vpn < end; vpn++) this.pages.delete(vpn)
  }

  isFree(start: number, end: number): boolean {
    for (let vpn = start; vpn < end; vpn++) if (this.pages.has(vpn)) return false
    return true
  }

  /** The highest free place below `high`. */
  place(pages: number, high: number): number {
    let start = high - pages
    while (!this.isFree(start, start + pages)) start--
    return start
  }

  protect(start: number, end: number, prot: number): number {
    for (let vpn = start; vpn < end; vpn++) {
      const page = this.pages.get(vpn)
      if (page === undefined) return -ENOMEM
      if ((prot & ~page.may) !== 0) return -EACCES
      page.prot = prot
    }
    return 0
  }

  /** Pages move with what is in them; growth is new memory of the same kind. */
  move(start: number, oldPages: number, target: number, newPages: number, keepOld: boolean): void {
    const kept = Math.min(oldPages, newPages)
    const moved = Array.from({ length: kept }, (_, i) => this.pages.get(start + i)!)
    const first = this.pages.get(start)!
    if (!keepOld) this.unmap(start, start + oldPages)
    for (let i = 0; i < newPages; i++) this.pages.set(target + i, { ...(moved[i] ?? this.like(first, i)) })
    if (keepOld) for (const [i, page] of moved.entries()) this.pages.set(start + i, this.emptied(page))
  }

  like(page: Page, i: number): Page {
    if (page.object === 0) return { ...page, cell: { value: 0 } }
    return { ...page, offset: page.offset + i, cell: this.cell(page.object, page.offset + i) }
  }

  emptied(page: Page): Page {
    return page.object === 0 ? { ...page, cell: { value: 0 } } : page
  }
}

class Run {
  readonly machine = bootMachine()
  readonly mm = this.machine.mm
  readonly model = new Model()
  readonly objects: Ptr[]
  readonly before: string
  readonly space: AddressSpace
  heapEnd = HEAP

  constructor(readonly random: Random) {
    this.mm.slab.shrink()
    this.before = inUse(this.machine)
    this.space = new AddressSpace(this.mm.memory, this.mm.spaces.create())
    this.space.mapBase = (BASE + WINDOW) as Vpn
    this.space.parts.brkStart = HEAP * PAGE_SIZE
    this.space.parts.brk = HEAP * PAGE_SIZE
    const { anonymousShared, tmpfs } = ObjectKind
    this.objects = [anonymousShared, tmpfs].map((kind) => this.mm.objects.create(kind, 64 * PAGE_SIZE))
  }

  range(): { start: number; pages: number } {
    const start = BASE + this.random.below(WINDOW)
    return { start, pages: this.random.between(1, Math.min(12, BASE + WINDOW - start)) }
  }

  request(): MapRequest {
    const { random } = this
    const { start, pages } = this.range()
    const prot = random.pick([0, VM_READ, VM_READ | VM_WRITE, VM_READ | VM_EXEC, 7])
    if (random.chance(0.7)) return anonymous(start, pages, prot, random.chance(0.7))
    const request = shared(start, pages, prot & ~VM_WRITE, random.pick(this.objects), random.below(20))
    return random.chance(0.3) ? { ...request, flags: request.flags & ~VM_MAYWRITE } : request
  }

  locked(operation: () => number): number {
    return locked(this.mm, this.space, operation)
  }

  map(): void {
    const request = this.request()
    const { start, pages, fixed } = request
    const isWish = !fixed && this.model.isFree(start, start + pages)
    const expected = fixed || isWish ? start : this.model.place(pages, BASE + WINDOW)
    expect(this.locked(() => mapRegion(this.mm, this.space, request))).toBe(expected)
    this.model.map(expected, request)
  }

  unmap(): void {
    const { start, pages } = this.range()
    const end = (start + pages) as Vpn
    expect(this.locked(() => unmapRange(this.mm, this.space, start as Vpn, end))).toBe(0)
    this.model.unmap(start, end)
  }

  protect(): void {
    const { start, pages } = this.range()
    const prot = this.random.below(8)
    const end = (start + pages) as Vpn
    const expected = this.model.protect(start, end, prot)
    expect(this.locked(() => protectRange(this.mm, this.space, start as Vpn, end, prot))).toBe(expected)
  }

  dontNeed(): void {
    const { start, pages } = this.range()
    let expected = 0
    for (let vpn = start; vpn < start + pages; vpn++) {
      const page = this.model.pages.get(vpn)
      if (page === undefined) expected = -ENOMEM
      else this.model.pages.set(vpn, this.model.emptied(page))
    }
    const end = (start + pages) as Vpn
    expect(this.locked(() => adviseDontNeed(this.mm, this.space, start as Vpn, end))).toBe(expected)
  }

  touch(): void {
    const { start } = this.range()
    const page = this.model.pages.get(start)
    const value = this.random.below(256)
    const result = pokePage(this.mm, this.space, start as Vpn, value)
    const mayWrite = page !== undefined && (page.prot & VM_WRITE) !== 0
    expect(result === 0).toBe(mayWrite)
    if (mayWrite) page.cell.value = value
  }

  brk(): void {
    const to = HEAP + this.random.below(20)
    const address = to * PAGE_SIZE - this.random.below(to === HEAP ? 1 : 100)
    expect(this.locked(() => setBrk(this.mm, this.space, address))).toBe(address)
    if (to > this.heapEnd) this.model.map(this.heapEnd, anonymous(this.heapEnd, to - this.heapEnd, 3))
    else this.model.unmap(to, this.heapEnd)
    this.heapEnd = to
  }

  remap(): void {
    const { random, model } = this
    const { start, pages: oldPages } = this.range()
    const keepOld = random.chance(0.15)
    const newPages = keepOld ? oldPages : random.between(1, 12)
    const fixed = random.chance(0.3)
    const target = (keepOld && !fixed ? 0 : this.range().start) as Vpn
    const mayMove = fixed || keepOld || random.chance(0.7)
    const request = { start: start as Vpn, oldPages, newPages, mayMove, fixed, keepOld, target }
    const plan = this.planRemap(request)
    expect(this.locked(() => remapRange(this.mm, this.space, request))).toBe(plan)
    if (plan === start && newPages <= oldPages && !fixed && !keepOld) {
      model.unmap(start + newPages, start + oldPages)
    } else if (plan >= 0 && plan !== start) model.move(start, oldPages, plan, newPages, keepOld)
    else if (plan === start) {
      for (let i = oldPages; i < newPages; i++)
        model.pages.set(start + i, model.like(model.pages.get(start)!, i))
    }
  }

  /** What mremap must answer. Takes from the model what goes away even when it fails. */
  planRemap({ start, oldPages, newPages, mayMove, fixed, keepOld, target }: RemapRequest): number {
    const { model, mm, space } = this
    const holding = mm.vmas.findHolding(space, start)
    if (holding === NULL) return -EFAULT
    const { end } = new Vma(mm.memory, holding)
    if (fixed) {
      if (start + oldPages > target && target + newPages > start) return -EINVAL
      model.unmap(target, target + newPages)
      model.unmap(start + newPages, start + oldPages)
    } else if (!keepOld && oldPages >= newPages) return start
    if (Math.min(oldPages, newPages) > end - start) return -EFAULT
    if (fixed) return target
    const growsHere = start + oldPages === end && model.isFree(end, start + newPages)
    if (growsHere && !keepOld) return start
    return mayMove ? model.place(newPages, BASE + WINDOW) : -ENOMEM
  }

  step(): void {
    const kind = this.random.below(20)
    if (kind < 5) this.map()
    else if (kind < 8) this.unmap()
    else if (kind < 11) this.protect()
    else if (kind < 14) this.remap()
    else if (kind < 15) this.brk()
    else if (kind < 16) this.dontNeed()
    else this.touch()
  }

  /** Page by page, what the space says it is. */
  compare(): void {
    const seen = new Map<number, string>()
    for (let ptr = this.mm.vmas.first(this.space); ptr !== NULL; ptr = this.mm.vmas.next(ptr)) {
      const vma = new Vma(this.mm.memory, ptr)
      for (let vpn = vma.start as number; vpn < vma.end; vpn++) {
        seen.set(vpn, `${vma.flags & 7} ${vma.object} ${vma.object === NULL ? 0 : vma.offsetOf(vpn)}`)
      }
    }
    const expected = [...this.model.pages].map(([vpn, { prot, object, offset }]): [number, string] => {
      return [vpn, `${prot} ${object} ${object === 0 ? 0 : offset}`]
    })
    expect([...seen].sort(byPage)).toEqual(expected.sort(byPage))
  }

  compareBytes(): void {
    for (const [vpn, { prot, cell }] of this.model.pages) {
      if ((prot & 3) !== 0) expect(peekPage(this.mm, this.space, vpn as Vpn)).toBe(cell.value)
    }
  }

  finish(): void {
    this.mm.spaces.release(this.space.ptr)
    for (const object of this.objects) this.mm.objects.release(object)
    this.mm.check()
    expect(inUse(this.machine)).toBe(this.before)
  }
}

function byPage(a: [number, string], b: [number, string]): number {
  return a[0] - b[0]
}

describe('operations on an address space', () => {
  test.each([0, 1, 2])(`agree with a model of pages (seed ${SEED} + %i)`, (more) => {
    const run = new Run(new Random(SEED + more))
    for (let i = 0; i < STEPS; i++) {
      run.step()
      run.compare()
      run.mm.spaces.check()
      if (i % 100 === 0) {
        run.compareBytes()
        run.mm.check()
      }
    }
    run.compareBytes()
    run.finish()
  })
})

/** userfaultfd(2) as the memory manager sees it: against a model, with every allocation failing in turn, and through fork, mremap and exit. */
import { describe, expect, test } from 'vitest'
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { UserMapper } from '../paging/user-mapper.js'
import { ObjectKind } from '../space/page-object.js'
import { registerRange, unregisterAll, unregisterRange } from '../space/register-userfault.js'
import { locked } from '../space/testing.js'
import { UserfaultFeature } from '../space/userfaults.js'
import { VM_UFFD_MISSING } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { type FillMode, fillPages } from './fill-userfault.js'
import { moveUserfault } from './move-userfault.js'
import { openFile, Program } from './testing.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const FIXED = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
const PAGE = 4096
const BASE = 0x10_0000
const PAGES = 24

/** A program and a context of its memory, with short names for what a reader does. */
class Reader {
  readonly program: Program
  readonly context: Ptr

  constructor(program = Program.boot(), features = 0) {
    this.program = program
    this.context = program.mm.userfaults.create(program.space.ptr, 0)
    program.mm.userfaults.setFeatures(this.context, UserfaultFeature.initialized + features)
  }

  map(pages: number, at = 0): void {
    expect(this.program.mmap((BASE + at) * PAGE, pages * PAGE, RW, FIXED)).toBe((BASE + at) * PAGE)
  }

  register(page: number, pages: number): number {
    const { mm, space } = this.program
    const [start, end] = [(BASE + page) as Vpn, (BASE + page + pages) as Vpn]
    return locked(mm, space, () => registerRange(mm, space, this.context, start, end, VM_UFFD_MISSING))
  }

  unregister(page: number, pages: number): number {
    const { mm, space } = this.program
    const [start, end] = [(BASE + page) as Vpn, (BASE + page + pages) as Vpn]
    return locked(mm, space, () => unregisterRange(mm, space, start, end, () => {}))
  }

  fill(mode: FillMode, page: number, pages: number, value = 1): number {
    const bring = (index: number, target: Uint8Array) => {
      target.fill(value + index)
      return 0
    }
    const request = { context: this.context, start: (BASE + page) as Vpn, pages, mode }
    return fillPages(this.program.mm, mode === 'copy' ? { ...request, bring } : request)
  }

  move(from: number, to: number, pages: number, allowsHoles = false): number {
    const [start, source] = [(BASE + to) as Vpn, (BASE + from) as Vpn]
    return moveUserfault(this.program.mm, { context: this.context, start, pages, source, allowsHoles })
  }

  touch(page: number, access: Access): FaultResult {
    return this.program.touch((BASE + page) * PAGE, access)
  }

  /** First byte of a page that is there. */
  byte(page: number): number {
    const { mm, space } = this.program
    const mapper = new UserMapper(mm, space.root)
    expect(mapper.translate((BASE + page) as Vpn)).toBe(true)
    return mm.memory.u8[mapper.lastPfn * PAGE]!
  }

  /** Pages from one page to the end of its mapping. */
  reach(page: number): number {
    const { mm, space } = this.program
    return new Vma(mm.memory, mm.vmas.findHolding(space, (BASE + page) as Vpn)).end - BASE - page
  }

  /** As its file does that is closed. */
  close(): void {
    const { mm, space } = this.program
    if (mm.userfaults.space(this.context) !== NULL)
      locked(mm, space, () => unregisterAll(mm, space, this.context))
    mm.userfaults.free(this.context)
  }
}

/** What is at a page: nothing, the page of zeroes, a mark, or a page of its own with that first byte. */
type Content = 'none' | 'zero' | 'poison' | number

class Model {
  readonly registered = new Array<boolean>(PAGES).fill(false)
  readonly content = new Array<Content>(PAGES).fill('none')

  touch(page: number, access: Access): FaultResult {
    const before = this.content[page]!
    if (before === 'poison') return FaultResult.poisoned
    if (before === 'none' && this.registered[page]) return FaultResult.userfault
    const isOwn = typeof before === 'number'
    if (!isOwn) this.content[page] = access === Access.write ? 0 : 'zero'
    return FaultResult.ok
  }

  fill(mode: FillMode, page: number, pages: number, reach: number, value: number): number {
    if (!this.registered[page] || pages > reach) return -ENOENT
    for (let i = 0; i < pages; i++) {
      const before = this.content[page + i]!
      if (before !== 'none' && !(mode === 'copy' && before === 'poison')) return i > 0 ? i : -EEXIST
      this.content[page + i] = mode === 'copy' ? value + i : mode === 'zero' ? 'zero' : 'poison'
    }
    return pages
  }

  move(from: number, to: number, pages: number, reaches: boolean): number {
    if (!this.registered[to] || !reaches) return -EINVAL
    for (let i = 0; i < pages; i++) {
      const problem = this.#moveOne(from + i, to + i)
      if (problem < 0) return i > 0 ? i : problem
    }
    return pages
  }

  #moveOne(from: number, to: number): number {
    if (this.content[to] !== 'none') return -EEXIST
    const moved = this.content[from]!
    if (moved === 'none') return -ENOENT
    if (moved === 'poison') return -EFAULT
    this.content[to] = moved
    this.content[from] = 'none'
    return 0
  }
}

describe('against a model', () => {
  test(`random requests, touches and drops agree with it, seed ${SEED}`, () => {
    const random = new Random(SEED)
    const reader = new Reader()
    const model = new Model()
    const { program } = reader
    reader.map(PAGES)
    const operations = [
      (page: number, pages: number) => {
        expect(reader.register(page, pages)).toBeGreaterThanOrEqual(0)
        model.registered.fill(true, page, page + pages)
      },
      (page: number, pages: number) => {
        expect(reader.unregister(page, pages)).toBeGreaterThanOrEqual(0)
        model.registered.fill(false, page, page + pages)
      },
      (page: number) => {
        const access = random.below(2) === 0 ? Access.read : Access.write
        expect(reader.touch(page, access)).toBe(model.touch(page, access))
      },
      (page: number, pages: number) => {
        const mode = (['copy', 'zero', 'poison'] as const)[random.below(3)]!
        const value = random.below(100)
        const reach = reader.reach(page)
        expect(reader.fill(mode, page, pages, value)).toBe(model.fill(mode, page, pages, reach, value))
      },
      (page: number, pages: number) => {
        const to = random.below(PAGES - pages + 1)
        const reaches = pages <= reader.reach(page) && pages <= reader.reach(to)
        expect(reader.move(page, to, pages)).toBe(model.move(page, to, pages, reaches))
      },
      (page: number, pages: number) => {
        expect(program.call('madvise', (BASE + page) * PAGE, pages * PAGE, mman.MADV_DONTNEED)).toBe(0)
        model.content.fill('none', page, page + pages)
      },
    ]
    for (let step = fuzzSteps(200); step > 0; step--) {
      const page = random.below(PAGES)
      const pages = 1 + random.below(Math.min(6, PAGES - page))
      operations[random.below(operations.length)]!(page, pages)
      program.mm.check()
      model.content.forEach((content, at) => {
        if (typeof content === 'number') expect(reader.byte(at)).toBe(content)
      })
    }
    reader.close()
    program.exit()
    program.mm.check()
  })
})

/** Steps that need memory; each returns its result, negative without. */
const STEPS: readonly (readonly [name: string, prepare: (r: Reader) => void, step: (r: Reader) => number])[] =
  [
    ['register, which cuts twice', (r) => r.map(9), (r) => r.register(3, 3)],
    [
      'unregister a part',
      (r) => {
        r.map(9)
        r.register(0, 9)
      },
      (r) => r.unregister(3, 3),
    ],
    ...(['copy', 'zero', 'poison'] as const).map(
      (mode) =>
        [
          mode,
          (r: Reader) => {
            r.map(4)
            r.register(0, 4)
          },
          (r: Reader) => r.fill(mode, 1, 1),
        ] as const,
    ),
    ...(['copy', 'zero'] as const).map(
      (mode) =>
        [
          `${mode} in shared memory`,
          (r: Reader) => {
            mapShared(r)
            r.register(0, 99)
          },
          (r: Reader) => r.fill(mode, 98, 1),
        ] as const,
    ),
    [
      'move',
      (r) => {
        r.map(2)
        r.map(2, 1 << 18)
        r.register(0, 2)
        r.touch(1 << 18, Access.write)
      },
      (r) => r.move(1 << 18, 0, 1),
    ],
  ]

function mapShared({ program }: Reader): void {
  program.files.set(3, openFile(program.mm.objects.create(ObjectKind.tmpfs, 99 * PAGE)))
  const flags = mman.MAP_SHARED | mman.MAP_FIXED
  expect(program.mmap(BASE * PAGE, 99 * PAGE, RW, flags, 3)).toBe(BASE * PAGE)
}

describe.each(STEPS)('%s', (_name, prepare, step) => {
  test('fails cleanly at every allocation, and succeeds afterwards', () => {
    let failures = 0
    for (let n = 1; ; n++) {
      const reader = new Reader()
      const { mm, faults } = reader.program
      prepare(reader)
      faults.failAt(n)
      const result = step(reader)
      faults.reset()
      mm.check()
      const mayBeFilled = result < 0 ? step(reader) : 1
      expect(mayBeFilled).toBeGreaterThanOrEqual(0)
      mm.check()
      reader.close()
      mm.check()
      reader.program.exit()
      mm.check()
      if (result >= 0) break
      expect(result).toBe(-ENOMEM)
      failures++
    }
    expect(failures).toBeGreaterThan(0)
  })
})

describe('fork', () => {
  test('gives the child a context of its own, or none; whatever allocation fails, nothing is left', () => {
    for (const features of [0, UserfaultFeature.eventFork]) {
      for (let n = 1; ; n++) {
        const reader = new Reader(Program.boot(), features)
        const { mm, faults, space } = reader.program
        reader.map(4)
        reader.register(0, 2)
        reader.register(3, 1)
        expect(reader.fill('copy', 0, 1)).toBe(1)
        faults.failAt(n)
        const child = reader.program.fork()
        faults.reset()
        mm.check()
        const [change] = mm.userfaults.changes
        if (child === undefined) {
          expect(change).toBeUndefined()
          expect(mm.userfaults.all()).toEqual([reader.context])
          continue
        }
        const kind = change === undefined ? undefined : mm.userfaults.messages.kind(change)
        expect(kind).toBe(features === 0 ? undefined : 'fork')
        mm.userfaults.takeBack(0)
        const ofChild = mm.userfaults
          .all()
          .filter((context) => mm.userfaults.space(context) === child.space.ptr)
        expect(ofChild.length).toBe(features === 0 ? 0 : 1)
        expect(mm.userfaults.space(reader.context)).toBe(space.ptr)
        expect(child.touch((BASE + 1) * PAGE, Access.read)).toBe(
          features === 0 ? FaultResult.ok : FaultResult.userfault,
        )
        child.exit()
        for (const context of ofChild) mm.userfaults.free(context)
        mm.check()
        break
      }
    }
  })

  test('of two readers both hear of it, or neither', () => {
    for (let n = 1, failures = 0; ; n++) {
      const reader = new Reader(Program.boot(), UserfaultFeature.eventFork)
      const { mm, faults } = reader.program
      const other = new Reader(reader.program, UserfaultFeature.eventFork)
      reader.map(4)
      reader.register(0, 2)
      other.register(2, 2)
      faults.failAt(n)
      const child = reader.program.fork()
      faults.reset()
      mm.check()
      expect(mm.userfaults.changes.length).toBe(child === undefined ? 0 : 2)
      expect(mm.userfaults.all().length).toBe(child === undefined ? 2 : 4)
      if (child !== undefined) {
        expect(failures).toBeGreaterThan(3)
        break
      }
      failures++
    }
  })

  test('a page that a child has too is not moved, nor one that it had', () => {
    const reader = new Reader()
    reader.map(4)
    reader.register(0, 4)
    reader.fill('copy', 0, 2)
    const child = reader.program.fork()!
    expect(reader.move(0, 2, 1)).toBe(-16)
    child.exit()
    expect(reader.move(0, 2, 1)).toBe(-16)
    expect(reader.touch(0, Access.write)).toBe(FaultResult.ok)
    expect(reader.move(0, 2, 1)).toBe(1)
    reader.program.mm.check()
  })
})

test('the space may go before its context, which is nobody’s then', () => {
  const reader = new Reader()
  const { mm } = reader.program
  reader.map(4)
  reader.register(0, 4)
  reader.program.exit()
  expect(mm.userfaults.space(reader.context)).toBe(NULL)
  expect(mm.userfaults.changes).toEqual([])
  mm.check()
  reader.close()
  mm.check()
})

test('mremap takes the registration with it only for who wants to hear of it', () => {
  for (const features of [0, UserfaultFeature.eventRemap]) {
    const reader = new Reader(Program.boot(), features)
    const { mm } = reader.program
    reader.map(4)
    reader.register(0, 4)
    const flags = mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED
    const target = (BASE + 64) * PAGE
    expect(reader.program.call('mremap', BASE * PAGE, 2 * PAGE, 2 * PAGE, flags, target)).toBe(target)
    mm.check()
    const isKept = features !== 0
    expect(mm.userfaults.changes.map((change) => mm.userfaults.messages.kind(change))).toEqual(
      isKept ? ['remap'] : [],
    )
    expect(reader.touch(64, Access.read)).toBe(isKept ? FaultResult.userfault : FaultResult.ok)
    expect(reader.fill('copy', 64, 1)).toBe(isKept ? -11 : -ENOENT)
  }
})

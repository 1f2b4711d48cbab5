/**
 * A first write in one piece, and a first touch that the hart answers by itself, held against the long way (handle-fault.ts, anonymous.ts): three machines
 * do the same at random, and after each step their RAM is the same to the byte. What the short ways do not do they leave alone.
 */
import { describe, expect, test } from 'vitest'
import { frameToPtr, type Ptr, type Vpn } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmInit } from '../mm.js'
import { ALL_FORGOTTEN, TlbHeader } from '../paging/tlb-layout.js'
import { UserMapper } from '../paging/user-mapper.js'
import { AddressSpace } from '../space/address-space.js'
import { HugeSizeMode, setFolioMode } from '../space/huge-policy.js'
import { ObjectKind } from '../space/page-object.js'
import { VM_UFFD_MISSING } from '../space/vm-flags.js'
import { Special, Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { Counter, counted } from '../state/counters.js'
import { Region, regionBytes, regionPtr } from '../state/layout.js'
import * as mman from '../syscall/mman.js'
import { Access, FaultResult } from './access.js'
import { firstWrite } from './first-write.js'
import { faultLocked, faultPatiently } from './handle-fault.js'
import { AnswerCalls } from './testing/answers.js'
import { openFile, Program } from './testing.js'

const { PROT_READ: R, PROT_WRITE: W, PROT_EXEC: X } = mman
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const PAGE = 4096
const MEBIBYTES = 8

/** Without debugging and on memory of its own, as the command has it: elsewhere all faults go the long way. */
function bootPlain(lowFrames?: number): Program {
  const mm = mmInit({ bytes: MEBIBYTES * 2 ** 20, ...(lowFrames === undefined ? {} : { lowFrames }) })
  const space = new AddressSpace(mm.memory, mm.spaces.create())
  mm.tlbs.activate(0, space.root)
  return new Program(mm, space, new FaultInjector())
}

/** The same access, and never in one piece. */
function touchTheLongWay({ mm, space }: Program, address: number, access: Access): FaultResult {
  mm.atomics.lock(space.lock, LockRank.space)
  mm.fault.isUser = true
  mm.userfaults.missed = undefined
  const result = faultPatiently(mm, space, Math.floor(address / PAGE) as Vpn, access, faultLocked)
  mm.fault.isUser = false
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

/** Whether it was done in one piece. */
function write({ mm, space }: Program, address: number): boolean {
  mm.atomics.lock(space.lock, LockRank.space)
  const isDone = firstWrite(mm, space, Math.floor(address / PAGE) as Vpn)
  mm.atomics.unlock(space.lock, LockRank.space)
  return isDone
}

/** All of RAM, but for what a flush batch leaves where frames wait for it. */
function bytesOf({ mm: { memory } }: Program): Buffer {
  memory.fill(regionPtr(memory, Region.entryLoops), 0, regionBytes(memory, Region.entryLoops))
  return Buffer.from(memory.raw.buffer)
}

/** A page that may be written has something in it, so that it shows when it is not zeroed. */
function mark({ mm, space }: Program, address: number, value: number): void {
  const mapper = new UserMapper(mm, space.root)
  if (mapper.translate((address / PAGE) as Vpn)) {
    mm.memory.u32[(frameToPtr(mapper.lastPfn) >>> 2) + (value % 1000)] = value
  }
}

type Step = (program: Program, touch: typeof touchTheLongWay) => number

/** What a random step does: to either machine the same. */
function randomStep(random: Random, places: readonly number[]): Step {
  const address = random.pick(places) + random.below(24) * PAGE
  const length = random.between(1, 24) * PAGE
  const [kind, prot, value] = [random.below(20), random.pick([R | W, R | W | X, R, X, 0]), random.uint32()]
  if (kind < 10) {
    return (program, touch) => {
      const result = touch(program, address, Access.write)
      if (result === FaultResult.ok) mark(program, address, value)
      return result
    }
  }
  if (kind < 12) return (program, touch) => touch(program, address, Access.read)
  if (kind < 14) return (program) => program.mmap(address, length, R | W, PRIVATE | mman.MAP_FIXED)
  if (kind < 16) return (program) => program.call('munmap', address, length)
  if (kind < 17) return (program) => program.call('mprotect', address, length, prot)
  if (kind < 18) return (program) => program.call('madvise', address, length, 4)
  if (kind < 19) return (program) => program.call('mremap', address, length, length + 8 * PAGE, 1)
  return (program, touch) => {
    const child = program.fork()
    if (child === undefined) return -1
    let result = 0
    for (let i = 0; i < value % 8; i++) result = touch(program, address + i * PAGE, Access.write)
    child.exit()
    return result
  }
}

/** What resolved a fault, of those that a short way may take. */
const KINDS = ['faultAnonymous', 'faultZeroPage', 'faultReuse', 'faultCopy'] as const
type Kind = (typeof KINDS)[number]

/** A touch by a short way if it goes, of which `done` counts the kinds, and else the long way. */
function touchOf(
  short: (program: Program, address: number, access: Access) => boolean,
  done: Map<Kind, number>,
) {
  return (program: Program, address: number, access: Access): FaultResult => {
    const { memory } = program.mm
    const before = KINDS.map((kind) => counted(memory, Counter[kind]))
    if (!short(program, address, access)) return touchTheLongWay(program, address, access)
    const kind = KINDS.find((each, i) => counted(memory, Counter[each]) > before[i]!)!
    done.set(kind, (done.get(kind) ?? 0) + 1)
    return FaultResult.ok
  }
}

function takeForgotten({ mm }: Program): void {
  const header = mm.tlbs.ptr(0) >>> 2
  mm.memory.u32[header + TlbHeader.forgottenFrom / 4] = ALL_FORGOTTEN
  mm.memory.u32[header + TlbHeader.forgottenEnd / 4] = 0
}

/** With so many mappings the tree has one node, or several. */
test.each([
  ['one zone', 6, undefined],
  ['two zones', 6, 1200],
  ['many mappings', 60, undefined],
])(
  'three machines with %s, of which two go short ways, are the same after each step',
  (_, mappings, lowFrames) => {
    const random = new Random(SEED)
    const [quick, byHart, long] = [bootPlain(lowFrames), bootPlain(lowFrames), bootPlain(lowFrames)]
    const calls = new AnswerCalls(byHart.mm)
    for (const { mm, files } of [quick, byHart, long]) {
      files.set(3, openFile(mm.objects.create(ObjectKind.tmpfs, 24)))
    }
    const places: number[] = []
    for (let i = 0; i < mappings; i++) {
      const length = random.pick([1, 2, 15, 16, 24, 200, 600]) * PAGE
      // Neighbours whose access is not the same may share a family.
      const prot = random.pick([R | W, R | W | X])
      const flags = random.pick([PRIVATE, PRIVATE, mman.MAP_DROPPABLE | mman.MAP_ANONYMOUS])
      const address = quick.mmap(0, length, prot, flags)
      for (const other of [byHart, long]) expect(other.mmap(0, length, prot, flags)).toBe(address)
      places.push(address)
      if (random.below(3) === 0) {
        const flags = random.pick([mman.MAP_PRIVATE, mman.MAP_PRIVATE, mman.MAP_SHARED]) | mman.MAP_FIXED
        for (const program of [quick, byHart, long]) program.mmap(address, length, R | W, flags, 3)
      }
      if (random.below(2) === 0) continue
      const advice = random.pick([10, 11])
      for (const program of [quick, byHart, long]) program.call('madvise', address, PAGE, advice)
    }
    const [quickly, answered] = [new Map<Kind, number>(), new Map<Kind, number>()]
    const steps = fuzzSteps(1500)
    for (let i = 0; i < steps; i++) {
      // As who runs the hart does: what it has forgotten counts from now on.
      for (const program of [quick, byHart, long]) takeForgotten(program)
      const step = randomStep(random, places)
      const result = step(long, touchTheLongWay)
      const isWrite = (access: Access) => access === Access.write
      const inOnePiece = touchOf((program, at, access) => isWrite(access) && write(program, at), quickly)
      const inHart = touchOf(({ space }, at, access) => calls.touch(space, at, access), answered)
      const name = `seed ${SEED}, step ${i}`
      expect(step(quick, inOnePiece), name).toBe(result)
      expect(step(byHart, inHart), name).toBe(result)
      expect(bytesOf(quick).equals(bytesOf(long)), `${name}: the same RAM`).toBe(true)
      expect(bytesOf(byHart).equals(bytesOf(long)), `${name}: the same RAM where the hart answers`).toBe(true)
    }
    for (const { mm } of [quick, byHart]) mm.check()
    expect(quickly.get('faultAnonymous')).toBeGreaterThan(steps / 10)
    for (const kind of KINDS) expect(answered.get(kind), kind).toBeGreaterThan(steps / 300)
  },
)

test.each([1, 2, 3, 4, 5, 6])(
  'mappings that touch, and so may share a family, in several leaves: %i',
  (round) => {
    const random = new Random(SEED + round)
    const [byHart, long] = [bootPlain(), bootPlain()]
    const calls = new AnswerCalls(byHart.mm)
    const mappings = 100
    const start = 0x10_0000_0000
    const addresses = Array.from({ length: mappings }, (_, i) => start + i * PAGE)
    for (const program of [byHart, long]) {
      program.mmap(start, mappings * PAGE, R | W, PRIVATE | mman.MAP_FIXED)
      // The table is there, and records of families are at hand.
      program.mmap(start + 200 * PAGE, PAGE, R | W, PRIVATE | mman.MAP_FIXED)
      touchTheLongWay(program, start + 200 * PAGE, Access.write)
      for (let i = 0; i < mappings; i += 2) program.call('mprotect', addresses[i]!, PAGE, R | W | X)
    }
    let answered = 0
    while (addresses.length > 0) {
      const [address] = addresses.splice(random.below(addresses.length), 1) as [number]
      const result = touchTheLongWay(long, address, Access.write)
      if (calls.touch(byHart.space, address, Access.write)) answered++
      else expect(touchTheLongWay(byHart, address, Access.write)).toBe(result)
      expect(bytesOf(byHart).equals(bytesOf(long)), `seed ${SEED}, page ${(address - start) / PAGE}`).toBe(
        true,
      )
    }
    byHart.mm.check()
    expect(answered).toBeGreaterThan(mappings / 10)
  },
)

test('until memory is full, and then', () => {
  const [quick, byHart, long] = [bootPlain(), bootPlain(), bootPlain()]
  const calls = new AnswerCalls(byHart.mm)
  const pages = MEBIBYTES * 256
  // Of one mapping of that size no page has a place of its own: nowhere is there room for it.
  const flags = PRIVATE | mman.MAP_NORESERVE
  const address = quick.mmap(0, pages * PAGE, R | W, flags)
  expect(address).toBeGreaterThan(0)
  for (const other of [byHart, long]) expect(other.mmap(0, pages * PAGE, R | W, flags)).toBe(address)
  for (let i = 0; i < pages; i += 400) {
    for (const program of [quick, byHart, long]) program.call('madvise', address + i * PAGE, 200 * PAGE, 10)
  }
  let [refused, answered] = [0, 0]
  for (let i = 0; i < pages; i++) {
    const at = address + i * PAGE
    const result = quick.touch(at, Access.write)
    expect(touchTheLongWay(long, at, Access.write), `page ${i}`).toBe(result)
    if (calls.touch(byHart.space, at, Access.write)) answered++
    else expect(touchTheLongWay(byHart, at, Access.write), `page ${i}`).toBe(result)
    if (result === FaultResult.outOfMemory) refused++
  }
  expect(refused).toBeGreaterThan(0)
  expect(answered).toBeGreaterThan(pages / 4)
  for (const each of [quick, byHart]) {
    expect(bytesOf(each).equals(bytesOf(long))).toBe(true)
    each.mm.check()
  }
})

describe('by itself', () => {
  /** A mapping whose first page is there, and so its table and family. */
  function mapped(program: Program, prot = R | W, flags = PRIVATE): number {
    const address = program.mmap(0, 8 * PAGE, prot, flags)
    program.mmap(address, PAGE, R | W, PRIVATE | mman.MAP_FIXED)
    expect(program.touch(address, Access.write)).toBe(FaultResult.ok)
    // A frame is at hand.
    const { buddy } = program.mm
    buddy.free(buddy.allocate(0), 0)
    return address
  }

  test('it maps the page, and once', () => {
    const program = bootPlain()
    const address = mapped(program)
    expect(write(program, address + PAGE)).toBe(true)
    expect(new UserMapper(program.mm, program.space.root).translate((address / PAGE + 1) as Vpn)).toBe(true)
    expect(write(program, address + PAGE)).toBe(false)
    program.mm.check()
  })

  const REFUSED: [string, (program: Program) => number][] = [
    ['a page that is not mapped', (program) => mapped(program) + 8 * PAGE],
    ['one below all mappings', (program) => mapped(program) - PAGE],
    ['one that no user has', () => -PAGE],
    ['one behind all users', (program) => program.mm.arch.userEnd * PAGE],
    ['one that may only be read', (program) => mapped(program, R) + PAGE],
    ['shared memory', (program) => mapped(program, R | W, mman.MAP_SHARED | mman.MAP_ANONYMOUS) + PAGE],
    ['a page that is there', (program) => mapped(program)],
    ['one without a table', (program) => program.mmap(0, PAGE, R | W, PRIVATE)],
    [
      'one that shows the page of zeroes',
      (program) => {
        const address = mapped(program) + PAGE
        expect(program.touch(address, Access.read)).toBe(FaultResult.ok)
        return address
      },
    ],
    [
      'a private page of a file',
      (program) => {
        program.files.set(3, openFile(program.mm.objects.create(ObjectKind.tmpfs, 8)))
        return program.mmap(mapped(program) + PAGE, PAGE, R | W, mman.MAP_PRIVATE | mman.MAP_FIXED, 3)
      },
    ],
  ]
  /** The mapping of the second page of `mapped`. */
  function second(program: Program, address: number): Vma {
    const { mm, space } = program
    return new Vma(mm.memory, mm.vmas.find(space, (address / PAGE + 1) as Vpn))
  }

  const PREPARED: [string, (program: Program, address: number) => void][] = [
    [
      'that the reader of a userfaultfd(2) is to bring',
      (program, address) => {
        second(program, address).flags |= VM_UFFD_MISSING
      },
    ],
    [
      'of a mapping that is registered with one',
      (program, address) => {
        second(program, address).userfault = 64 as Ptr
      },
    ],
    [
      "of the kernel's own",
      (program, address) => {
        second(program, address).special = Special.vvar
      },
    ],
    [
      'that may come with others',
      ({ mm }) => {
        setFolioMode(mm.memory, 4, HugeSizeMode.always)
      },
    ],
  ]
  test.each(PREPARED)('a page %s is left alone', (_, prepare) => {
    const program = bootPlain()
    const address = mapped(program)
    prepare(program, address)
    const before = Buffer.from(bytesOf(program))
    expect(write(program, address + PAGE)).toBe(false)
    expect(bytesOf(program).equals(before)).toBe(true)
  })

  test.each(REFUSED)('%s is left alone', (_, place) => {
    const program = bootPlain()
    const address = place(program)
    const before = Buffer.from(bytesOf(program))
    expect(write(program, address)).toBe(false)
    expect(bytesOf(program).equals(before)).toBe(true)
  })

  test('where something watches, or others share the memory, it does nothing', () => {
    for (const program of [Program.boot(MEBIBYTES), Program.boot(MEBIBYTES, true)]) {
      const address = mapped(program)
      expect(write(program, address + PAGE)).toBe(false)
    }
  })
})

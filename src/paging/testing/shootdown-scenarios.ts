/**
 * Small scenarios of harts that use a space while others change it, for the controlled scheduler. Every frame in use says whose
 * it is; one that is given back says so at once: an access by way of a forgotten translation reads it.
 */
import { FakeArch } from '../../arch/fake-arch.js'
import { EntryFlag, type MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../../arch/riscv64/sv39.js'
import { assert } from '../../base/assert.js'
import { frameToPtr, NO_FRAME, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { type AtomicsOptions, type AtomicWords, LockRank } from '../../state/atomics.js'
import { wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { Scenario, ThreadBody } from '../../state/testing/scenario.js'
import type { FlushBatch, FrameReleaser } from '../flush-batch.js'
import type { Mailboxes } from '../mailboxes.js'
import { PageFlusher } from '../page-flusher.js'
import { Shootdown } from '../shootdown.js'
import { UserMapper } from '../user-mapper.js'
import { AdversarialTlb } from './adversarial-tlb.js'
import { PagingMachine } from './paging-machine.js'

const { read, write, user } = EntryFlag
const RW = read | write | user
const A = 5 as Vpn
const B = 9 as Vpn
/** A page of the kernel's vmalloc window. */
const K = (new Riscv64Sv39().kernelLayout.vmalloc.start + A) as Vpn
/** Unused words of the header: the space's root, its lock. */
const ROOT = wordIndex(250 as never)
const LOCK = (wordIndex(251 as never) * 4) as Ptr
/** The frame of page A at first. */
const FIRST = wordIndex(252 as never)
/** Of a page's frame: counts stores. */
const STORES = 8

/** What the frame of a page holds. */
const tag = (vpn: Vpn) => 0x7a60000 + (vpn & 0xffff)

type ShootdownClass = new (...args: ConstructorParameters<typeof Shootdown>) => Shootdown
type MapperClass = new (...args: ConstructorParameters<typeof UserMapper>) => UserMapper

/** Bugs to be found: what takes the place of the sound parts. */
interface Parts {
  readonly Shootdown: ShootdownClass
  readonly Mapper: MapperClass
  /** Whether a hart that waits serves its mailbox. */
  readonly serves: boolean
}
const SOUND: Parts = { Shootdown, Mapper: UserMapper, serves: true }

/**
 * Makes every frame a table that leads to itself, instead of giving it back: so a walk through a table that is gone goes wrong, and
 * no frame that is gone looks like a page.
 */
class Undertaker implements FrameReleaser {
  readonly #machine: PagingMachine

  constructor(machine: PagingMachine) {
    this.#machine = machine
  }

  releaseAll(frames: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) this.free(frames[i]! as Pfn)
  }

  releaseRun(): void {}

  freeZeroed(pfn: Pfn): void {
    this.free(pfn)
  }

  free(pfn: Pfn): void {
    const { arch, atomics } = this.#machine
    const flags = RW | EntryFlag.accessed | EntryFlag.dirty
    for (const place of [0, A * 8]) {
      atomics.store((frameToPtr(pfn) + place + 4) as Ptr, arch.leafHigh(pfn, flags) | 0)
      atomics.store((frameToPtr(pfn) + place) as Ptr, arch.leafLow(pfn, flags) | 0)
    }
  }
}

/** One hart: a machine of its own view, a TLB that forgets nothing by itself, and the space. */
class Player {
  readonly machine: PagingMachine
  readonly tlb: AdversarialTlb
  readonly shootdown: Shootdown
  readonly flusher: PageFlusher
  readonly mapper: UserMapper

  constructor(memory: Memory, hart: number, onStep: AtomicsOptions['onStep'], parts: Parts) {
    const steps = onStep === undefined ? {} : { onStep }
    this.machine = PagingMachine.attach(memory, hart + 1, { debug: false, ...steps })
    const { arch, atomics, tlbs } = this.machine
    this.tlb = new AdversarialTlb({ memory, arch, atomics, tlbs }, hart)
    this.shootdown = new parts.Shootdown({ memory, atomics, tlbs: this.tlb }, hart)
    if (!parts.serves) atomics.serve = () => {}
    this.flusher = new PageFlusher(this.shootdown, new Undertaker(this.machine))
    this.mapper = new parts.Mapper(this.machine, memory.u32[ROOT] as Pfn)
  }

  batch(change: (batch: FlushBatch) => void): void {
    const batch = this.flusher.batch(this.mapper.root)
    change(batch)
    batch.finish()
  }

  /** Reads a page: false after a page fault; asserts that what it finds is that page. */
  load(vpn: Vpn): boolean {
    const pfn = this.tlb.translate(vpn, read)
    if (pfn === NO_FRAME) return false
    const found = this.machine.atomics.load(frameToPtr(pfn))
    assert(found === tag(vpn), 'a stale access: a page that is gone was read')
    return true
  }

  /** Counts up in a page; false after a page fault. */
  store(vpn: Vpn): boolean {
    const pfn = this.tlb.translate(vpn, write)
    if (pfn === NO_FRAME) return false
    this.machine.atomics.add((frameToPtr(pfn) + STORES) as Ptr, 1)
    return true
  }

  unmap(vpn: Vpn): void {
    this.batch((batch) => {
      const pfn = this.mapper.pfn(this.mapper.leaf(vpn))
      this.mapper.clear(this.mapper.leaf(vpn), vpn, batch)
      batch.releaseFrame(pfn)
    })
  }

  runs(body: () => void): void {
    this.shootdown.enter()
    body()
    this.shootdown.leave()
  }
}

type Play = (player: Player) => void

interface Setting {
  readonly arch?: MemoryManagementArch
  readonly pages?: readonly Vpn[]
  readonly flags?: number
  readonly parts?: Partial<Parts>
}

function scenario(name: string, plays: readonly Play[], setting: Setting = {}): Scenario {
  const bodies = plays.map(
    (play, hart): ThreadBody =>
      (memory, onStep) =>
        play(new Player(memory, hart, onStep, { ...SOUND, ...setting.parts })),
  )
  return { name, setUp: () => boot(plays.length, setting), threads: bodies, check }
}

/** The pages are mapped, and every hart has the space's tables. */
function boot(harts: number, { arch = new Riscv64Sv39(), pages = [A, B], flags = RW }: Setting): Memory {
  const machine = new PagingMachine(arch, { shared: true, harts })
  const mapper = machine.newUser()
  const batch = machine.flusher.batch(mapper.root)
  for (const vpn of pages) {
    const pfn = machine.newFrame()
    machine.memory.u32[frameToPtr(pfn) >>> 2] = tag(vpn)
    mapper.map(vpn, pfn, flags, batch)
  }
  batch.finish()
  if (arch instanceof Riscv64Sv39) mapKernelPage(machine)
  for (let hart = 0; hart < harts; hart++) machine.tlbs.activate(hart, mapper.root)
  machine.memory.u32[ROOT] = mapper.root
  machine.memory.u32[FIRST] = mapper.pfn(mapper.leaf(A))
  return machine.memory
}

function mapKernelPage(machine: PagingMachine): void {
  const { flusher, kernelMapper, memory } = machine
  const pfn = machine.newFrame()
  memory.u32[frameToPtr(pfn) >>> 2] = tag(K)
  const batch = flusher.batch(kernelMapper.root)
  kernelMapper.enter()
  kernelMapper.map(K, pfn, read | write, batch)
  kernelMapper.leave()
  batch.finish()
}

const storesOf = (pfn: Pfn) => (frameToPtr(pfn) + STORES) as Ptr

function check(memory: Memory): void {
  assert(memory.u32[LOCK >>> 2] === 0, 'the lock is free in the end')
}

/** A page is unmapped while another hart reads it twice. */
const unmapping: Play[] = [
  (hart) => hart.unmap(A),
  (hart) =>
    hart.runs(() => {
      hart.load(A)
      hart.shootdown.serve()
      hart.load(A)
    }),
]

/** Two harts that run ask each other at once. */
const crossing: Play[] = [(hart) => hart.runs(() => hart.unmap(A)), (hart) => hart.runs(() => hart.unmap(B))]

/** After the right to write was taken, nobody writes. */
const protecting: Play[] = [
  (hart) => {
    const { memory } = hart.machine
    const counter = () => memory.i32[storesOf(memory.u32[FIRST] as Pfn) >>> 2]
    hart.batch((batch) => hart.mapper.changeFlags(hart.mapper.leaf(A), A, write, 0, batch))
    const before = counter()
    hart.machine.atomics.load(storesOf(memory.u32[FIRST] as Pfn))
    assert(counter() === before, 'a stale access: a page was written after it was protected')
  },
  (hart) =>
    hart.runs(() => {
      hart.store(A)
      hart.shootdown.serve()
      hart.store(A)
    }),
]

/** The tables go too: no walk may pass through one that is gone. Its page was unmapped before. */
const pruning: Play[] = [
  (hart) => {
    hart.unmap(A)
    hart.batch((batch) => hart.mapper.prune(0 as Vpn, 512 as Vpn, batch))
  },
  (hart) => hart.runs(() => hart.load(A)),
]

/** A page that nobody may write is replaced by a copy that this space may write: no store goes to the old frame (copy-on-write). */
const copying: Play[] = [
  (hart) => {
    const entry = hart.mapper.leaf(A)
    const old = hart.mapper.pfn(entry)
    const copy = (old + 512) as Pfn
    hart.batch((batch) => hart.mapper.set(entry, A, copy, RW, batch))
  },
  (hart) =>
    hart.runs(() => {
      hart.store(A)
      const stores = hart.machine.atomics.load(storesOf(hart.machine.memory.u32[FIRST] as Pfn))
      assert(stores === 0, 'a stale access: a page that nobody may write was written')
    }),
]

/** A hart that parks between two accesses is not waited for, and catches up. */
const parking: Play[] = [
  (hart) => hart.unmap(A),
  (hart) => {
    hart.runs(() => hart.load(A))
    hart.runs(() => hart.load(A))
  },
]

/** A hart that spins on the lock that the sender holds answers all the same. */
const locking: Play[] = [
  (hart) => {
    const { atomics } = hart.machine
    atomics.lock(LOCK, LockRank.space)
    hart.unmap(A)
    atomics.unlock(LOCK, LockRank.space)
  },
  (hart) =>
    hart.runs(() => {
      const { atomics } = hart.machine
      hart.load(A)
      atomics.lock(LOCK, LockRank.space)
      hart.load(A)
      atomics.unlock(LOCK, LockRank.space)
    }),
]

/** A page of the kernel goes: every hart that runs hears of it, whatever space it is in. */
const kernelPage: Play[] = [
  (hart) => {
    const { kernelMapper } = hart.machine
    const batch = hart.flusher.batch(kernelMapper.root)
    kernelMapper.enter()
    const entry = kernelMapper.leaf(K)
    const pfn = kernelMapper.pfn(entry)
    kernelMapper.clear(entry, K, batch)
    kernelMapper.leave()
    batch.releaseFrame(pfn)
    batch.finish()
  },
  (hart) =>
    hart.runs(() => {
      hart.load(K)
      hart.shootdown.serve()
      hart.load(K)
    }),
]

/** Two change, one looks on. */
const three: Play[] = [(hart) => hart.unmap(A), (hart) => hart.runs(() => hart.unmap(B)), unmapping[1]!]

/** Two ask a third one at once. */
const asking: Play[] = [
  (hart) => hart.unmap(A),
  (hart) => hart.unmap(B),
  (hart) => hart.runs(() => hart.shootdown.serve()),
]

class MissingFlush extends Shootdown {
  override forget(): void {}
}

class EarlyFree extends Shootdown {
  protected override awaitAnswers(): void {}
}

/** Reads its mailbox and empties it in two steps: what is posted between is lost. */
class LostWakeUp extends Shootdown {
  readonly #words: AtomicWords
  readonly #pending: (mailboxes: Mailboxes) => Ptr

  constructor(...args: ConstructorParameters<typeof Shootdown>) {
    super(...args)
    this.#words = args[0].atomics
    this.#pending = (mailboxes) => mailboxes.pending(args[1])
  }

  protected override takePending(mailboxes: Mailboxes): number {
    const pending = this.#words.load(this.#pending(mailboxes))
    this.#words.store(this.#pending(mailboxes), 0)
    return pending
  }
}

/** Frees tables as soon as nothing leads to them. */
class ForgottenWalkers extends Shootdown {
  override get hasOthers(): boolean {
    return false
  }
}

class NoCatchingUp extends Shootdown {
  protected override catchUp(): void {}
}

/** Stores the low word first. */
class TornEntry extends UserMapper {
  protected override publish(entry: Ptr, low: number, high: number): number {
    const old = this.env.atomics.exchange(entry, low | 0) >>> 0
    this.env.atomics.store((entry + 4) as Ptr, high | 0)
    return old
  }
}

const COPYING = { arch: new FakeArch(), pages: [A], flags: read | user }
const PRUNING = { pages: [A] }

export const SOUND_SCENARIOS: readonly Scenario[] = [
  scenario('a page is unmapped while another hart reads it', unmapping),
  scenario('two harts unmap what the other uses', crossing),
  scenario('a page is write-protected while another hart writes', protecting),
  scenario('tables are freed while another hart walks', pruning, PRUNING),
  scenario('a copy takes the place of a page while another hart writes', copying, COPYING),
  scenario('a hart parks between two accesses', parking),
  scenario('a hart spins on the lock of who asks it', locking),
  scenario('a page of the kernel is unmapped while another hart reads it', kernelPage),
]

export const THREE_HARTS = scenario('two harts unmap, a third one reads', three)

interface SeededBug {
  readonly scenario: Scenario
  readonly shows: RegExp
  /** How many preemptions it takes, where it is not two. */
  readonly preemptionsMax?: number
}

/** What must be found, and how it shows. */
export const SEEDED_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario('a missing flush', unmapping, { parts: { Shootdown: MissingFlush } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a missing flush of a protection', protecting, { parts: { Shootdown: MissingFlush } }),
    shows: /stale access/,
    preemptionsMax: 3,
  },
  {
    scenario: scenario('an early free', unmapping, { parts: { Shootdown: EarlyFree } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a lost wake-up', asking, { parts: { Shootdown: LostWakeUp } }),
    shows: /every thread waits/,
  },
  {
    scenario: scenario('a hart that waits and does not serve', crossing, { parts: { serves: false } }),
    shows: /every thread waits/,
  },
  {
    scenario: scenario('tables freed under a walk', pruning, {
      ...PRUNING,
      parts: { Shootdown: ForgottenWalkers },
    }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a parked hart that does not catch up', parking, {
      parts: { Shootdown: NoCatchingUp },
    }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a missing flush of the kernel', kernelPage, { parts: { Shootdown: MissingFlush } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a torn entry', copying, { ...COPYING, parts: { Mapper: TornEntry } }),
    shows: /stale access/,
  },
]

export const ALL_SCENARIOS = [...SOUND_SCENARIOS, THREE_HARTS, ...SEEDED_BUGS.map(({ scenario }) => scenario)]

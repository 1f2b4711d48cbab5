/**
 * Small scenarios of harts that use a space while others change it, for the controlled scheduler. Every frame in use says whose
 * it is; one that is given back says so at once: an access by way of a forgotten translation reads it.
 */
import { FakeArch } from '../../arch/fake-arch.js'
import { EntryFlag, type MemoryManagementArch } from '../../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../../arch/riscv64/sv39.js'
import { assert } from '../../base/assert.js'
import { frameToPtr, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import { LockRank } from '../../state/atomics.js'
import { wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { Scenario, ThreadBody } from '../../state/testing/scenario.js'
import { PagingMachine } from './paging-machine.js'
import {
  A,
  OTHER_ROOT,
  OTHER_TAG,
  type Parts,
  Player,
  ROOT,
  RW,
  SOUND,
  storesOf,
  tag,
} from './shootdown-player.js'

const { read, write, user } = EntryFlag
const B = 9 as Vpn
/** A page of the kernel's vmalloc window. */
const K = (new Riscv64Sv39().kernelLayout.vmalloc.start + A) as Vpn
/** Unused words of the header: the space's lock; the frame of page A at first. */
const LOCK = (wordIndex(251 as never) * 4) as Ptr
const FIRST = wordIndex(252 as never)
/** Another one: how many have made their change. */
const DONE = (wordIndex(249 as never) * 4) as Ptr

export type Play = (player: Player) => void

interface Setting {
  readonly arch?: MemoryManagementArch
  readonly pages?: readonly Vpn[]
  readonly flags?: number
  /** The threads after these run no hart. */
  readonly harts?: number
  /** Address-space identifiers of each hart. */
  readonly asids?: number
  readonly parts?: Partial<Parts>
}

export function scenario(name: string, plays: readonly Play[], setting: Setting = {}): Scenario {
  const bodies = plays.map(
    (play, hart): ThreadBody =>
      (memory, onStep) =>
        play(new Player(memory, hart, onStep, { ...SOUND, ...setting.parts })),
  )
  return { name, setUp: () => boot(setting.harts ?? plays.length, setting), threads: bodies, check }
}

/** The pages are mapped, and every hart has the space's tables. */
function boot(
  harts: number,
  { arch = new Riscv64Sv39(), pages = [A, B], flags = RW, asids = 2 }: Setting,
): Memory {
  const machine = new PagingMachine(arch, { shared: true, harts, asids })
  const mapper = machine.newUser()
  const batch = machine.flusher.batch(mapper.root)
  for (const vpn of pages) {
    const pfn = machine.newFrame()
    machine.memory.u32[frameToPtr(pfn) >>> 2] = tag(vpn)
    mapper.map(vpn, pfn, flags, batch)
  }
  batch.finish()
  mapOther(machine, flags)
  if (arch instanceof Riscv64Sv39) mapKernelPage(machine)
  for (let hart = 0; hart < harts; hart++) machine.tlbs.activate(hart, mapper.root)
  machine.memory.u32[ROOT] = mapper.root
  machine.memory.u32[FIRST] = mapper.pfn(mapper.leaf(A))
  return machine.memory
}

function mapOther(machine: PagingMachine, flags: number): void {
  const mapper = machine.newUser()
  const pfn = machine.newFrame()
  machine.memory.u32[frameToPtr(pfn) >>> 2] = OTHER_TAG
  const batch = machine.flusher.batch(mapper.root)
  mapper.map(A, pfn, flags, batch)
  batch.finish()
  machine.memory.u32[OTHER_ROOT] = mapper.root
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

function check(memory: Memory): void {
  assert(memory.u32[LOCK >>> 2] === 0, 'the lock is free in the end')
}

/** A page is unmapped while another hart reads it twice. */
export const unmapping: Play[] = [
  (hart) => hart.unmap(A),
  (hart) =>
    hart.runs(() => {
      hart.load(A)
      hart.shootdown.serve()
      hart.load(A)
    }),
]

/** Two harts that run ask each other at once. */
export const crossing: Play[] = [
  (hart) => hart.runs(() => hart.unmap(A)),
  (hart) => hart.runs(() => hart.unmap(B)),
]

/** After the right to write was taken, nobody writes. */
export const protecting: Play[] = [
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
export const pruning: Play[] = [
  (hart) => {
    hart.unmap(A)
    hart.batch((batch) => hart.mapper.prune(0 as Vpn, 512 as Vpn, batch))
  },
  (hart) => hart.runs(() => hart.load(A)),
]

/** A page that nobody may write is replaced by a copy that this space may write: no store goes to the old frame (copy-on-write). */
export const copying: Play[] = [
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
export const parking: Play[] = [
  (hart) => hart.unmap(A),
  (hart) => {
    hart.runs(() => hart.load(A))
    hart.runs(() => hart.load(A))
  },
]

/** A hart that has left the space is not asked, keeps what it knows of it, and catches up when it comes back. */
export const comingBack: Play[] = [
  (hart) => hart.unmap(A),
  (hart) => {
    hart.runs(() => hart.load(A))
    hart.runsIn(OTHER_ROOT, () => hart.load(A, OTHER_TAG))
    hart.runsIn(ROOT, () => hart.load(A))
  },
]

/** The same, when the page of each of the two spaces goes. */
export const bothSpaces: Play[] = [
  (hart) => {
    hart.unmap(A)
    hart.unmap(A, hart.other)
  },
  comingBack[1]!,
]

/** A page of the kernel goes while a hart is in another space: what it knows under the first space's identifier is gone too. */
export const kernelComingBack: Play[] = [
  (hart) => kernelPage[0]!(hart),
  (hart) => {
    hart.runs(() => hart.load(K))
    hart.runsIn(OTHER_ROOT, () => hart.load(A, OTHER_TAG))
    hart.runsIn(ROOT, () => hart.load(K))
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
export const kernelPage: Play[] = [
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
export const asking: Play[] = [
  (hart) => hart.unmap(A),
  (hart) => hart.unmap(B),
  (hart) => hart.runs(() => hart.shootdown.serve()),
]

const unmappingInTime =
  (vpn: Vpn): Play =>
  (hart) => {
    hart.unmap(vpn)
    hart.machine.atomics.add(DONE, 1)
  }

/** Two change, and the request of who was first may come last: who hears of both has forgotten both. */
const lookingOn: Play = (hart) =>
  hart.runs(() => {
    const { atomics } = hart.machine
    hart.load(A)
    hart.load(B)
    while (atomics.load(DONE) !== 2) atomics.spin(DONE)
    assert(!hart.load(A) && !hart.load(B), 'a stale access: a page that is gone was found')
  })
const overtaking: Play[] = [unmappingInTime(A), unmappingInTime(B), lookingOn]

/** The same, by threads that run no hart: they have one mailbox for their requests. */
const withoutHarts: Play[] = [lookingOn, unmappingInTime(A), unmappingInTime(B)]

/** Each switch takes the identifier from the space that had it. */
export const RECYCLING = { asids: 1 }
export const COPYING = { arch: new FakeArch(), pages: [A], flags: read | user }
export const PRUNING = { pages: [A] }

/** All of its interleavings are too many: 200,000 runs, five minutes, are not all. With at most four preemptions there are 37,162. */
export const LONG_SCENARIO = scenario('a hart comes back while both spaces are changed', bothSpaces)

export const SOUND_SCENARIOS: readonly Scenario[] = [
  scenario('a page is unmapped while another hart reads it', unmapping),
  scenario('two harts unmap what the other uses', crossing),
  scenario('a page is write-protected while another hart writes', protecting),
  scenario('tables are freed while another hart walks', pruning, PRUNING),
  scenario('a copy takes the place of a page while another hart writes', copying, COPYING),
  scenario('a hart parks between two accesses', parking),
  scenario('a hart leaves the space and comes back', comingBack),
  scenario('a hart leaves the space and comes back, with one identifier', comingBack, RECYCLING),
  LONG_SCENARIO,
  scenario('a page of the kernel is unmapped while a hart is in another space', kernelComingBack),
  scenario('a hart spins on the lock of who asks it', locking),
  scenario('a page of the kernel is unmapped while another hart reads it', kernelPage),
]

export const THREE_HARTS: readonly Scenario[] = [
  scenario('two harts unmap, a third one reads', three),
  scenario('two harts unmap what a third one knows, and one request overtakes the other', overtaking),
  scenario('two threads without a hart unmap what a hart knows', withoutHarts, { harts: 1 }),
]

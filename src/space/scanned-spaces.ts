/**
 * The address spaces that khugepaged looks through, in the order in which they came: those that have had a mapping that may have huge pages
 * (khugepaged_enter_vma of Linux 6.12). A space leaves when it ends. Where the scan is stands in the header: the space, NULL between two
 * rounds, and the page in it.
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { LockRank } from '../state/atomics.js'
import { Counter, count } from '../state/counters.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { AddressSpace } from './address-space.js'
import { allowsHugePages, isPmdEnabled } from './scan-policy.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES } from './vm-flags.js'
import { Vma } from './vma.js'

const LOCK = lockPtr(LockWord.khugepaged)
const FIRST = wordIndex(Word.scannedFirst)
const LAST = wordIndex(Word.scannedLast)
const CURSOR = wordIndex(Word.scanSpace)
const PAGE = wordIndex(Word.scanPage) >>> 1
const WAKE = wordIndex(Word.khugepagedWake)

const ROUND = wordIndex(Word.khugepagedRound)
const STOPPED = wordIndex(Word.khugepagedStopped)
const DUE = wordIndex(Word.khugepagedDue) >>> 1

type Env = Pick<SpaceEnv, 'memory' | 'atomics'>

/** A mapping has come, has grown, or has its first page: its space is looked through from now on if it may have huge pages. The space's lock is held. */
export function enterKhugepaged(mm: SpaceEnv, space: AddressSpace, mapping: Ptr): void {
  const { memory } = mm
  if (space.isScanned || !isPmdEnabled(memory)) return
  const at = mapping >>> 3
  if (memory.f64[at + 1]! - memory.f64[at]! < HUGE_PAGES) return
  if (allowsHugePages(mm, space, new Vma(memory, mapping))) enlistSpace(mm, space)
}

/** The space is the last in the list. khugepaged wakes up for the first one. */
export function enlistSpace({ memory, atomics }: Env, space: AddressSpace): void {
  atomics.lock(LOCK, LockRank.khugepaged)
  if (!space.isScanned) {
    const last = memory.u32[LAST]! as Ptr
    space.isScanned = true
    space.previousScanned = last
    space.nextScanned = NULL
    if (last === NULL) memory.u32[FIRST] = space.ptr
    else new AddressSpace(memory, last).nextScanned = space.ptr
    memory.u32[LAST] = space.ptr
    // Else it sleeps as long as it has been told.
    if (last === NULL && memory.f64[DUE] === 0) wakeKhugepaged(memory)
  }
  atomics.unlock(LOCK, LockRank.khugepaged)
}

/** khugepaged runs where the next thread leaves the kernel. */
export function wakeKhugepaged({ u32 }: Memory): void {
  u32[WAKE] = 1
}

/** A setting has changed: khugepaged begins, or ends, and forgets where it was (start_stop_khugepaged). */
export function startOrStopKhugepaged(memory: Memory): void {
  const { u32, f64 } = memory
  const isStopped = !isPmdEnabled(memory)
  if (u32[STOPPED] === (isStopped ? 1 : 0)) return
  u32[STOPPED] = isStopped ? 1 : 0
  u32[WAKE] = 1
  u32[CURSOR] = NULL
  u32[ROUND] = 0
  f64[DUE] = 0
}

/** The space ends (khugepaged_exit). */
export function delistSpace({ memory, atomics }: Env, space: AddressSpace): void {
  if (!space.isScanned) return
  atomics.lock(LOCK, LockRank.khugepaged)
  if (memory.u32[CURSOR] === space.ptr) advance(memory, space)
  const { previousScanned: previous, nextScanned: next } = space
  if (previous === NULL) memory.u32[FIRST] = next
  else new AddressSpace(memory, previous).nextScanned = next
  if (next === NULL) memory.u32[LAST] = previous
  else new AddressSpace(memory, next).previousScanned = previous
  space.isScanned = false
  atomics.unlock(LOCK, LockRank.khugepaged)
}

/** Behind the last space a round ends. */
function advance(memory: Memory, { nextScanned }: AddressSpace): void {
  memory.u32[CURSOR] = nextScanned
  memory.f64[PAGE] = 0
  if (nextScanned === NULL) count(memory, Counter.fullScans)
}

export function isAnyScanned({ u32 }: Memory): boolean {
  return u32[FIRST] !== NULL
}

/** Whether the scan is between two rounds. */
export function isBetweenRounds({ u32 }: Memory): boolean {
  return u32[CURSOR] === NULL
}

/** The page that the scan goes on with in its space. */
export function scanPage({ f64 }: Memory): Vpn {
  return f64[PAGE]! as Vpn
}

export function setScanPage({ f64 }: Memory, page: number): void {
  f64[PAGE] = page
}

/** The space that the scan is in, or the first one, with a reference; NULL when there is none that is not going. */
export function retainScanned(mm: Env & { readonly spaces: { tryRetain(space: Ptr): boolean } }): Ptr {
  const { memory, atomics, spaces } = mm
  atomics.lock(LOCK, LockRank.khugepaged)
  if (memory.u32[CURSOR] === NULL) {
    memory.u32[CURSOR] = memory.u32[FIRST]!
    memory.f64[PAGE] = 0
  }
  const space = new AddressSpace(memory, memory.u32[CURSOR]! as Ptr)
  while (space.ptr !== NULL && !spaces.tryRetain(space.ptr)) {
    advance(memory, space)
    space.ptr = memory.u32[CURSOR]! as Ptr
  }
  atomics.unlock(LOCK, LockRank.khugepaged)
  return space.ptr
}

/** All of the space has been looked through: the next one. */
export function leaveScanned({ memory, atomics }: Env, space: AddressSpace): void {
  atomics.lock(LOCK, LockRank.khugepaged)
  if (memory.u32[CURSOR] === space.ptr) advance(memory, space)
  atomics.unlock(LOCK, LockRank.khugepaged)
}

/** Asserts that the list has just the spaces that are marked so, of which there are `expected`. */
export function checkScanned(memory: Memory, expected: number): void {
  const space = new AddressSpace(memory, memory.u32[FIRST]! as Ptr)
  let found = 0
  let previous: Ptr = NULL
  let hasCursor = memory.u32[CURSOR] === NULL
  for (; space.ptr !== NULL; space.ptr = space.nextScanned) {
    assert(
      space.isScanned && space.previousScanned === previous,
      'the list of scanned spaces is linked both ways',
    )
    hasCursor ||= memory.u32[CURSOR] === space.ptr
    previous = space.ptr
    found++
  }
  assert(memory.u32[LAST] === previous, 'the list of scanned spaces has an end')
  assert(found === expected, 'every space that is marked so is in the list of scanned ones')
  assert(hasCursor, 'the scan is in a space of its list')
}

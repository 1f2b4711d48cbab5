/**
 * madvise(2) of Linux 6.12. Advice about the manner of reading is only remembered in the flags, as is that about equal pages.
 */
import { EACCES, EAGAIN, EINVAL, ENOMEM, EOPNOTSUPP, EPERM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { Access } from '../fault/access.js'
import { collapseRange } from '../fault/collapse.js'
import { collapseObjects } from '../fault/collapse-object.js'
import { ALONE, type FaultEnv } from '../fault/fault.js'
import { populateFor } from '../fault/populate.js'
import { pageOut, pageOutLazy } from '../fault/reclaim.js'
import type { AddressSpace } from '../space/address-space.js'
import { adviseRange } from '../space/dont-need.js'
import { unitOf } from '../space/huge-pool.js'
import { coolDown, freeLazily, keepLocked, takeOut, Unfinished } from '../space/lazy-pages.js'
import { isMergeable } from '../space/merges-all.js'
import { modifyFlags } from '../space/modify-flags.js'
import { enterKhugepaged } from '../space/scanned-spaces.js'
import { keepsContents } from '../space/seal.js'
import { splitFolio } from '../space/split-folio.js'
import { splitUnlessHeld } from '../space/split-object-folio.js'
import { punchHole } from '../space/truncate.js'
import * as vm from '../space/vm-flags.js'
import { Special, type Vma } from '../space/vma.js'
import { zapRange, zapTogether } from '../space/zap-range.js'
import { LockRank } from '../state/atomics.js'
import * as mman from './mman.js'
import type { SyscallArguments } from './syscall-arguments.js'

/** What visiting one part of a mapping for one advice needs. */
interface Context {
  readonly mm: FaultEnv
  readonly space: AddressSpace
  /** Nobody else holds the space's lock. */
  readonly isAlone: boolean
  /** MADV_REMOVE: done after the lock is given back. */
  readonly holes: Hole[]
  /** MADV_FREE, MADV_COLD, MADV_PAGEOUT: the same. */
  readonly unfinished: Unfinished
}

interface Hole {
  readonly object: Ptr
  readonly first: number
  readonly pages: number
}

type Advise = (context: Context, vma: Vma, from: Vpn, to: Vpn) => number

/** Advice that loses contents (is_madv_discard). */
const DISCARDS: readonly number[] = [
  mman.MADV_DONTNEED,
  mman.MADV_DONTNEED_LOCKED,
  mman.MADV_FREE,
  mman.MADV_REMOVE,
  mman.MADV_DONTFORK,
  mman.MADV_WIPEONFORK,
]

/** Advice that changes no mapping, only entries (madvise_need_mmap_write). */
const DROPS: readonly number[] = [mman.MADV_DONTNEED, mman.MADV_DONTNEED_LOCKED]

/** What an advice is about, decoded from 64-bit values. */
export interface AdviceRange {
  /** Page of the address: 0 to 2^52 - 1. */
  readonly start: number
  readonly isAligned: boolean
  /** Of the length, rounded up; 0 also for a length that wraps around. */
  readonly pages: number
  /** The length is 0. */
  readonly isEmpty: boolean
}

/** madvise(addr, len, advice): 0; -EINVAL, -ENOMEM (a hole; the rest is done), -EAGAIN, -EACCES, -EFAULT, -EPERM (sealed, by mseal or a file's seals). */
export function sysMadvise(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const range = {
    start: args.page(0),
    isAligned: args.isPageAligned(0),
    pages: args.pagesUp(1),
    isEmpty: args.isZero(1),
  }
  return advise(mm, space, range, args.int(2))
}

/** The same for any space (do_madvise of Linux). riscv64 has no CONFIG_MEMORY_FAILURE: MADV_HWPOISON is unknown. */
export function advise(mm: FaultEnv, space: AddressSpace, range: AdviceRange, advice: number): number {
  const access = populateAccess(advice)
  if (!ADVICE.has(advice) && access === 0) return -EINVAL
  const { start, isAligned, pages, isEmpty } = range
  if (!isAligned || (pages === 0 && !isEmpty) || start + pages >= 2 ** 52) return -EINVAL
  if (pages === 0) return 0
  const end = (start + pages) as Vpn
  if (access !== 0) return populateFor(mm, space, start as Vpn, end, access as Access)
  return adviseAll(mm, space, start as Vpn, end, advice)
}

/** What MADV_POPULATE_READ and _WRITE access; 0 for other advice. */
function populateAccess(advice: number): number {
  if (advice === mman.MADV_POPULATE_READ) return Access.read
  return advice === mman.MADV_POPULATE_WRITE ? Access.write : 0
}

function adviseAll(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn, advice: number): number {
  if (mm.atomics.canShare && DROPS.includes(advice)) {
    const result = adviseTogether(mm, space, start, end, advice)
    if (result !== ALONE) return result
  }
  const context: Context = { mm, space, isAlone: true, holes: [], unfinished: new Unfinished() }
  mm.atomics.lock(space.lock, LockRank.space)
  const result = adviseMappings(context, start, end, advice)
  mm.atomics.unlock(space.lock, LockRank.space)
  for (const { object, first, pages } of context.holes) {
    punchHole(mm, object, first, pages)
    mm.objects.release(object)
  }
  finish(mm, context.unfinished)
  return result
}

function finish(mm: FaultEnv, { split, splitObjects, givenUp, doubtful, lazy, frames }: Unfinished): void {
  for (const first of split) splitFolio(mm, first, givenUp)
  for (const { object, index } of splitObjects.values()) {
    splitUnlessHeld(mm, object, index)
    mm.objects.release(object)
  }
  for (const pfn of doubtful) keepLocked(mm, pfn)
  for (const first of lazy) pageOutLazy(mm, first)
  for (const pfn of frames) pageOut(mm, pfn)
}

/** While other harts fault in the space; or ALONE. */
function adviseTogether(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn, advice: number): number {
  const context: Context = { mm, space, isAlone: false, holes: [], unfinished: new Unfinished() }
  mm.atomics.lockShared(space.lock, LockRank.space)
  const result = adviseMappings(context, start, end, advice)
  mm.atomics.unlockShared(space.lock, LockRank.space)
  return result
}

function adviseMappings(context: Context, start: Vpn, end: Vpn, advice: number): number {
  const { mm, space } = context
  const action = ADVICE.get(advice)!
  return adviseRange(mm, space, start, end, (_mm, _space, vma, from, to) =>
    DISCARDS.includes(advice) && keepsContents(vma) ? -EPERM : action(context, vma, from, to),
  )
}

/** Advice that is remembered in the flags. A lack of records is -EAGAIN here. */
function setFlags(clear: number, set: number): Advise {
  return ({ mm, space }, vma, from, to) => {
    const flags = (vma.flags & ~clear) | set
    if (flags >>> 0 === vma.flags) return 0
    const result = modifyFlags(mm, space, vma, from, to, flags)
    return result === -ENOMEM ? -EAGAIN : Math.min(result, 0)
  }
}

/** As `then`, for mappings without these flags only. */
function unless(flags: number, then: Advise): Advise {
  return (context, vma, from, to) => ((vma.flags & flags) !== 0 ? -EINVAL : then(context, vma, from, to))
}

function forPrivateAnonymous(then: Advise): Advise {
  return (context, vma, from, to) => (vma.isAnonymous ? then(context, vma, from, to) : -EINVAL)
}

/** Private anonymous memory, and the kernel's own. */
function hasNoFile(vma: Vma): boolean {
  return vma.object === NULL || vma.special !== Special.none
}

function withoutFile(then: Advise): Advise {
  return (context, vma, from, to) => (hasNoFile(vma) ? then(context, vma, from, to) : -EINVAL)
}

/** For huge pages of a pool: from one's start, and none in part at the end (madvise_dontneed_free_valid_vma). */
function inWholePages(then: Advise): Advise {
  return (context, vma, from, to) => {
    const unit = unitOf(context.mm, vma)
    if (from % unit !== 0) return -EINVAL
    const end = (to - (to % unit)) as Vpn
    return end > from ? then(context, vma, from, end) : 0
  }
}

/** MADV_DODUMP. */
const dumpAgain: Advise = (context, vma, from, to) => {
  const isSpecial = (vma.flags & vm.VM_SPECIAL) !== 0 && (vma.flags & vm.VM_HUGETLB) === 0
  if (isSpecial || (vma.flags & vm.VM_DROPPABLE) !== 0) return -EINVAL
  return setFlags(vm.VM_DONTDUMP, 0)(context, vma, from, to)
}

/** Whoever reads of the mapping's pages is told before they go, and the call is made again then (userfaultfd_remove). */
function afterTelling(then: Advise): Advise {
  return (context, vma, from, to) => {
    const { removal } = context.mm.userfaults
    if (vma.userfault === NULL || removal === undefined) return then(context, vma, from, to)
    if (!context.isAlone) return ALONE
    const answer = removal(vma.userfault, from, to)
    if (answer === 'told') return then(context, vma, from, to)
    return answer === 'done' ? 0 : -EAGAIN
  }
}

/** The pages are dropped: anonymous memory reads as zeroes again, a file as it is. */
const dropPages: Advise = ({ mm, space, isAlone }, vma, from, to) => {
  const batch = mm.flusher.batch(space.root)
  let isDone = true
  if (isAlone) zapRange(mm, space, vma, from, to, batch)
  else isDone = zapTogether(mm, space, vma, from, to, batch)
  batch.finish()
  return isDone ? 0 : ALONE
}

/** MADV_REMOVE: a hole in the object itself. */
const removePages: Advise = (context, vma, from, to) => {
  const { mm } = context
  if ((vma.flags & vm.VM_LOCKED) !== 0 || hasNoFile(vma)) return -EINVAL
  const shared = vm.VM_SHARED | vm.VM_MAYWRITE
  if ((vma.flags & shared) !== shared) return -EACCES
  if (mm.objects.isSecret(vma.object)) return -EOPNOTSUPP
  return afterTelling(punch)(context, vma, from, to)
}

const punch: Advise = ({ mm, holes }, vma, from, to) => {
  if (mm.objects.isWriteSealed(vma.object)) return -EPERM
  mm.objects.retain(vma.object)
  holes.push({ object: vma.object, first: vma.offsetOf(from), pages: to - from })
  return 0
}

/** MADV_FREE. */
const giveUp: Advise = ({ mm, space, unfinished }, vma, from, to) => {
  freeLazily(mm, { space, vma, from, to, unfinished })
  return 0
}

/** MADV_COLD. */
const cool: Advise = ({ mm, space, unfinished }, vma, from, to) => {
  coolDown(mm, { space, vma, from, to, unfinished })
  return 0
}

/** MADV_PAGEOUT. */
const pushOut: Advise = ({ mm, space, unfinished }, vma, from, to) => {
  takeOut(mm, { space, vma, from, to, unfinished })
  return 0
}

/** Pages that are read ahead at most (the io_pages of a disk). */
const READ_AHEAD_PAGES = 320

/** MADV_WILLNEED: a file's pages are read into the cache, as long as that costs nobody anything. Errors come with the fault. */
const readAhead: Advise = ({ mm }, vma, from, to) => {
  if (vma.object === NULL) return 0
  const first = vma.offsetOf(from)
  const end = first + Math.min(to - from, READ_AHEAD_PAGES)
  mm.objects.readAhead(vma.object, first, end, () => mm.buddy.freeFrames() > READ_AHEAD_PAGES)
  return 0
}

/** MADV_COLLAPSE: small pages become huge ones. */
const collapse: Advise = ({ mm, space }, vma, from, to) =>
  vma.object === NULL ? collapseRange(mm, space, vma, from, to) : collapseObjects(mm, space, vma, from, to)

const HUGE = vm.VM_HUGEPAGE | vm.VM_NOHUGEPAGE
const setHuge = setFlags(HUGE, vm.VM_HUGEPAGE)

/** MADV_HUGEPAGE: khugepaged looks at the mapping, too. */
const wantHuge: Advise = (context, vma, from, to) => {
  const result = setHuge(context, vma, from, to)
  const { mm, space } = context
  if (result === 0) enterKhugepaged(mm, space, mm.vmas.find(space, from))
  return result
}

/** MADV_MERGEABLE: remembered, and so keeps mappings apart; nobody looks for equal pages. */
const allowMerging: Advise = (context, vma, from, to) =>
  isMergeable(vma.flags) ? setFlags(0, vm.VM_MERGEABLE)(context, vma, from, to) : 0

const { VM_LOCKED, VM_PFNMAP, VM_IO, VM_HUGETLB } = vm
const READ_AHEAD = vm.VM_SEQ_READ | vm.VM_RAND_READ

/** madvise_behavior_valid() and madvise_vma_behavior(). */
const ADVICE: ReadonlyMap<number, Advise> = new Map<number, Advise>([
  [mman.MADV_NORMAL, setFlags(READ_AHEAD, 0)],
  [mman.MADV_SEQUENTIAL, setFlags(READ_AHEAD, vm.VM_SEQ_READ)],
  [mman.MADV_RANDOM, setFlags(READ_AHEAD, vm.VM_RAND_READ)],
  [mman.MADV_WILLNEED, readAhead],
  [mman.MADV_DONTNEED, inWholePages(unless(VM_LOCKED | VM_PFNMAP, afterTelling(dropPages)))],
  [mman.MADV_DONTNEED_LOCKED, inWholePages(unless(VM_PFNMAP, afterTelling(dropPages)))],
  [mman.MADV_FREE, unless(VM_LOCKED | VM_PFNMAP | VM_HUGETLB, afterTelling(forPrivateAnonymous(giveUp)))],
  [mman.MADV_REMOVE, removePages],
  [mman.MADV_DONTFORK, setFlags(0, vm.VM_DONTCOPY)],
  [mman.MADV_DOFORK, unless(VM_IO, setFlags(vm.VM_DONTCOPY, 0))],
  [mman.MADV_WIPEONFORK, withoutFile(setFlags(0, vm.VM_WIPEONFORK))],
  [mman.MADV_KEEPONFORK, unless(vm.VM_DROPPABLE, setFlags(vm.VM_WIPEONFORK, 0))],
  [mman.MADV_DONTDUMP, setFlags(0, vm.VM_DONTDUMP)],
  [mman.MADV_DODUMP, dumpAgain],
  [mman.MADV_HUGEPAGE, wantHuge],
  [mman.MADV_NOHUGEPAGE, setFlags(HUGE, vm.VM_NOHUGEPAGE)],
  [mman.MADV_COLD, unless(VM_LOCKED | VM_PFNMAP | VM_HUGETLB, cool)],
  [mman.MADV_PAGEOUT, unless(VM_LOCKED | VM_PFNMAP | VM_HUGETLB, pushOut)],
  [mman.MADV_MERGEABLE, allowMerging],
  [mman.MADV_UNMERGEABLE, setFlags(vm.VM_MERGEABLE, 0)],
  [mman.MADV_COLLAPSE, collapse],
])

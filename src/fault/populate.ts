import { EntryFlag } from '../arch/memory-management-arch.js'
import { EFAULT, EHWPOISON, EINVAL, ENOMEM } from '../base/errno.js'
import { NULL, ptrToFrame, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import { isPoison } from '../space/poisoned-entry.js'
import { VM_EXEC, VM_IO, VM_LOCKONFAULT, VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { Access, FaultResult } from './access.js'
import type { FaultEnv } from './fault.js'
import { faultForced, faultPatiently } from './handle-fault.js'
import { presentFrame } from './present-frame.js'
import { usePage } from './use-page.js'

/**
 * Faults in every page that is mapped between two pages, as MAP_POPULATE and mlock do it (__mm_populate of Linux):
 * private writable memory is written, so that no later store faults; the rest is read. Takes the space's lock.
 * 0, or the first error: -EFAULT (no access, past the end of the object), -ENOMEM.
 */
export function populate(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  const reached = populateTogether(mm, space, start, end, (vma) => (writes(vma) ? Access.write : Access.read))
  if (reached >= end) return 0
  mm.atomics.lock(space.lock, LockRank.space)
  const result = populateLocked(mm, space, reached, end)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

const TOUCH = (): void => {}

/**
 * The first pages of the range while other harts fault in the space, up to one that needs the space alone, or is refused. The page after these.
 * `accessTo` says how a mapping is accessed; undefined: not here.
 */
function populateTogether(
  mm: FaultEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  accessTo: (vma: Vma) => Access | undefined,
): Vpn {
  if (!mm.atomics.canShare) return start
  const vma = new Vma(mm.memory, NULL)
  let at: number = start
  mm.atomics.lockShared(space.lock, LockRank.space)
  for (let isOn = true; isOn && at < end; ) {
    const found = mm.vmas.find(space, at as Vpn)
    if (found === NULL || vma.at(found).start > at || !isOrdinary(mm, vma)) break
    const stop = Math.min(end, vma.end)
    const access = accessTo(vma)
    if (access === undefined) break
    while (isOn && at < stop) {
      isOn = usePage(mm, space, at as Vpn, access, TOUCH)
      if (isOn) at++
    }
  }
  mm.atomics.unlockShared(space.lock, LockRank.space)
  return at as Vpn
}

/** No error and no exception: its pages are had as by an access of the program. */
function isOrdinary(mm: FaultEnv, vma: Vma): boolean {
  return (vma.flags & VM_LOCKONFAULT) === 0 && (vma.flags & (VM_READ | VM_WRITE)) !== 0 && !isSecret(mm, vma)
}

/** Private memory that may be written is: no later store shall fault. */
function writes({ flags }: Vma): boolean {
  return (flags & (VM_WRITE | VM_SHARED)) === VM_WRITE
}

/** The same for callers that hold the space's lock (populate_vma_page_range). */
export function populateLocked(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  return forEachMapping(mm, space, start, end, (vma, from, to) => {
    if ((vma.flags & VM_LOCKONFAULT) !== 0) return 0
    if ((vma.flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0 || isSecret(mm, vma)) return -EFAULT
    const result = faultIn(mm, space, from, to, writes(vma) ? Access.write : Access.read)
    return result === -EHWPOISON ? -EFAULT : result
  })
}

/** The same without regard to errors: mmap(2) has succeeded by then. A mapping that fails does not stop the next. */
export function populateQuietly(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn): void {
  const vma = new Vma(mm.memory, NULL)
  let at: number = start
  while (at < end) {
    mm.atomics.lock(space.lock, LockRank.space)
    const found = mm.vmas.find(space, at as Vpn)
    const to = found === NULL ? end : Math.min(end, vma.at(found).end)
    mm.atomics.unlock(space.lock, LockRank.space)
    populate(mm, space, at as Vpn, to as Vpn)
    at = to
  }
}

/**
 * madvise(MADV_POPULATE_READ or _WRITE): 0, -ENOMEM at a hole, -EINVAL where the protection forbids the access, or there are no frames to hold (here, unlike at a
 * load, write does not imply read: check_vma_flags), -EFAULT past the end of an object.
 */
export function populateFor(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn, access: Access): number {
  const needed = access === Access.write ? VM_WRITE : VM_READ
  const isAllowed = ({ flags }: Vma) => (flags & needed) !== 0 && (flags & (VM_IO | VM_PFNMAP)) === 0
  const allowed = (vma: Vma) => (isAllowed(vma) ? access : undefined)
  const first = populateTogether(mm, space, start, end, allowed)
  if (first >= end) return 0
  let reached: number = first
  mm.atomics.lock(space.lock, LockRank.space)
  const result = forEachMapping(mm, space, first, end, (vma, from, to) => {
    if (from > reached) return -ENOMEM
    if (!isAllowed(vma) || isSecret(mm, vma)) return -EINVAL
    reached = to
    return faultIn(mm, space, from, to, access)
  })
  mm.atomics.unlock(space.lock, LockRank.space)
  return result === 0 && reached < end ? -ENOMEM : result
}

/** Nobody holds on to pages of secret memory, not even to fault them in. */
function isSecret(mm: FaultEnv, { object }: Vma): boolean {
  return object !== NULL && mm.objects.isSecret(object)
}

type VisitMapping = (vma: Vma, from: Vpn, to: Vpn) => number

/** Visits the parts of the mappings that lie in the range until one returns an error. */
function forEachMapping(
  mm: FaultEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  visit: VisitMapping,
): number {
  const vma = new Vma(mm.memory, NULL)
  let result = 0
  for (let at = start; result === 0 && at < end; ) {
    const found = mm.vmas.find(space, at)
    if (found === NULL || vma.at(found).start >= end) break
    // The lock may be given back on the way, and then the mapping is another's.
    const stop = vma.end
    const from = Math.max(at, vma.start) as Vpn
    at = stop
    result = visit(vma, from, Math.min(end, stop) as Vpn)
  }
  return result
}

/** A page that may be accessed so already needs no fault, and is not counted as one (follow_page_mask). */
function isPresentFor(mapper: UserMapper, vpn: Vpn, access: Access): boolean {
  if (!mapper.translate(vpn) || isPoison(mapper.lastFlags)) return false
  return access !== Access.write || (mapper.lastFlags & EntryFlag.write) !== 0
}

/** As if it had been accessed: a page that is to be written counts as changed itself, not its entry, but for a huge one (FOLL_TOUCH). */
function touchPresent(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): void {
  const entry = mm.userMappers.of(space.root).leaf(vpn)
  const ptr = presentFrame(mm, space, vpn, entry === NULL ? access : Access.read)
  if (ptr === NULL || entry === NULL || access !== Access.write) return
  if ((mm.userMappers.of(space.root).flags(entry) & EntryFlag.dirty) !== 0) return
  const pfn = ptrToFrame(ptr)
  if ((mm.frames.flags(pfn) & FrameFlag.file) !== 0) mm.objects.markDirty(pfn)
  else mm.atomics.or(mm.frames.flagsPtr(pfn), FrameFlag.dirtyPage)
}

function faultIn(mm: FaultEnv, space: AddressSpace, from: Vpn, to: Vpn, access: Access): number {
  const mapper = mm.userMappers.of(space.root)
  for (let vpn: number = from; vpn < to; vpn++) {
    if (isPresentFor(mapper, vpn as Vpn, access)) {
      touchPresent(mm, space, vpn as Vpn, access)
      continue
    }
    const result = faultPatiently(mm, space, vpn as Vpn, access, faultForced)
    if (result === FaultResult.outOfMemory) return -ENOMEM
    if (result === FaultResult.poisoned) return -EHWPOISON
    if (result !== FaultResult.ok) return -EFAULT
  }
  return 0
}

/**
 * A page fault, from the trap to the entry (handle_page_fault and lock_mm_and_find_vma of Linux):
 *
 * What comes here the hart has not answered by itself (answer-code.ts).
 *
 *     handleFault      lock the space: together with other harts, and alone when that was not enough
 *     ├ firstWrite     first-write.ts: the commonest one in one piece, on memory that no other thread uses
 *     └ attempt        find the mapping (grow the stack), check the access
 *       └ resolve      no table yet: huge-page.ts, if it may be a huge page
 *                      nothing there yet: anonymous.ts or object-page.ts, or userfault.ts; write-protected: copy-on-write.ts
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { EAGAIN } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { expandStack } from '../space/expand-stack.js'
import { isPoison } from '../space/poisoned-entry.js'
import { VM_GROWSDOWN } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { Counter, count, countedHere } from '../state/counters.js'
import { Access, FaultResult } from './access.js'
import { anonymousFault } from './anonymous.js'
import { writeProtectedFault } from './copy-on-write.js'
import { ALONE, type Attempt, type Fault, type FaultEnv } from './fault.js'
import { firstWrite } from './first-write.js'
import { hugeFault, NOT_HUGE } from './huge-page.js'
import { objectFault } from './object-page.js'
import { accessError, readOnlyFlags } from './page-flags.js'
import { makeRoom, ranOut } from './reclaim.js'

/** Resolves one fault of user mode. Takes the space's lock. `vpn` may be any page at all. */
export function handleFault(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): FaultResult {
  if (mm.atomics.canShare && faultTogether(mm, space, vpn, access)) return FaultResult.ok
  mm.atomics.lock(space.lock, LockRank.space)
  const isFirstWrite = access === Access.write && firstWrite(mm, space, vpn)
  const result = isFirstWrite ? FaultResult.ok : faultOfUser(mm, space, vpn, access)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function faultOfUser(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): FaultResult {
  mm.fault.isUser = true
  mm.userfaults.missed = undefined
  const result = faultPatiently(mm, space, vpn, access, faultLocked)
  mm.fault.isUser = false
  return result
}

/**
 * The common faults, while other harts may fault in the same space. False: the fault must be handled, or refused, by who
 * holds the lock alone. Tables made on the way stay then, as in Linux.
 */
function faultTogether(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): boolean {
  mm.atomics.lockShared(space.lock, LockRank.space)
  const isDone = faultShared(mm, space, vpn, access)
  mm.atomics.unlockShared(space.lock, LockRank.space)
  return isDone
}

/** The same for a caller that holds the space's lock together with others. */
export function faultShared(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): boolean {
  const fault = mm.fault.begin(mm, space, vpn, access, false)
  const result = attempt(mm, fault)
  fault.batch.finish()
  if (result === FaultResult.ok) countInSpace(mm, fault)
  return result === FaultResult.ok
}

type ResolveFault = (mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access) => FaultResult

/**
 * A fault that finds no memory is resolved again as long as some can be found for it. Meanwhile the space's lock, which the
 * caller holds, is given back.
 */
export function faultPatiently(
  mm: FaultEnv,
  space: AddressSpace,
  vpn: Vpn,
  access: Access,
  resolveFault: ResolveFault,
): FaultResult {
  for (let attempt = 0; ; attempt++) {
    const before = countedHere(mm.memory, Counter.allocationFailed)
    const result = resolveFault(mm, space, vpn, access)
    if (result !== FaultResult.outOfMemory || !ranOut(mm, before)) return result
    mm.atomics.unlock(space.lock, LockRank.space)
    const isWorthIt = makeRoom(mm, attempt, space.ptr)
    mm.atomics.lock(space.lock, LockRank.space)
    if (!isWorthIt) return result
  }
}

/** The same for a caller that holds the space's lock. */
export function faultLocked(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): FaultResult {
  const fault = mm.fault.begin(mm, space, vpn, access, true)
  // It is alone.
  const result = attempt(mm, fault) as FaultResult
  fault.batch.finish()
  account(mm, fault, result)
  return result
}

function attempt(mm: FaultEnv, fault: Fault): Attempt {
  const result = findMapping(mm, fault)
  if (result !== FaultResult.ok) return result
  if (fault.vma.userfault !== NULL && !fault.isAlone) return ALONE
  return accessError(fault.vma.flags, fault.access) ? FaultResult.segvAccErr : resolve(mm, fault)
}

/** Makes a page present whatever the mapping's protection says: populate of execute-only memory (FOLL_FORCE). */
export function faultForced(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): FaultResult {
  const fault = mm.fault.begin(mm, space, vpn, access, true)
  let result = findMapping(mm, fault) as FaultResult
  if (result === FaultResult.ok) result = resolve(mm, fault) as FaultResult
  fault.batch.finish()
  if (result === FaultResult.ok) countInSpace(mm, fault)
  return result
}

function findMapping(mm: FaultEnv, fault: Fault): Attempt {
  if (fault.vpn < 0 || fault.vpn >= mm.arch.userEnd) return FaultResult.segvMapErr
  const found = mm.vmas.find(fault.space, fault.vpn)
  if (found === NULL) return FaultResult.segvMapErr
  fault.hadFamily = fault.vma.at(found).family !== NULL
  if (fault.vma.start <= fault.vpn) return FaultResult.ok
  return growStack(mm, fault, found)
}

/** The first mapping above the page may be a stack that reaches down to it. */
function growStack(mm: FaultEnv, fault: Fault, above: Ptr): Attempt {
  if ((fault.vma.flags & VM_GROWSDOWN) === 0) return FaultResult.segvMapErr
  if (!fault.isAlone) return ALONE
  const result = expandStack(mm, fault.space, above, fault.vpn)
  if (result < 0) return result === -EAGAIN ? FaultResult.outOfMemory : FaultResult.segvMapErr
  count(mm.memory, Counter.faultStackGrowth)
  return FaultResult.ok
}

/**
 * Installs or changes the page's entry; on failure the table made for it is given back, and for want of memory those above and the family. Else
 * they stay, as in Linux: MADV_COLLAPSE asks for them. A write past the end of a file leaves it, as in Linux: the mapping is joined to fewer neighbours then.
 */
function resolve(mm: FaultEnv, fault: Fault): Attempt {
  const { vma } = fault
  fault.entry = fault.mapper.leaf(fault.vpn)
  const hadTable = fault.entry !== NULL
  const result = hadTable ? resolveEntry(mm, fault) : resolveHuge(mm, fault)
  if (result === FaultResult.ok || !fault.isAlone) return result
  if (result === FaultResult.outOfMemory && !fault.hadFamily) mm.families.leave(vma)
  if (!hadTable && !keepsTable(fault, result)) giveTablesBack(fault, result === FaultResult.outOfMemory)
  return result
}

/** Whether a table was made before somebody was asked for the page (do_anonymous_page; do_fault does it the other way round). */
function keepsTable({ vma }: Fault, result: Attempt): boolean {
  return vma.isAnonymous && vma.userfault !== NULL && result !== FaultResult.outOfMemory
}

function giveTablesBack({ mapper, vpn, batch }: Fault, all: boolean): void {
  const next = (vpn + 1) as Vpn
  const low = mapper.hugeStart(vpn)
  if (all) mapper.prune(vpn, next, batch)
  else mapper.pruneBetween(vpn, next, low, (low + mapper.hugePages) as Vpn, batch)
}

/** For a page without a table of small pages: with a huge page, or one is made. */
function resolveHuge(mm: FaultEnv, fault: Fault): Attempt {
  const huge = hugeFault(mm, fault)
  if (huge !== NOT_HUGE) return huge
  fault.lockUpper()
  const isHugeNow = !fault.isAlone && fault.mapper.hugeLeaf(fault.vpn) !== NULL
  if (!isHugeNow) fault.entry = fault.mapper.makeLeaf(fault.vpn)
  fault.unlockUpper()
  if (isHugeNow) return FaultResult.ok
  return fault.entry === NULL ? FaultResult.outOfMemory : resolveEntry(mm, fault)
}

function resolveEntry(mm: FaultEnv, fault: Fault): Attempt {
  if (fault.mapper.isPresent(fault.entry)) return presentLocked(mm, fault)
  return fault.vma.object === NULL ? anonymousFault(mm, fault) : objectFault(mm, fault)
}

/** Another hart may take the page away before we have its lock: then the access faults again. */
function presentLocked(mm: FaultEnv, fault: Fault): Attempt {
  fault.lockEntry()
  const isThere = fault.isAlone || fault.mapper.isPresent(fault.entry)
  const result = isThere ? presentFault(mm, fault) : FaultResult.ok
  fault.unlockEntry()
  return result
}

function presentFault(mm: FaultEnv, fault: Fault): Attempt {
  const flags = fault.mapper.flags(fault.entry)
  if (isPoison(flags)) return FaultResult.poisoned
  if (fault.isWrite && (flags & EntryFlag.write) === 0) return writeProtectedFault(mm, fault)
  const wanted = flags | readOnlyFlags(fault.vma.flags) | (fault.isWrite ? EntryFlag.dirty : 0)
  if (wanted !== flags) fault.mapper.setFlags(fault.entry, fault.vpn, wanted, fault.batch)
  count(mm.memory, Counter.faultSpurious)
  return FaultResult.ok
}

/** Failed faults are counted by how they end; the others in the space, as getrusage(2) reports them. */
function account(mm: FaultEnv, fault: Fault, result: FaultResult): void {
  if (result === FaultResult.ok) countInSpace(mm, fault)
  else if (result === FaultResult.userfault) return
  else if (result === FaultResult.bus || result === FaultResult.poisoned) count(mm.memory, Counter.faultBus)
  else if (result === FaultResult.outOfMemory) count(mm.memory, Counter.faultOutOfMemory)
  else count(mm.memory, Counter.faultSegv)
}

function countInSpace({ atomics, memory }: FaultEnv, { space, isMajor }: Fault): void {
  count(memory, isMajor ? Counter.resolvedMajor : Counter.resolvedMinor)
  space.counts.addFault(atomics.hart, isMajor)
}

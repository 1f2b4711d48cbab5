/**
 * A page fault, from the trap to the entry (handle_page_fault and lock_mm_and_find_vma of Linux):
 *
 *     handleFault      lock the space
 *     └ faultLocked    find the mapping (grow the stack), check the access
 *       └ resolve      no table yet: huge-page.ts, if it may be a huge page
 *                      nothing there yet: anonymous.ts or object-page.ts; write-protected: copy-on-write.ts
 */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { EAGAIN } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { expandStack } from '../space/expand-stack.js'
import { VM_GROWSDOWN } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { Counter, count, counted } from '../state/counters.js'
import { type Access, FaultResult } from './access.js'
import { anonymousFault } from './anonymous.js'
import { writeProtectedFault } from './copy-on-write.js'
import type { Fault, FaultEnv } from './fault.js'
import { hugeFault, NOT_HUGE } from './huge-page.js'
import { objectFault } from './object-page.js'
import { accessError, readOnlyFlags } from './page-flags.js'
import { makeRoom, ranOut } from './reclaim.js'

/** Resolves one fault of user mode. Takes the space's lock. `vpn` may be any page at all. */
export function handleFault(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): FaultResult {
  mm.atomics.lock(space.lock, LockRank.space)
  const result = faultPatiently(mm, space, vpn, access, faultLocked)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
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
    const before = counted(mm.memory, Counter.allocationFailed)
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
  const fault = mm.fault.begin(mm, space, vpn, access)
  let result = findMapping(mm, fault)
  if (result === FaultResult.ok) {
    result = accessError(fault.vma.flags, access) ? FaultResult.segvAccErr : resolve(mm, fault)
  }
  fault.batch.finish()
  account(mm, fault, result)
  return result
}

/** Makes a page present whatever the mapping's protection says: populate of execute-only memory (FOLL_FORCE). */
export function faultForced(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): FaultResult {
  const fault = mm.fault.begin(mm, space, vpn, access)
  let result = findMapping(mm, fault)
  if (result === FaultResult.ok) result = resolve(mm, fault)
  fault.batch.finish()
  if (result === FaultResult.ok) countInSpace(fault)
  return result
}

function findMapping(mm: FaultEnv, fault: Fault): FaultResult {
  if (fault.vpn < 0 || fault.vpn >= mm.arch.userEnd) return FaultResult.segvMapErr
  const found = mm.vmas.find(fault.space, fault.vpn)
  if (found === NULL) return FaultResult.segvMapErr
  fault.hadFamily = fault.vma.at(found).family !== NULL
  if (fault.vma.start <= fault.vpn) return FaultResult.ok
  return growStack(mm, fault, found)
}

/** The first mapping above the page may be a stack that reaches down to it. */
function growStack(mm: FaultEnv, fault: Fault, above: Ptr): FaultResult {
  if ((fault.vma.flags & VM_GROWSDOWN) === 0) return FaultResult.segvMapErr
  const result = expandStack(mm, fault.space, above, fault.vpn)
  if (result < 0) return result === -EAGAIN ? FaultResult.outOfMemory : FaultResult.segvMapErr
  count(mm.memory, Counter.faultStackGrowth)
  return FaultResult.ok
}

/**
 * Installs or changes the page's entry; on failure the tables made on the way are given back, and for want of memory the family. A
 * write past the end of a file leaves it, as in Linux: the mapping is joined to fewer neighbours then.
 */
function resolve(mm: FaultEnv, fault: Fault): FaultResult {
  const { mapper, vpn, vma } = fault
  fault.entry = mapper.leaf(vpn)
  const hadTable = fault.entry !== NULL
  const result = hadTable ? resolveEntry(mm, fault) : resolveHuge(mm, fault)
  if (result === FaultResult.ok) return result
  if (result === FaultResult.outOfMemory && !fault.hadFamily) mm.families.leave(vma)
  if (!hadTable) mapper.prune(vpn, (vpn + 1) as Vpn, fault.batch)
  return result
}

/** For a page without a table of small pages: with a huge page, or one is made. */
function resolveHuge(mm: FaultEnv, fault: Fault): FaultResult {
  const huge = hugeFault(mm, fault)
  if (huge !== NOT_HUGE) return huge
  fault.entry = fault.mapper.makeLeaf(fault.vpn)
  return fault.entry === NULL ? FaultResult.outOfMemory : resolveEntry(mm, fault)
}

function resolveEntry(mm: FaultEnv, fault: Fault): FaultResult {
  if (fault.mapper.isPresent(fault.entry)) return presentFault(mm, fault)
  return fault.vma.object === NULL ? anonymousFault(mm, fault) : objectFault(mm, fault)
}

function presentFault(mm: FaultEnv, fault: Fault): FaultResult {
  const flags = fault.mapper.flags(fault.entry)
  if (fault.isWrite && (flags & EntryFlag.write) === 0) return writeProtectedFault(mm, fault)
  const wanted = flags | readOnlyFlags(fault.vma.flags) | (fault.isWrite ? EntryFlag.dirty : 0)
  if (wanted !== flags) fault.mapper.setFlags(fault.entry, fault.vpn, wanted, fault.batch)
  count(mm.memory, Counter.faultSpurious)
  return FaultResult.ok
}

/** Failed faults are counted by how they end; the others in the space, as getrusage(2) reports them. */
function account(mm: FaultEnv, fault: Fault, result: FaultResult): void {
  if (result === FaultResult.ok) countInSpace(fault)
  else if (result === FaultResult.bus) count(mm.memory, Counter.faultBus)
  else if (result === FaultResult.outOfMemory) count(mm.memory, Counter.faultOutOfMemory)
  else count(mm.memory, Counter.faultSegv)
}

function countInSpace(fault: Fault): void {
  if (fault.isMajor) fault.space.majorFaults++
  else fault.space.minorFaults++
}

import { EntryFlag } from '../arch/memory-management-arch.js'
import { EACCES, EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FlushBatch } from '../paging/flush-batch.js'
import { TableRuns } from '../paging/table-runs.js'
import type { UserMapper } from '../paging/user-mapper.js'
import { isAccountable, mayExpand, recountPages } from './accounting.js'
import { type AddressSpace, SpaceFlag } from './address-space.js'
import { gainsExec } from './exec-gain.js'
import { modifyFlags } from './modify-flags.js'
import { isEnoughMemory } from './overcommit.js'
import { isSealed } from './seal.js'
import type { SpaceEnv } from './space-env.js'
import {
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from './vm-flags.js'
import { Vma } from './vma.js'

/** Faults in pages of locked memory that has become writable. */
export type PopulateLocked<Env> = (mm: Env, space: AddressSpace, start: Vpn, end: Vpn) => void

const ACCESS_ENTRY = EntryFlag.read | EntryFlag.write | EntryFlag.execute

/**
 * mprotect. `prot` is VM_READ | VM_WRITE | VM_EXEC; with `growsDown` (PROT_GROWSDOWN) the change begins where the mapping that
 * holds `start` begins. 0, or -ENOMEM (a hole, limits, no memory), -EACCES (more than the file was opened for, or than
 * PR_SET_MDWE allows), -EPERM (sealed), -EINVAL (growsDown, and the mapping does not). As in Linux, what lies before the
 * obstacle stays changed. `populate` is called for each part that `populatesWhenWritable`.
 */
export function protectRange<Env extends SpaceEnv>(
  mm: Env,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  prot: number,
  growsDown = false,
  populate: PopulateLocked<Env> = () => {},
): number {
  const vma = new Vma(mm.memory, mm.vmas.find(space, start))
  if (vma.ptr === NULL) return -ENOMEM
  if (growsDown) {
    if (vma.start >= end) return -ENOMEM
    if ((vma.flags & VM_GROWSDOWN) === 0) return -EINVAL
    return protectFrom(mm, space, vma, vma.start, end, prot, populate)
  }
  return vma.start > start ? -ENOMEM : protectFrom(mm, space, vma, start, end, prot, populate)
}

/** One mapping after the other, from the one that the view is on, up to the first hole or error. */
function protectFrom<Env extends SpaceEnv>(
  mm: Env,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  prot: number,
  populate: PopulateLocked<Env>,
): number {
  for (let at = start; ; ) {
    const stop = Math.min(vma.end, end) as Vpn
    const populates = populatesWhenWritable(vma.flags, prot)
    const result = protectMapping(mm, space, vma, at, stop, prot)
    if (result < 0) return result
    if (populates) populate(mm, space, at, stop)
    if (stop >= end) return 0
    const holding = mm.vmas.findHolding(space, stop)
    if (holding === NULL) return -ENOMEM
    vma.at(holding)
    at = stop
  }
}

/** Private locked memory that could not be written: its stores would fault from now on, which locking is to prevent. */
function populatesWhenWritable(old: number, prot: number): boolean {
  return (old & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && (prot & VM_WRITE) !== 0
}

/** Pages of one mapping (mprotect_fixup). */
function protectMapping(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  prot: number,
): number {
  const old = vma.flags
  const wished = (old & ~VM_ACCESS_FLAGS) | prot | impliedExec(space, old, prot)
  if ((wished & ~(wished >>> 4) & VM_ACCESS_FLAGS) !== 0 || gainsExec(space, wished, old)) return -EACCES
  if (isSealed(vma)) return -EPERM
  if (wished === old) return 0
  const flags = accountedFlags(mm, space, vma, wished, end - start)
  if (flags < 0) return flags
  const changed = modifyFlags(mm, space, vma, start, end, flags)
  if (changed < 0) return changed
  changeEntries(mm, space, vma.at(changed as Ptr), start, end)
  recountPages(mm, space, old, flags, end - start)
  return 0
}

/** READ_IMPLIES_EXEC. */
function impliedExec(space: AddressSpace, flags: number, prot: number): number {
  const implies = (space.flags & SpaceFlag.readImpliesExec) !== 0 && (prot & VM_READ) !== 0
  return implies && (flags & VM_MAYEXEC) !== 0 ? VM_EXEC : 0
}

/** Memory that becomes writable is charged for; what never had a page of its own and is not writable any more, is not. */
function accountedFlags(mm: SpaceEnv, space: AddressSpace, vma: Vma, flags: number, pages: number): number {
  if ((flags & VM_WRITE) === 0) {
    return vma.isAnonymous && vma.family === NULL ? flags & ~VM_ACCOUNT : flags
  }
  if (!mayExpand(space, flags, pages) && mayExpand(space, vma.flags, pages)) return -ENOMEM
  if ((vma.flags & (VM_ACCOUNT | VM_WRITE)) !== 0 || !isAccountable(flags)) return flags
  return isEnoughMemory(mm, space, pages) ? flags | VM_ACCOUNT : -ENOMEM
}

/** Gives the entries that are there the access that the flags give, and no more. */
function changeEntries(mm: SpaceEnv, space: AddressSpace, vma: Vma, start: Vpn, end: Vpn): void {
  const mapper = mm.userMappers.of(space.root)
  const batch = mm.flusher.batch(space.root)
  const { flags } = vma
  const access = entryAccess(flags)
  if ((flags & VM_WRITE) === 0) mapper.protectRange(start, end, ACCESS_ENTRY, access, batch)
  else if ((flags & VM_SHARED) !== 0 && mm.objects.isShmem(vma.object))
    mapper.protectRange(start, end, ACCESS_ENTRY, access | EntryFlag.write, batch)
  else allowWriting(mm, mapper, start, end, flags, batch)
  batch.finish()
}

/** For mappings that become writable. Ends of mappings are ends of huge leaves already. */
function allowWriting(
  mm: SpaceEnv,
  mapper: UserMapper,
  start: Vpn,
  end: Vpn,
  flags: number,
  batch: FlushBatch,
): void {
  const run = mapper.runOf(start, end)
  if (run !== NULL) {
    allowWritingRun(mm, mapper, run, start, end - start, flags, batch)
    return
  }
  const runs = new TableRuns(mapper, start, end)
  while (runs.next()) {
    const { entry, vpn, pages } = runs
    if (runs.isHuge)
      mapper.changeHuge(entry, vpn, ACCESS_ENTRY, writableAccess(mm, mapper, entry, flags), batch)
    else allowWritingRun(mm, mapper, entry, vpn, pages, flags, batch)
  }
}

function allowWritingRun(
  mm: SpaceEnv,
  mapper: UserMapper,
  first: Ptr,
  vpn: Vpn,
  pages: number,
  flags: number,
  batch: FlushBatch,
): void {
  for (let i = 0; i < pages; i++) {
    const entry = mapper.neighbour(first, i)
    if (!mapper.isPresent(entry)) continue
    const access = writableAccess(mm, mapper, entry, flags)
    mapper.changeFlags(entry, (vpn + i) as Vpn, ACCESS_ENTRY, access, batch)
  }
}

function writableAccess(mm: SpaceEnv, mapper: UserMapper, entry: Ptr, flags: number): number {
  return entryAccess(flags) | (mayWriteNow(mm, mapper, entry, flags) ? EntryFlag.write : 0)
}

/**
 * Whether a fault would do nothing but allow the store: the frame is the space's alone, or its provider has heard of an
 * earlier one (can_change_pte_writable). Other pages wait for the fault.
 */
function mayWriteNow(mm: SpaceEnv, mapper: UserMapper, entry: Ptr, flags: number): boolean {
  const had = mapper.flags(entry)
  if ((flags & VM_SHARED) !== 0) return (had & EntryFlag.dirty) !== 0
  if ((had & EntryFlag.special) !== 0) return false
  return (mm.frames.flags(mapper.pfn(entry)) & FrameFlag.exclusive) !== 0
}

/** Writable implies readable on riscv64; see protection_map of arch/riscv/mm/init.c. */
function entryAccess(flags: number): number {
  const readable = (flags & (VM_READ | VM_WRITE)) !== 0 ? EntryFlag.read : 0
  return readable | ((flags & VM_EXEC) !== 0 ? EntryFlag.execute : 0)
}

/**
 * Faults that a huge page of an object answers (do_set_pmd and filemap_map_pmd of Linux 6.12): it is mapped as a whole, by a huge leaf, where the
 * mapping holds all of it and has no table of small pages there. Else its pages are mapped as any others.
 */
import { NO_FRAME, NULL, type Pfn, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { mayMakeObjectFolios } from '../space/shmem-policy.js'
import type { SpaceEnv } from '../space/space-env.js'
import { VM_PFNMAP, VM_SHARED } from '../space/vm-flags.js'
import type { Vma } from '../space/vma.js'
import { countOthers } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import { FaultResult } from './access.js'
import type { Attempt, Fault, FaultEnv } from './fault.js'
import { mapsAround, windowStart } from './fault-around.js'
import { holdsFolio, makeObjectFolio } from './make-object-folio.js'
import { objectUserfault } from './object-page.js'
import { objectPageFlags } from './page-flags.js'

/** A fault of a page for which there is no table of small pages. False: small pages answer it. */
export function objectFolioFault(mm: FaultEnv, fault: Fault): Attempt | false {
  const { vma, vpn } = fault
  const { objects } = mm
  const mayMake = mayMakeObjectFolios(mm.memory)
  if ((!mayMake && !objects.hasFolios(vma.object)) || !isMappable(mm, fault)) return false
  if (objects.folioOf(vma.object, vma.offsetOf(vpn)) === NO_FRAME) return mayMake && madeFolioFault(mm, fault)
  const isAround = mapsAround(mm, fault)
  const asked = isAround ? FaultResult.ok : objectUserfault(mm, fault)
  if (asked !== FaultResult.ok) return asked
  return mapFolio(mm, fault, isAround ? windowStart(fault) : vpn)
}

/** The first touch of a page makes a huge one. */
function madeFolioFault(mm: FaultEnv, fault: Fault): Attempt | false {
  const asked = objectUserfault(mm, fault)
  if (asked !== FaultResult.ok) return asked
  return makeObjectFolio(mm, fault) && mapFolio(mm, fault, fault.vpn)
}

function isMappable(mm: FaultEnv, { vma, space, vpn, isWrite }: Fault): boolean {
  const isCopied = isWrite && (vma.flags & VM_SHARED) === 0
  return !isCopied && (vma.flags & VM_PFNMAP) === 0 && holdsFolio(mm, space, vma, vpn)
}

/**
 * `asked`: the page that must not lie past the end of the object. For what is mapped around a page that is the first one of the window, so that
 * loads from pages past the end find something there, as in Linux.
 */
function mapFolio(mm: FaultEnv, fault: Fault, asked: Vpn): Attempt | false {
  const { vma, mapper, vpn, isWrite } = fault
  fault.lockUpper()
  const slot = mapper.makeSlot(vpn)
  fault.unlockUpper()
  if (slot === NULL) return FaultResult.outOfMemory
  const deposit = mapper.newDeposit()
  if (deposit === NO_FRAME) return FaultResult.outOfMemory
  const first = mm.objects.retainFolio(vma.object, vma.offsetOf(asked))
  const isFree = first !== NO_FRAME && fault.lockAbsentSlot(slot)
  if (!isFree) {
    if (first !== NO_FRAME) mm.objects.releaseFolio(first)
    mm.buddy.freeZeroed(deposit)
    return first === NO_FRAME ? false : FaultResult.ok
  }
  if (isWrite) mm.objects.noteStore(vma.object, (first + (vpn - mapper.hugeStart(vpn))) as Pfn)
  setFolio(mm, fault.space, vma, slot, { first, isWrite, deposit })
  fault.unlockUpper()
  count(mm.memory, Counter.faultFile)
  return FaultResult.ok
}

/** A huge page with a reference for a leaf, and a table to be set aside for that. */
export interface RetainedFolio {
  readonly first: Pfn
  readonly isWrite: boolean
  readonly deposit: Pfn
}

/** Lets the absent entry of level 1 map a huge page of shared memory. */
export function setFolio(mm: SpaceEnv, space: AddressSpace, vma: Vma, slot: Ptr, folio: RetainedFolio): void {
  const mapper = mm.userMappers.of(space.root)
  mapper.setHuge(slot, folio.first, objectPageFlags(vma.flags, folio.isWrite, true), folio.deposit)
  countOthers(mm, space, vma.object, mapper.hugePages)
  count(mm.memory, Counter.hugeObjectMapped)
}

import { NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { VM_SHARED } from '../space/vm-flags.js'
import { Access, FaultResult } from './access.js'
import { unshareEntry } from './copy-on-write.js'
import type { Attempt, Fault, FaultEnv } from './fault.js'
import { NOT_HUGE, unshareHuge } from './huge-page.js'

/**
 * Before the kernel holds on to a page to read it (FOLL_PIN), the space gets it alone: who else has it since a fork might write to it,
 * and then the kernel would hold that other page (gup_must_unshare of Linux). The page is there, and private memory stays
 * write-protected. `ok` or `outOfMemory`. The caller holds the space's lock.
 */
export function unsharePage(mm: FaultEnv, space: AddressSpace, vpn: Vpn): FaultResult {
  const fault = mm.fault.begin(mm, space, vpn, Access.read, true)
  fault.vma.at(mm.vmas.findHolding(space, vpn))
  // It is alone.
  const result = unshare(mm, fault) as FaultResult
  fault.batch.finish()
  return result
}

function unshare(mm: FaultEnv, fault: Fault): Attempt {
  if ((fault.vma.flags & VM_SHARED) !== 0) return FaultResult.ok
  const leaf = fault.mapper.hugeLeaf(fault.vpn)
  const result = leaf === NULL ? NOT_HUGE : unshareHuge(mm, fault, leaf)
  if (result !== NOT_HUGE) return result
  fault.entry = fault.mapper.leaf(fault.vpn)
  return unshareEntry(mm, fault)
}

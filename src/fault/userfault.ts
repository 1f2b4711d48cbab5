/** Pages that a fault does not make, because whoever reads a file of userfaultfd(2) shall (handle_userfault of Linux). */
import { NULL, PAGE_SIZE, type Vpn } from '../base/numbers.js'
import { unitOf } from '../space/huge-pool.js'
import { USER_MODE_ONLY, UserfaultFeature } from '../space/userfaults.js'
import { VM_UFFD_MINOR, VM_UFFD_MISSING } from '../space/vm-flags.js'
import { FaultResult } from './access.js'
import type { Fault, FaultEnv } from './fault.js'

/** Whether a page that is not there is asked for. */
export function isAskedFor({ vma }: Fault): boolean {
  return (vma.flags & VM_UFFD_MISSING) !== 0
}

/** The same for a page that its object has, and that is not mapped. */
export function isAskedForMapping({ vma }: Fault): boolean {
  return (vma.flags & VM_UFFD_MINOR) !== 0
}

/**
 * Leaves word of the page at `mm.userfaults`, for whoever made the access: `userfault`, and the access is to be made again when
 * the page has come. `bus` where nobody wants to be asked.
 */
export function askForMissing(mm: FaultEnv, fault: Fault): FaultResult {
  return ask(mm, fault, false)
}

export function askForMapping(mm: FaultEnv, fault: Fault): FaultResult {
  return ask(mm, fault, true)
}

function ask(mm: FaultEnv, fault: Fault, isMinor: boolean): FaultResult {
  const { userfaults } = mm
  const { vma, vpn, isWrite, isUser } = fault
  const context = vma.userfault
  if (userfaults.space(context) === NULL || userfaults.has(context, UserfaultFeature.sigbus))
    return FaultResult.bus
  if (!isUser && (userfaults.flags(context) & USER_MODE_ONLY) !== 0) return FaultResult.bus
  const page = (vpn - (vpn % unitOf(mm, vma))) as Vpn
  userfaults.missed ??= { context, vpn: page, address: page * PAGE_SIZE, isWrite, isMinor }
  return FaultResult.userfault
}

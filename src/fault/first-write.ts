import { NO_FRAME, NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { mayHaveFolios } from '../space/huge-policy.js'
import { VM_UFFD_MISSING, VM_WRITE } from '../space/vm-flags.js'
import { countAnonymous } from '../space/zap-range.js'
import { Counter, count } from '../state/counters.js'
import type { FaultEnv } from './fault.js'
import { ownFrameFlags, writtenFlags } from './page-flags.js'
import { allocatePlaced } from './placed-frame.js'

/**
 * The commonest fault in one piece: the first write to a page of private anonymous memory whose table is there, while a frame can be had
 * at once and no other thread uses the memory. It does what handle-fault.ts and anonymous.ts do then; of all else it says
 * false, and nothing has changed (but that the mapping may have its family).
 *
 * The hart does the same without stopping where it may (first-touch-emitter.ts): whoever changes one changes both.
 *
 * These are many functions, because each of them serves other faults too. A program's first thousands of faults meet them before V8 has compiled them, and
 * then it compiles each. (600,000 faults 0.42 to 0.38 s, 4,000,000 1.71 to 1.60, 60,000 times map, touch, unmap 0.34 to 0.32.)
 */
export function firstWrite(mm: FaultEnv, space: AddressSpace, vpn: Vpn): boolean {
  const mapper = mm.userMappers.of(space.root)
  const entry = mapper.leaf(vpn)
  if (entry === NULL || !mapper.isEmpty(entry)) return false
  if (!mm.buddy.hasSingle || mayHaveFolios(mm.memory)) return false
  const found = mm.vmas.find(space, vpn)
  if (found === NULL) return false
  const vma = mm.fault.vma.at(found)
  if (vma.start > vpn || (vma.flags & (VM_WRITE | VM_UFFD_MISSING)) !== VM_WRITE) return false
  if (!vma.isAnonymous || vma.userfault !== NULL) return false
  if (!mm.families.prepare(vma)) return false
  const pfn = allocatePlaced(mm, vma, vpn, 0)
  if (pfn === NO_FRAME) return false
  mm.frames.set(pfn, 1, ownFrameFlags(vma), mm.families.rootOf(vma.family), vma.offsetOf(vpn))
  mapper.fill(entry, pfn, writtenFlags(vma.flags))
  countAnonymous(mm, space, 1)
  count(mm.memory, Counter.faultAnonymous)
  count(mm.memory, Counter.resolvedMinor)
  space.counts.addFault(mm.atomics.hart, false)
  return true
}

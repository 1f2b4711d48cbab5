/** Which mappings a context of userfaultfd(2) is asked for pages of: UFFDIO_REGISTER, UFFDIO_UNREGISTER and the end of its file. */
import { EBUSY, EINVAL, ENOMEM, EPERM } from '../base/errno.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { unitOf } from './huge-pool.js'
import { modifyFlags } from './modify-flags.js'
import type { SpaceEnv } from './space-env.js'
import { UserfaultFeature } from './userfaults.js'
import { VM_HUGETLB, VM_MAYWRITE, VM_UFFD_FLAGS, VM_UFFD_MINOR, VM_UFFD_MISSING } from './vm-flags.js'
import { Vma } from './vma.js'

/** Called for parts that are registered no longer, before they are not: who waits for their pages shall look again. */
export type Unregistered = (context: Ptr, start: Vpn, end: Vpn) => void

/** vma_can_userfault: anonymous memory, shared memory and tmpfs, huge pages of a pool. */
export function canUserfault(mm: SpaceEnv, vma: Vma, flags: number): boolean {
  const isHuge = (vma.flags & VM_HUGETLB) !== 0
  const isShared = vma.object !== NULL && isShmemMapping(mm, vma)
  if ((flags & VM_UFFD_MINOR) !== 0 && !isHuge && !isShared) return false
  return vma.isAnonymous || isHuge || isShared
}

/** Of a file of tmpfs or memfd_create, or shared anonymous memory; SysV segments have operations of their own (vma_is_shmem). */
function isShmemMapping({ objects }: SpaceEnv, { object }: Vma): boolean {
  return objects.isShmem(object) && !objects.isSecret(object) && !objects.countsMappings(object)
}

/**
 * Registers a range with a context, in the modes `flags` (VM_UFFD_*). 0; -EINVAL (nothing there, memory that cannot be registered),
 * -EPERM (what may never be written), -EBUSY (registered with another file), -ENOMEM.
 */
export function registerRange(
  mm: SpaceEnv,
  space: AddressSpace,
  context: Ptr,
  start: Vpn,
  end: Vpn,
  flags: number,
): number {
  const refusal = checkRange(mm, space, start, end, (vma) => registerRefusal(mm, vma, context, flags, end))
  if (refusal < 0) return refusal
  return eachPart(mm, space, start, end, (vma, from, to) => {
    if (vma.userfault === context && (vma.flags & flags) === flags) return 0
    const wanted = (vma.flags & ~VM_UFFD_FLAGS) | flags
    return modifyFlags(mm, space, vma, from, to, wanted, vma.name, vma.policy, context)
  })
}

function registerRefusal(mm: SpaceEnv, vma: Vma, context: Ptr, flags: number, end: Vpn): number {
  if (!canUserfault(mm, vma, flags)) return -EINVAL
  if ((vma.flags & VM_MAYWRITE) === 0) return -EPERM
  if (end <= vma.end && !isUnitAligned(mm, vma, end)) return -EINVAL
  return vma.userfault !== NULL && vma.userfault !== context ? -EBUSY : 0
}

/** Whether some of the range is of huge pages of a pool: then not every request can be made of it. */
export function hasHugePart(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): boolean {
  let isHuge = false
  eachPart(mm, space, start, end, (vma) => {
    isHuge ||= (vma.flags & VM_HUGETLB) !== 0
    return 0
  })
  return isHuge
}

/** Takes the registration of a range away, with whatever file it is. 0, -EINVAL (as for registering), -ENOMEM. */
export function unregisterRange(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  unregistered: Unregistered,
): number {
  const refusal = checkRange(mm, space, start, end, (vma) => (canUserfault(mm, vma, vma.flags) ? 0 : -EINVAL))
  if (refusal < 0) return refusal
  return eachPart(mm, space, start, end, (vma, from, to) => {
    if (vma.userfault === NULL) return 0
    if ((vma.flags & VM_UFFD_MISSING) !== 0) unregistered(vma.userfault, from, to)
    return clearPart(mm, space, vma, from, to)
  })
}

/** The file of a context is closed: no mapping is registered with it any more (userfaultfd_release_all). */
export function unregisterAll(mm: SpaceEnv, space: AddressSpace, context: Ptr): void {
  eachPart(mm, space, 0 as Vpn, mm.arch.userEnd, (vma, from, to) =>
    vma.userfault === context ? clearPart(mm, space, vma, from, to) : 0,
  )
}

/** Whole mappings need no memory for it. */
function clearPart(mm: SpaceEnv, space: AddressSpace, vma: Vma, from: Vpn, to: Vpn): number {
  const flags = vma.flags & ~VM_UFFD_FLAGS
  return modifyFlags(mm, space, vma, from, to, flags, vma.name, vma.policy, NULL)
}

/** The same without joining neighbours (userfaultfd_reset_ctx). */
export function resetUserfault(vma: Vma): void {
  vma.userfault = NULL
  vma.flags &= ~VM_UFFD_FLAGS
}

/** The child of a fork whose event nobody will read (userfaultfd_release_new). */
export function resetAll(mm: SpaceEnv, space: AddressSpace, context: Ptr): void {
  eachPart(mm, space, 0 as Vpn, mm.arch.userEnd, (vma) => {
    if (vma.userfault === context) resetUserfault(vma)
    return 0
  })
}

/** Pages `start` to `end` - 1 are about to be unmapped: those who want to hear of it will, once a context. False without memory for that: nobody hears of it. */
export function announceUnmap(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): boolean {
  const { userfaults } = mm
  if (!userfaults.isUsed) return true
  const before = userfaults.changes.length
  const told = new Set<Ptr>()
  const result = eachPart(mm, space, start, end, ({ userfault }) => {
    const isWanted = userfault !== NULL && userfaults.space(userfault) !== NULL
    if (!isWanted || told.has(userfault) || !userfaults.has(userfault, UserfaultFeature.eventUnmap)) return 0
    told.add(userfault)
    return userfaults.announce({ kind: 'unmap', context: userfault, start, end }) ? 0 : -ENOMEM
  })
  if (result < 0) userfaults.takeBack(before)
  return result === 0
}

const isUnitAligned = (mm: SpaceEnv, vma: Vma, page: Vpn): boolean => page % unitOf(mm, vma) === 0

type VisitPart = (vma: Vma, from: Vpn, to: Vpn) => number

/** Every mapping of the range until one is refused. -EINVAL when there is none, or a huge page would be cut at the start. */
function checkRange(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  refusal: (vma: Vma) => number,
): number {
  const first = new Vma(mm.memory, mm.vmas.find(space, start))
  if (first.ptr === NULL || first.start >= end || !isUnitAligned(mm, first, start)) return -EINVAL
  return eachPart(mm, space, start, end, refusal)
}

/** Visits the parts of the mappings that lie in the range until one returns an error, which is the result. */
function eachPart(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn, visit: VisitPart): number {
  const vma = new Vma(mm.memory)
  for (let at = start; at < end; ) {
    const found = mm.vmas.find(space, at)
    if (found === NULL || vma.at(found).start >= end) return 0
    const from = Math.max(at, vma.start) as Vpn
    at = Math.min(end, vma.end) as Vpn
    const result = visit(vma, from, at)
    if (result < 0) return result
  }
  return 0
}

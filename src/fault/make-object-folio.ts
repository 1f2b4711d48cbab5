/** The huge page that the first touch of a page of shared memory makes (shmem_get_folio_gfp of Linux 6.12). */
import { NO_FRAME, PAGE_SIZE, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import { mapsFolios } from '../space/huge-policy.js'
import { allowsObjectFolio } from '../space/shmem-policy.js'
import type { SpaceEnv } from '../space/space-env.js'
import type { Vma } from '../space/vma.js'
import type { Fault, FaultEnv } from './fault.js'

/** Where Linux makes a huge page for a fault, so do we: then true. The page is not asked for by userfaultfd(2). */
export function makeObjectFolio(mm: FaultEnv, { vma, vpn, space }: Fault): boolean {
  const { object } = vma
  const index = vma.offsetOf(vpn)
  const bytes = mm.objects.size(object)
  if (index * PAGE_SIZE >= bytes || mm.objects.find(object, index) !== NO_FRAME) return false
  if (!allowsObjectFolio(mm, { object, vma, index, bytes })) return false
  return holdsFolio(mm, space, vma, vpn) && mm.objects.addFolio(object, index)
}

/** Whether a mapping shows all of the aligned 2 MiB around a page, as a leaf would. */
export function holdsFolio(mm: SpaceEnv, space: AddressSpace, vma: Vma, vpn: Vpn): boolean {
  const mapper = mm.userMappers.of(space.root)
  const first = mapper.hugeStart(vpn)
  const isInside = first >= vma.start && first + mapper.hugePages <= vma.end
  return isInside && mapper.hasHugeLeaves && mapsFolios(space, vma)
}

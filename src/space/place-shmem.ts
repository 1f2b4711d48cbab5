/** Shared memory that may get huge pages is placed so that a huge leaf can map them (shmem_get_unmapped_area of Linux 6.12). */
import type { Ptr, Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { HugeSetting, hugeSetting } from './huge-policy.js'
import { ObjectKind } from './object-records.js'
import { findPlace, UNALIGNED } from './placement.js'
import { mayMakeObjectFolios, ShmemMode, ShmemSizeMode } from './shmem-policy.js'
import type { SpaceEnv } from './space-env.js'
import { HUGE_PAGES } from './vm-flags.js'

/** What is to be mapped, and where it was wished for; 0 = anywhere. */
interface Wanted {
  readonly start: Vpn
  readonly pages: number
  readonly object: Ptr
  readonly pageOffset: number
}

/** A better place than `found`, which findPlace has found; or that. */
export function placeShmem(mm: SpaceEnv, space: AddressSpace, wanted: Wanted, found: Vpn): Vpn {
  const { start, pages, pageOffset } = wanted
  if (!mayMakeObjectFolios(mm.memory) || !isWorthAligning(mm, wanted.object) || start === found) return found
  const offset = pageOffset % HUGE_PAGES
  if (pages < HUGE_PAGES || (offset !== 0 && offset + pages < 2 * HUGE_PAGES)) return found
  if (found % HUGE_PAGES === offset) return found
  const room = findPlace(mm, space, start, pages + HUGE_PAGES - 1, UNALIGNED)
  if (room < 0) return found
  return (room + ((offset - (room % HUGE_PAGES) + HUGE_PAGES) % HUGE_PAGES)) as Vpn
}

function isWorthAligning({ memory, objects }: SpaceEnv, object: Ptr): boolean {
  const kind = objects.kind(object)
  const isAnonymous = kind === ObjectKind.anonymousShared
  const mode = hugeSetting(memory, HugeSetting.shmem)
  if ((!isAnonymous && kind !== ObjectKind.tmpfs) || mode === ShmemMode.deny) return false
  if (mode === ShmemMode.force) return true
  const size = hugeSetting(memory, HugeSetting.shmemSize)
  if (isAnonymous && size !== ShmemSizeMode.inherit && size !== ShmemSizeMode.never) return true
  return objects.isInternal(object) && hugeSetting(memory, HugeSetting.internalMount) !== ShmemMode.never
}

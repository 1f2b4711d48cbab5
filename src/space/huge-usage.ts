import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import type { Vma } from './vma.js'

/** Huge pages of anonymous memory, each once however many spaces map it (nr_anon_transparent_hugepages). */
export function countHugePages(
  mm: SpaceEnv & { readonly spaces: { forEach(visit: (space: AddressSpace) => void): void } },
): number {
  const found = new Set<Pfn>()
  mm.spaces.forEach((space) => {
    const mapper = new UserMapper(mm, space.root)
    mapper.eachHuge(mapper.start, mapper.end, (_vpn, leaf) => {
      if ((mapper.flags(leaf) & EntryFlag.special) === 0) found.add(mapper.pfn(leaf))
    })
  })
  return found.size
}

/** Pages of a mapping that huge leaves map, but for the zero page (AnonHugePages of smaps). */
export function hugePagesIn(mm: SpaceEnv, space: AddressSpace, vma: Vma): number {
  const mapper = new UserMapper(mm, space.root)
  let pages = 0
  mapper.eachHuge(vma.start, vma.end, (_vpn, leaf, length) => {
    if ((mapper.flags(leaf) & EntryFlag.special) === 0) pages += length
  })
  return pages
}

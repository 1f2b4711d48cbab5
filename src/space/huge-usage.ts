import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Pfn } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import { isAnonymousFrame } from './page-usage.js'
import type { SpaceEnv } from './space-env.js'
import type { Vma } from './vma.js'

/** Huge pages that huge leaves map, each once however many do. */
export interface MappedHugePages {
  /** nr_anon_transparent_hugepages */
  anonymous: number
  /** nr_shmem_pmdmapped */
  shared: number
}

/** The same for the whole machine. */
export function countHugePages(
  mm: SpaceEnv & { readonly spaces: { forEach(visit: (space: AddressSpace) => void): void } },
): MappedHugePages {
  const found = new Set<Pfn>()
  mm.spaces.forEach((space) => {
    const mapper = new UserMapper(mm, space.root)
    mapper.eachHuge(mapper.start, mapper.end, (_vpn, leaf) => {
      if ((mapper.flags(leaf) & EntryFlag.special) === 0) found.add(mapper.pfn(leaf))
    })
  })
  const pages = { anonymous: 0, shared: 0 }
  for (const pfn of found) pages[isAnonymousFrame(mm, pfn) ? 'anonymous' : 'shared']++
  return pages
}

/** Pages of a mapping that huge leaves map, but for the zero page: AnonHugePages and ShmemPmdMapped of smaps. */
export function hugePagesIn(mm: SpaceEnv, space: AddressSpace, vma: Vma): MappedHugePages {
  const mapper = new UserMapper(mm, space.root)
  const pages = { anonymous: 0, shared: 0 }
  mapper.eachHuge(vma.start, vma.end, (_vpn, leaf, length) => {
    if ((mapper.flags(leaf) & EntryFlag.special) === 0)
      pages[mapper.isObjects(leaf) ? 'shared' : 'anonymous'] += length
  })
  return pages
}

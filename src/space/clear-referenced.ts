import { EntryFlag } from '../arch/memory-management-arch.js'
import { NULL } from '../base/numbers.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { VM_PFNMAP } from './vm-flags.js'
import { Special, Vma } from './vma.js'

/**
 * Forgets which pages of an address space were accessed: those of all mappings, of those of files, or of the others (writing 1, 3
 * or 2 to /proc/PID/clear_refs). The TLBs forget the pages too, so that the next access is seen.
 */
export function clearReferenced(mm: SpaceEnv, space: AddressSpace, which: 'all' | 'files' | 'others'): void {
  const mapper = new UserMapper(mm, space.root)
  const batch = mm.flusher.batch(space.root)
  const vma = new Vma(mm.memory, NULL)
  for (let at = mm.vmas.first(space); at !== NULL; at = mm.vmas.next(at)) {
    vma.at(at)
    const isFile = vma.object !== NULL && vma.special === Special.none
    if ((vma.flags & VM_PFNMAP) !== 0 || which === (isFile ? 'others' : 'files')) continue
    mapper.walk(vma.start, vma.end, (vpn, entry) => {
      const isCounted = (mapper.flags(entry) & EntryFlag.special) === 0
      if (isCounted) mapper.changeFlags(entry, vpn, EntryFlag.accessed, 0, batch)
    })
    mapper.eachHuge(vma.start, vma.end, (vpn, leaf) =>
      mapper.changeHuge(leaf, vpn, EntryFlag.accessed, 0, batch),
    )
  }
  batch.finish()
}

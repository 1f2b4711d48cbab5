import { NULL, pagesFor } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { ObjectKind } from './page-object.js'
import type { SpaceEnv } from './space-env.js'
import { VM_ACCOUNT } from './vm-flags.js'
import { Vma } from './vma.js'

/** Pages that were promised (Committed_AS): of private writable mappings, all of shared anonymous objects, and what files of tmpfs have. Looks at every mapping. */
export function committedPages(
  mm: SpaceEnv & { readonly spaces: { forEach(visit: (space: AddressSpace) => void): void } },
): number {
  const vma = new Vma(mm.memory, NULL)
  let pages = 0
  mm.spaces.forEach((space) => {
    for (let at = mm.vmas.first(space); at !== NULL; at = mm.vmas.next(at)) {
      if ((vma.at(at).flags & VM_ACCOUNT) !== 0) pages += vma.pages
    }
  })
  mm.objects.forEach((object) => {
    const kind = mm.objects.kind(object)
    if (kind === ObjectKind.anonymousShared) pages += pagesFor(mm.objects.size(object))
    if (kind === ObjectKind.tmpfs) pages += mm.objects.pages(object)
  })
  return pages
}

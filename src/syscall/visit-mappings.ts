import { ENOMEM } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from '../space/address-space.js'
import type { SpaceEnv } from '../space/space-env.js'
import { Vma } from '../space/vma.js'

/** Does something to pages `from` to `to` - 1 of a mapping, which may be cut or merged by it. 0 or a negative errno. */
export type VisitPart = (vma: Vma, from: Vpn, to: Vpn) => number

/**
 * Visits what is mapped in a range, part by part, until one fails. A hole is -ENOMEM: at once, as mlock has it, or in the
 * end, after all that is mapped was visited, as madvise has it. The space's lock is held.
 */
export function visitMappings(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  holes: 'stop' | 'skip',
  visit: VisitPart,
): number {
  const vma = new Vma(mm.memory, NULL)
  let problem = 0
  for (let at: number = start; at < end; ) {
    const found = at < mm.arch.userEnd ? mm.vmas.find(space, at as Vpn) : NULL
    if (found === NULL) return -ENOMEM
    const from = Math.max(at, vma.at(found).start)
    const to = Math.min(end, vma.end)
    if (from > at) {
      if (holes === 'stop' || from >= end) return -ENOMEM
      problem = -ENOMEM
    }
    const result = visit(vma, from as Vpn, to as Vpn)
    if (result < 0) return result
    at = to
  }
  return problem
}

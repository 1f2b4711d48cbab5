/** /proc/buddyinfo, pagetypeinfo and slabinfo: what the allocators have. */
import { buddyInfo, LINUX_ORDER_MAX, linuxOrders, ZONE } from '../../../frame/buddy-info.js'
import type { MemoryManager } from '../../../mm.js'
import type { CacheStats } from '../../../slab/slab-allocator.js'
import type { TextRecord } from './record-text.js'

const SLABINFO_HEAD =
  'slabinfo - version: 2.1\n' +
  '# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>' +
  ' : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n'

export function buddyinfoText({ buddy }: MemoryManager): string {
  return buddyInfo(buddy.stats().perOrder)
}

/** A record for each cache, the newest first, the heading with the first (slab_show of mm/slab_common.c). */
export function slabinfoRecord({ slab }: MemoryManager, cursor: number): TextRecord | undefined {
  const caches = slab.stats().reverse()
  const cache = caches[cursor]
  if (cache === undefined) return undefined
  return { text: `${cursor === 0 ? SLABINFO_HEAD : ''}${cacheLine(cache)}`, next: cursor + 1 }
}

function cacheLine({ name, objects, slabs, size, objectsPerSlab, framesPerSlab }: CacheStats): string {
  const wide = (value: number) => `${value}`.padStart(6)
  const narrow = (value: number) => `${value}`.padStart(4)
  return (
    `${name.padEnd(17)} ${wide(objects)} ${wide(slabs * objectsPerSlab)} ${wide(size)} ${narrow(objectsPerSlab)} ` +
    `${narrow(framesPerSlab)} : tunables ${narrow(0)} ${narrow(0)} ${narrow(0)} : slabdata ${wide(slabs)} ${wide(slabs)} ${wide(0)}\n`
  )
}

const TYPES = ['Unmovable', 'Movable', 'Reclaimable', 'HighAtomic', 'Isolate'] as const
/** Pages of a block that has one type: a 2 MiB leaf. */
const BLOCK_ORDER = 9

/** Blocks are not set apart by what is in them: all count as movable, as after the boot of Linux (pagetypeinfo_show). */
export function pagetypeinfoText({ buddy }: MemoryManager): string {
  const { perOrder, total } = buddy.stats()
  const orders = Array.from({ length: LINUX_ORDER_MAX + 1 }, (_, order) => `${`${order}`.padStart(6)} `)
  const head = `${'Free pages count per migrate type at order'.padEnd(44)}${orders.join('')}\n`
  const free = TYPES.map((type) => {
    const counts = linuxOrders(type === 'Movable' ? perOrder : [])
    const columns = counts.map((count) => `${`${count}`.padStart(6)} `).join('')
    return `Node ${'0'.padStart(4)}, zone ${ZONE.padStart(8)}, type ${type.padStart(12)} ${columns}\n`
  })
  const types = TYPES.map((type) => `${type.padStart(12)} `).join('')
  const blocks = TYPES.map(
    (type) => `${`${type === 'Movable' ? Math.ceil(total / 2 ** BLOCK_ORDER) : 0}`.padStart(12)} `,
  )
  return (
    `Page block order: ${BLOCK_ORDER}\nPages per block:  ${2 ** BLOCK_ORDER}\n\n${head}${free.join('')}\n` +
    `${'Number of blocks type'.padEnd(23)}${types}\nNode 0, zone ${ZONE.padStart(8)} ${blocks.join('')}\n`
  )
}

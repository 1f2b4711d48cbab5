/** /proc/buddyinfo, pagetypeinfo and slabinfo: what the allocators have. */
import { PAGE_SIZE } from '../../../base/numbers.js'
import { buddyInfo, LINUX_ORDER_MAX, linuxOrders, ZONE_NAMES } from '../../../frame/buddy-info.js'
import type { MemoryManager } from '../../../mm.js'
import type { CacheStats } from '../../../slab/slab-cache.js'
import type { TextRecord } from './record-text.js'

/** A record for each area of the kernel's vmalloc window, its guard page with it (vmalloc_info_show). Who made it is not known. */
export function vmallocinfoRecord({ kernelAreas }: MemoryManager, cursor: number): TextRecord | undefined {
  const area = kernelAreas.areas()[cursor]
  if (area === undefined) return undefined
  const { start, pages, isOwned } = area
  const address = (vpn: number) =>
    `0x${BigInt.asUintN(64, BigInt(vpn) * 4096n)
      .toString(16)
      .padStart(16, '0')}`
  const bytes = (pages + 1) * PAGE_SIZE
  const range = `${address(start)}-${address(start + pages + 1)} ${`${bytes}`.padStart(7)}`
  return { text: `${range} pages=${pages} ${isOwned ? 'vmalloc' : 'vmap'} N0=${pages}\n`, next: cursor + 1 }
}

const SLABINFO_HEAD =
  'slabinfo - version: 2.1\n' +
  '# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>' +
  ' : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n'

export function buddyinfoText({ buddy }: MemoryManager): string {
  return buddy.zones.all.map((zone, i) => buddyInfo(zone.perOrder(), ZONE_NAMES[i])).join('')
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
  const zones = buddy.zones.all.map((zone, i) => ({ zone, name: ZONE_NAMES[i]!.padStart(8) }))
  const orders = Array.from({ length: LINUX_ORDER_MAX + 1 }, (_, order) => `${`${order}`.padStart(6)} `)
  const head = `${'Free pages count per migrate type at order'.padEnd(44)}${orders.join('')}\n`
  const free = zones.flatMap(({ zone, name }) =>
    TYPES.map((type) => {
      const counts = linuxOrders(type === 'Movable' ? zone.perOrder() : [])
      const columns = counts.map((count) => `${`${count}`.padStart(6)} `).join('')
      return `Node ${'0'.padStart(4)}, zone ${name}, type ${type.padStart(12)} ${columns}\n`
    }),
  )
  const types = TYPES.map((type) => `${type.padStart(12)} `).join('')
  const blocks = zones.map(({ zone, name }) => {
    const count = Math.ceil(zone.managedFrames / 2 ** BLOCK_ORDER)
    const columns = TYPES.map((type) => `${`${type === 'Movable' ? count : 0}`.padStart(12)} `)
    return `Node 0, zone ${name} ${columns.join('')}\n`
  })
  return (
    `Page block order: ${BLOCK_ORDER}\nPages per block:  ${2 ** BLOCK_ORDER}\n\n${head}${free.join('')}\n` +
    `${'Number of blocks type'.padEnd(23)}${types}\n${blocks.join('')}`
  )
}

/** /proc/zoneinfo (zoneinfo_show_print of mm/vmstat.c): a record for each zone of the one node, those without memory too. */
import type { Pfn } from '../../../base/numbers.js'
import { ZONE_NAMES } from '../../../frame/buddy-info.js'
import { CACHE_FRAMES_MAX, cacheBatch } from '../../../frame/frame-cache.js'
import { type Watermarks, watermarksFor } from '../../../frame/watermarks.js'
import type { Zone } from '../../../frame/zone.js'
import type { MemoryManager } from '../../../mm.js'
import { FrameCensus, lockedFrames } from '../../../space/frame-census.js'
import { readSetting, Setting } from '../../../state/settings.js'
import { MachineMemory } from './machine-memory.js'
import type { TextRecord } from './record-text.js'
import { NODE_ITEMS, NUMA_ITEMS, type Values, valuesOf, ZONE_ITEMS } from './vmstat.js'

export function zoneRecord(mm: MemoryManager, cursor: number): TextRecord | undefined {
  const name = ZONE_NAMES[cursor]
  if (name === undefined) return undefined
  const zone = mm.buddy.zones.all[cursor]
  const text = zone === undefined ? emptyZone(name) : zoneText(mm, zone, name, cursor === 0)
  return { text, next: cursor + 1 }
}

const item = (values: Values) => (name: string) => `\n      ${name.padEnd(12)} ${values[name] ?? 0}`

/** The node's own numbers stand with its first zone. */
function zoneText(mm: MemoryManager, zone: Zone, name: string, isFirst: boolean): string {
  const values = zoneValues(mm, zone)
  const frames = zone.end - zone.start
  const node = isFirst
    ? `\n  per-node stats${NODE_ITEMS.map(item(valuesOf(mm, new MachineMemory(mm)))).join('')}`
    : ''
  return (
    `${head(name)}${node}` +
    pages(zone.freeFrames, marksOf(mm, zone), {
      spanned: frames,
      present: frames,
      managed: zone.managedFrames,
    }) +
    `${protectionOf(mm, zone)}${[...ZONE_ITEMS, ...NUMA_ITEMS].map(item(values)).join('')}\n  pagesets${pageSets(mm, zone)}` +
    `\n  node_unreclaimable:  0\n  start_pfn:           ${mm.arch.physBasePfn + zone.start}\n`
  )
}

const head = (name: string) => `Node 0, zone ${name.padStart(8)}`

/** What is counted by zone. Which zone a frame was given out of is not: all count where allocations begin, in the last zone that has memory. */
function zoneValues(mm: MemoryManager, zone: Zone): Values {
  const { start, end } = zone
  const census = new FrameCensus(mm, start, end)
  const locked = [...lockedFrames(mm, mm.spaces)].filter((pfn: Pfn) => pfn >= start && pfn < end).length
  const allocated = zone === mm.buddy.zones.all.at(-1) ? mm.buddy.allocatedFrames() : 0
  return {
    nr_free_pages: zone.freeFrames,
    nr_zone_active_anon: census.anonymous + census.shmem - locked,
    nr_zone_active_file: census.cached - census.shmem - census.secret,
    nr_zone_unevictable: locked + census.secret,
    nr_zone_write_pending: census.dirty + census.writeBack,
    nr_mlock: locked,
    numa_hit: allocated,
    numa_local: allocated,
  }
}

/** Those that the settings make, also where nobody keeps to them. */
function marksOf({ memory, buddy }: MemoryManager, { managedFrames }: Zone): Watermarks {
  const minimum = readSetting(memory, Setting.minimumFreeKbytes)
  const scale = readSetting(memory, Setting.watermarkScale)
  return watermarksFor(managedFrames, minimum, scale, buddy.totalFrames())
}

/** What each zone keeps from those that could have been content with a higher one. */
function protectionOf({ buddy }: MemoryManager, zone: Zone): string {
  const place = buddy.zones.all.indexOf(zone)
  const kept = ZONE_NAMES.map((_, higher) => (higher > place ? zone.protection : 0))
  return `\n        protection: (${kept.join(', ')})`
}

/** Of zones without memory: of movable memory Linux has at least SWAP_CLUSTER_MAX. */
const EMPTY_MARK: Readonly<Record<string, number>> = { Movable: 32 }
const NOTHING = { spanned: 0, present: 0, managed: 0 }

function emptyZone(name: string): string {
  const mark = EMPTY_MARK[name] ?? 0
  const marks = { min: mark, low: mark, high: mark, promotion: mark }
  return `${head(name)}${pages(0, marks, NOTHING)}\n        protection: (0, 0, 0, 0)\n`
}

function pages(
  free: number,
  { min, low, high, promotion }: Watermarks,
  size: { spanned: number; present: number; managed: number },
): string {
  const rows = Object.entries({ boost: 0, min, low, high, promo: promotion, ...size, cma: 0 })
  return `\n  pages free     ${free}${rows.map(([name, value]) => `\n        ${name.padEnd(8)} ${value}`).join('')}`
}

/** Free frames of the zone that each processor keeps for itself. */
function pageSets(mm: MemoryManager, zone: Zone): string {
  return mm.buddy
    .cachedIn(zone)
    .map((count, cpu) => {
      const rows = [
        ['count:', count],
        ['high: ', CACHE_FRAMES_MAX],
        ['batch:', cacheBatch(mm.frames.frameCount)],
      ]
      const lines = rows.map(([name, value]) => `\n              ${name} ${value}`)
      return `\n    cpu: ${cpu}${lines.join('')}\n  vm stats threshold: 0`
    })
    .join('')
}

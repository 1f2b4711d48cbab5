/** /proc/vmstat: every name that Debian's kernel has, in its order (mm/vmstat.c); what nothing here counts is 0. */

import { PAGE_SIZE } from '../../../base/numbers.js'
import { FRAME_ENTRY_BYTES } from '../../../frame/frame-table.js'
import type { MemoryManager } from '../../../mm.js'
import { countHugePages } from '../../../space/huge-usage.js'
import { Counter, counted } from '../../../state/counters.js'
import { readSetting, Setting } from '../../../state/settings.js'
import { MachineMemory } from './machine-memory.js'

const names = (text: string): readonly string[] => text.trim().split(/\s+/)

export const ZONE_ITEMS = names(`
  nr_free_pages nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file nr_zone_active_file
  nr_zone_unevictable nr_zone_write_pending nr_mlock nr_bounce nr_zspages nr_free_cma`)
export const NUMA_ITEMS = names('numa_hit numa_miss numa_foreign numa_interleave numa_local numa_other')
export const NODE_ITEMS = names(`
  nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable nr_slab_reclaimable
  nr_slab_unreclaimable nr_isolated_anon nr_isolated_file workingset_nodes workingset_refault_anon
  workingset_refault_file workingset_activate_anon workingset_activate_file workingset_restore_anon
  workingset_restore_file workingset_nodereclaim nr_anon_pages nr_mapped nr_file_pages nr_dirty
  nr_writeback nr_writeback_temp nr_shmem nr_shmem_hugepages nr_shmem_pmdmapped nr_file_hugepages
  nr_file_pmdmapped nr_anon_transparent_hugepages nr_vmscan_write nr_vmscan_immediate_reclaim nr_dirtied
  nr_written nr_throttled_written nr_kernel_misc_reclaimable nr_foll_pin_acquired nr_foll_pin_released
  nr_kernel_stack nr_page_table_pages nr_sec_page_table_pages nr_iommu_pages nr_swapcached
  pgpromote_success pgpromote_candidate pgdemote_kswapd pgdemote_direct pgdemote_khugepaged`)
const OTHER_ITEMS = names(`
  nr_dirty_threshold nr_dirty_background_threshold nr_memmap_pages nr_memmap_boot_pages pgpgin pgpgout
  pswpin pswpout pgalloc_dma32 pgalloc_normal pgalloc_movable pgalloc_device allocstall_dma32
  allocstall_normal allocstall_movable allocstall_device pgskip_dma32 pgskip_normal pgskip_movable
  pgskip_device pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill pgreuse
  pgsteal_kswapd pgsteal_direct pgsteal_khugepaged pgscan_kswapd pgscan_direct pgscan_khugepaged
  pgscan_direct_throttle pgscan_anon pgscan_file pgsteal_anon pgsteal_file zone_reclaim_success
  zone_reclaim_failed pginodesteal slabs_scanned kswapd_inodesteal kswapd_low_wmark_hit_quickly
  kswapd_high_wmark_hit_quickly pageoutrun pgrotated drop_pagecache drop_slab oom_kill numa_pte_updates
  numa_huge_pte_updates numa_hint_faults numa_hint_faults_local numa_pages_migrated pgmigrate_success
  pgmigrate_fail thp_migration_success thp_migration_fail thp_migration_split compact_migrate_scanned
  compact_free_scanned compact_isolated compact_stall compact_fail compact_success compact_daemon_wake
  compact_daemon_migrate_scanned compact_daemon_free_scanned htlb_buddy_alloc_success
  htlb_buddy_alloc_fail unevictable_pgs_culled unevictable_pgs_scanned unevictable_pgs_rescued
  unevictable_pgs_mlocked unevictable_pgs_munlocked unevictable_pgs_cleared unevictable_pgs_stranded
  thp_fault_alloc thp_fault_fallback thp_fault_fallback_charge thp_collapse_alloc
  thp_collapse_alloc_failed thp_file_alloc thp_file_fallback thp_file_fallback_charge thp_file_mapped
  thp_split_page thp_split_page_failed thp_deferred_split_page thp_underused_split_page thp_split_pmd
  thp_scan_exceed_none_pte thp_scan_exceed_swap_pte thp_scan_exceed_share_pte thp_zero_page_alloc
  thp_zero_page_alloc_failed thp_swpout thp_swpout_fallback balloon_inflate balloon_deflate
  balloon_migrate swap_ra swap_ra_hit swpin_zero swpout_zero ksm_swpin_copy cow_ksm zswpin zswpout zswpwb
  nr_unstable`)
const ALL_ITEMS = [...ZONE_ITEMS, ...NUMA_ITEMS, ...NODE_ITEMS, ...OTHER_ITEMS]

/** Faults that reached a mapping, however they ended (handle_mm_fault). */
const FAULTS = [
  Counter.faultZeroPage,
  Counter.faultAnonymous,
  Counter.hugeFault,
  Counter.faultCopy,
  Counter.faultReuse,
  Counter.faultFile,
  Counter.faultSpurious,
  Counter.faultBus,
  Counter.faultOutOfMemory,
]

export type Values = Readonly<Record<string, number>>

/** By name, of the whole machine. */
export function valuesOf(mm: MemoryManager, memory: MachineMemory): Values {
  const { anonymous, shared } = countHugePages(mm)
  const huge = {
    nr_anon_transparent_hugepages: anonymous,
    nr_shmem_hugepages: mm.objects.folios(),
    nr_shmem_pmdmapped: shared,
  }
  return { ...pageValues(memory), ...huge, ...eventValues(mm, memory) }
}

/** What there is now, in pages. */
function pageValues(memory: MachineMemory): Values {
  const { census, free, locked, unevictable, activeAnonymous, activeFiles } = memory
  return {
    nr_free_pages: free,
    nr_zone_active_anon: activeAnonymous,
    nr_zone_active_file: activeFiles,
    nr_zone_unevictable: unevictable,
    nr_zone_write_pending: census.dirty + census.writeBack,
    nr_mlock: locked,
    nr_active_anon: activeAnonymous,
    nr_active_file: activeFiles,
    nr_unevictable: unevictable,
    nr_slab_reclaimable: memory.slabReclaimable,
    nr_slab_unreclaimable: memory.slabUnreclaimable,
    nr_anon_pages: census.anonymous,
    nr_mapped: census.mapped,
    nr_file_pages: census.cached,
    nr_dirty: census.dirty,
    nr_writeback: census.writeBack,
    nr_shmem: census.shmem,
    nr_page_table_pages: memory.tables,
  }
}

/** What has happened so far. Every frame that was given out and is free was given back; all were free at first. */
function eventValues(mm: MemoryManager, memory: MachineMemory): Values {
  const of = (counter: Counter) => counted(mm.memory, counter)
  const ratio = (setting: Setting) => readSetting(mm.memory, setting)
  const { dirty, background } = memory.dirtyThresholds(
    ratio(Setting.dirtyRatio),
    ratio(Setting.dirtyBackgroundRatio),
  )
  const allocated = mm.buddy.allocatedFrames()
  return {
    numa_hit: allocated,
    numa_local: allocated,
    nr_dirty_threshold: dirty,
    nr_dirty_background_threshold: background,
    nr_memmap_boot_pages: Math.ceil((mm.frames.frameCount * FRAME_ENTRY_BYTES) / PAGE_SIZE),
    pgpgin: (of(Counter.pagesRead) * PAGE_SIZE) / 1024,
    pgpgout: (of(Counter.pagesWritten) * PAGE_SIZE) / 1024,
    nr_written: of(Counter.pagesWritten),
    pgalloc_dma32: allocated,
    pgfree: allocated + mm.buddy.freeFrames(),
    pgfault: FAULTS.reduce<number>((sum, counter) => sum + of(counter), 0),
    pgmajfault: of(Counter.faultMajor),
    pglazyfree: of(Counter.givenUp),
    pgdeactivate: of(Counter.deactivated),
    pgreuse: of(Counter.faultReuse),
    thp_fault_alloc: of(Counter.hugeFault),
    thp_fault_fallback: of(Counter.hugeFallback),
    thp_collapse_alloc: of(Counter.hugeCollapse),
    thp_collapse_alloc_failed: of(Counter.hugeCollapseFailed),
    thp_scan_exceed_none_pte: of(Counter.scanExceedNone),
    thp_scan_exceed_share_pte: of(Counter.scanExceedShared),
    thp_file_alloc: of(Counter.hugeObjectAlloc),
    thp_file_fallback: of(Counter.hugeObjectFallback),
    thp_file_mapped: of(Counter.hugeObjectMapped),
    thp_split_pmd: of(Counter.hugeSplit),
    thp_zero_page_alloc: of(Counter.hugeZeroAlloc),
    thp_zero_page_alloc_failed: of(Counter.hugeZeroFailed),
    ...reclaimValues(of),
    drop_pagecache: of(Counter.cachesDropped),
    drop_slab: of(Counter.slabsDropped),
    oom_kill: of(Counter.outOfMemoryKill),
  }
}

/** A fault waits for a page that may lie in any zone, a call for the kernel's own memory. */
function reclaimValues(of: (counter: Counter) => number): Values {
  const [direct, background] = [of(Counter.scannedDirectly), of(Counter.scannedInBackground)]
  const [directlyFreed, backgroundFreed] = [of(Counter.stolenDirectly), of(Counter.stolenInBackground)]
  const [scanned, stolen] = [of(Counter.scannedAnonymous), of(Counter.stolenAnonymous)]
  return {
    allocstall_normal: of(Counter.callStalled),
    allocstall_movable: of(Counter.faultStalled),
    pglazyfreed: stolen,
    pgsteal_kswapd: backgroundFreed,
    pgsteal_direct: directlyFreed,
    pgscan_kswapd: background,
    pgscan_direct: direct,
    pgscan_anon: scanned,
    pgscan_file: direct + background - scanned,
    pgsteal_anon: stolen,
    pgsteal_file: directlyFreed + backgroundFreed - stolen,
    pageoutrun: of(Counter.backgroundReclaim),
  }
}

/** A line for each name; of a node without what belongs to the machine. */
export function vmstatText(mm: MemoryManager, of: 'machine' | 'node' = 'machine'): string {
  const values = valuesOf(mm, new MachineMemory(mm))
  const items = of === 'machine' ? ALL_ITEMS : [...ZONE_ITEMS, ...NUMA_ITEMS, ...NODE_ITEMS]
  return items.map((name) => `${name} ${values[name] ?? 0}\n`).join('')
}

/** Where frames came from: from the one node that there is. */
export function numaItems(mm: MemoryManager): string {
  const allocated = mm.buddy.allocatedFrames()
  const rows = {
    numa_hit: allocated,
    numa_miss: 0,
    numa_foreign: 0,
    interleave_hit: 0,
    local_node: allocated,
    other_node: 0,
  }
  return Object.entries(rows)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}

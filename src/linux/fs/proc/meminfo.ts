/** /proc/meminfo: the lines and their order are those of meminfo_proc_show (fs/proc/meminfo.c) in Debian's configuration. */
import { PAGE_SIZE } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import { countHugePages } from '../../../space/huge-usage.js'
import { commitLimit, committedPages } from '../../../space/overcommit.js'
import { HUGE_PAGES } from '../../../space/vm-flags.js'
import type { FileEnvironment } from '../environment.js'
import { MachineMemory } from './machine-memory.js'

const KIB = PAGE_SIZE / 1024
/** 64 GiB of Sv39's kernel half. */
const VMALLOC_PAGES = 67_108_864 / KIB

export function meminfoText({ mm }: FileEnvironment): string {
  const memory = new MachineMemory(mm)
  const { census } = memory
  const huge = countHugePages(mm)
  const rows: readonly (readonly [name: string, pages: number])[] = [
    ['MemTotal', memory.total],
    ['MemFree', memory.free],
    ['MemAvailable', memory.available],
    ['Buffers', 0],
    ['Cached', census.cached],
    ['SwapCached', 0],
    ['Active', memory.activeAnonymous + memory.activeFiles],
    ['Inactive', 0],
    ['Active(anon)', memory.activeAnonymous],
    ['Inactive(anon)', 0],
    ['Active(file)', memory.activeFiles],
    ['Inactive(file)', 0],
    ['Unevictable', memory.unevictable],
    ['Mlocked', memory.locked],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Zswap', 0],
    ['Zswapped', 0],
    ['Dirty', census.dirty],
    ['Writeback', census.writeBack],
    ['AnonPages', census.anonymous],
    ['Mapped', census.mapped],
    ['Shmem', census.shmem],
    ['KReclaimable', memory.slabReclaimable],
    ['Slab', census.slabs],
    ['SReclaimable', memory.slabReclaimable],
    ['SUnreclaim', memory.slabUnreclaimable],
    ['KernelStack', 0],
    ['PageTables', memory.tables],
    ['SecPageTables', 0],
    ['NFS_Unstable', 0],
    ['Bounce', 0],
    ['WritebackTmp', 0],
    ['CommitLimit', commitLimit(mm)],
    ['Committed_AS', committedPages(mm.memory)],
    ['VmallocTotal', VMALLOC_PAGES],
    ['VmallocUsed', vmallocPages(mm)],
    ['VmallocChunk', 0],
    ['Percpu', 0],
    ['AnonHugePages', huge.anonymous * HUGE_PAGES],
    ['ShmemHugePages', mm.objects.folios() * HUGE_PAGES],
    ['ShmemPmdMapped', huge.shared * HUGE_PAGES],
    ['FileHugePages', 0],
    ['FilePmdMapped', 0],
  ]
  const pool = ['Total', 'Free', 'Rsvd', 'Surp'].map((name) => row(`HugePages_${name}`, 0, ''))
  return (
    rows.map(([name, pages]) => row(name, pages * KIB)).join('') +
    pool.join('') +
    row('Hugepagesize', 2048) +
    row('Hugetlb', 0)
  )
}

/** Frames that vmalloc areas have (vmalloc_nr_pages). */
function vmallocPages({ kernelAreas }: MemoryManager): number {
  return kernelAreas.areas().reduce((sum, { pages, isOwned }) => sum + (isOwned ? pages : 0), 0)
}

function row(name: string, value: number, unit = ' kB'): string {
  return `${`${name}:`.padEnd(16)}${`${value}`.padStart(8)}${unit}\n`
}

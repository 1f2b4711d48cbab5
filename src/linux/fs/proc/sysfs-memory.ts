/** /sys/kernel/mm and the folder of the one memory node: pools that are empty, services that do not run, and the node's numbers. */
import { countHugePages } from '../../../space/huge-usage.js'
import { HUGE_PAGES } from '../../../space/vm-flags.js'
import type { FileEnvironment } from '../environment.js'
import { MachineMemory } from './machine-memory.js'
import { file, folder, type ProcDirectory, type ProcEntries, type ProcNode } from './proc-node.js'
import { numaItems, vmstatText } from './vmstat.js'

const KIB_PER_PAGE = 4

/** Files of one line each. */
function lines(
  values: Readonly<Record<string, string | number>>,
  permissions = 0o644,
): Record<string, ProcNode> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, file(() => `${value}\n`, permissions)]),
  )
}

const POOL_COUNTS = { free_hugepages: 0, resv_hugepages: 0, surplus_hugepages: 0 }
const POOL_SETTINGS = { nr_hugepages: 0, nr_hugepages_mempolicy: 0, nr_overcommit_hugepages: 0 }
const pool = (): ProcEntries => ({ ...lines(POOL_COUNTS, 0o444), ...lines(POOL_SETTINGS) })
const nodePool = (): ProcEntries => ({
  ...lines({ free_hugepages: 0, surplus_hugepages: 0 }, 0o444),
  ...lines({ nr_hugepages: 0 }),
})
/** Pages of 1 GiB can be cut into smaller ones. */
const cuttable = () => lines({ demote_size: '2048kB' })

const poolsOf = (one: () => ProcEntries): ProcDirectory =>
  folder(() => ({
    'hugepages-2048kB': folder(one),
    'hugepages-1048576kB': folder(() => ({ ...one(), ...cuttable() })),
  }))

const ksm = (): ProcEntries => ({
  ...lines({
    run: 0,
    pages_to_scan: 100,
    sleep_millisecs: 20,
    merge_across_nodes: 1,
    use_zero_pages: 0,
    max_page_sharing: 256,
    smart_scan: 1,
    stable_node_chains_prune_millisecs: 2000,
    advisor_mode: '[none] scan-time',
    advisor_max_cpu: 70,
    advisor_target_scan_time: 200,
    advisor_min_pages_to_scan: 500,
    advisor_max_pages_to_scan: 30_000,
  }),
  ...lines(
    {
      pages_shared: 0,
      pages_sharing: 0,
      pages_unshared: 0,
      pages_volatile: 0,
      pages_scanned: 0,
      pages_skipped: 0,
      full_scans: 0,
      general_profit: 0,
      ksm_zero_pages: 0,
      stable_node_chains: 0,
      stable_node_dups: 0,
    },
    0o444,
  ),
})

/** What is in /sys/kernel/mm besides transparent_hugepage. The lists of the multi-generational LRU are not kept: disabled. */
export function memoryFolders(): ProcEntries {
  return {
    hugepages: poolsOf(pool),
    ksm: folder(ksm),
    lru_gen: folder(() => lines({ enabled: '0x0000', min_ttl_ms: 0 })),
    mempolicy: folder(() => ({ weighted_interleave: folder(() => lines({ node0: 1 })) })),
    numa: folder(() => lines({ demotion_enabled: 'false' })),
    swap: folder(() => lines({ vma_ra_enabled: 'true' })),
  }
}

/** Names of /sys/devices/system/node/node0/meminfo, as node_read_meminfo has them. */
function nodeMeminfo({ mm }: FileEnvironment): string {
  const memory = new MachineMemory(mm)
  const { census } = memory
  const huge = countHugePages(mm)
  const rows: readonly (readonly [name: string, pages: number])[] = [
    ['MemTotal', memory.total],
    ['MemFree', memory.free],
    ['MemUsed', memory.total - memory.free],
    ['SwapCached', 0],
    ['Active', memory.activeAnonymous + memory.activeFiles],
    ['Inactive', 0],
    ['Active(anon)', memory.activeAnonymous],
    ['Inactive(anon)', 0],
    ['Active(file)', memory.activeFiles],
    ['Inactive(file)', 0],
    ['Unevictable', memory.unevictable],
    ['Mlocked', memory.locked],
    ['Dirty', census.dirty],
    ['Writeback', census.writeBack],
    ['FilePages', census.cached],
    ['Mapped', census.mapped],
    ['AnonPages', census.anonymous],
    ['Shmem', census.shmem],
    ['KernelStack', 0],
    ['PageTables', memory.tables],
    ['SecPageTables', 0],
    ['NFS_Unstable', 0],
    ['Bounce', 0],
    ['WritebackTmp', 0],
    ['KReclaimable', memory.slabReclaimable],
    ['Slab', census.slabs],
    ['SReclaimable', memory.slabReclaimable],
    ['SUnreclaim', memory.slabUnreclaimable],
    ['AnonHugePages', huge.anonymous * HUGE_PAGES],
    ['ShmemHugePages', mm.objects.folios() * HUGE_PAGES],
    ['ShmemPmdMapped', huge.shared * HUGE_PAGES],
    ['FileHugePages', 0],
    ['FilePmdMapped', 0],
  ]
  const line = (name: string, value: number, unit: string) =>
    `Node 0 ${`${name}:`.padEnd(16)}${`${value}`.padStart(8)}${unit}\n`
  const pool = ['Total', 'Free', 'Surp'].map((name) => line(`HugePages_${name}`, 0, ''))
  return rows.map(([name, pages]) => line(name, pages * KIB_PER_PAGE, ' kB')).join('') + pool.join('')
}

const processors = (env: FileEnvironment) => env.mm.tlbs.hartCount

export const nodeFolder = (): ProcEntries => ({
  cpulist: file((_vfs, _process, env) => (processors(env) === 1 ? '0\n' : `0-${processors(env) - 1}\n`)),
  cpumap: file((_vfs, _process, env) => `${(2 ** processors(env) - 1).toString(16)}\n`),
  distance: file(() => '10\n'),
  meminfo: file((_vfs, _process, env) => nodeMeminfo(env)),
  numastat: file((_vfs, _process, { mm }) => numaItems(mm)),
  vmstat: file((_vfs, _process, { mm }) => vmstatText(mm, 'node')),
  hugepages: poolsOf(nodePool),
})

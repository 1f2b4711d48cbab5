/** /proc/PID/maps, smaps, smaps_rollup and numa_maps: a record for each mapping, as fs/proc/task_mmu.c words them. */
import { ESRCH } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Vpn } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { isHugeEligible } from '../../../space/huge-policy.js'
import { unitOf } from '../../../space/huge-pool.js'
import { kernelName, mapsLine, pageAddress } from '../../../space/maps.js'
import { policyText } from '../../../space/memory-policy.js'
import { NodeUsage } from '../../../space/node-usage.js'
import { PageUsage, SHARE_SHIFT } from '../../../space/page-usage.js'
import { isObjectHugeEligible } from '../../../space/shmem-policy.js'
import { flagNames } from '../../../space/vm-flag-names.js'
import { Special, Vma } from '../../../space/vma.js'
import { LockRank } from '../../../state/atomics.js'
import type { Vfs } from '../vfs.js'
import { controlMaps } from './mapping-query.js'
import { file, type ProcFile, WITHOUT_MEMORY } from './proc-node.js'
import type { TextRecord } from './record-text.js'

const KIB_PER_PAGE = PAGE_SIZE / 1024
const BYTES_PER_KIB = 1024
/** Where the name stands in the heading of a rollup. */
const NAME_COLUMN = 73

type MappingText = (vfs: Vfs, space: AddressSpace, vma: Vma) => string

/** A file with a record for each mapping. The cursor is the first page of the next one: what was unmapped meanwhile is not shown. */
function mappingFile(text: MappingText): ProcFile {
  const records = (vfs: Vfs, space: AddressSpace | undefined, cursor: number) =>
    space === undefined ? undefined : locked(vfs.env.mm, space, () => recordAt(vfs, space, cursor, text))
  return { ...file(() => ''), memory: 'look', records }
}

function recordAt(vfs: Vfs, space: AddressSpace, cursor: number, text: MappingText): TextRecord | undefined {
  const { mm } = vfs.env
  const found = cursor < mm.arch.userEnd ? mm.vmas.find(space, cursor as Vpn) : NULL
  if (found === NULL) return undefined
  const vma = new Vma(mm.memory, found)
  const following = mm.vmas.next(found)
  const next = following === NULL ? mm.arch.userEnd : new Vma(mm.memory, following).start
  return { text: text(vfs, space, vma), next }
}

function locked<T>(mm: MemoryManager, space: AddressSpace, work: () => T): T {
  mm.atomics.lock(space.lock, LockRank.space)
  const result = work()
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

export const maps: ProcFile = { ...mappingFile(lineOf), ioctl: controlMaps }
export const smaps: ProcFile = mappingFile(smapsRecord)
export const numaMaps: ProcFile = mappingFile(numaRecord)

function lineOf(vfs: Vfs, space: AddressSpace, vma: Vma): string {
  return mapsLine(vfs.env.mm, space, vma, ({ object }) => vfs.names.of(object))
}

function smapsRecord(vfs: Vfs, space: AddressSpace, vma: Vma): string {
  return lineOf(vfs, space, vma) + smapsRows(vfs.env.mm, space, vma)
}

/** What smaps says of a mapping below its line of maps. */
export function smapsRows(mm: MemoryManager, space: AddressSpace, vma: Vma): string {
  const usage = new PageUsage()
  usage.add(mm, space, vma)
  return (
    pagesRow('Size', vma.pages) +
    pagesRow('KernelPageSize', unitOf(mm, vma)) +
    pagesRow('MMUPageSize', unitOf(mm, vma)) +
    usageRows(usage, '') +
    `THPeligible:    ${`${isEligible(mm, space, vma) ? 1 : 0}`.padStart(8)}\nVmFlags: ${flagNames(vma.flags)}\n`
  )
}

function isEligible(mm: MemoryManager, space: AddressSpace, vma: Vma): boolean {
  return vma.object === NULL ? isHugeEligible(mm.memory, space, vma) : isObjectHugeEligible(mm, space, vma)
}

/** The sum of all mappings under one heading. */
export const smapsRollup: ProcFile = {
  ...file(() => ''),
  memory: 'look',
  onceEnded: WITHOUT_MEMORY,
  records: (vfs, space, cursor) => {
    if (cursor !== 0) return undefined
    return space === undefined
      ? -ESRCH
      : { text: locked(vfs.env.mm, space, () => rollup(vfs, space)), next: 1 }
  },
}

function rollup({ env: { mm } }: Vfs, space: AddressSpace): string {
  const usage = new PageUsage()
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  const first = vma.ptr === NULL ? 0 : vma.start
  let end = 0
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) {
    usage.add(mm, space, vma)
    end = vma.end
  }
  const heading = `${pageAddress(first)}-${pageAddress(end)} ---p 00000000 00:00 0`
  const kinds =
    shareRow('Pss_Anon', usage.shareAnonymous) +
    shareRow('Pss_File', usage.shareFile) +
    shareRow('Pss_Shmem', usage.shareShmem)
  return `${heading.padEnd(NAME_COLUMN)}[rollup]\n${usageRows(usage, kinds)}`
}

function row(name: string, kib: number, width = 8): string {
  return `${`${name}:`.padEnd(24 - width)}${`${kib}`.padStart(width)} kB\n`
}

function pagesRow(name: string, pages: number): string {
  return row(name, pages * KIB_PER_PAGE)
}

function shareRow(name: string, share: number): string {
  return row(name, Math.floor(share / (BYTES_PER_KIB << SHARE_SHIFT)))
}

/** What smaps and smaps_rollup have in common (__show_smap); `kinds` stands only in the latter. */
function usageRows(usage: PageUsage, kinds: string): string {
  return (
    pagesRow('Rss', usage.resident) +
    shareRow('Pss', usage.share) +
    shareRow('Pss_Dirty', usage.shareDirty) +
    kinds +
    pagesRow('Shared_Clean', usage.sharedClean) +
    pagesRow('Shared_Dirty', usage.sharedDirty) +
    pagesRow('Private_Clean', usage.privateClean) +
    pagesRow('Private_Dirty', usage.privateDirty) +
    pagesRow('Referenced', usage.referenced) +
    pagesRow('Anonymous', usage.anonymous) +
    row('KSM', 0) +
    pagesRow('LazyFree', usage.lazyFree) +
    pagesRow('AnonHugePages', usage.huge) +
    pagesRow('ShmemPmdMapped', usage.sharedHuge) +
    UNUSED_ROWS +
    shareRow('Locked', usage.shareLocked)
  )
}

/** What there is none of: huge pages of files and of the pool, and swap. */
const UNUSED_ROWS =
  ['FilePmdMapped', 'Shared_Hugetlb'].map((name) => row(name, 0)).join('') +
  row('Private_Hugetlb', 0, 7) +
  row('Swap', 0) +
  row('SwapPss', 0)

/** A line of numa_maps (show_numa_map): of the one node that there is. */
function numaRecord(vfs: Vfs, space: AddressSpace, vma: Vma): string {
  const usage = new NodeUsage()
  usage.add(vfs.env.mm, space, vma)
  const { pages, anonymous, dirty, mappingsMost, active } = usage
  let text = `${pageAddress(vma.start)} ${policyText(vma.policy || ownPolicy(vfs, space))}${numaName(vfs, space, vma)}`
  if (unitOf(vfs.env.mm, vma) > 1) text += ' huge'
  if (pages === 0) return `${text}\n`
  if (anonymous > 0) text += ` anon=${anonymous}`
  if (dirty > 0) text += ` dirty=${dirty}`
  if (pages !== anonymous && pages !== dirty) text += ` mapped=${pages}`
  if (mappingsMost > 1) text += ` mapmax=${mappingsMost}`
  if (active < pages) text += ` active=${active}`
  return `${text} N0=${pages} kernelpagesize_kB=${KIB_PER_PAGE}\n`
}

/** The policy of the first thread of the process, for memory that has none of its own. */
function ownPolicy({ env }: Vfs, space: AddressSpace): number {
  for (const process of env.processes.values()) {
    if (process.space.ptr !== space.ptr) continue
    for (const thread of env.threads.ofProcess(process.ptr)) return thread.memoryPolicy
  }
  return 0
}

function numaName(vfs: Vfs, space: AddressSpace, vma: Vma): string {
  if (vma.object !== NULL && vma.special === Special.none) {
    return ` file=${vfs.names.of(vma.object).path.replace(/[\n\t= ]/g, octal)}`
  }
  const name = kernelName(vfs.env.mm, space, vma)
  return name === '[heap]' ? ' heap' : name === '[stack]' ? ' stack' : ''
}

function octal(character: string): string {
  return `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`
}

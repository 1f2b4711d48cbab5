/**
 * /sys/kernel/mm/transparent_hugepage as mm/huge_memory.c and mm/khugepaged.c of Linux 6.12 make it: settings that root may
 * write, and what was counted. Shared memory has no folios of other sizes.
 */
import { EINVAL } from '../../../base/errno.js'
import {
  folioMode,
  HugeDefrag,
  HugeMode,
  HugeSetting,
  HugeSizeMode,
  hugeSetting,
  KhugepagedSetting,
  khugepagedSetting,
  PTES_MAX,
  setFolioMode,
  setHugeSetting,
  setKhugepagedSetting,
} from '../../../space/huge-policy.js'
import { countHugePages } from '../../../space/huge-usage.js'
import { startOrStopKhugepaged, wakeKhugepaged } from '../../../space/scanned-spaces.js'
import { ShmemMode, ShmemSizeMode, setShmemMode } from '../../../space/shmem-policy.js'
import { Counter, counted, OrderCounter, orderCounter } from '../../../state/counters.js'
import type { Memory } from '../../../state/memory.js'
import type { FileEnvironment } from '../environment.js'
import { byteString } from '../text.js'
import { file, folder, type ProcEntries, type ProcFile, type ProcNode } from './proc-node.js'

const UINT_MAX = 2 ** 32 - 1

/** What was written, without the newline at its end (sysfs_streq). */
function written(source: Uint8Array): string {
  return byteString(source).replace(/\n$/, '')
}

/** All values, the one that holds in brackets. */
function listed(names: readonly string[], current: string): string {
  return `${names.map((name) => (name === current ? `[${name}]` : name)).join(' ')}\n`
}

function setting(text: ProcFile['text'], write: (value: string, env: FileEnvironment) => boolean): ProcFile {
  return {
    ...file(text, 0o644),
    write: (source, _process, env) =>
      source.length === 0 || write(written(source), env) ? source.length : -EINVAL,
  }
}

/** One that is one of several words, shown in the order of `values`. khugepaged may begin or end with it. */
function choice(
  which: Parameters<typeof hugeSetting>[1],
  values: Readonly<Record<string, number>>,
): ProcFile {
  return oneOf(
    values,
    (memory) => hugeSetting(memory, which),
    (memory, value) => {
      setHugeSetting(memory, which, value)
      startOrStopKhugepaged(memory)
    },
  )
}

function oneOf(
  values: Readonly<Record<string, number>>,
  read: (memory: Memory) => number,
  write: (memory: Memory, value: number) => void,
): ProcFile {
  const names = Object.keys(values)
  const nameOf = (value: number) => names.find((name) => values[name] === value) ?? ''
  return setting(
    (_vfs, _process, { mm }) => listed(names, nameOf(read(mm.memory))),
    (value, { mm }) => {
      if (!Object.hasOwn(values, value)) return false
      write(mm.memory, values[value]!)
      return true
    },
  )
}

/** A setting that only has one value here: folios of shared memory have one page or 512. */
function only(names: readonly string[], value: string): ProcFile {
  return setting(
    () => listed(names, value),
    (wished) => wished === value,
  )
}

/** A decimal number as kstrtoul() takes it, or NaN. */
function numberOf(text: string): number {
  return /^\+?[0-9]+$/.test(text) ? Number(text) : Number.NaN
}

/** A number of khugepaged's. Sleeps end when their length is written. */
function khugepaged(
  which: Parameters<typeof khugepagedSetting>[1],
  min: number,
  max: number,
  wakes = false,
): ProcFile {
  return setting(
    (_vfs, _process, { mm }) => `${khugepagedSetting(mm.memory, which)}\n`,
    (text, { mm }) => {
      const value = numberOf(text)
      if (!(value >= min && value <= max)) return false
      setKhugepagedSetting(mm.memory, which, value)
      if (wakes) wakeKhugepaged(mm.memory)
      return true
    },
  )
}

const counter = (which: Counter): ProcNode =>
  file((_vfs, _process, { mm }) => `${counted(mm.memory, which)}\n`)
const zero = () => file(() => '0\n')

const SHMEM_NAMES = ['always', 'inherit', 'within_size', 'advise', 'never']
const anonStats = (): ProcEntries => ({
  anon_fault_alloc: zero(),
  anon_fault_fallback: zero(),
  anon_fault_fallback_charge: zero(),
  nr_anon: zero(),
  nr_anon_partially_mapped: zero(),
  split_deferred: zero(),
})
const stats = (): ProcEntries => ({
  shmem_alloc: zero(),
  shmem_fallback: zero(),
  shmem_fallback_charge: zero(),
  split: zero(),
  split_failed: zero(),
  swpout: zero(),
  swpout_fallback: zero(),
})

const { inherit, always, madvise, never } = HugeSizeMode
const SIZE_MODES = { always, inherit, madvise, never }

function sizeFiles(kibibytes: number): ProcEntries {
  const shmem = { shmem_enabled: only(SHMEM_NAMES, 'never') }
  if (kibibytes < 16) return { ...shmem, stats: folder(stats) }
  const order = Math.log2(kibibytes / 4)
  const enabled = oneOf(
    SIZE_MODES,
    (memory) => folioMode(memory, order),
    (memory, mode) => setFolioMode(memory, order, mode),
  )
  const counts = () => ({
    ...stats(),
    ...anonStats(),
    anon_fault_alloc: counter(orderCounter(OrderCounter.folioFault, order)),
    anon_fault_fallback: counter(orderCounter(OrderCounter.folioFallback, order)),
  })
  return { enabled, ...shmem, stats: folder(counts) }
}

const SMALLER_KIBIBYTES = [8, 16, 32, 64, 128, 256, 512, 1024]

function smaller(): ProcEntries {
  return Object.fromEntries(
    SMALLER_KIBIBYTES.map((size) => [`hugepages-${size}kB`, folder(() => sizeFiles(size))]),
  )
}

function inOrder(values: Readonly<Record<string, number>>, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, values[name]!]))
}

function shmemSizes(): Record<string, number> {
  return inOrder(ShmemSizeMode, SHMEM_NAMES)
}

function largest(): ProcEntries {
  return {
    enabled: choice(HugeSetting.sizeMode, SIZE_MODES),
    shmem_enabled: choice(HugeSetting.shmemSize, shmemSizes()),
    stats: folder(largestStats),
  }
}

function largestStats(): ProcEntries {
  return {
    ...stats(),
    shmem_alloc: counter(Counter.hugeObjectAlloc),
    shmem_fallback: counter(Counter.hugeObjectFallback),
    ...anonStats(),
    anon_fault_alloc: counter(Counter.hugeFault),
    anon_fault_fallback: counter(Counter.hugeFallback),
    nr_anon: file((_vfs, _process, { mm }) => `${countHugePages(mm).anonymous}\n`),
  }
}

function khugepagedFiles(): ProcEntries {
  return {
    defrag: khugepaged(KhugepagedSetting.defrag, 0, 1),
    max_ptes_none: khugepaged(KhugepagedSetting.maxPtesNone, 0, PTES_MAX),
    max_ptes_shared: khugepaged(KhugepagedSetting.maxPtesShared, 0, PTES_MAX),
    max_ptes_swap: khugepaged(KhugepagedSetting.maxPtesSwap, 0, PTES_MAX),
    pages_to_scan: khugepaged(KhugepagedSetting.pagesToScan, 1, UINT_MAX),
    scan_sleep_millisecs: khugepaged(KhugepagedSetting.scanSleep, 0, UINT_MAX, true),
    alloc_sleep_millisecs: khugepaged(KhugepagedSetting.allocSleep, 0, UINT_MAX, true),
    full_scans: counter(Counter.fullScans),
    pages_collapsed: counter(Counter.pagesCollapsed),
  }
}

export function transparentHugePages(): ProcEntries {
  return {
    enabled: choice(HugeSetting.mode, HugeMode),
    defrag: choice(HugeSetting.defrag, {
      always: HugeDefrag.always,
      defer: HugeDefrag.defer,
      'defer+madvise': HugeDefrag['defer+madvise'],
      madvise: HugeDefrag.madvise,
      never: HugeDefrag.never,
    }),
    use_zero_page: setting(
      (_vfs, _process, { mm }) => `${1 - hugeSetting(mm.memory, HugeSetting.noZeroPage)}\n`,
      (text, { mm }) => {
        const value = numberOf(text)
        if (value !== 0 && value !== 1) return false
        setHugeSetting(mm.memory, HugeSetting.noZeroPage, 1 - value)
        return true
      },
    ),
    hpage_pmd_size: file(() => '2097152\n'),
    shmem_enabled: oneOf(
      inOrder(ShmemMode, ['always', 'within_size', 'advise', 'never', 'deny', 'force']),
      (memory) => hugeSetting(memory, HugeSetting.shmem),
      setShmemMode,
    ),
    shrink_underused: setting(
      () => '1\n',
      (text) => numberOf(text) === 1,
    ),
    khugepaged: folder(khugepagedFiles),
    ...smaller(),
    'hugepages-2048kB': folder(largest),
  }
}

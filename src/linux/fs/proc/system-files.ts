/** The files of /proc that belong to no process. */

import { EINVAL } from '../../../base/errno.js'
import { NULL, type Ptr } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import { dropCaches } from '../../../space/drop-caches.js'
import { applyWatermarks } from '../../../space/tunables.js'
import { Counter, count } from '../../../state/counters.js'
import { Word, wordIndex } from '../../../state/layout.js'
import { Setting, writeSetting } from '../../../state/settings.js'
import type { TimeOfDay } from '../../clock.js'
import { LINUX_RELEASE } from '../../release.js'
import { ThreadState } from '../../thread.js'
import { ClockBase, NO_OFFSET, shifted } from '../../time-offset.js'
import { Capability } from '../capabilities.js'
import type { FileEnvironment } from '../environment.js'
import { MESSAGE_BYTES_MAX, MESSAGES_MAX } from '../mqueue/message-queues.js'
import { sharedMemoryText } from '../sysv/shm-text.js'
import { byteString } from '../text.js'
import { buddyinfoText, pagetypeinfoText, slabinfoRecord, vmallocinfoRecord } from './allocator-texts.js'
import { frameCounts, frameFlags } from './frame-files.js'
import { locksText } from './lock-texts.js'
import { cpuinfoText, statisticsText } from './machine-texts.js'
import { meminfoText } from './meminfo.js'
import { directory, file, link, type ProcDirectory, type ProcEntries, type ProcNode } from './proc-node.js'
import type { TextRecord } from './record-text.js'
import { integerSetting, unsignedSetting } from './sysctl.js'
import { vmstatText } from './vmstat.js'
import { zoneRecord } from './zoneinfo.js'

/** Nanoseconds. */
const HUNDREDTH = 1e7
const UUID_BYTES = 16
/** Bytes of a setting that are looked at. */
const SETTING_BYTES_MAX = 24

function constant(text: string, permissions = 0o444): ProcNode {
  return file(() => text, permissions)
}

/** Settings that root may write in Linux; here nothing changes them. Those that can be changed: sysctl.ts. */
function settings(
  values: Readonly<Record<string, string | number>>,
  permissions = 0o644,
): Record<string, ProcNode> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, constant(`${value}\n`, permissions)]),
  )
}

function random(): ProcEntries {
  return {
    uuid: file((_vfs, _process, env) => `${uuid(env)}\n`),
    boot_id: constant('6f2ad5c4-0f6c-4c0e-9d2a-5a1b3c7e9f01\n'),
    entropy_avail: constant('256\n'),
    poolsize: constant('256\n'),
  }
}

/** A random one (version 4). */
function uuid(env: FileEnvironment): string {
  const bytes = new Uint8Array(UUID_BYTES)
  env.randomBytes(bytes)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function sysKernel(): ProcEntries {
  return {
    ...settings(
      {
        ostype: 'Linux',
        osrelease: LINUX_RELEASE,
        version: '#1 SMP Pagoda',
        arch: 'riscv64',
        cap_last_cap: 40,
        ngroups_max: 65536,
      },
      0o444,
    ),
    ...settings({
      hostname: '(none)',
      domainname: '(none)',
      pid_max: 32768,
      'threads-max': 15553,
      core_pattern: 'core',
      core_uses_pid: 0,
      overflowuid: 65534,
      overflowgid: 65534,
      msgmax: 8192,
      msgmnb: 16384,
      msgmni: 32000,
      sem: '32000\t1024000000\t500\t32000',
      perf_event_paranoid: 3,
      kptr_restrict: 0,
      dmesg_restrict: 1,
      tainted: 0,
      printk: '0\t4\t1\t7',
    }),
    shmmax: unsignedSetting(Setting.shmMax),
    shmall: unsignedSetting(Setting.shmAll),
    shmmni: integerSetting(Setting.shmMni, { min: 0, max: 32768 }),
    shm_rmid_forced: integerSetting(Setting.shmRemovalForced, {
      min: 0,
      max: 1,
      written: (_mm, { segments }) => segments.forcedWritten(),
    }),
    randomize_va_space: integerSetting(Setting.randomizeVaSpace),
    random: directory(random),
  }
}

const PER_CENT = { min: 0, max: 100 }

function sysVm(): ProcEntries {
  return {
    ...settings({
      compact_unevictable_allowed: 1,
      compaction_proactiveness: 20,
      dirty_background_bytes: 0,
      dirty_bytes: 0,
      dirty_expire_centisecs: 3000,
      dirty_writeback_centisecs: 500,
      dirtytime_expire_seconds: 43_200,
      extfrag_threshold: 500,
      hugetlb_optimize_vmemmap: 0,
      hugetlb_shm_group: 0,
      laptop_mode: 0,
      lowmem_reserve_ratio: '256\t32\t0\t0',
      min_slab_ratio: 5,
      min_unmapped_ratio: 1,
      nr_hugepages: 0,
      nr_hugepages_mempolicy: 0,
      nr_overcommit_hugepages: 0,
      numa_stat: 1,
      numa_zonelist_order: 'Node',
      oom_dump_tasks: 1,
      page_lock_unfairness: 5,
      percpu_pagelist_high_fraction: 0,
      stat_interval: 1,
      watermark_boost_factor: 15_000,
      zone_reclaim_mode: 0,
    }),
    drop_caches: {
      ...file(() => '', 0o200),
      write: (source, _process, { mm }) => {
        const what = /^\s*([1-4])\s*$/.exec(byteString(source.subarray(0, SETTING_BYTES_MAX)))?.[1]
        if (what === undefined) return -EINVAL
        if ((Number(what) & 1) !== 0) {
          dropCaches(mm)
          count(mm.memory, Counter.cachesDropped)
        }
        if ((Number(what) & 2) !== 0) {
          mm.slab.shrink()
          count(mm.memory, Counter.slabsDropped)
        }
        return source.length
      },
    },
    // What is counted on each hart is added up whenever somebody reads it.
    stat_refresh: { ...file(() => '', 0o600), write: (source) => source.length },
    min_free_kbytes: integerSetting(Setting.minimumFreeKbytes, { min: 0, written: applyWatermarks }),
    watermark_scale_factor: integerSetting(Setting.watermarkScale, {
      min: 1,
      max: 3000,
      written: applyWatermarks,
    }),
    overcommit_memory: integerSetting(Setting.overcommitMemory, { min: 0, max: 2 }),
    overcommit_ratio: integerSetting(Setting.overcommitRatio, {
      written: ({ memory }) => writeSetting(memory, Setting.overcommitKbytes, 0),
    }),
    overcommit_kbytes: unsignedSetting(Setting.overcommitKbytes, {
      written: ({ memory }) => writeSetting(memory, Setting.overcommitRatio, 0),
    }),
    user_reserve_kbytes: unsignedSetting(Setting.userReserveKbytes),
    admin_reserve_kbytes: unsignedSetting(Setting.adminReserveKbytes),
    max_map_count: integerSetting(Setting.maxMapCount, { min: 0 }),
    mmap_min_addr: unsignedSetting(Setting.mmapMinAddr, { capability: Capability.rawAccess }),
    mmap_rnd_bits: integerSetting(Setting.mmapRandomBits, { min: 18, max: 24, permissions: 0o600 }),
    legacy_va_layout: integerSetting(Setting.legacyLayout, { min: 0 }),
    swappiness: integerSetting(Setting.swappiness, { min: 0, max: 200 }),
    vfs_cache_pressure: integerSetting(Setting.vfsCachePressure, { min: 0 }),
    dirty_ratio: integerSetting(Setting.dirtyRatio, PER_CENT),
    dirty_background_ratio: integerSetting(Setting.dirtyBackgroundRatio, PER_CENT),
    'page-cluster': integerSetting(Setting.pageCluster, { min: 0, max: 31 }),
    oom_kill_allocating_task: integerSetting(Setting.oomKillAllocatingTask),
    memfd_noexec: integerSetting(Setting.memfdNoexec, {
      min: 0,
      max: 2,
      capability: Capability.administrate,
    }),
    unprivileged_userfaultfd: integerSetting(Setting.unprivilegedUserfault, { min: 0, max: 1 }),
    panic_on_oom: integerSetting(Setting.panicOnOom, { min: 0, max: 2 }),
  }
}

/** What fs.mqueue.msgsize_* may be. */
const MESSAGE_BYTES = { min: 128, max: MESSAGE_BYTES_MAX }

function sysFs(): ProcEntries {
  return {
    ...settings({
      'file-max': 198516,
      nr_open: 1048576,
      'pipe-max-size': 1048576,
      'pipe-user-pages-soft': 16384,
      'pipe-user-pages-hard': 0,
      protected_hardlinks: 1,
      protected_symlinks: 1,
      suid_dumpable: 0,
      overflowuid: 65534,
      overflowgid: 65534,
      'aio-max-nr': 65536,
    }),
    ...settings({ 'file-nr': '0\t0\t198516', 'aio-nr': 0 }, 0o444),
    epoll: directory(() => settings({ max_user_watches: 443169 })),
    mqueue: directory(() => ({
      queues_max: integerSetting(Setting.mqueueQueuesMax),
      msg_max: integerSetting(Setting.mqueueMessagesMax, { min: 1, max: MESSAGES_MAX }),
      msgsize_max: integerSetting(Setting.mqueueBytesMax, MESSAGE_BYTES),
      msg_default: integerSetting(Setting.mqueueMessagesDefault, { min: 1, max: MESSAGES_MAX }),
      msgsize_default: integerSetting(Setting.mqueueBytesDefault, MESSAGE_BYTES),
    })),
    inotify: directory(() => ({
      max_user_instances: integerSetting(Setting.inotifyInstancesMax, { min: 0 }),
      max_user_watches: integerSetting(Setting.inotifyWatchesMax, { min: 0 }),
      max_queued_events: integerSetting(Setting.inotifyEventsMax, { min: 0 }),
    })),
  }
}

function sysNet(): ProcEntries {
  return {
    core: directory(() => settings({ somaxconn: 4096, rmem_default: 212992, wmem_default: 212992 })),
    unix: directory(() => settings({ max_dgram_qlen: 512 })),
  }
}

/** A text of records about the machine. */
function recordFile(
  record: (mm: MemoryManager, cursor: number) => TextRecord | undefined,
  permissions = 0o444,
): ProcNode {
  return { ...file(() => '', permissions), records: ({ env }, _space, cursor) => record(env.mm, cursor) }
}

function systemSettings(): ProcEntries {
  return {
    kernel: directory(sysKernel),
    vm: directory(sysVm),
    fs: directory(sysFs),
    net: directory(sysNet),
  }
}

/** What a C library follows whenever it starts, by itself. */
const systemLinks = (): ProcEntries => ({
  self: link((_vfs, _process, pid) => `${pid}`),
  'thread-self': link((vfs, _process, pid) => `${pid}/task/${threadOf(vfs.env, pid)}`),
})

function systemFiles(): ProcEntries {
  return {
    mounts: link(() => 'self/mounts'),
    meminfo: file((_vfs, _process, env) => meminfoText(env)),
    cpuinfo: file((_vfs, _process, env) => cpuinfoText(env)),
    uptime: file((_vfs, _process, env) => uptime(env)),
    stat: file((_vfs, _process, env) => statisticsText(env)),
    vmstat: file((_vfs, _process, { mm }) => vmstatText(mm)),
    zoneinfo: recordFile((mm, cursor) => zoneRecord(mm, cursor)),
    buddyinfo: file((_vfs, _process, { mm }) => buddyinfoText(mm)),
    pagetypeinfo: file((_vfs, _process, { mm }) => pagetypeinfoText(mm), 0o400),
    slabinfo: recordFile((mm, cursor) => slabinfoRecord(mm, cursor), 0o400),
    vmallocinfo: recordFile((mm, cursor) => vmallocinfoRecord(mm, cursor), 0o400),
    kpagecount: frameCounts,
    kpageflags: frameFlags,
    loadavg: file((_vfs, _process, env) => loadAverage(env)),
    version: constant(`Linux version ${LINUX_RELEASE} (pagoda@pagoda) #1 SMP Pagoda\n`),
    filesystems: constant(
      ['sysfs', 'tmpfs', 'proc', 'sockfs', 'pipefs', 'mqueue', 'overlay', '9p']
        .map((name) => `nodev\t${name}\n`)
        .join(''),
    ),
    cmdline: constant('console=ttyS0\n'),
    devices: constant(
      'Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n136 pts\n\nBlock devices:\n',
    ),
    locks: file((vfs) => locksText(vfs)),
    swaps: constant('Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'),
    partitions: constant(''),
    diskstats: constant(''),
    modules: constant(''),
    consoles: constant('ttyS0                -W- (EC  p a)    4:64\n'),
    sysvipc: directory(() => ({ shm: file(({ segments }) => sharedMemoryText(segments)) })),
    sys: directory(systemSettings),
  }
}

/** The top of /proc but for the processes. */
export const SYSTEM_TREE: ProcDirectory = directory(systemLinks, systemFiles)

/** The thread of a process that makes the call which is being done. */
function threadOf({ mm, threads }: FileEnvironment, pid: number): number {
  const record = mm.memory.u32[wordIndex(Word.currentThread)]! as Ptr
  return record === NULL ? pid : threads.at(record).id
}

/** Seconds since the start, and those that nobody had something to do. */
function uptime(env: FileEnvironment): string {
  const offset = env.namespaces.offset(env.currentProcess(), ClockBase.boottime)
  const times = [shifted(env.clock.now(), offset), shifted(env.machineTimes().idle, NO_OFFSET)]
  return `${times.map(hundredths).join(' ')}\n`
}

/** Seconds and hundredths that have passed. */
function hundredths({ seconds, nanoseconds }: TimeOfDay): string {
  return `${seconds}.${String(Math.floor(nanoseconds / HUNDREDTH)).padStart(2, '0')}`
}

/** No averages; threads that can run, all threads, and the newest number. */
function loadAverage(env: FileEnvironment): string {
  let [running, all, newest] = [0, 0, 0]
  for (const process of env.processes.values()) {
    for (const thread of env.threads.ofProcess(process.ptr)) {
      all++
      if (thread.state === ThreadState.ready) running++
      newest = Math.max(newest, thread.id)
    }
  }
  return `0.00 0.00 0.00 ${running}/${all} ${newest}\n`
}

/**
 * The kernel's own tests (tools/testing/selftests of Debian's linux-source-6.12). Every program of these folders that can be
 * built for riscv64 is here or in LEFT_OUT.
 */
import type { Suite, SuiteTest } from './suite.js'

/** Programs that are not run, and why. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'mm/compaction_test': 'changes nr_hugepages and needs most of the memory: hugetlb pages',
  'mm/hmm-tests': 'needs a module of the kernel that Debian does not build',
  'mm/ksm_tests': 'merging by ksmd: times and counts of a daemon',
  'mm/ksm_functional_tests': 'merging by ksmd: a test waits for a daemon to have scanned twice',
  'mm/migration': 'needs two memory nodes',
  'mm/pkey_sighandler_tests': 'protection keys: not on riscv64',
  'mm/protection_keys': 'protection keys: not on riscv64',
  'mm/hugetlb-soft-offline': 'destructive: takes frames out of the machine',
  'mm/hugetlb-read-hwpoison': 'destructive: takes frames out of the machine',
  'mm/write_to_hugetlbfs': 'a tool of a shell script for hugetlb cgroups',
  'mm/seal_elf': 'expects sealed sections of a program that the test itself no longer seals in 6.12',
}

const mm = (name: string, rest: Omit<SuiteTest, 'name' | 'source'> = {}, suffix = ''): SuiteTest => ({
  name: `mm/${name}${suffix}`,
  source: `mm/${name}`,
  ...rest,
})

const futex = (name: string, ...args: string[]): SuiteTest => ({
  name: ['futex', [name, ...args].join(' ')].join('/'),
  source: `futex/functional/${name}`,
  args,
})

const other = (source: string): SuiteTest => ({ name: source, source })

const heavy = { heavy: true } as const

const tests: SuiteTest[] = [
  mm('cow', heavy),
  mm('droppable', heavy),
  mm('gup_longterm', heavy),
  mm('gup_test', { args: ['-ct', '-F', '0x1', '0', '19', '0x1000'] }),
  mm('hugepage-mmap', heavy),
  mm('hugepage-mremap', heavy),
  mm('hugepage-shm', heavy),
  mm('hugepage-vmemmap', heavy),
  mm('hugetlb-madvise', heavy),
  mm('hugetlb_dio', heavy),
  mm('hugetlb_fault_after_madv', heavy),
  mm('hugetlb_madv_vs_map', heavy),
  // It wants 512 blocks of 2 MiB, each for one page that stays: with 1 GiB that depends on luck.
  mm('khugepaged', { memory: 2 ** 31, heavy: true }),
  mm('khugepaged', { args: ['all:shmem'], heavy: true }, ' all:shmem'),
  mm('khugepaged', { args: ['all:file', '/tmp'], heavy: true }, ' all:file'),
  mm('madv_populate', heavy),
  mm('map_fixed_noreplace'),
  mm('map_hugetlb', heavy),
  mm('map_populate'),
  mm('mdwe_test'),
  mm('memfd_secret', heavy),
  mm('mkdirty', heavy),
  mm('mlock-random-test'),
  mm('mlock2-tests', heavy),
  mm('mrelease_test', heavy),
  mm('mremap_dontunmap'),
  mm('mremap_test', heavy),
  mm('mseal_test'),
  mm('on-fault-limit', { unprivileged: true }),
  mm('pagemap_ioctl', heavy),
  mm('soft-dirty', heavy),
  mm('split_huge_page_test', heavy),
  mm('thuge-gen', heavy),
  mm('transhuge-stress', { args: ['-d', '2', '100'], heavy: true }),
  ...['anon', 'shmem', 'shmem-private'].map((kind) =>
    mm('uffd-stress', { args: [kind, '20', '2'], heavy: true }, ` ${kind}`),
  ),
  ...['register-ioctls', 'zeropage', 'move', 'sigbus', 'events', 'poison', 'wp', 'minor'].map((kind) =>
    mm('uffd-unit-tests', { args: ['-f', kind], heavy: true }, ` ${kind}`),
  ),
  mm('va_high_addr_switch', heavy),
  mm('virtual_address_range', {
    before: 'echo 1 > /proc/sys/vm/overcommit_memory',
    heavy: true,
  }),
  ...[
    [],
    ['-b'],
    ['-b', '-l'],
    ['-b', '-o'],
    ['-l'],
    ['-o'],
    ['-b', '-l', '-t', '5000'],
    ['-l', '-t', '5000'],
    ['-b', '-t', '500000'],
    ['-t', '500000'],
    ['-b', '-l', '-t', '2000000000'],
  ].map((args) => futex('futex_requeue_pi', ...args)),
  futex('futex_requeue_pi_mismatched_ops'),
  futex('futex_requeue_pi_signal_restart'),
  futex('futex_wait_timeout'),
  futex('futex_wait_wouldblock'),
  futex('futex_wait_uninitialized_heap'),
  futex('futex_wait_private_mapped_file'),
  futex('futex_wait'),
  futex('futex_requeue'),
  futex('futex_waitv'),
  other('clone3/clone3'),
  other('clone3/clone3_cap_checkpoint_restore'),
  other('clone3/clone3_clear_sighand'),
  other('clone3/clone3_set_tid'),
  other('membarrier/membarrier_test_multi_thread'),
  other('membarrier/membarrier_test_single_thread'),
  other('sigaltstack/sas'),
  other('mincore/mincore_selftest'),
]

export const selftests: Suite = {
  name: 'selftests',
  root: 'busybox',
  tests,
  memory: 2 ** 30,
  skippedStatuses: [4],
}

/** What of Debian's software is run, as data: on the real kernel to record what it prints, and in Pagoda. */
import type { ProgramName } from './programs.js'
import type { RootName } from './roots.js'

export interface SoftwareCase {
  /** `busybox/traps`: the root and the case, and its file in test/references/software. */
  readonly name: string
  readonly root: RootName
  /** What is executed, by its path in the guest. Files of scripts/ are in /scripts, built programs in /programs. */
  readonly argv: readonly string[]
  /** Added to ENVIRONMENT. */
  readonly env?: readonly string[]
  readonly input?: string
  /** Takes Pagoda more than a few seconds: only with PAGODA_FULL=1. */
  readonly heavy?: true
}

/** Every case starts in an empty /tmp, as root, with this environment. */
export const ENVIRONMENT = [
  'PATH=/usr/bin:/bin:/usr/sbin:/sbin',
  'HOME=/tmp',
  'LANG=C',
  'LC_ALL=C',
  'TZ=UTC0',
  'PYTHONHASHSEED=0',
  'PYTHONDONTWRITEBYTECODE=1',
] as const
export const DIRECTORY = '/tmp'
/** RAM of both machines, in bytes. */
export const MEMORY = 2 ** 30
/** Here the stressors get by with less. (The real machine has its root in its RAM, too.) */
export const memoryOf = (root: RootName) => (root === 'stress' ? 2 ** 28 : MEMORY)

const BUSYBOX = '/usr/bin/busybox'

type Details = Pick<SoftwareCase, 'env' | 'input' | 'heavy'>

function define(root: RootName, name: string, argv: readonly string[], details: Details = {}): SoftwareCase {
  return { name: `${root}/${name}`, root, argv, ...details }
}

const applet = (name: string, argv: readonly string[], details?: Details) =>
  define('busybox', name, [BUSYBOX, ...argv], details)

const script = (root: RootName, name: string, details?: Details) =>
  define(root, name, [BUSYBOX, 'sh', `/scripts/${name}.sh`], details)

const busybox: SoftwareCase[] = [
  applet('echo', ['echo', 'one', 'two']),
  applet('sort', ['sort', '-rn'], { input: '3\n20\n100\n1\n' }),
  applet('awk-arithmetic', ['awk', 'BEGIN { for (i = 1; i <= 20; i++) x = x * 31 % 1009 + i; print x }']),
  applet('bad-applet', ['nosuchapplet']),
  applet('pipeline', ['sh', '-c', 'seq 1 1000 | sort -rn | head -3']),
  applet('pid-one-status', ['sh', '-c', 'kill -9 $$']),
  script('busybox', 'awk', {
    input: 'the cat and the dog\nThe end of the tale and\n\nno newline at the end',
  }),
  ...['substitution', 'here-documents', 'jobs', 'traps', 'files', 'checksums', 'archive'].map((name) =>
    script('busybox', name),
  ),
  ...['redirections', 'language', 'proc', 'text-tools'].map((name) => script('busybox', name)),
]

const tools: SoftwareCase[] = [
  define('tools', 'sqlite-memory', ['/usr/bin/sqlite3'], { input: '.read /scripts/memory.sql\n' }),
  script('tools', 'wal'),
  define('tools', 'sqlite-inserts', ['/usr/bin/sqlite3', ':memory:'], {
    input: `CREATE TABLE t(a, b);\n${Array.from({ length: 10_000 }, (_, i) => `INSERT INTO t VALUES(${i}, 'row ${i}');\n`).join('')}SELECT count(*), sum(a), max(b) FROM t;\n`,
    heavy: true,
  }),
  define('tools', 'lua', ['/usr/bin/lua5.4', '/scripts/program.lua']),
  define('tools', 'perl', ['/usr/bin/perl', '/scripts/program.pl']),
]

const strace: SoftwareCase[] = [script('strace', 'strace')]

const procps: SoftwareCase[] = [script('procps', 'procps', { env: ['TERM=dumb'] })]

const unittests = (module: string, details: Details, ...only: string[]) =>
  define('python', module, ['/usr/bin/python3', '/scripts/unittests.py', module, ...only], details)

const python: SoftwareCase[] = [
  define('python', 'version', [
    '/usr/bin/python3',
    '-c',
    'import sys, platform; print(sys.version_info[:2], platform.machine(), sys.maxsize, 2 ** 200, sorted({3, 1, 2}), 1e100)',
  ]),
  define('python', 'traceback', ['/usr/bin/python3', '-c', 'def f(n): return 1 / n\nf(0)'], { heavy: true }),
  define('python', 'concurrency', ['/usr/bin/python3', '/scripts/concurrency.py']),
  ...['test_list', 'test_dict', 'test_re', 'test_json', 'test_threading', 'test_subprocess', 'test_mmap'].map(
    (module) => unittests(module, { heavy: true }),
  ),
]

const redis: SoftwareCase[] = [
  define('redis', 'version', ['/usr/bin/redis-cli', '--version']),
  script('redis', 'redis', { heavy: true }),
]

const jit: SoftwareCase[] = [
  define('jit', 'luajit', ['/usr/bin/luajit', '/scripts/jit.lua']),
  define('jit', 'node', ['/usr/bin/node', '/scripts/program.js'], { heavy: true }),
]

const postgres: SoftwareCase[] = [script('postgres', 'postgres', { heavy: true })]

/** The same program on each allocator: the outputs must also be equal among each other. */
function storms(rounds: number, details: Details): SoftwareCase[] {
  const suffix = details.heavy ? '-long' : ''
  const storm = (program: ProgramName, allocator: string, library?: string) =>
    define(
      'malloc',
      `${program.replace('.musl', '')}-${allocator}${suffix}`,
      [`/programs/${program}`, `${rounds}`],
      {
        ...details,
        ...(library && { env: [`LD_PRELOAD=/usr/lib/riscv64-linux-gnu/${library}`] }),
      },
    )
  return [
    storm('storm.musl', 'musl'),
    ...(['storm', 'storm_cxx'] as const).flatMap((program) => [
      storm(program, 'glibc'),
      storm(program, 'jemalloc', 'libjemalloc.so.2'),
      storm(program, 'mimalloc', 'libmimalloc.so.3'),
      storm(program, 'tcmalloc', 'libtcmalloc_minimal.so.4'),
    ]),
  ]
}

/** Stressor and operations, as stress-ng's options count them; where all of RAM would be too little, of how many bytes. */
const STRESSORS = {
  memory: 'vm:20000:64M mmap:4 brk:2000 stack:2 bigheap:200 malloc:2000 mremap:4:64M madvise:2 msync:50:64M',
  'shared-memory': 'shm:4 memfd:4:64M mmapfork:2 mmapmany:2 mincore:100 munmap:10 fault:500 pagemove:5',
  mappings:
    'mprotect:200 mlock:20 mmapfiles:5 shm-sysv:10 vma:200 bigheap:50 munmap:5 madvise:2 msync:20:64M',
  processes: 'fork:50 vfork:50 vforkmany:20 wait:100 clone:20 pthread:50 zombie:50 kill:1000 nice:10',
  threads: 'futex:1000 mutex:1000 sem:1000 tsearch:2 membarrier:20 yield:1000 switch:500 context:500',
  pipes: 'pipe:1000 fifo:500 eventfd:500 epoll:20 poll:200 sockpair:200 fd-fork:5',
  signals:
    'signal:500 sigq:500 sigfd:200 sigsuspend:100 sigsegv:200 sigpipe:100 sigrt:50 sigchld:50 timer:50',
  files: 'dentry:100 dir:50 rename:200 link:2 symlink:1 chmod:50 open:100 seek:200 hdd:200 dup:20',
} as const

const stress: SoftwareCase[] = Object.entries(STRESSORS).map(([group, stressors]) =>
  define('stress', group, [BUSYBOX, 'sh', '/scripts/stressors.sh', ...stressors.split(' ')], { heavy: true }),
)

export const softwareCases: readonly SoftwareCase[] = [
  ...busybox,
  ...tools,
  ...procps,
  ...strace,
  ...python,
  ...redis,
  ...jit,
  ...postgres,
  ...storms(10_000, {}),
  ...storms(100_000, { heavy: true }),
  ...stress,
]

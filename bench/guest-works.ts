/** What bench:guest measures: the same riscv64 program in Pagoda and in qemu-riscv64, and where there is one its native twin. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findRoot, type RootName } from '../test/software/roots.js'
import { buildBoth, buildStorm, makeData, type Storm } from './guest-programs.js'

/** A command's words. */
type Command = readonly string[]

export interface Work {
  readonly group: string
  readonly name: string
  /** At most so many times qemu-riscv64's time. */
  readonly goal: number
  readonly pagoda: Command
  readonly qemu: Command
  readonly native: Command | undefined
  /** The real kernel in qemu-system-riscv64, Sv39: prints on stderr what the program itself took. */
  readonly system?: Command
  /** The words of a kernel of programs/kernels.c, for v86. */
  readonly kernel?: string
  /** What a user of qemu would start as well; its time counts with qemu's. */
  readonly beside?: Command
  /** Standard input. */
  readonly input?: string
}

/** What cannot be measured here, and why. */
export interface Missing {
  readonly work: string
  readonly why: string
}

/** The group of single loops. */
export const CODE = 'six kernels'
/** The group of the program that does nothing. */
export const START = 'hello'
/** One processor: what the program takes is its own then. */
const REAL_KERNEL: Command = [
  'env',
  'RV_SMP=1',
  fileURLToPath(new URL('../test/riscv64-linux/rv-exec', import.meta.url)),
]
const MEMORY = '1G'
const COUNTS = {
  ...{ xorshift: 200_000_000, collatz: 1_000_000, sum: 400 },
  ...{ chase64k: 200_000_000, chase8m: 10_000_000, sieve: 40 },
}
/** A name, the function of mm_bench.c, and how often it is done: calls and rounds. */
const STORMS = [
  ['map, touch, unmap', 'map_touch_unmap', [20_000, 3], [100_000, 10]],
  ['page faults', 'fault_recycled', [200_000, 3], [1_000_000, 4]],
  ['fork and wait', 'fork_wait', [500, 3], [1000, 5]],
] as const
const INSERTS = `create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
  insert into t select i, hex(i * 7919), i * 1.5 from n;
select count(*), sum(c), max(b), avg(length(b)) from t group by a % 7;`
const LOOPS = `
def work(n):
    x = 0
    table = {}
    for i in range(n):
        x = (x * 31 + i) % 1000003
        table[x & 1023] = i
    return x, len(table)
print(work(1500000))`

export class Works {
  readonly all: Work[] = []
  readonly missing: Missing[] = []
  readonly #qemu: string
  readonly #pagoda: Command
  readonly #data = makeData()

  /** `qemu`: qemu-riscv64; `pagoda`: the command's words. */
  constructor(qemu: string, pagoda: Command) {
    this.#qemu = qemu
    this.#pagoda = [...pagoda, 'run', '--no-report', '--memory', MEMORY]
    for (const [name, count] of Object.entries(COUNTS)) {
      this.#own(CODE, 'kernels', name, 1.15, [name, `${count}`], (program) => ({
        system: [...REAL_KERNEL, program, name, `${count}`, 'time'],
        kernel: `${name} ${count}`,
      }))
    }
    this.#own('floating point', 'floats', 'orbits of five bodies', 3, ['orbits', '400000'])
    this.#own('floating point', 'floats', 'linear equations', 3, ['equations', '25'])
    // Short: V8 compiles the kernel meanwhile. Long: it has.
    for (const [name, run, short, long] of STORMS) {
      for (const [count, rounds] of [short, long]) {
        const times = (count * rounds).toLocaleString('en')
        this.#own('memory', 'mm_bench', `${name}, ${times} times`, 0.7, [run, `${count}`, `${rounds}`])
      }
    }
    this.#own(START, 'hello', 'hello, world, the whole process', 1.5, [], () => ({
      beside: [process.execPath, '-e', '0'],
    }))
    this.#debian()
    this.#allocators()
  }

  #own(
    group: string,
    program: string,
    name: string,
    goal: number,
    args: Command,
    more: (riscv64: string) => Pick<Work, 'system' | 'kernel' | 'beside'> = () => ({}),
  ): void {
    const { native, riscv64 } = buildBoth(program)
    if (riscv64 === undefined) {
      this.missing.push({ work: name, why: 'no riscv64-linux-gnu-gcc' })
      return
    }
    const pagoda = [...this.#pagoda, riscv64, ...args]
    const qemu = [this.#qemu, riscv64, ...args]
    this.all.push({
      group,
      name,
      goal,
      pagoda,
      qemu,
      native: native === undefined ? undefined : [native, ...args],
      ...more(riscv64),
    })
  }

  #debian(): void {
    const file = (name: string): string => `${this.#data}/${name}`
    const busybox = (name: string, args: Command): void =>
      this.#inRoot('busybox', 'busybox', name, 1.5, '/usr/bin/busybox', args)
    busybox('md5sum of 64 MiB', ['md5sum', file('bytes')])
    busybox('gzip of 8 MiB', ['gzip', '-c', file('text')])
    busybox('sort of a million lines', ['sort', file('lines')])
    this.#inRoot('tools', 'sqlite3', '100,000 inserts and an aggregate', 1.5, '/usr/bin/sqlite3', [
      ':memory:',
      INSERTS,
    ])
    this.#inRoot('python', 'python3', 'start-up', 2, '/usr/bin/python3', ['-c', 'print(1)'])
    this.#inRoot('python', 'python3', 'loops', 2, '/usr/bin/python3', ['-c', LOOPS])
  }

  /** Five threads that allocate, with the allocators of three libraries, and containers of C++. */
  #allocators(): void {
    const libraries = '/usr/lib/riscv64-linux-gnu'
    const storms = [
      ['glibc', 'storm', []],
      ['musl', 'storm.musl', []],
      ['jemalloc', 'storm', [`LD_PRELOAD=${libraries}/libjemalloc.so.2`]],
      ['mimalloc', 'storm', [`LD_PRELOAD=${libraries}/libmimalloc.so.3`]],
    ] as const
    for (const [name, program, env] of storms) {
      this.#built('allocators', `storm of malloc, ${name}`, program, env)
    }
    this.#built('allocators', 'containers of C++', 'storm_cxx', [])
  }

  #built(group: string, name: string, program: Storm, env: Command): void {
    const path = buildStorm(program)
    if (path === undefined) this.missing.push({ work: name, why: 'no compiler for it' })
    else this.#inRoot('malloc', group, name, 1.5, path, [], env)
  }

  /** A program of a Debian root, or one of ours that runs in it. The folder of files has the same place in the guest. */
  #inRoot(
    root: RootName,
    group: string,
    name: string,
    goal: number,
    program: string,
    args: Command,
    env: Command = [],
  ): void {
    const folder = findRoot(root)
    if (folder === undefined) {
      this.missing.push({ work: name, why: `Debian's ${root} is not there (npm run test:setup)` })
      return
    }
    const isInside = program.startsWith('/usr/')
    const mounts = [
      '--mount',
      `${this.#data}:${this.#data}:ro`,
      '--mount',
      `${dirname(program)}:/programs:ro`,
    ]
    const guest = isInside ? program : program.replace(dirname(program), '/programs')
    const variables = env.flatMap((text) => ['--env', text])
    const pagoda = [
      ...this.#pagoda,
      '--root',
      folder,
      ...(isInside ? mounts.slice(0, 2) : mounts),
      ...variables,
      guest,
    ]
    const qemu = [
      this.#qemu,
      '-L',
      folder,
      ...env.flatMap((text) => ['-E', text]),
      isInside ? folder + program : program,
    ]
    this.all.push({
      group,
      name,
      goal,
      pagoda: [...pagoda, ...args],
      qemu: [...qemu, ...args],
      native: undefined,
    })
  }
}

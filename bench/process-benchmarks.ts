/** Processes: fork, exec and switching between two of them, all as a guest program's own work. */
import type { Benchmark, Goal } from './benchmark.js'
import type { MmBench } from './mm-bench.js'

interface Operation {
  readonly name: string
  /** Its name in mm_bench.c. */
  readonly operation: string
  readonly goal: Goal | null
  /** Operations a round: in Pagoda, and beside it. */
  readonly guest: number
  readonly peers: number
  /** qemu user mode cannot exec a riscv64 program without help of the host's kernel. */
  readonly inQemu: boolean
}

const operations: readonly Operation[] = [
  {
    name: 'fork + exit + wait, small',
    operation: 'fork_wait',
    goal: null,
    guest: 200,
    peers: 200,
    inQemu: true,
  },
  {
    name: 'fork + exit + wait, 64 MiB touched',
    operation: 'fork_wait_64',
    goal: { ofNative: 0.5 },
    guest: 10,
    peers: 50,
    inQemu: true,
  },
  {
    name: 'fork + exec + exit + wait',
    operation: 'exec_wait',
    goal: null,
    guest: 50,
    peers: 50,
    inQemu: false,
  },
  {
    name: 'a byte there and back by pipes',
    operation: 'pipe_ping_pong',
    goal: null,
    guest: 2000,
    peers: 2000,
    inQemu: true,
  },
  {
    name: 'a turn there and back by futex',
    operation: 'futex_ping_pong',
    goal: null,
    guest: 2000,
    peers: 2000,
    inQemu: true,
  },
]

export function processBenchmarks(bench: MmBench): Benchmark[] {
  if (!bench.hasGuest) return []
  return operations.map(({ name, operation, goal, guest, peers, inQemu }) => ({
    group: 'processes',
    name: `${name}, with trap`,
    unit: 'ns',
    goal,
    sides: () => ({
      ours: bench.guest(operation, guest),
      peers: {
        native: bench.nativeRun(operation, peers),
        qemu: inQemu ? bench.qemuRun(operation, peers) : undefined,
      },
    }),
  }))
}

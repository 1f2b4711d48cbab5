/** How fast the hart is: two loops of mm_bench.c, by the turn and by the instruction. */
import type { Benchmark, Contender } from './benchmark.js'
import { InstructionRate } from './guest-run.js'
import type { MmBench } from './mm-bench.js'

interface Loop {
  readonly name: string
  /** Its name in mm_bench.c. */
  readonly operation: string
}

const loops: readonly Loop[] = [
  { name: 'integer loop', operation: 'loop' },
  { name: 'memory loop, 64 KiB', operation: 'memory' },
]
const GUEST_TURNS = 1_000_000
const PEER_TURNS = 10_000_000

export function instructionBenchmarks(bench: MmBench): Benchmark[] {
  if (!bench.hasGuest) return []
  return loops.flatMap((loop) => [turnTime(loop, bench), instructionRate(loop, bench)])
}

function turnTime({ name, operation }: Loop, bench: MmBench): Benchmark {
  return {
    group: 'guest instructions',
    name: `${name}, one turn`,
    unit: 'ns',
    goal: null,
    sides: () => ({ ours: bench.guest(operation, GUEST_TURNS), peers: bench.peers(operation, PEER_TURNS) }),
  }
}

/** qemu runs the same binary, so that Pagoda's count of instructions is its own too. */
function instructionRate({ name, operation }: Loop, bench: MmBench): Benchmark {
  return {
    group: 'guest instructions',
    name: `${name}, per second`,
    unit: 'million',
    goal: null,
    sides: () => {
      const guest = bench.guest(operation, GUEST_TURNS)
      const rate = (side: Contender) => new InstructionRate(side, guest)
      const qemu = bench.qemuRun(operation, PEER_TURNS)
      return { ours: rate(guest), peers: { qemu: qemu && rate(qemu) } }
    },
  }
}

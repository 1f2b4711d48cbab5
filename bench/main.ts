/** npm run bench: measures Pagoda beside native Linux and qemu-riscv64, prints a table, writes it as JSON. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compileBatches, tuneEngine } from '../src/cli/engine.js'
import { allocatorBenchmarks } from './allocator-benchmarks.js'
import { type Benchmark, type Rounds, type Row, runBenchmark } from './benchmark.js'
import { ENVIRONMENT_TEXT } from './environment.js'
import { instructionBenchmarks } from './instruction-benchmarks.js'
import { describeMachine, type MachineDescription } from './machine.js'
import { memoryBenchmarks } from './memory-benchmarks.js'
import { MmBench } from './mm-bench.js'
import { pagingBenchmarks } from './paging-benchmarks.js'
import { processBenchmarks } from './process-benchmarks.js'
import { tableHead, tableRow } from './table.js'
import { treeBenchmarks } from './tree-benchmarks.js'

const USAGE = `usage: npm run bench -- [--only REGEX] [--quick] [--json FILE]

  --only REGEX   rows whose "group: name" matches, such as "page fault: .*no trap"
  --quick        a few rounds, 2 s a row: a look, not a result
  --json FILE    writes {machine, method, rows}; a row is {group, name, unit, ours, peers, goal, met}
`
/**
 * V8 compiles when a function is found hot, and not beside it on a thread that a busy machine keeps waiting: so after the same work
 * everything is compiled, in a quick run too.
 */
const COMPILE_AT_ONCE = '--no-concurrent-recompilation'
const ROUNDS: Rounds = { least: 12, time: 6000 }
const ROUNDS_QUICK: Rounds = { least: 3, time: 2000 }

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
        row: { type: 'string' }, // ours: see measureApart
      },
    })
    return { ...values, only: new RegExp(values.only ?? '') }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

function allBenchmarks(bench: MmBench): Benchmark[] {
  return [
    ...memoryBenchmarks(bench),
    ...allocatorBenchmarks(bench),
    ...pagingBenchmarks(bench),
    ...processBenchmarks(bench),
    ...instructionBenchmarks(bench),
    ...treeBenchmarks(),
  ]
}

function methodText({ least, time }: Rounds): string {
  return `CPU time, minimum of at least ${least} rounds and ${time / 1000} s, all sides of a row in turns, each row in a process of its own; a round of what is called from
TypeScript is the best of many short runs; warm: V8 has compiled what it needs, inlining as much as for the command
(src/cli/engine.ts: with V8's own settings, as a library has them, short calls take up to 1.7 times as long); transparent
huge pages off but in their own rows. "no trap": called from TypeScript; "with trap": a guest program, with its
instructions, trap and system call. native and qemu-riscv64 run the same C source. A fresh frame is known to be zero:
"no trap" does not touch it, "with trap" the host faults its own memory in behind it. Only the VMA tree and the
faults on two threads are measured by the wall clock. A huge page has no goal: filling it is most of it, on both sides. What the host
takes for the first touch of its own page is in a fresh frame "with trap". Programs of the peers: ${ENVIRONMENT_TEXT}.`
}

function machineText({ cpu, cpus, node, kernel, virtualised, load }: MachineDescription): string {
  return `${cpu}, ${cpus} CPUs, ${kernel}, Node ${node}; virtualised: ${virtualised}; load ${load}`
}

/**
 * Measures a row in a process of its own, this program with `--row`: what V8 has learned from one benchmark slows the
 * next one down, and a row is to be the same alone and in the full table.
 */
function measureApart(index: number, quick: boolean): Row {
  const args = [...process.execArgv, COMPILE_AT_ONCE, process.argv[1]!, '--row', String(index)]
  if (quick) args.push('--quick')
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) process.exit(1)
  return JSON.parse(stdout) as Row
}

/** Prints each row as soon as it is measured. */
function measureAll(benchmarks: readonly Benchmark[], only: RegExp, quick: boolean): Row[] {
  const rows: Row[] = []
  benchmarks.forEach(({ group, name }, index) => {
    if (!only.test(`${group}: ${name}`)) return
    if (group !== rows[rows.length - 1]?.group) console.log(group)
    rows.push(measureApart(index, quick))
    console.log(tableRow(rows[rows.length - 1]!))
  })
  return rows
}

function main(): void {
  const { only, quick, json, row } = options()
  const rounds = quick ? ROUNDS_QUICK : ROUNDS
  const bench = new MmBench()
  const benchmarks = allBenchmarks(bench)
  if (row !== undefined) {
    tuneEngine() // as the command does: what is called from TypeScript is measured as what a guest calls
    compileBatches()
    console.log(JSON.stringify(runBenchmark(benchmarks[Number(row)]!, rounds)))
    return
  }
  bench.warnOfAbsent()
  const machine = describeMachine()
  console.log(`${machineText(machine)}\n\n${tableHead()}`)
  const rows = measureAll(benchmarks, only, quick)
  const method = methodText(rounds)
  console.log(`\n${method}`)
  if (rows.length === 0) console.error(`no row matches ${only}`)
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, method, rows }, undefined, 2)}\n`)
}

main()

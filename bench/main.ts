/** npm run bench: measures Pagoda beside native Linux and qemu-riscv64, prints a table, writes it as JSON. */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { allocatorBenchmarks } from './allocator-benchmarks.js'
import { type Benchmark, type Row, runBenchmark } from './benchmark.js'
import { instructionBenchmarks } from './instruction-benchmarks.js'
import { describeMachine, type MachineDescription } from './machine.js'
import { memoryBenchmarks } from './memory-benchmarks.js'
import { MmBench } from './mm-bench.js'
import { tableHead, tableRow } from './table.js'
import { treeBenchmarks } from './tree-benchmarks.js'

const USAGE = `usage: npm run bench -- [--only REGEX] [--quick] [--json FILE]

  --only REGEX   rows whose "group: name" matches, such as "page fault, no trap"
  --quick        few rounds: a look, not a result
  --json FILE    writes {machine, method, rows}; a row is {group, name, unit, ours, peers, goal, met}
`
const ROUNDS = 12
const ROUNDS_QUICK = 3

function options() {
  try {
    const { values } = parseArgs({
      options: { only: { type: 'string' }, quick: { type: 'boolean' }, json: { type: 'string' } },
    })
    return { only: new RegExp(values.only ?? ''), quick: values.quick ?? false, json: values.json }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

function allBenchmarks(): Benchmark[] {
  const bench = new MmBench()
  return [
    ...memoryBenchmarks(bench),
    ...allocatorBenchmarks(bench),
    ...instructionBenchmarks(bench),
    ...treeBenchmarks(),
  ]
}

function methodText(rounds: number): string {
  return `CPU time, minimum of ${rounds} rounds, all sides of a row in turns in this run, transparent huge pages off; warm: V8
has compiled what it needs. "no trap": called from TypeScript; "with trap": a guest program, its instructions, trap and
system call included. native and qemu-riscv64 run the same C source. A fresh frame is known to be zero: "no trap" does
not touch it, "with trap" the host faults its own memory in behind it. Only the VMA tree is measured by the wall clock.`
}

function machineText({ cpu, cpus, node, kernel, virtualised, load }: MachineDescription): string {
  return `${cpu}, ${cpus} CPUs, ${kernel}, Node ${node}; virtualised: ${virtualised}; load ${load}`
}

function run(benchmarks: readonly Benchmark[], rounds: number): Row[] {
  let group = ''
  return benchmarks.map((benchmark) => {
    const row = runBenchmark(benchmark, rounds)
    if (row.group !== group) console.log(row.group)
    group = row.group
    console.log(tableRow(row))
    return row
  })
}

function main(): void {
  const { only, quick, json } = options()
  const chosen = allBenchmarks().filter(({ group, name }) => only.test(`${group}: ${name}`))
  const rounds = quick ? ROUNDS_QUICK : ROUNDS
  const machine = describeMachine()
  const method = methodText(rounds)
  console.log(`${machineText(machine)}\n\n${tableHead()}`)
  const rows = run(chosen, rounds)
  console.log(`\n${method}`)
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, method, rows }, undefined, 2)}\n`)
}

main()

/**
 * npm run bench:guest: whole programs in Pagoda, in qemu-riscv64 and natively, by CPU time, start-up included. Prints a table and
 * writes it to bench/RESULTS.md.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findOracle } from '../test/setup/oracles.js'
import { cpuSeconds } from './guest-time.js'
import { type Work, Works } from './guest-works.js'
import { describeMachine } from './machine.js'

const USAGE = `usage: npm run bench:guest -- [--only REGEX] [--rounds N] [--interpreted] [--write]

  --only REGEX    works whose "group: name" matches
  --rounds N      each side of each work so often, in turns; the minimum counts (default 3)
  --interpreted   also without the translator
  --write         write bench/RESULTS.md
`
const repository = fileURLToPath(new URL('..', import.meta.url))
const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url))

/** Seconds of CPU; a side that is not there has none. */
interface Row {
  readonly work: Work
  readonly pagoda: number
  readonly qemu: number
  readonly native: number | undefined
  readonly interpreted: number | undefined
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: '' },
        rounds: { type: 'string', default: '3' },
        interpreted: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
      },
    })
    return { ...values, only: new RegExp(values.only), rounds: Math.max(1, Number(values.rounds)) }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

/** Times differ each time, threads take turns in another order, and this machine may have no fused multiply-add. */
function mayDiffer({ group }: Work, side: string): boolean {
  return group === 'memory' || group === 'allocators' || (group === 'floating point' && side === 'native')
}

function measure(work: Work, rounds: number, interpreted: boolean): Row {
  const off = work.pagoda.flatMap((word) => (word === 'run' ? [word, '--translate', 'off'] : [word]))
  const sides = {
    qemu: work.qemu,
    pagoda: work.pagoda,
    native: work.native,
    interpreted: interpreted ? off : undefined,
  }
  const best = new Map<string, number>()
  let expected: string | undefined
  for (let round = 0; round < rounds; round++) {
    for (const [side, command] of Object.entries(sides)) {
      if (command === undefined) continue
      const { seconds, output } = cpuSeconds(command, mayDiffer(work, side) ? undefined : expected)
      expected ??= output
      best.set(side, Math.min(best.get(side) ?? Number.POSITIVE_INFINITY, seconds))
    }
  }
  const [qemu, pagoda] = [best.get('qemu')!, best.get('pagoda')!]
  return { work, qemu, pagoda, native: best.get('native'), interpreted: best.get('interpreted') }
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

const seconds = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2))

function rowText({ work, pagoda, qemu, native, interpreted }: Row): string {
  const ratio = pagoda / qemu
  const cells = [
    `${work.group}: ${work.name}`,
    seconds(pagoda),
    seconds(qemu),
    seconds(native),
    seconds(interpreted),
  ]
  const met = work.group === 'six kernels' ? '' : ratio <= work.goal ? 'yes' : 'no'
  return `| ${[...cells, ratio.toFixed(2), work.group === 'six kernels' ? '' : `≤ ${work.goal}`, met].join(' | ')} |`
}

function meanText(rows: readonly Row[]): string[] {
  const kernels = rows.filter(({ work }) => work.group === 'six kernels')
  if (kernels.length === 0) return []
  const mean = geometricMean(kernels.map(({ pagoda, qemu }) => pagoda / qemu))
  const { goal } = kernels[0]!.work
  return [
    `| six kernels: geometric mean | | | | | ${mean.toFixed(2)} | ≤ ${goal} | ${mean <= goal ? 'yes' : 'no'} |`,
  ]
}

const HEAD = `| work | Pagoda, s | qemu-riscv64, s | native, s | interpreted, s | Pagoda / qemu | goal | met |
| --- | --- | --- | --- | --- | --- | --- | --- |`

function machineText(): string {
  const { cpu, cpus, node, v8, kernel, virtualised, load } = describeMachine()
  return `${cpu}, ${cpus} CPUs, ${kernel}, Node ${node} (V8 ${v8}); virtualised: ${virtualised}; load ${load} at the start`
}

function resultsText(machine: string, rows: readonly Row[], works: Works, rounds: number): string {
  const missing = works.missing.map(({ work, why }) => `- ${work}: ${why}`)
  return `# Programs in Pagoda and in qemu-riscv64

Written by \`npm run bench:guest -- --write\`: CPU seconds, user and system, of whole processes, start-up of Node and of the machine included
(the row "hello" is little else); the minimum of ${rounds} rounds in turns. Pagoda and qemu-riscv64 ${qemuVersion()} run the same riscv64 program and must print the same; native
is the same C source on this machine. Pagoda walks page tables at every TLB miss and is its own kernel; qemu-riscv64 does neither.

${machine}

${HEAD}
${[...rows.map(rowText), ...meanText(rows)].join('\n')}

Not measured: qemu-system-riscv64 and v86 (no rows for them yet)${missing.length > 0 ? '; and here\n' : '.'}
${missing.join('\n')}`
    .trimEnd()
    .concat('\n')
}

function qemuVersion(): string {
  const text = execFileSync(findOracle('qemuUser')!, ['--version'], { encoding: 'utf8' })
  return /version (\S+)/.exec(text)?.[1] ?? 'unknown'
}

function main(): void {
  const { only, rounds, interpreted, write } = options()
  const qemu = findOracle('qemuUser')
  if (qemu === undefined) throw new Error('qemu-riscv64 is not there: npm run test:setup')
  execFileSync(process.execPath, ['scripts/build.mjs', '--no-types'], { cwd: repository, stdio: 'inherit' })
  const works = new Works(qemu, [process.execPath, `${repository}bin/pagoda.js`])
  const machine = machineText()
  console.log(`${machine}\n\n${HEAD}`)
  const rows = works.all
    .filter(({ group, name }) => only.test(`${group}: ${name}`))
    .flatMap((work) => {
      try {
        const row = measure(work, rounds, interpreted)
        console.log(rowText(row))
        return [row]
      } catch (error) {
        // A side may die of it: qemu-riscv64 does of mimalloc.
        const why = (error as Error).message.split('\n')[0]!
        console.error(why)
        works.missing.push({ work: work.name, why })
        return []
      }
    })
  for (const line of meanText(rows)) console.log(line)
  if (write) writeFileSync(RESULTS, resultsText(machine, rows, works, rounds))
}

main()

/**
 * npm run bench:guest: whole programs in Pagoda, in qemu-riscv64 and natively, by CPU time, start-up included. Prints a table and
 * writes it to bench/RESULTS.md and into the README.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findOracle } from '../test/setup/oracles.js'
import { cpuSeconds, ownSeconds } from './guest-time.js'
import { CODE, START, type Work, Works } from './guest-works.js'
import { describeMachine } from './machine.js'

const USAGE = `usage: npm run bench:guest -- [--only REGEX] [--rounds N] [--interpreted] [--write]

  --only REGEX    works whose "group: name" matches
  --rounds N      each side of each work so often, in turns; the minimum counts (default 3)
  --interpreted   also without the translator
  --write         write bench/RESULTS.md and the README's table
`
/** The six kernels against the real kernel's page tables. */
const SYSTEM_GOAL = 0.8
const repository = fileURLToPath(new URL('..', import.meta.url))
const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url))
const README = fileURLToPath(new URL('../README.md', import.meta.url))
const BEGIN = '<!-- npm run bench:guest -- --write: begin -->'
const END = '<!-- npm run bench:guest -- --write: end -->'

const SIDES = ['pagoda', 'qemu', 'system', 'native', 'interpreted', 'beside'] as const
/** `beside`: what counts with qemu's. */
type Side = (typeof SIDES)[number]
/** Seconds of CPU; a side that is not there has none. */
type Row = { readonly work: Work } & Readonly<Record<Side, number>>

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
  const best = Object.fromEntries(SIDES.map((side) => [side, Number.NaN])) as Record<Side, number>
  let expected: string | undefined
  const run = (side: Side, command: readonly string[] | undefined): void => {
    if (command === undefined) return
    const same = side === 'beside' || mayDiffer(work, side) ? undefined : expected
    if (side === 'system') {
      best.system = Math.min(best.system || Infinity, ownSeconds(command, same))
      return
    }
    const { seconds, output } = cpuSeconds(command, same)
    expected ??= output
    best[side] = Math.min(best[side] || Infinity, seconds)
  }
  for (let round = 0; round < rounds; round++) {
    run('qemu', work.qemu)
    run('beside', work.beside)
    run('pagoda', work.pagoda)
    run('native', work.native)
    run('system', work.system)
    if (interpreted) run('interpreted', off)
  }
  return { work, ...best }
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

const seconds = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(2))
const verdict = (ratio: number, goal: number): string[] => [`≤ ${goal}`, ratio <= goal ? 'yes' : 'no']

const ratioOf = ({ pagoda, qemu, beside }: Row): number => pagoda / (qemu + (beside || 0))
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** The rows as Markdown. `start` is the row of the program that does nothing. */
class Table {
  readonly #start: Row
  readonly #columns: readonly [string, Side][]

  constructor(start: Row) {
    this.#start = start
    this.#columns = [
      ['Pagoda, s', 'pagoda'],
      ['qemu-riscv64, s', 'qemu'],
      ['qemu-system, s', 'system'],
      ['native, s', 'native'],
    ]
    if (!Number.isNaN(start.interpreted))
      this.#columns = [...this.#columns, ['interpreted, s', 'interpreted']]
  }

  head(): string {
    const names = this.#columns.map(([name]) => name)
    const all = ['work', ...names, 'Pagoda / qemu', 'without the start', 'goal', 'met']
    return `${line(all)}\n${line(all.map(() => '---'))}`
  }

  row(row: Row): string {
    const { group, name, goal } = row.work
    const times = this.#columns.map(([, side]) => seconds(row[side]))
    const ratio = ratioOf(row)
    const judged = group === CODE ? ['', ''] : verdict(ratio, goal)
    return line([`${group}: ${name}`, ...times, ratio.toFixed(2), this.#withoutStart(row), ...judged])
  }

  #withoutStart(row: Row): string {
    if (row.work.group === START) return ''
    return ((row.pagoda - this.#start.pagoda) / (row.qemu - this.#start.qemu)).toFixed(2)
  }

  means(rows: readonly Row[]): string[] {
    const kernels = rows.filter(({ work }) => work.group === CODE)
    if (kernels.length === 0) return []
    const mean = (side: Side) => geometricMean(kernels.map((row) => row.pagoda / row[side]))
    const none = this.#columns.map(() => '')
    const text = (name: string, ratio: number, goal: number) =>
      line([`${CODE}: geometric mean${name}`, ...none, ratio.toFixed(2), '', ...verdict(ratio, goal)])
    const lines = [text('', mean('qemu'), kernels[0]!.work.goal)]
    const system = mean('system')
    return Number.isNaN(system) ? lines : [...lines, text(', against qemu-system', system, SYSTEM_GOAL)]
  }

  text(rows: readonly Row[]): string {
    return [this.head(), ...rows.map((row) => this.row(row)), ...this.means(rows)].join('\n')
  }
}

function machineText(): string {
  const { cpu, cpus, node, v8, kernel, virtualised, load } = describeMachine()
  return `${cpu}, ${cpus} CPUs, ${kernel}, Node ${node} (V8 ${v8}); virtualised: ${virtualised}; load ${load} at the start`
}

function resultsText(machine: string, table: string, works: Works, rounds: number): string {
  const missing = works.missing.map(({ work, why }) => `- ${work}: ${why}`)
  return `# Programs in Pagoda and in qemu-riscv64

Written by \`npm run bench:guest -- --write\`: CPU seconds, user and system, of whole processes, start-up of Node and of the machine included; ${
    rounds === 1 ? 'one round' : `the minimum of ${rounds} rounds in turns`
  }. Pagoda and qemu-riscv64 ${qemuVersion()} run the same riscv64 program and must print the same; native is the same C source on this
machine. Pagoda walks page tables at every TLB miss and is its own kernel; qemu-riscv64 does neither. qemu-system is qemu-system-riscv64 with Debian's kernel and Sv39:
what the program itself took by the clock of that machine, without its start; on a busy host that counts too much. "Without the start": the same
without what hello takes on either side. To qemu's hello, in the ratio, the time of \`node -e 0\` is added.

${machine}

${table}

Not measured: v86 (no rows for it)${missing.length > 0 ? '; and here\n' : '.'}
${missing.join('\n')}`
    .trimEnd()
    .concat('\n')
}

/** The README's table is between two marks. */
function writeReadme(machine: string, rows: string): void {
  const text = readFileSync(README, 'utf8')
  const table = `${BEGIN}\n${machine}\n\n${rows}\n${END}`
  const start = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (start < 0 || end < start) throw new Error('README.md has no place for the table')
  writeFileSync(README, text.slice(0, start) + table + text.slice(end + END.length))
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
  const start = measure(works.all.find(({ group }) => group === START)!, rounds, interpreted)
  const table = new Table(start)
  console.log(`${machine}\n\n${table.head()}`)
  const rows: Row[] = []
  for (const work of works.all.filter(({ group, name }) => only.test(`${group}: ${name}`))) {
    try {
      const row = work === start.work ? start : measure(work, rounds, interpreted)
      console.log(table.row(row))
      rows.push(row)
    } catch (error) {
      // A side may die of it: qemu-riscv64 does of mimalloc.
      // The folders of this machine are nobody's concern.
      const why = (error as Error).message.split('\n')[0]!.replace(/(?<=^|[\s=])\/\S*\//g, '')
      console.error(why)
      works.missing.push({ work: work.name, why })
    }
  }
  for (const mean of table.means(rows)) console.log(mean)
  if (!write) return
  writeFileSync(RESULTS, resultsText(machine, table.text(rows), works, rounds))
  writeReadme(machine, table.text(rows))
}

main()

/**
 * npm run bench:guest: whole programs in Pagoda, in qemu-riscv64 and natively, by CPU time, start-up included. Prints a table and
 * writes it to bench/RESULTS.md and into the README.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findOracle } from '../test/setup/oracles.js'
import { ENVIRONMENT_TEXT } from './environment.js'
import { type Row, SIDES, type Side, Table } from './guest-table.js'
import { cpuSeconds, ownSeconds } from './guest-time.js'
import { START, type Work, Works } from './guest-works.js'
import { describeMachine } from './machine.js'
import { missingForV86 } from './v86-parts.js'

const USAGE = `usage: npm run bench:guest -- [--only REGEX] [--rounds N] [--interpreted] [--v86] [--write]

  --only REGEX    works whose "group: name" matches
  --rounds N      each side of each work so often, in turns; the minimum counts (default 3)
  --interpreted   also without the translator
  --v86           the kernels also in v86, once (boots Debian's kernel for a 686: some minutes)
  --write         write bench/RESULTS.md and the README's table
`
/** Runs before those that are measured as later ones: each translates what those before it have not. */
const RUNS_BEFORE = 4

const repository = fileURLToPath(new URL('..', import.meta.url))
const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url))
const README = fileURLToPath(new URL('../README.md', import.meta.url))
/** What stands in RESULTS.md from here on is not the command's: tables that were measured elsewhere. */
const ELSEWHERE = '## On other machines'
const BEGIN = '<!-- npm run bench:guest -- --write: begin -->'
const END = '<!-- npm run bench:guest -- --write: end -->'

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: '' },
        rounds: { type: 'string', default: '3' },
        interpreted: { type: 'boolean', default: false },
        v86: { type: 'boolean', default: false },
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

/** Pagoda's command with more options. */
function withOptions({ pagoda }: Work, ...options: string[]): string[] {
  return pagoda.flatMap((word) => (word === 'run' ? [word, ...options] : [word]))
}

function measure(work: Work, rounds: number, interpreted: boolean): Row {
  const folder = mkdtempSync(join(tmpdir(), 'pagoda-bench-'))
  try {
    return measureIn(folder, work, rounds, interpreted)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** `folder`: for what Pagoda keeps between runs. */
function measureIn(folder: string, work: Work, rounds: number, interpreted: boolean): Row {
  const [none, full] = [join(folder, 'none'), join(folder, 'full')]
  const off = withOptions(work, '--translate', 'off')
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
  const again = withOptions(work, '--code-cache', full)
  for (let before = 0; before < RUNS_BEFORE; before++) cpuSeconds(again)
  for (let round = 0; round < rounds; round++) {
    run('qemu', work.qemu)
    run('beside', work.beside)
    rmSync(none, { recursive: true, force: true })
    run('pagoda', withOptions(work, '--code-cache', none))
    run('again', again)
    run('native', work.native)
    run('system', work.system)
    if (interpreted) run('interpreted', off)
  }
  return { work, ...best }
}

/** Seconds of each kernel in v86, by its name; one boot for all. */
function measureV86(works: readonly Work[]): Readonly<Record<string, number>> {
  const kernels = works.flatMap(({ kernel }) => kernel ?? [])
  if (kernels.length === 0) return {}
  const script = ['scripts/run-ts.mjs', 'bench/v86-main.ts', ...kernels]
  return JSON.parse(execFileSync(process.execPath, script, { cwd: repository, encoding: 'utf8' }))
}

/** What is missing here is no bug of ours: no stack trace. */
function refuse(problem: string): never {
  console.error(problem)
  process.exit(1)
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
what the program itself took by the clock of that machine, without its start; on a busy host that counts too much. Pagoda is the first run of a
program, "again" a later one (after ${RUNS_BEFORE} others), which has what those have translated (\`--code-cache\`); a goal that is met "again" is met by later runs only.
"Without the start": the same without what hello takes on either side. To qemu's hello, in the ratio, the time of \`node -e 0\` is added. Programs are measured in a
small environment, the same on all sides: ${ENVIRONMENT_TEXT}. v86 emulates
a 686 in JavaScript and WebAssembly; it boots Debian 12's kernel with the same C source built for that, and the time is by the clock of that machine, once.

${machine}

${table}

${missing.length > 0 ? `Not measured here:\n\n${missing.join('\n')}` : ''}`
    .trimEnd()
    .concat('\n')
}

function writeResults(text: string): void {
  const before = readFileSync(RESULTS, 'utf8')
  const start = before.indexOf(ELSEWHERE)
  writeFileSync(RESULTS, start < 0 ? text : `${text}\n${before.slice(start)}`)
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
  const { only, rounds, interpreted, v86, write } = options()
  const qemu = findOracle('qemuUser') ?? refuse('qemu-riscv64 is not there: npm run test:setup')
  const problem = v86 ? missingForV86() : undefined
  if (problem !== undefined) refuse(problem)
  execFileSync(process.execPath, ['scripts/build.mjs', '--no-types'], { cwd: repository, stdio: 'inherit' })
  const works = new Works(qemu, [process.execPath, `${repository}bin/pagoda.js`])
  const machine = machineText()
  const start = measure(works.all.find(({ group }) => group === START)!, rounds, interpreted)
  const table = new Table(start, v86)
  console.log(`${machine}\n\n${table.head()}`)
  const rows: Row[] = []
  const chosen = works.all.filter(({ group, name }) => only.test(`${group}: ${name}`))
  const inV86 = v86 ? measureV86(chosen) : {}
  for (const work of chosen) {
    try {
      const measured = work === start.work ? start : measure(work, rounds, interpreted)
      const row = { ...measured, v86: inV86[work.name] ?? Number.NaN }
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
  writeResults(resultsText(machine, table.text(rows), works, rounds))
  writeReadme(machine, table.text(rows))
}

main()

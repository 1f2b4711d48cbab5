/** `npm run oracle:linux`: random mapping calls on a real kernel and in Pagoda, now, until enough have been compared. */
import { parseArgs } from 'node:util'
import { Random } from '../../src/base/random.js'
import { buildPrograms } from '../setup/programs.js'
import { CondensingPrinter, type LinePrinter, PlainPrinter } from './in-process/printers.js'
import { replay } from './in-process/replay.js'
import { askLinuxAll, askPagoda, NoAnswer } from './run-scripts.js'
import {
  CONDENSED,
  compareLogs,
  type Log,
  logOptions,
  type Policy,
  type Script,
  scriptText,
  WITHOUT_HART,
} from './scripts.js'

const HELP = `usage: npm run oracle:linux -- [options]

Random mapping calls (test/vma-oracle) on a real riscv64 Linux and in Pagoda; what comes of each is compared.

  --ops N            operations in all (default 10000)
  --seed S           of the first script (default: chosen and printed)
  --policy P         where the mappings lie: fixed, top, bottom, or all in turns (default all)
  --script N         operations in one script (default 4000)
  --pages N          of the window (default: 128, 512, 256 and 4096 in turns; of huge pages 4096 and 8192)
  --huge P           of so many scripts in a hundred huge pages are the subject (default 25)
  --direct           without a hart: the scripts' calls are made of the memory manager itself, which costs much less
                     (and leaves out what is no call of its)
  --without PATTERN  lines of the scripts to leave out: a regular expression
  --batch N          scripts in one boot of the real kernel (default 10)
  --keep-going       do not stop at the first script that differs
  --help             this text

Exit code 1 when something differs, 2 when an option is wrong, 3 when the real kernel does not answer (RV_TIMEOUT: seconds for one boot, 600).`

const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    policy: { type: 'string', default: 'all' },
    pages: { type: 'string' },
    without: { type: 'string', default: '^$' },
    script: { type: 'string', default: '4000' },
    huge: { type: 'string', default: '25' },
    batch: { type: 'string', default: '10' },
    direct: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const PAGES: readonly number[] = [128, 512, 256, 4096]
const HUGE_PAGES: readonly number[] = [4096, 8192]
const POLICIES: readonly Policy[] = ['fixed', 'top', 'bottom']
/** Differences shown of one script. */
const SHOWN = 3

function refuse(problem: string): never {
  console.error(`${problem}\n\n${HELP}`)
  process.exit(2)
}

function count(name: 'ops' | 'seed' | 'script' | 'batch' | 'pages' | 'huge', text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) refuse(`--${name} wants a number`)
  return value
}

function policies(): readonly Policy[] {
  if (values.policy === 'all') return POLICIES
  const policy = POLICIES.find((one) => one === values.policy)
  return policy ? [policy] : refuse('--policy is fixed, top, bottom or all')
}

/** Huge pages are the subject of the seeds that a hash of theirs says, so that a seed stands for its script. */
const isHuge = (seed: number) => new Random(seed ^ 0x4875_6765).below(100) < count('huge', values.huge)

function scriptsOf(first: number): Script[] {
  const perScript = Math.max(100, count('script', values.script))
  const chosen = policies()
  const without = new RegExp(values.direct ? `${WITHOUT_HART.source}|${values.without}` : values.without)
  const scripts: Script[] = []
  for (let left = count('ops', values.ops), i = 0; left > 0; i++) {
    const seed = first + i
    const huge = isHuge(seed)
    const sizes = huge ? HUGE_PAGES : PAGES
    const pages = values.pages === undefined ? sizes[seed % sizes.length]! : count('pages', values.pages)
    const ops = Math.min(left, perScript)
    scripts.push({ without, seed, ops, policy: chosen[seed % chosen.length]!, pages, huge })
    left -= ops
  }
  return scripts
}

/** What tells most: every layout as text. */
const VERBOSE = ['-f', '-e', '1']

/** Runs a script again in full as far as the block that differs, and prints the first lines that do. */
async function explain(script: Script, last: number): Promise<void> {
  const cut = { ...script, upTo: last }
  const options = values.direct ? [] : VERBOSE
  const linux = askLinuxAll([cut], options)[0]!
  const ours = values.direct ? replayed(cut, linux, new PlainPrinter()) : await askPagoda(cut, options)
  const differences = compareLogs(cut, linux, ours)
  if (differences.length === 0) console.log('  the second time there was no difference')
  for (const { operation, linux: line, ours } of differences.slice(0, SHOWN)) {
    const [only, own] = [onlyIn(line, ours), onlyIn(ours, line)]
    console.log(`  ${Number.parseInt(line || ours, 10)}: ${operation}\n    Linux: ${only}\n    here:  ${own}`)
  }
}

/** A line without the mappings that another one has too. */
function onlyIn(line: string, other: string): string {
  const known = new Set(other.split(' '))
  return line
    .split(' ')
    .filter((part) => !known.has(part))
    .join(' ')
}

const askHart = (script: Script) => askPagoda(script, logOptions(script))

function replayed(script: Script, linux: Log, printer: LinePrinter): Log {
  replay(script, scriptText(script), printer, linux.ownPages)
  return { ...linux, lines: printer.lines }
}

/** Whether a script was answered alike. */
async function compare(script: Script, linux: Log): Promise<boolean> {
  const ours = values.direct
    ? replayed(script, linux, new CondensingPrinter(CONDENSED))
    : await askHart(script)
  const [first] = compareLogs(script, linux, ours)
  if (first === undefined) return true
  const kind = script.huge ? 'huge pages, ' : ''
  console.log(
    `DIFFERS: seed ${script.seed}, ${script.policy}, ${kind}${script.pages} pages, Linux ${linux.kernel}`,
  )
  await explain(script, Number.parseInt(first.linux || first.ours, 10))
  return false
}

/** How many of a script's operations its log speaks of. */
function operationsOf(script: Script, { isKilled, lines }: Log): number {
  return isKilled ? Number.parseInt(lines.at(-1) ?? '0', 10) : script.ops
}

async function main(): Promise<void> {
  if (values.help) return console.log(HELP)
  await buildPrograms()
  const first = values.seed === undefined ? Date.now() % 1_000_000_000 : count('seed', values.seed)
  console.log(`seed ${first}`)
  const scripts = scriptsOf(first)
  const perBoot = Math.max(1, count('batch', values.batch))
  let compared = 0
  let good = true
  for (let i = 0; i < scripts.length && (good || values['keep-going']); i += perBoot) {
    const batch = scripts.slice(i, i + perBoot)
    const logs = askLinuxAll(batch, logOptions(batch[0]!))
    for (const [k, script] of batch.entries()) {
      good = (await compare(script, logs[k]!)) && good
      compared += operationsOf(script, logs[k]!)
      if (!good && !values['keep-going']) break
    }
    console.log(`${compared} operations compared, ${good ? 'no difference' : 'there are differences'}`)
  }
  process.exitCode = good ? 0 : 1
}

try {
  await main()
} catch (error) {
  if (!(error instanceof NoAnswer)) throw error
  console.error(error.message)
  process.exitCode = 3
}

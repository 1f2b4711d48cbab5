/** `npm run oracle:linux`: random mapping calls on a real kernel and in Pagoda, now, until enough have been compared. */
import { parseArgs } from 'node:util'
import { buildPrograms } from '../setup/programs.js'
import { askLinuxAll, askPagoda } from './run-scripts.js'
import { compareLogs, type Policy, type Script } from './scripts.js'

const HELP = `usage: npm run oracle:linux -- [options]

Random mapping calls (test/vma-oracle) on a real riscv64 Linux and in Pagoda; what comes of each is compared.

  --ops N            operations in all (default 10000)
  --seed S           of the first script (default: chosen and printed)
  --policy P         where the mappings lie: fixed, top, bottom, or all in turns (default all)
  --script N         operations in one script (default 2000)
  --pages N          of the window (default: 128, 512, 256 and 4096 in turns)
  --without PATTERN  lines of the scripts to leave out: a regular expression
  --batch N          scripts in one boot of the real kernel (default 10)
  --raw              compare the mappings as the kernel splits them, not joined where nothing visible differs
  --keep-going       do not stop at the first script that differs
  --help             this text

Exit code 1 when something differs, 2 when an option is wrong.`

const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    policy: { type: 'string', default: 'all' },
    pages: { type: 'string' },
    without: { type: 'string', default: '^$' },
    script: { type: 'string', default: '2000' },
    batch: { type: 'string', default: '10' },
    raw: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const PAGES: readonly number[] = [128, 512, 256, 4096]
const POLICIES: readonly Policy[] = ['fixed', 'top', 'bottom']
/** Differences shown of one script. */
const SHOWN = 5

function refuse(problem: string): never {
  console.error(`${problem}\n\n${HELP}`)
  process.exit(2)
}

function count(name: 'ops' | 'seed' | 'script' | 'batch' | 'pages', text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) refuse(`--${name} wants a number`)
  return value
}

function policies(): readonly Policy[] {
  if (values.policy === 'all') return POLICIES
  const policy = POLICIES.find((one) => one === values.policy)
  return policy ? [policy] : refuse('--policy is fixed, top, bottom or all')
}

function scriptsOf(first: number): Script[] {
  const perScript = Math.max(100, count('script', values.script))
  const chosen = policies()
  const scripts: Script[] = []
  for (let left = count('ops', values.ops), i = 0; left > 0; i++) {
    const ops = Math.min(left, perScript)
    const pages = values.pages === undefined ? PAGES[i % PAGES.length]! : count('pages', values.pages)
    const without = new RegExp(values.without)
    scripts.push({ without, seed: first + i, ops, policy: chosen[i % chosen.length]!, pages })
    left -= ops
  }
  return scripts
}

const flags = values.raw ? ['-m'] : []

/** Runs a script again with the layout as text, as far as its first difference, and prints what the layouts were. */
async function showLayouts(script: Script, operation: number): Promise<void> {
  const cut = { ...script, upTo: operation }
  const last = (lines: readonly string[]) => lines.find((line) => line.startsWith(`${operation} `))
  const [linux] = askLinuxAll([cut], [...flags, '-f'])
  const pagoda = await askPagoda(cut, [...flags, '-f'])
  console.log(`  layout on Linux: ${last(linux!.lines)}\n  layout here:     ${last(pagoda.lines)}`)
}

/** Returns the operations compared, and whether all were answered alike. */
async function compare(
  script: Script,
  linux: Awaited<ReturnType<typeof askPagoda>>,
): Promise<[number, boolean]> {
  const differences = compareLogs(script, linux, await askPagoda(script, flags))
  const name = `seed ${script.seed} ${script.policy} ${script.pages} pages, ${linux.lines.length} answers of Linux ${linux.kernel}`
  if (differences.length === 0) return [linux.lines.length, true]
  console.log(`DIFFERS ${name}: ${differences.length} of them`)
  for (const { operation, linux: line, ours } of differences.slice(0, SHOWN))
    console.log(`  ${operation}\n    Linux: ${line}\n    here:  ${ours}`)
  await showLayouts(script, Number.parseInt(differences[0]!.linux || differences[0]!.ours, 10))
  return [linux.lines.length, false]
}

async function main(): Promise<void> {
  if (values.help) return console.log(HELP)
  buildPrograms()
  const first = values.seed === undefined ? Date.now() % 1_000_000_000 : count('seed', values.seed)
  console.log(`seed ${first}`)
  const scripts = scriptsOf(first)
  const perBoot = Math.max(1, count('batch', values.batch))
  let compared = 0
  let good = true
  for (let i = 0; i < scripts.length && (good || values['keep-going']); i += perBoot) {
    const batch = scripts.slice(i, i + perBoot)
    const logs = askLinuxAll(batch, flags)
    for (const [k, script] of batch.entries()) {
      const [answers, same] = await compare(script, logs[k]!)
      compared += answers
      good &&= same
      if (!good && !values['keep-going']) break
    }
    console.log(`${compared} answers compared, ${good ? 'no difference' : 'there are differences'}`)
  }
  process.exitCode = good ? 0 : 1
}

await main()

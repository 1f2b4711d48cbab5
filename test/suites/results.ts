/** What a test of a suite answered: its exit status, and what its lines in the Test Anything Protocol say. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UNFINISHED } from '../software/real-kernel.js'
import type { Outcome } from '../software/references.js'
import { commandOf, type Suite, type SuiteTest } from './suite.js'

export type Verdict = 'pass' | 'fail' | 'skip'

/** By name of what was tested; the program as a whole is `exit`. */
export type Results = Readonly<Record<string, Verdict>>

function exitVerdict({ skippedStatuses }: Suite, { status }: Outcome): Verdict {
  if (status === 0) return 'pass'
  return skippedStatuses.includes(status) ? 'skip' : 'fail'
}

/** `ok 12 # SKIP mmap() failed` and the like; an expected failure is a success. */
const TAP = /^(not )?ok (\d+)\b *(.*)$/gm

/** What uffd-unit-tests prints in its place. */
const UFFD_LINE = /^Testing (.+)\.\.\. (done|skipped|failed)/gm
const UFFD_VERDICTS: Readonly<Record<string, Verdict>> = { done: 'pass', skipped: 'skip', failed: 'fail' }

/** What khugepaged prints of each of its tests: a line for every step, whose outcome has a colour. */
const KHUGEPAGED_TEST = /^Run test: (.+)\n([\s\S]*?)(?=\nRun test: |\nRestore THP|$(?![\s\S]))/gm
const FAILED = '\x1b[31m'
const SKIPPED = '\x1b[33m'
const PASSED = '\x1b[32m'

function khugepagedVerdict(steps: string): Verdict {
  if (steps.includes(SKIPPED)) return 'skip'
  return steps.includes(FAILED) || !steps.includes(PASSED) ? 'fail' : 'pass'
}

/** Addresses, sizes and times of the run, which are not part of a test's name. */
const stableName = (name: string) =>
  name
    .replace(/#.*/, '')
    .replace(/0x[0-9a-f]{5,}/g, 'ADDRESS')
    .trim()

export function resultsOf(suite: Suite, outcome: Outcome): Results {
  const results: Record<string, Verdict> = {}
  for (const [, not, number, rest] of outcome.stdout.matchAll(TAP)) {
    const skipped = /# ?SKIP\b/i.test(rest!)
    results[`${number} ${stableName(rest!)}`.trim()] = not ? 'fail' : skipped ? 'skip' : 'pass'
  }
  for (const [, name, word] of outcome.stdout.matchAll(UFFD_LINE)) results[name!] = UFFD_VERDICTS[word!]!
  for (const [, name, steps] of outcome.stdout.matchAll(KHUGEPAGED_TEST))
    results[name!] = khugepagedVerdict(steps!)
  if (outcome.status !== UNFINISHED) results.exit = exitVerdict(suite, outcome)
  return results
}

/** What Linux passes and we do not, and what it skips and we fail. */
export function shortcomings(linux: Results, ours: Results): string[] {
  return Object.entries(linux)
    .filter(([name, verdict]) => {
      if (verdict === 'fail') return false
      return verdict === 'skip' ? ours[name] === 'fail' : ours[name] !== 'pass'
    })
    .map(([name, verdict]) => `${name}: ${verdict} on Linux, here ${ours[name] ?? 'not reached'}`)
}

export interface SuiteReference {
  readonly kernel: string
  /** Debian's package that the programs were built from. */
  readonly source: string
  /** Of the table of tests. */
  readonly tableHash: string
  readonly tests: Readonly<Record<string, Results>>
}

const pathOf = ({ name }: Suite) =>
  fileURLToPath(new URL(`../references/suites/${name}.json`, import.meta.url))

/** What a test's recorded results are tied to. */
export function tableHash(tests: readonly SuiteTest[]): string {
  const commands = tests.map((test) => [test.name, commandOf(test)])
  return createHash('sha256').update(JSON.stringify(commands)).digest('hex').slice(0, 16)
}

export function readReference(suite: Suite): SuiteReference | undefined {
  const path = pathOf(suite)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as SuiteReference) : undefined
}

export function writeReference(suite: Suite, reference: SuiteReference): void {
  const path = pathOf(suite)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(reference, null, 1)}\n`)
}

export function countOf(results: Iterable<Results>): Record<Verdict, number> {
  const count = { pass: 0, fail: 0, skip: 0 }
  for (const one of results) for (const verdict of Object.values(one)) count[verdict]++
  return count
}

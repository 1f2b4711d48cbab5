/**
 * `npm run record:suites [--once] [SUITE|TEST…]`: runs the suites, or only some tests on the real kernel and writes down what passes. Twice, unless told:
 * what does not answer the same both times counts as failed.
 */
import { kernelVersion } from '../setup/oracles.js'
import { UNFINISHED } from '../software/real-kernel.js'
import { countOf, type Results, readReference, resultsOf, tableHash, writeReference } from './results.js'
import { runOnLinux } from './run-test.js'
import { buildSuite, sourceVersion } from './sources.js'
import type { Suite, SuiteTest } from './suite.js'
import { suites } from './suites.js'

const once = process.argv.includes('--once')
const names = process.argv.slice(2).filter((name) => name !== '--once')

function agreed(first: Results, second: Results): Results {
  return Object.fromEntries(
    Object.entries(first).map(([name, verdict]) => [name, second[name] === verdict ? verdict : 'fail']),
  )
}

function isWanted(suite: Suite, { name }: SuiteTest): boolean {
  return names.length === 0 || names.includes(suite.name) || names.includes(name)
}

function record(suite: Suite): void {
  buildSuite(suite.name)
  const wanted = suite.tests.filter((test) => isWanted(suite, test))
  if (wanted.length === 0) return
  const first = runOnLinux(suite, wanted)
  const second = once ? first : runOnLinux(suite, wanted)
  const old = readReference(suite)?.tests ?? {}
  const results = suite.tests.map(({ name }): [string, Results] => {
    if (!first.has(name)) return [name, old[name] ?? {}]
    const runs = [first.get(name)!, second.get(name)!]
    if (runs.some(({ status }) => status === UNFINISHED)) console.log(`${name} was not done in time`)
    const [one, other] = runs.map((run) => resultsOf(suite, run))
    return [name, agreed(one!, other!)]
  })
  writeReference(suite, {
    kernel: kernelVersion(),
    source: sourceVersion(suite.name)!,
    tableHash: tableHash(suite.tests),
    tests: Object.fromEntries(results),
  })
  console.log(suite.name, countOf(results.map(([, one]) => one)))
}

for (const suite of suites) record(suite)

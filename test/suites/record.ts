/**
 * `npm run record:suites [--once] [SUITE…]`: runs the suites on the real kernel and writes down what passes. Twice, unless told:
 * what does not answer the same both times counts as failed.
 */
import { kernelVersion, UNFINISHED } from '../software/real-kernel.js'
import { countOf, type Results, resultsOf, tableHash, writeReference } from './results.js'
import { runOnLinux } from './run-test.js'
import { buildSuite, sourceVersion } from './sources.js'
import type { Suite } from './suite.js'
import { suites } from './suites.js'

const once = process.argv.includes('--once')
const names = process.argv.slice(2).filter((name) => name !== '--once')

function agreed(first: Results, second: Results): Results {
  return Object.fromEntries(
    Object.entries(first).map(([name, verdict]) => [name, second[name] === verdict ? verdict : 'fail']),
  )
}

function record(suite: Suite): void {
  buildSuite(suite.name)
  const first = runOnLinux(suite, suite.tests)
  const second = once ? first : runOnLinux(suite, suite.tests)
  const results = suite.tests.map(({ name }) => {
    const [one, other] = [first, second].map((run) => resultsOf(suite, run.get(name)!))
    for (const run of [first, second])
      if (run.get(name)!.status === UNFINISHED) console.log(`${name} was not done in time`)
    return [name, agreed(one!, other!)] as const
  })
  writeReference(suite, {
    kernel: kernelVersion(),
    source: sourceVersion(suite.name)!,
    tableHash: tableHash(suite.tests),
    tests: Object.fromEntries(results),
  })
  console.log(suite.name, countOf(results.map(([, one]) => one)))
}

for (const suite of suites) if (names.length === 0 || names.includes(suite.name)) record(suite)

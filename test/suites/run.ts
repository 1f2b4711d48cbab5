/**
 * `node scripts/run-ts.mjs test/suites/run.ts [-v] [-t] NAME…`: runs tests in Pagoda and says what the real kernel passes and we do
 * not. NAME is a test or the beginning of one (`mm/`); -v prints what the test said, -t traces its calls.
 */
import { readReference, resultsOf, shortcomings } from './results.js'
import { runInPagoda } from './run-test.js'
import { suites } from './suites.js'

const SHOWN = 5

const names = process.argv.slice(2).filter((name) => !name.startsWith('-'))
const trace = process.argv.includes('-t') ? (line: string) => process.stderr.write(`${line}\n`) : undefined

for (const suite of suites) {
  const reference = readReference(suite)
  for (const test of suite.tests.filter(({ name }) => names.some((wanted) => name.startsWith(wanted)))) {
    const start = performance.now()
    try {
      const run = await runInPagoda(suite, test, trace)
      const short = shortcomings(reference?.tests[test.name] ?? {}, resultsOf(suite, run))
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      const { instructions, missing } = run.report.memory!
      const work = `${seconds} s, ${Math.round(instructions / 1e6)} million instructions, status ${run.status}`
      console.log(`${short.length ? 'SHORT' : 'as Linux'} ${test.name}: ${work}`, missing)
      for (const line of short.slice(0, SHOWN)) console.log(`    ${line}`)
      if (short.length > SHOWN) console.log(`    and ${short.length - SHOWN} more`)
      if (process.argv.includes('-v')) console.log(run.stdout, run.stderr)
    } catch (error) {
      console.log(`FAILED ${test.name}: ${(error as Error).stack}`)
    }
  }
}

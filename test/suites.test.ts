/**
 * The kernel's self-tests and the Open POSIX suite: what passes on the real kernel passes here (test/suites). What takes long
 * runs with PAGODA_FULL=1.
 */
import { describe, expect, test } from 'vitest'
import { findRoot } from './software/roots.js'
import { readReference, resultsOf, shortcomings, tableHash } from './suites/results.js'
import { runInPagoda } from './suites/run-test.js'
import { sourceVersion } from './suites/sources.js'
import type { Suite } from './suites/suite.js'
import { suites } from './suites/suites.js'

const full = process.env.PAGODA_FULL !== undefined
const TIMEOUT = 30 * 60_000

const isThere = ({ name, root }: Suite) => sourceVersion(name) !== undefined && findRoot(root) !== undefined

describe.each(suites.map((suite) => [suite.name, suite] as const))('%s', (name, suite) => {
  const tests = suite.tests.filter((one) => full || !one.heavy)
  const reference = readReference(suite)

  describe.skipIf(!isThere(suite))('as on the real kernel', () => {
    test('the results belong to the table and to the sources', () => {
      const command = `npm run record:suites ${name}`
      expect(reference?.tableHash, command).toBe(tableHash(suite.tests))
      expect(reference?.source, `Debian's package has changed: ${command}`).toBe(sourceVersion(name))
    })

    test.each(tests.filter(({ missing }) => !missing).map((one) => [one.name, one] as const))(
      '%s',
      async (_, one) => {
        const run = await runInPagoda(suite, one)
        const short = shortcomings(reference!.tests[one.name]!, resultsOf(suite, run))
        expect(short, run.stdout + run.stderr).toEqual([])
      },
      TIMEOUT,
    )

    test.skip.each(tests.filter(({ missing }) => missing).map((one) => [one.name, one.missing]))(
      '%s: needs what Pagoda has not yet: %s',
      () => {},
    )
  })

  test('a shortcoming would be seen', () => {
    const linux = { '1 maps': 'pass', '2 locks': 'skip', exit: 'pass' } as const
    expect(shortcomings(linux, linux)).toEqual([])
    expect(shortcomings(linux, { ...linux, '1 maps': 'skip' })).toHaveLength(1)
    expect(shortcomings(linux, { '1 maps': 'fail', '2 locks': 'fail' })).toHaveLength(3)
  })
})

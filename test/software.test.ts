/**
 * Debian's programs print byte for byte what they print on a real riscv64 Linux 6.12: see test/software. What takes
 * Pagoda long, and the comparison of the references with the real kernel here, runs with PAGODA_FULL=1.
 */
import { describe, expect, test } from 'vitest'
import { findOracle } from './setup/oracles.js'
import { type SoftwareCase, softwareCases } from './software/cases.js'
import { hashOf } from './software/files.js'
import { runInPagoda } from './software/pagoda.js'
import { runOnLinux } from './software/real-kernel.js'
import { readReference, type SoftwareReference } from './software/references.js'
import { findRoot, packagesHash, type RootName, rootNames } from './software/roots.js'

const full = process.env.PAGODA_FULL !== undefined
const HEAVY_TIMEOUT = 60 * 60_000
const TIMEOUT = 120_000

function casesOf(root: RootName): SoftwareCase[] {
  return softwareCases.filter((one) => one.root === root && (full || !one.heavy))
}

/** Whether a root's programs can run here; under CI they must. */
function isThere(root: RootName): boolean {
  const programs = root === 'malloc' ? [findOracle('gcc'), findOracle('gxx'), findOracle('musl')] : []
  if (findRoot(root) === undefined && process.env.CI)
    throw new Error(`${root} is missing: npm run test:setup`)
  return findRoot(root) !== undefined && programs.every((oracle) => oracle !== undefined)
}

function currentReference(one: SoftwareCase): SoftwareReference {
  const reference = readReference(one)
  const command = `npm run record:software ${one.name}`
  expect(reference?.caseHash, `the case has changed: ${command}`).toBe(hashOf(one))
  return reference!
}

/** Said with a difference: Debian may have changed the program since the reference was recorded. */
function updateNote({ root }: SoftwareCase, reference: SoftwareReference): string {
  const same = packagesHash(root) === reference.packagesHash
  return same ? '' : `Debian's packages have changed since: npm run record:software ${root}`
}

describe.each(rootNames.map((root) => [root, casesOf(root)] as const))('%s', (root, cases) => {
  describe.skipIf(!isThere(root) || cases.length === 0)('as on the real kernel', () => {
    test.each(cases.map((one) => [one.name, one] as const))(
      '%s',
      async (_, one) => {
        const reference = currentReference(one)
        const note = updateNote(one, reference)
        const { status, stdout, stderr } = await runInPagoda(one)
        expect(stdout, note).toBe(reference.stdout)
        expect(stderr, note).toBe(reference.stderr)
        expect(status, note).toBe(reference.status)
      },
      full ? HEAVY_TIMEOUT : TIMEOUT,
    )
  })
  test.skipIf(!full || !isThere(root) || !findOracle('kernel'))(
    'the real kernel, now',
    () => {
      for (const [name, outcome] of runOnLinux(root, cases)) {
        const { status, stdout, stderr } = readReference(cases.find((one) => one.name === name)!)!
        expect({ name, ...outcome }).toEqual({ name, status, stdout, stderr })
      }
    },
    HEAVY_TIMEOUT,
  )
})

describe.each(['storm', 'storm_cxx'])('%s', (program) => {
  test.each(['', '-long'])('prints the same on every allocator %s', (suffix) => {
    const allocators = ['glibc', 'jemalloc', 'mimalloc', 'tcmalloc', ...(program === 'storm' ? ['musl'] : [])]
    const names = allocators.map((name) => `malloc/${program}-${name}${suffix}`)
    const storms = softwareCases.filter(({ name }) => names.includes(name))
    expect(storms.length).toBe(names.length)
    expect(new Set(storms.map((one) => currentReference(one).stdout)).size).toBe(1)
  })
})

/** Once before all tests: what they need from Debian (under CI), the built bundle, the guest programs. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { missingRoots } from '../software/roots.js'
import { missingSuites } from '../suites/sources.js'
import { missingOracles } from './oracles.js'
import { buildPrograms } from './programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

function missingParts(): string[] {
  const roots = missingRoots().map((name) => `Debian's programs (${name})`)
  return [...missingOracles(), ...roots, ...missingSuites().map((name) => `the suite ${name}`)]
}

/** A person may go on without; under CI a skipped comparison would look like a passed one. */
function reportMissing(missing: readonly string[]): void {
  const what = `NOT INSTALLED: ${missing.join(', ')}`
  if (process.env.CI) throw new Error(`${what}, though test/setup/install.sh has run`)
  console.warn(
    `\n*** ${what}. Tests that compare with them are SKIPPED. npm run test:setup installs them (Debian). ***\n`,
  )
}

export default async function setup(): Promise<void> {
  if (missingParts().length > 0 && process.env.CI) {
    execFileSync('test/setup/install.sh', { cwd: root, stdio: 'inherit' })
  }
  const missing = missingParts()
  if (missing.length > 0) reportMissing(missing)
  execFileSync(process.execPath, ['scripts/build.mjs', '--no-types', '--if-changed'], {
    cwd: root,
    stdio: 'inherit',
  })
  await buildPrograms()
}

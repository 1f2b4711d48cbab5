/** Once before all tests: what they need from Debian (under CI), the built bundle, the guest programs. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { missingRoots } from '../software/roots.js'
import { missingOracles } from './oracles.js'
import { buildPrograms } from './programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

function missingParts(): string[] {
  return [...missingOracles(), ...missingRoots().map((name) => `Debian's programs (${name})`)]
}

export default function setup(): void {
  if (missingParts().length > 0 && process.env.CI) {
    execFileSync('test/setup/install.sh', { cwd: root, stdio: 'inherit' })
  }
  const missing = missingParts()
  if (missing.length > 0) {
    console.warn(
      `\n*** NOT INSTALLED: ${missing.join(', ')}. Tests that compare with them are SKIPPED. npm run test:setup installs them (Debian). ***\n`,
    )
  }
  execFileSync(process.execPath, ['scripts/build.mjs', '--no-types'], { cwd: root, stdio: 'inherit' })
  buildPrograms()
}

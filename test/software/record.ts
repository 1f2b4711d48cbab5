/** `npm run record:software [NAME…]`: records cases (`busybox/traps`, or all of `busybox`) on the real kernel. */

import { kernelVersion } from '../setup/oracles.js'
import { softwareCases } from './cases.js'
import { hashOf } from './files.js'
import { runOnLinux } from './real-kernel.js'
import { writeReference } from './references.js'
import { fetchRoot, packagesHash, rootNames } from './roots.js'

const names = process.argv.slice(2)
const isWanted = (name: string) => names.some((wanted) => name === wanted || name.startsWith(`${wanted}/`))

for (const root of rootNames) {
  const tests = softwareCases.filter((test) => test.root === root && (!names.length || isWanted(test.name)))
  if (tests.length === 0) continue
  fetchRoot(root)
  const outcomes = runOnLinux(root, tests)
  for (const test of tests) {
    const outcome = outcomes.get(test.name)
    if (outcome === undefined) throw new Error(`${test.name}: nothing came from the real kernel`)
    const tiedTo = { kernel: kernelVersion(), caseHash: hashOf(test), packagesHash: packagesHash(root) }
    writeReference(test, { ...tiedTo, ...outcome })
    const { status, stdout, stderr } = outcome
    console.log(`${test.name}: status ${status}, ${stdout.length} bytes, ${stderr.length} of errors`)
  }
}

/** `npm run record [NAME…]`: records what the guest programs print on the real kernel. */
import { buildPrograms } from './programs.js'
import { runOnLinux, writeReference } from './references.js'

const names = process.argv.slice(2)
const programs = (await buildPrograms()).filter(
  ({ name, hasReference }) => hasReference && (names.length === 0 || names.includes(name)),
)
for (const [program, reference] of runOnLinux(programs)) {
  writeReference(program, reference)
  console.log(`${program.name}.${program.libc}: status ${reference.status}, ${reference.stdout.length} bytes`)
}

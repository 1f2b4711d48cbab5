/** `npm run record:vma [NAME…]`: what the real kernel answers to the scripts; NAME is a regression or `fixed-1`. */
import { buildPrograms } from '../setup/programs.js'
import { askLinuxAll } from './run-scripts.js'
import { REGRESSIONS, SCRIPTS, type Script, writeLog } from './scripts.js'

buildPrograms()
const names = process.argv.slice(2)
const nameOf = ({ name, policy, seed }: Script) => name ?? `${policy}-${seed}`
const scripts = [...SCRIPTS, ...REGRESSIONS].filter(
  (script) => names.length === 0 || names.includes(nameOf(script)),
)
const logs = askLinuxAll(scripts)
for (const [i, script] of scripts.entries()) {
  writeLog(script, logs[i]!)
  console.log(`${nameOf(script)}: ${logs[i]!.lines.length} lines, ${logs[i]!.kernel}`)
}

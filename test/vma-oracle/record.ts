/** `npm run record:vma [NAME…]`: what the real kernel answers to the scripts; NAME is a regression, `fixed-1` or `calls-top-102`. */
import { buildPrograms } from '../setup/programs.js'
import { askLinuxAll } from './run-scripts.js'
import { CALLS, logOptions, nameOf, REGRESSIONS, SCRIPTS, writeLog } from './scripts.js'

await buildPrograms()
const names = process.argv.slice(2)
for (const all of [[...SCRIPTS, ...CALLS], REGRESSIONS]) {
  const scripts = all.filter((script) => names.length === 0 || names.includes(nameOf(script)))
  if (scripts.length === 0) continue
  const logs = askLinuxAll(scripts, logOptions(scripts[0]!))
  for (const [i, script] of scripts.entries()) {
    writeLog(script, logs[i]!)
    console.log(`${nameOf(script)}: ${logs[i]!.lines.length} lines, ${logs[i]!.kernel}`)
  }
}

/** `npm run record:vma`: what the real kernel answers to the scripts. */
import { buildPrograms } from '../setup/programs.js'
import { askLinuxAll } from './run-scripts.js'
import { SCRIPTS, writeLog } from './scripts.js'

buildPrograms()
const logs = askLinuxAll(SCRIPTS)
for (const [i, script] of SCRIPTS.entries()) {
  writeLog(script, logs[i]!)
  console.log(`${script.policy} ${script.seed}: ${logs[i]!.lines.length} lines, ${logs[i]!.kernel}`)
}

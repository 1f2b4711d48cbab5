/** `npm run record:vma [POLICY…]`: what the real kernel answers to the scripts. About a minute each. */
import { buildPrograms } from '../setup/programs.js'
import { askLinux } from './ask-linux.js'
import { parseLog, SCRIPTS, writeLog } from './scripts.js'

buildPrograms()
const policies = process.argv.slice(2)

for (const script of SCRIPTS.filter(({ policy }) => policies.length === 0 || policies.includes(policy))) {
  const log = parseLog(script, askLinux(script))
  writeLog(script, log)
  console.log(`${script.policy} ${script.seed}: ${log.lines.length} lines, ${log.kernel}`)
}

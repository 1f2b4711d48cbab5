/** `npm run record:vma [POLICY…]`: what the real kernel answers to the scripts. About a minute each. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { buildPrograms } from '../setup/programs.js'
import { parseLog, SCRIPTS, scriptText, writeLog } from './scripts.js'

const exec = fileURLToPath(new URL('../riscv64-linux/rv-exec', import.meta.url))
const program = buildPrograms().find(({ name }) => name === 'vmaoracle')!.path
const policies = process.argv.slice(2)

for (const script of SCRIPTS.filter(({ policy }) => policies.length === 0 || policies.includes(policy))) {
  const output = execFileSync(exec, [program, '-p', script.policy], {
    input: scriptText(script),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, RV_MEM: '2G' },
  })
  const log = parseLog(script, output)
  writeLog(script, log)
  console.log(`${script.policy} ${script.seed}: ${log.lines.length} lines, ${log.kernel}`)
}

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { guestProgram } from '../setup/programs.js'
import { type Script, scriptText } from './scripts.js'

const exec = fileURLToPath(new URL('../riscv64-linux/rv-exec', import.meta.url))

/** What vmaoracle prints for a script on a real kernel with 2 GiB, booted for it. */
export function askLinux(script: Script): string {
  return execFileSync(exec, [guestProgram('vmaoracle')!, '-p', script.policy], {
    input: scriptText(script),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, RV_MEM: '2G' },
  })
}

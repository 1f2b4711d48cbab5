/** Runs the cases on a real kernel and in Pagoda; the recorded log is beside this file. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bootLinux } from '../../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../../src/linux/host.js'
import { guestProgram } from '../setup/programs.js'
import { script } from './cases.js'

const SEED = 1
const CASES = 2400
const MEMORY = 2 ** 29
const exec = fileURLToPath(new URL('../riscv64-linux/rv-exec', import.meta.url))
const path = fileURLToPath(new URL('./linux-6.12.log', import.meta.url))

export const text = script(SEED, CASES)
const header = `# Linux 6.12 riscv64, script ${createHash('sha256').update(text).digest('hex').slice(0, 16)}`

/** What the real kernel answered; undefined when that was to other cases. */
export function recorded(): string[] | undefined {
  const [first, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
  return first === header ? lines : undefined
}

export function record(): number {
  const { stdout } = spawnSync(exec, [guestProgram('edgecalls')!], {
    input: text,
    encoding: 'utf8',
    env: { ...process.env, RV_MEM: `${MEMORY / 2 ** 20}M`, RV_APPEND: 'maxcpus=1' },
  })
  writeFileSync(path, `${header}\n${stdout}`)
  return stdout.trimEnd().split('\n').length
}

export async function askPagoda(): Promise<string[]> {
  const chunks: Uint8Array[] = []
  const sink = callbackOutput((chunk) => chunks.push(chunk))
  const host = { stdin: fixedInput(Buffer.from(text, 'latin1')), stdout: sink, stderr: sink }
  const { linux, files, mm } = bootLinux({ host, memory: MEMORY })
  files.addFile('/program', readFileSync(guestProgram('edgecalls')!), 0o755)
  const problem = linux.start('/program', ['/program'], [])
  if (problem) throw new Error(problem.reason)
  const report = await linux.run()
  if (report.exitCode !== 0) throw new Error(`edgecalls ended with ${report.exitCode}`)
  mm.check()
  linux.check()
  return Buffer.concat(chunks).toString('latin1').trimEnd().split('\n')
}

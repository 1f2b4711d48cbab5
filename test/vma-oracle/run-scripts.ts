/** Runs scripts for vmaoracle on a real kernel and in Pagoda, and compares what it prints. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bootLinux } from '../../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../../src/linux/host.js'
import { UNFINISHED } from '../setup/hung-boot.js'
import { guestProgram } from '../setup/programs.js'
import { type Log, oracleArguments, parseLog, type Script, scriptText } from './scripts.js'

const exec = fileURLToPath(new URL('../riscv64-linux/rv-exec', import.meta.url))

/** What waitpid(2) says of a program that SIGKILL ended: the OOM killer's. */
const KILLED = '9'
const KILLED_EXIT_CODE = 128 + 9

/** The real kernel has not answered: nothing can be compared. */
export class NoAnswer extends Error {}

/** It has not come to its end. */
export class Unfinished extends NoAnswer {}

/** RAM of both machines. */
const MEMORY = 2 ** 31

/** As vmaoracle -b takes them: the end of the name says pages and policy. */
const fileOf = ({ policy, pages }: Script, i: number) => `/s/${i}.${pages}.${policy}`

function logOf(script: Script, output: string, file: string): Log {
  const start = output.indexOf(`= ${file}\n`)
  const end = output.indexOf(`= ${file} status `)
  const [, status] = end < 0 ? [] : /status (\d+)\n/.exec(output.slice(end))!
  if (start < 0 || (status !== '0' && status !== KILLED))
    throw new NoAnswer(
      `seed ${script.seed} ${script.policy} did not end well on the real kernel: ${output.slice(start).slice(-500)}`,
    )
  const log = parseLog(script, output.slice(start + `= ${file}\n`.length, end), status === KILLED)
  if (Number.isNaN(log.ownPages))
    throw new NoAnswer(`seed ${script.seed} ${script.policy} was ended on the real kernel before it began`)
  return log
}

/** What vmaoracle prints for scripts on a real kernel, all in one boot. */
export function askLinuxAll(scripts: readonly Script[], options: readonly string[] = []): Log[] {
  const root = mkdtempSync(join(tmpdir(), 'pagoda-vma-'))
  try {
    mkdirSync(join(root, 's'))
    copyFileSync(guestProgram('vmaoracle')!, join(root, 'program'))
    scripts.forEach((script, i) => {
      writeFileSync(join(root, fileOf(script, i)), scriptText(script))
    })
    const command = ['-r', root, '/program', '-b', ...options, ...scripts.map(fileOf)]
    const { stdout: output, status } = spawnSync(exec, command, {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
      stdio: ['ignore', 'pipe', 'inherit'],
      // One processor: nothing is told to another, and counts are exact. (qemu then takes a third of the time, too.)
      env: { ...process.env, RV_MEM: `${MEMORY / 2 ** 20}M`, RV_SMP: '1' },
    })
    if (status === UNFINISHED) {
      const seconds = process.env.RV_TIMEOUT ?? 600
      throw new Unfinished(
        `the real kernel has not finished ${scripts.length} scripts in ${seconds} s: give it more (RV_TIMEOUT=SECONDS) or less to do (--batch N, --script N)`,
      )
    }
    return scripts.map((script, i) => logOf(script, output, fileOf(script, i)))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** What it prints in Pagoda; every invariant is checked at the end. */
export async function askPagoda(script: Script, options: readonly string[] = []): Promise<Log> {
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const host = {
    stdin: fixedInput(Buffer.from(scriptText(script), 'latin1')),
    stdout: callbackOutput((chunk) => out.push(chunk)),
    stderr: callbackOutput((chunk) => err.push(chunk)),
  }
  const { linux, files, mm } = bootLinux({ host, memory: MEMORY })
  files.addFile('/program', readFileSync(guestProgram('vmaoracle')!), 0o755)
  const problem = linux.start('/program', ['/program', ...options, ...oracleArguments(script)], [])
  if (problem) throw new Error(problem.reason)
  const report = await linux.run()
  const errors = Buffer.concat(err).toString('latin1')
  const isKilled = report.exitCode === KILLED_EXIT_CODE
  if (report.exitCode !== 0 && !isKilled)
    throw new Error(`vmaoracle ended with ${report.exitCode}: ${errors}`)
  mm.check()
  linux.check()
  return parseLog(script, Buffer.concat(out).toString('latin1'), isKilled)
}

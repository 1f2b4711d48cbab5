/** Runs a guest program in Pagoda as the references were recorded, in this process. */
import { readFileSync } from 'node:fs'
import { type BootOptions, bootLinux } from '../../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../../src/linux/host.js'
import type { Linux } from '../../src/linux/linux.js'
import type { ExitReport } from '../../src/linux/report.js'
import type { MemoryManager } from '../../src/mm.js'
import type { GuestProgram } from './programs.js'
import { RUN } from './references.js'

export interface GuestRun {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  readonly report: ExitReport
  readonly mm: MemoryManager
  readonly linux: Linux
}

export interface GuestCommand {
  readonly path: string
  readonly guestPath: string
  readonly args?: readonly string[]
  readonly env?: readonly string[]
  readonly input?: string
}

const latin1 = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString('latin1')

/** `audit`: run every invariant check when the program has ended. */
export async function runGuest(command: GuestCommand, options: Partial<BootOptions> = {}): Promise<GuestRun> {
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const host = {
    stdin: fixedInput(Buffer.from(command.input ?? '', 'latin1')),
    stdout: callbackOutput((chunk) => out.push(chunk)),
    stderr: callbackOutput((chunk) => err.push(chunk)),
  }
  const { linux, files, mm } = bootLinux({ host, ...options })
  files.addFile(command.guestPath, readFileSync(command.path), 0o755)
  const args = [command.guestPath, ...(command.args ?? [])]
  const problem = linux.start(command.guestPath, args, command.env ?? [])
  if (problem) throw new Error(`${command.path}: ${problem.reason}`)
  const report = await linux.run()
  mm.check()
  linux.check()
  files.check()
  return { status: report.exitCode, stdout: latin1(out), stderr: latin1(err), report, mm, linux }
}

export function runProgram(program: GuestProgram, options: Partial<BootOptions> = {}): Promise<GuestRun> {
  const { arguments: args, environment: env, input } = RUN
  return runGuest({ path: program.path, guestPath: RUN.guestPath(program), args, env, input }, options)
}

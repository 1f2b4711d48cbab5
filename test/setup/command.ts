/** Runs the command `pagoda` as a process of its own, from the bundle that the global set-up built. */
import { type ChildProcessWithoutNullStreams, type SpawnOptions, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { guestProgram } from './programs.js'

/** The command's script. */
export const pagoda = fileURLToPath(new URL('../../bin/pagoda.js', import.meta.url))

/** The guest that does what its arguments say (test/programs/tools/probe.c); undefined when there is no compiler. */
export const probe = guestProgram('probe', 'musl') ?? guestProgram('probe', 'glibc')

export interface CommandResult {
  /** Exit code; null when the command itself died of `signal`. */
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface CommandOptions {
  readonly input?: Uint8Array | string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

function environment(extra: CommandOptions['env']): NodeJS.ProcessEnv {
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env
  return { ...inherited, ...extra }
}

/** Starts it; its streams are pipes. */
export function startPagoda(
  args: readonly string[],
  options: Omit<CommandOptions, 'input'> & Pick<SpawnOptions, 'stdio'> = {},
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [pagoda, ...args], { ...options, env: environment(options.env) })
  return child as ChildProcessWithoutNullStreams
}

export async function resultOf(child: ChildProcessWithoutNullStreams): Promise<CommandResult> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', (chunk) => out.push(chunk))
  child.stderr?.on('data', (chunk) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) =>
      resolve({ status, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }),
    )
  })
}

/** Runs it to its end. */
export function runPagoda(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = startPagoda(args, { cwd: options.cwd, env: options.env })
  child.stdin.on('error', () => {}) // it may end before it has read all
  child.stdin.end(options.input ?? '')
  return resultOf(child)
}

/** `pagoda run --no-report OPTIONS probe WHAT…` */
export function runProbe(
  what: readonly string[],
  flags: readonly string[] = [],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return runPagoda(['run', '--no-report', ...flags, probe!, ...what], options)
}

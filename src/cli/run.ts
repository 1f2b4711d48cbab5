/** `pagoda run`: one program on a machine of its own. */
import fs from 'node:fs'
import { basename, resolve } from 'node:path'
import { ENOMEM, ENOSPC, errnoMessage } from '../base/errno.js'
import { type BootedLinux, bootLinux } from '../linux/boot.js'
import type { ClockMode } from '../linux/clock.js'
import type { Files } from '../linux/fs/file-services.js'
import type { Linux } from '../linux/linux.js'
import type { ExitReport } from '../linux/report.js'
import { Signal } from '../linux/signal-numbers.js'
import { EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_OWN_FAILURE, Refusal } from './exit-codes.js'
import type { Mount } from './mount.js'
import { NodeDirectory } from './node-directory.js'
import { nodeHost } from './node-streams.js'
import { crashText, reportJson, reportText } from './report.js'
import { say } from './say.js'
import { formatSize } from './size.js'

export interface RunOptions {
  readonly memory: number
  readonly report: boolean
  readonly json?: string
  readonly env?: readonly string[]
  readonly mount?: readonly Mount[]
  readonly cwd: string
  readonly seed: number
  readonly clock?: ClockMode
  readonly trace?: boolean
}

/** The program's bytes. A refusal says what to do, and has the exit code that a shell gives. */
function readProgram(path: string): Uint8Array {
  try {
    const stat = fs.statSync(path)
    if (stat.isDirectory()) throw new Refusal(EXIT_NOT_EXECUTABLE, `${path}: is a directory, not a program`)
    if (process.platform !== 'win32' && stat.isFile() && (stat.mode & 0o111) === 0) {
      throw new Refusal(
        EXIT_NOT_EXECUTABLE,
        `${path}: permission denied; make it executable: chmod +x ${path}`,
      )
    }
    return fs.readFileSync(path)
  } catch (error) {
    if (error instanceof Refusal) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new Refusal(EXIT_NOT_FOUND, `${path}: no such file; give the path of a riscv64 Linux program`)
    }
    throw new Refusal(EXIT_NOT_EXECUTABLE, `${path}: ${code === 'EACCES' ? 'permission denied' : message}`)
  }
}

function isUnder(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}

/** Where the program stands in the guest: at its path on the host, unless a mount hides that. */
function guestPath(program: string, mounts: readonly Mount[]): string {
  const name = basename(program)
  const places = [resolve(program), `/bin/${name}`, `/.program/${name}`]
  const found = places.find((place) => !mounts.some(({ guest }) => isUnder(place, guest)))
  if (found === undefined) {
    throw new Refusal(
      EXIT_OWN_FAILURE,
      '--mount over / leaves no place for the program; mount at a folder, like /mnt',
    )
  }
  return found
}

function mountAll(files: Files, mounts: readonly Mount[]): void {
  for (const { host, guest, readOnly } of mounts) {
    let directory: NodeDirectory
    try {
      directory = new NodeDirectory(host, readOnly)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const why = code === 'ENOENT' ? 'no such directory' : message
      throw new Refusal(EXIT_OWN_FAILURE, `--mount ${host}: ${why}`)
    }
    const result = files.mount(guest, directory, { readOnly, source: host })
    if (result < 0) throw new Refusal(EXIT_OWN_FAILURE, `--mount ${guest}: ${errnoMessage(result)}`)
  }
}

function startProgram(
  machine: BootedLinux,
  program: string,
  args: readonly string[],
  options: RunOptions,
): void {
  const { linux, files, mm } = machine
  const path = guestPath(program, options.mount ?? [])
  const bytes = readProgram(program)
  const added = files.addFile(path, bytes, 0o755)
  const tooSmall = `the machine has ${formatSize(mm.memory.bytes)}: give it more with --memory`
  if (added === -ENOMEM || added === -ENOSPC) {
    throw new Refusal(EXIT_NOT_EXECUTABLE, `${program}: needs more memory than there is; ${tooSmall}`)
  }
  if (added < 0) throw new Refusal(EXIT_NOT_EXECUTABLE, `${program}: ${errnoMessage(added)}`)
  mountAll(files, options.mount ?? [])
  if (!files.isDirectory(options.cwd)) {
    throw new Refusal(
      EXIT_OWN_FAILURE,
      `--cwd ${options.cwd}: no such directory in the guest; --mount can put one there`,
    )
  }
  const problem = linux.start(path, [program, ...args], options.env ?? [])
  if (problem === undefined) return
  const advice = problem.errno === -ENOMEM ? `; ${tooSmall}` : ''
  throw new Refusal(EXIT_NOT_EXECUTABLE, `${program}: ${problem.reason}${advice}`)
}

/**
 * Ctrl-C and kill(1) are the program's: it may handle them, and what it wrote to mounted files is not lost.
 * What always ends pagoda itself is Ctrl-\ (SIGQUIT).
 */
async function runForwarding(linux: Linux): Promise<ExitReport> {
  const signals = { SIGHUP: Signal.HUP, SIGINT: Signal.INT, SIGTERM: Signal.TERM }
  const names = Object.keys(signals) as (keyof typeof signals)[]
  const forward = (name: NodeJS.Signals) => linux.interrupt(signals[name as keyof typeof signals])
  for (const name of names) process.on(name, forward)
  try {
    return await linux.run()
  } finally {
    for (const name of names) process.off(name, forward)
  }
}

function writeReport(report: ExitReport, options: RunOptions): void {
  if (report.crash !== undefined) say(crashText(report.crash))
  if (report.stuck) say('pagoda: the program waits for something that cannot come; stopped\n')
  if (options.report) say(reportText(report))
  if (options.json === undefined) return
  try {
    fs.writeFileSync(options.json, reportJson(report))
  } catch (error) {
    throw new Refusal(EXIT_OWN_FAILURE, `--json ${options.json}: ${(error as Error).message}`)
  }
}

/** Runs the program to its end; the command's exit code. */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<number> {
  readProgram(program) // before anything is made: the commonest mistakes
  const clock = options.clock ?? (process.stdin.isTTY && process.stdout.isTTY ? 'real' : 'virtual')
  const machine = bootLinux({
    host: nodeHost(),
    memory: options.memory,
    seed: options.seed,
    clock,
    cwd: options.cwd,
    trace: options.trace ? (line) => say(`${line}\n`) : undefined,
  })
  startProgram(machine, program, args, options)
  const report = await runForwarding(machine.linux)
  const lost = machine.files.sync()
  writeReport(report, options)
  if (lost < 0) {
    throw new Refusal(
      EXIT_OWN_FAILURE,
      `not all changes could be written to mounted files: ${errnoMessage(lost)}`,
    )
  }
  return report.stuck ? EXIT_OWN_FAILURE : report.exitCode
}

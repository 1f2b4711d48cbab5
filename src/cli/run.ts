/** `pagoda run`: one program on a machine of its own. */
import fs from 'node:fs'
import { basename, resolve } from 'node:path'
import { EACCES, ENOENT, ENOMEM, ENOSPC, errnoMessage } from '../base/errno.js'
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
import { deathText, reportJson, reportText } from './report.js'
import { say } from './say.js'
import { formatSize } from './size.js'

export interface RunOptions {
  readonly memory: number
  readonly report: boolean
  readonly json?: string
  readonly env?: readonly string[]
  readonly mount?: readonly Mount[]
  /** Folders that make the guest's root; the last one lies on top. */
  readonly root?: readonly string[]
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
    if (!stat.isFile()) {
      // A device may have no end; a pipe can be read only once.
      throw new Refusal(EXIT_NOT_EXECUTABLE, `${path}: not a regular file; give the path of a program`)
    }
    if (process.platform !== 'win32' && (stat.mode & 0o111) === 0) {
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

function openFolder(option: string, path: string, readOnly: boolean): NodeDirectory {
  try {
    return new NodeDirectory(path, readOnly)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'no such directory' : message
    throw new Refusal(EXIT_OWN_FAILURE, `${option} ${path}: ${why}`)
  }
}

function mountAll(files: Files, mounts: readonly Mount[]): void {
  for (const { host, guest, readOnly } of mounts) {
    const directory = openFolder('--mount', host, readOnly)
    const result = files.mount(guest, directory, { readOnly, source: host })
    if (result < 0) throw new Refusal(EXIT_OWN_FAILURE, `--mount ${guest}: ${errnoMessage(result)}`)
  }
}

function tooSmall({ mm }: BootedLinux): string {
  return `the machine has ${formatSize(mm.memory.bytes)}: give it more with --memory`
}

/** Copies a program of the host into the guest; its path there. */
function addProgram(machine: BootedLinux, program: string, options: RunOptions): string {
  const path = guestPath(program, options.mount ?? [])
  const added = machine.files.addFile(path, readProgram(program), 0o755)
  if (added === -ENOMEM || added === -ENOSPC) {
    const why = `needs more memory than there is; ${tooSmall(machine)}`
    throw new Refusal(EXIT_NOT_EXECUTABLE, `${program}: ${why}`)
  }
  if (added < 0) throw new Refusal(EXIT_NOT_EXECUTABLE, `${program}: ${errnoMessage(added)}`)
  return path
}

/** The path of a program in the guest's own root. */
function findProgram({ files }: BootedLinux, program: string, options: RunOptions): string {
  const path = environmentOf(options).find((text) => text.startsWith('PATH='))
  const found = files.findProgram(program, path?.slice('PATH='.length) ?? '', options.cwd)
  if (typeof found === 'string') return found
  if (found === -EACCES) throw new Refusal(EXIT_NOT_EXECUTABLE, `${program}: permission denied in the guest`)
  const advice = 'no such program in the guest; give its path below --root, or its name if it is in PATH'
  throw new Refusal(EXIT_NOT_FOUND, `${program}: ${found === -ENOENT ? advice : errnoMessage(found)}`)
}

const ROOT_ENVIRONMENT = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/root',
] as const

/** What --env says, with --root over a usual environment: PATH, HOME, and TERM on a terminal. */
function environmentOf({ env = [], root }: RunOptions): readonly string[] {
  if (root === undefined) return env
  const terminal = process.stdin.isTTY && process.stdout.isTTY ? [`TERM=${process.env.TERM ?? 'linux'}`] : []
  const variables = new Map(
    [...ROOT_ENVIRONMENT, ...terminal, ...env].map((text) => [text.split('=')[0], text]),
  )
  return [...variables.values()]
}

function startProgram(
  machine: BootedLinux,
  program: string,
  args: readonly string[],
  options: RunOptions,
): void {
  const { linux, files } = machine
  const added = options.root === undefined ? addProgram(machine, program, options) : undefined
  mountAll(files, options.mount ?? [])
  if (!files.isDirectory(options.cwd)) {
    throw new Refusal(
      EXIT_OWN_FAILURE,
      `--cwd ${options.cwd}: no such directory in the guest; --mount can put one there`,
    )
  }
  const path = added ?? findProgram(machine, program, options)
  const problem = linux.start(path, [program, ...args], environmentOf(options))
  if (problem === undefined) return
  const advice = problem.errno === -ENOMEM ? `; ${tooSmall(machine)}` : ''
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
  if (report.crash !== undefined) say(deathText(report.crash, options.report))
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
  if (options.root === undefined) readProgram(program) // before anything is made: the commonest mistakes
  const root = options.root?.map((path) => openFolder('--root', path, true)).reverse()
  const clock = options.clock ?? (process.stdin.isTTY && process.stdout.isTTY ? 'real' : 'virtual')
  const machine = bootLinux({
    host: nodeHost(),
    memory: options.memory,
    seed: options.seed,
    clock,
    cwd: options.cwd,
    ...(root === undefined ? {} : { root }),
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

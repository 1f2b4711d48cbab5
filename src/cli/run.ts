/** `pagoda run`: one program on a machine of its own. */
import { EACCES, ENOENT, ENOMEM, ENOSPC, errnoMessage } from '../base/errno.js'
import type { HartParts } from '../hart/hart-parts.js'
import type { KeptTranslations } from '../hart/translator/kept-translations.js'
import { type BootedLinux, bootLinux } from '../linux/boot.js'
import type { Files } from '../linux/fs/file-services.js'
import type { Host } from '../linux/host.js'
import type { Linux } from '../linux/linux.js'
import type { ExitReport } from '../linux/report.js'
import { Signal } from '../linux/signal-numbers.js'
import type { BuiltIn } from './built-in.js'
import { compileBatches, optimizingLess, withPatientInterpreter } from './engine.js'
import { EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_OWN_FAILURE, Refusal } from './exit-codes.js'
import { KeptCode } from './kept-code.js'
import type { Mount } from './mount.js'
import { NodeDirectory } from './node-directory.js'
import { nodeHost } from './node-streams.js'
import { guestPath, readProgram } from './program-file.js'
import { deathText, profileText, reportJson, reportText } from './report.js'
import { ReportFile } from './report-file.js'
import type { RunOptions } from './run-options.js'
import { say } from './say.js'
import { formatSize } from './size.js'
import { isTerminal } from './terminal.js'

function openFolder(option: string, path: string, readOnly: boolean): NodeDirectory {
  try {
    return new NodeDirectory(path, readOnly)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'no such directory' : message
    throw new Refusal(EXIT_OWN_FAILURE, `${option} ${path}: ${why}`)
  }
}

/** What the options and the program say of the host, all looked at before a machine is made. */
interface Prepared {
  readonly mounts: readonly (Mount & { readonly directory: NodeDirectory })[]
  /** The uppermost first. */
  readonly root: readonly NodeDirectory[] | undefined
  /** The program's bytes and its place in the guest; without --root. */
  readonly added: { readonly path: string; readonly bytes: Uint8Array } | undefined
}

function prepare(program: string, options: RunOptions, room: Uint8Array | undefined): Prepared {
  const { mount = [], root } = options
  const mounts = mount.map((each) => ({
    ...each,
    directory: openFolder('--mount', each.host, each.readOnly),
  }))
  const folders = root?.map((path) => openFolder('--root', path, true)).reverse()
  const added =
    root === undefined ? { path: guestPath(program, mounts), bytes: readProgram(program, room) } : undefined
  return { mounts, root: folders, added }
}

function mountAll(files: Files, mounts: Prepared['mounts']): void {
  for (const { host, guest, readOnly, directory } of mounts) {
    const result = files.mount(guest, directory, { readOnly, source: host })
    if (result < 0) throw new Refusal(EXIT_OWN_FAILURE, `--mount ${guest}: ${errnoMessage(result)}`)
  }
}

function tooSmall({ mm }: BootedLinux): string {
  return `the machine has ${formatSize(mm.memory.bytes)}: give it more with --memory`
}

/** Copies a program of the host into the guest; its path there. */
function addProgram(
  machine: BootedLinux,
  program: string,
  { path, bytes }: NonNullable<Prepared['added']>,
): string {
  const added = machine.files.addFile(path, bytes, 0o755)
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

function isOnTerminal(): boolean {
  return isTerminal(0) && isTerminal(1)
}

/** What --env says, with --root over a usual environment: PATH, HOME, and TERM on a terminal. */
function environmentOf({ env = [], root }: RunOptions): readonly string[] {
  if (root === undefined) return env
  const terminal = isOnTerminal() ? [`TERM=${process.env.TERM ?? 'linux'}`] : []
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
  { mounts, added }: Prepared,
): void {
  const { linux, files } = machine
  mountAll(files, mounts)
  if (!files.isDirectory(options.cwd)) {
    throw new Refusal(
      EXIT_OWN_FAILURE,
      `--cwd ${options.cwd}: no such directory in the guest; --mount can put one there`,
    )
  }
  const path = added ? addProgram(machine, program, added) : findProgram(machine, program, options)
  const problem = linux.start(path, [program, ...args], environmentOf(options))
  if (problem === undefined) return
  const advice = problem.errno === -ENOMEM ? `; ${tooSmall(machine)}` : ''
  throw new Refusal(EXIT_NOT_EXECUTABLE, `${program}: ${problem.reason}${advice}`)
}

/**
 * Ctrl-C and kill(1) are the program's: it may handle them, and what it wrote to mounted files is not lost.
 * What always ends pagoda itself is Ctrl-\ (SIGQUIT), once the files are written.
 */
async function runForwarding({ linux, files }: BootedLinux): Promise<ExitReport> {
  const quit = () => {
    files.sync()
    process.off('SIGQUIT', quit)
    process.kill(process.pid, 'SIGQUIT')
  }
  const signals = { SIGHUP: Signal.HUP, SIGINT: Signal.INT, SIGTERM: Signal.TERM }
  const names = Object.keys(signals) as (keyof typeof signals)[]
  const forward = (name: NodeJS.Signals) => linux.interrupt(signals[name as keyof typeof signals])
  for (const name of names) process.on(name, forward)
  process.on('SIGQUIT', quit)
  try {
    return await linux.run()
  } finally {
    for (const name of names) process.off(name, forward)
    process.off('SIGQUIT', quit)
  }
}

function sayReport(report: ExitReport, options: RunOptions): void {
  if (report.crash !== undefined) say(deathText(report.crash, options.report))
  for (const line of report.kernelLog) say(`pagoda: kernel: ${line}\n`)
  if (report.stuck) say('pagoda: the program waits for something that cannot come; stopped\n')
  if (options.report) say(reportText(report.memory!))
}

function bootMachine(
  host: Host,
  options: RunOptions,
  { root }: Prepared,
  hartParts: HartParts | undefined,
  translations: KeptTranslations | undefined,
): BootedLinux {
  return bootLinux({
    host,
    memory: options.memory,
    inSharedBuffer: true,
    seed: options.seed,
    aslr: options.aslr,
    clock: options.clock ?? (isOnTerminal() ? 'real' : 'virtual'),
    cwd: options.cwd,
    translate: options.translate === 'on',
    aroundTranslating: optimizingLess,
    betweenSlices: compileBatches,
    ...(options.translateThreshold === undefined ? {} : { translateThreshold: options.translateThreshold }),
    ...(root === undefined ? {} : { root }),
    profile: options.profile !== undefined,
    memoryReport: options.report || options.json !== undefined,
    hartParts,
    translations,
    trace: options.trace ? (line) => say(`${line}\n`) : undefined,
  })
}

/** Whatever becomes of the run, what the program stored in mapped files of the host is written to them. */
async function runAndSync(machine: BootedLinux): Promise<{ report: ExitReport; lost: number }> {
  try {
    const report = await runForwarding(machine)
    return { report, lost: machine.files.sync() }
  } catch (error) {
    machine.files.sync()
    throw error
  }
}

/** What is written at the end. */
class Written {
  readonly report: ReportFile | undefined
  readonly profile: ReportFile | undefined

  constructor({ json, profile }: RunOptions) {
    this.report = json === undefined ? undefined : new ReportFile('--json', json)
    this.profile = profile === undefined ? undefined : new ReportFile('--profile', profile)
  }

  close(): void {
    this.report?.close()
    this.profile?.close()
  }
}

async function runToEnd(
  machine: BootedLinux,
  program: string,
  args: readonly string[],
  options: RunOptions,
  prepared: Prepared,
  written: Written,
): Promise<number> {
  startProgram(machine, program, args, options, prepared)
  const { report, lost } = await runAndSync(machine)
  sayReport(report, options)
  written.report?.write(reportJson(report))
  if (written.profile !== undefined) sayProfile(machine.linux, written.profile, options)
  if (lost < 0) {
    throw new Refusal(
      EXIT_OWN_FAILURE,
      `not all changes could be written to mounted files: ${errnoMessage(lost)}`,
    )
  }
  return report.stuck ? EXIT_OWN_FAILURE : report.exitCode
}

function sayProfile({ profiler }: Linux, file: ReportFile, options: RunOptions): void {
  profiler!.finish()
  file.write(JSON.stringify(profiler!.profile))
  if (options.report) say(profileText(profiler!.summary()))
}

/** Runs the program to its end; the command's exit code. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions,
  built?: BuiltIn,
): Promise<number> {
  const prepared = prepare(program, options, built?.room)
  const written = new Written(options)
  const host = nodeHost()
  try {
    const code = KeptCode.of(program, options, built)
    const machine = withPatientInterpreter(() =>
      bootMachine(host, options, prepared, built?.parts, code?.translations),
    )
    const exitCode = await runToEnd(machine, program, args, options, prepared, written)
    code?.keep(machine.linux.hart)
    return exitCode
  } finally {
    host.close()
    written.close()
  }
}

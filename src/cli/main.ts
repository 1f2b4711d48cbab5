/** The command `pagoda`. Exit codes: the guest's own; 125 a mistake in the command or ours, 126 not executable, 127 not found. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { InvariantError } from '../base/assert.js'
import { type BootRange, boot, PAGING_MODES, parseRange } from './boot.js'
import type { BuiltIn } from './built-in.js'
import { EXIT_OWN_FAILURE, Refusal } from './exit-codes.js'
import { type Mount, parseMount } from './mount.js'
import { run } from './run.js'
import { say } from './say.js'
import { parseSize } from './size.js'

export { builtIn, keepInterpreter } from './built-in.js'
export { tuneEngine, untuneEngine, withUsualSettings } from './engine.js'

function size(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined) throw new InvalidArgumentError('Give a size like 256M, 64MiB or 1G.')
  if (bytes % 65536 !== 0 || bytes < 8 * 2 ** 20 || bytes > 2 ** 32) {
    throw new InvalidArgumentError('It must be a multiple of 64 KiB between 8M and 4G.')
  }
  return bytes
}

function seed(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new InvalidArgumentError('Give a whole number from 0 to 4294967295.')
  }
  return value
}

function threshold(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 1e9) {
    throw new InvalidArgumentError('Give a whole number from 1 to 1000000000.')
  }
  return value
}

function environment(text: string, before: readonly string[] = []): string[] {
  if (text.indexOf('=') < 1) throw new InvalidArgumentError('Give NAME=VALUE.')
  return [...before, text]
}

function mount(text: string, before: readonly Mount[] = []): Mount[] {
  const parsed = parseMount(text)
  if (parsed === undefined) {
    throw new InvalidArgumentError('Give HOST:GUEST or HOST:GUEST:ro, GUEST an absolute path.')
  }
  return [...before, parsed]
}

function range(text: string, before: readonly BootRange[] = []): BootRange[] {
  const parsed = parseRange(text)
  if (parsed === undefined) {
    throw new InvalidArgumentError(
      'Give START:SIZE, such as 1M:64K or 0x100000:0x10000, counted from the start of RAM.',
    )
  }
  return [...before, parsed]
}

function lowEnd(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined) throw new InvalidArgumentError('Give a size like 16M.')
  return bytes
}

function harts(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 31) throw new InvalidArgumentError('Give 1 to 31.')
  return value
}

function folder(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

const EXAMPLES = `
Examples:
  pagoda run ./hello                            a static riscv64 Linux program
  pagoda run --memory 64M --seed 7 ./prog a b   a small machine; the same seed, the same run
  pagoda run --mount .:/work:ro --cwd /work ./wc README.md
  pagoda run --root ./debian sh -c 'ls /etc'    a Debian folder as its root; nothing in it is changed
  pagoda run --trace --no-report ./prog         system calls as strace prints them
  pagoda run --json report.json ./prog < input
  pagoda run --profile prog.cpuprofile ./prog   where its time goes, function by function

Ctrl-C and SIGTERM go to the program; Ctrl-\\ ends pagoda itself.
Exit code: the program's own, 128+N when it died of signal N; 125 when pagoda itself failed, 126 when PROGRAM
cannot be run, 127 when it is not there.`

function runCommand(built?: BuiltIn): Command {
  return new Command('run')
    .description('Run a riscv64 Linux program on a machine of its own and say what it did with its memory.')
    .argument('<program>', 'a static RISC-V ELF file; with --root a program in there')
    .argument('[args...]', 'its arguments')
    .addOption(
      new Option('--memory <size>', "the machine's RAM").argParser(size).default(256 * 2 ** 20, '256M'),
    )
    .option('--no-report', 'do not print the memory report on standard error')
    .option('--json <file>', 'write the report as JSON')
    .option(
      '--profile <file>',
      'write where the time went, by function (a .cpuprofile for Chrome, VS Code or speedscope)',
    )
    .option('--env <K=V>', 'a variable of its environment (repeatable)', environment)
    .option('--mount <host:guest[:ro]>', 'a folder of this machine (repeatable)', mount)
    .option(
      '--root <folder>',
      'what is in its root; changes stay in memory (repeatable: each lies over those before it)',
      folder,
    )
    .option('--cwd <path>', 'its working directory in the guest', '/')
    .option('--seed <n>', 'for everything random in the machine', seed, 1)
    .option('--no-aslr', 'programs at fixed addresses, whatever the seed')
    .addOption(
      new Option(
        '--clock <kind>',
        'virtual: counted in instructions, every run the same; default on a terminal: real',
      ).choices(['virtual', 'real']),
    )
    .option('--trace', 'print system calls on standard error')
    .addOption(
      new Option(
        '--translate <mode>',
        'translate what is executed often to WebAssembly: the same run, only faster',
      )
        .choices(['on', 'off'])
        .default('on'),
    )
    .addOption(
      new Option(
        '--translate-threshold <n>',
        'how often a place is come to before it is translated (from 1000 on: more often in a young program; default: 10000)',
      ).argParser(threshold),
    )
    .option(
      '--code-cache <folder>',
      'where translated code is kept for the next run; off: nowhere (default: $PAGODA_CODE_CACHE, pagoda/ in $XDG_CACHE_HOME or ~/.cache)',
    )
    .passThroughOptions()
    .addHelpText('after', EXAMPLES)
    .action(async (program: string, args: string[], options) => {
      process.exitCode = await run(program, args, options, built)
    })
}

const BOOT_EXAMPLES = `
Examples:
  pagoda boot                                   boot a machine of 256 MiB and check it
  pagoda boot --verbose --memory 1G --harts 4   each step, from the memory map to the kernel's page tables
  pagoda boot --verbose --reserve 1M:64K --unmapped 2M:2M
  pagoda boot --usable 0:64M --usable 128M:64M  RAM with a hole (with --memory 192M or more)
  pagoda boot --json --paging sv48              the steps as JSON

Exit code: 0 when the machine booted and all its checks pass; 125 when it cannot boot, and a line says which range is why.`

function bootCommand(): Command {
  return new Command('boot')
    .description('Boot the memory manager, without a program, and say how.')
    .addOption(
      new Option('--memory <size>', "the machine's RAM").argParser(size).default(256 * 2 ** 20, '256M'),
    )
    .option('--harts <n>', 'harts of the machine, 1 to 31', harts, 1)
    .addOption(
      new Option('--paging <mode>', 'format of the page tables').choices(PAGING_MODES).default('sv39'),
    )
    .option(
      '--usable <start:size>',
      'RAM that may be used (repeatable; default: all; the rest is a hole)',
      range,
    )
    .option('--reserve <start:size>', 'RAM that is never given out (repeatable)', range)
    .option('--unmapped <start:size>', 'reserved RAM that the kernel does not map either (repeatable)', range)
    .option('--low <size>', 'RAM below is a zone of its own, of which some is kept', lowEnd)
    .option('--verbose', 'print each step')
    .option('--json', 'print the steps as JSON')
    .addHelpText('after', BOOT_EXAMPLES)
    .action((options) => {
      process.exitCode = boot(options)
    })
}

function command(built?: BuiltIn): Command {
  return new Command('pagoda')
    .description('The memory manager of a Linux kernel, in TypeScript, with a RISC-V machine around it.')
    .version(PAGODA_VERSION, '-V, --version')
    .enablePositionalOptions()
    .addCommand(runCommand(built))
    .addCommand(bootCommand())
    .addHelpText('after', `${EXAMPLES}\n\npagoda boot --help says how a machine is booted without a program.`)
}

function configured(command: Command): Command {
  const output = { writeOut: (text: string) => say(text, 1), writeErr: (text: string) => say(text) }
  for (const each of [command, ...command.commands]) {
    const usage = `Usage: ${each.parent ? 'pagoda ' : ''}${each.name()} ${each.usage()}`
    const help = `pagoda ${each.parent ? `${each.name()} ` : 'run '}--help`
    each.exitOverride().showHelpAfterError(`${usage}\n${help} says more`).configureOutput(output)
  }
  return command
}

/** Says what went wrong, unless commander has; the exit code. */
function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_OWN_FAILURE
  const bug = error instanceof InvariantError ? ' (a bug in pagoda: please report it)' : ''
  say(`pagoda: ${error instanceof Error ? error.message : error}${bug}\n`)
  return error instanceof Refusal ? error.exitCode : EXIT_OWN_FAILURE
}

/** Runs the command line and sets the exit code; never throws. `built`: from the build. */
export async function main(argv: readonly string[], built?: BuiltIn): Promise<void> {
  try {
    await configured(command(built)).parseAsync([...argv])
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}

/** The command line as Commander reads it, which says what is wrong with one and has its help. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { type BootRange, boot, PAGING_MODES, parseRange } from './boot.js'
import { EXIT_OWN_FAILURE } from './exit-codes.js'
import {
  DEFAULT_MEMORY,
  RUN_OPTIONS,
  type RunOption,
  type RunOptions,
  size,
  WrongValue,
} from './run-options.js'
import { say } from './say.js'
import { parseSize } from './size.js'

export type RunsProgram = (program: string, args: string[], options: RunOptions) => Promise<void>

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

/** What Commander makes of an option. It has values of `--no-…` true on its own. */
function optionOf({ flags, text, parse, choices, otherwise, otherwiseShown }: RunOption): Option {
  const option = new Option(flags, text)
  if (choices !== undefined) option.choices([...choices])
  if (parse !== undefined) option.argParser(sayingWhy(parse))
  if (otherwise !== undefined && !flags.startsWith('--no-')) option.default(otherwise, otherwiseShown)
  return option
}

function sayingWhy(parse: NonNullable<RunOption['parse']>): (text: string, before: unknown) => unknown {
  return (text, before) => {
    try {
      return parse(text, before as never)
    } catch (error) {
      throw error instanceof WrongValue ? new InvalidArgumentError(error.message) : error
    }
  }
}

function runCommand(runs: RunsProgram): Command {
  const command = new Command('run')
  for (const option of RUN_OPTIONS) command.addOption(optionOf(option))
  return command
    .description('Run a riscv64 Linux program on a machine of its own and say what it did with its memory.')
    .argument('<program>', 'a static RISC-V ELF file; with --root a program in there')
    .argument('[args...]', 'its arguments')
    .passThroughOptions()
    .addHelpText('after', EXAMPLES)
    .action(runs)
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
      new Option('--memory <size>', "the machine's RAM")
        .argParser(sayingWhy(size))
        .default(DEFAULT_MEMORY, '256M'),
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

function command(runs: RunsProgram): Command {
  return new Command('pagoda')
    .description('The memory manager of a Linux kernel, in TypeScript, with a RISC-V machine around it.')
    .version(PAGODA_VERSION, '-V, --version')
    .enablePositionalOptions()
    .addCommand(runCommand(runs))
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

/** Does what a command line says; the exit code when it only had something to say, as Commander has then done. */
export async function readCommandLine(
  argv: readonly string[],
  runs: RunsProgram,
): Promise<number | undefined> {
  try {
    await configured(command(runs)).parseAsync([...argv])
    return undefined
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? 0 : EXIT_OWN_FAILURE
  }
}

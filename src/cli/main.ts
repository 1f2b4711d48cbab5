/** The command `pagoda`. Exit codes: the guest's own; 125 a mistake in the command or ours, 126 not executable, 127 not found. */
import { InvariantError } from '../base/assert.js'
import type { BuiltIn } from './built-in.js'
import { readCommandLine } from './command-line.js'
import { EXIT_OWN_FAILURE, Refusal } from './exit-codes.js'
import { plainRun } from './plain-run.js'
import { run } from './run.js'
import { say } from './say.js'

export { builtIn, keepInterpreter } from './built-in.js'
export { tuneEngine, untuneEngine, withUsualSettings } from './engine.js'

/** Says what went wrong; the exit code. */
function reportFailure(error: unknown): number {
  const bug = error instanceof InvariantError ? ' (a bug in pagoda: please report it)' : ''
  say(`pagoda: ${error instanceof Error ? error.message : error}${bug}\n`)
  return error instanceof Refusal ? error.exitCode : EXIT_OWN_FAILURE
}

/** Runs the command line and sets the exit code; throws only when the command itself is broken. `built`: from the build. */
export async function main(argv: readonly string[], built?: BuiltIn): Promise<void> {
  try {
    const plain = plainRun(argv)
    if (plain !== undefined) process.exitCode = await run(plain.program, plain.args, plain.options, built)
    else await askCommander(argv, built)
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}

async function askCommander(argv: readonly string[], built?: BuiltIn): Promise<void> {
  const exitCode = await readCommandLine(argv, async (program, args, options) => {
    process.exitCode = await run(program, args, options, built)
  })
  if (exitCode !== undefined) process.exitCode = exitCode
}

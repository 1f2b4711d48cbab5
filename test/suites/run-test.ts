/** Runs tests of a suite on the real kernel, and one in Pagoda. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { NodeDirectory } from '../../src/cli/node-directory.js'
import { bootLinux } from '../../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../../src/linux/host.js'
import type { ExitReport } from '../../src/linux/report.js'
import { DIRECTORY, ENVIRONMENT } from '../software/cases.js'
import { runCommands, UNFINISHED } from '../software/real-kernel.js'
import type { Outcome } from '../software/references.js'
import { findRoot } from '../software/roots.js'
import { programFolder } from './sources.js'
import { commandOf, guestPath, programName, type Suite, type SuiteTest } from './suite.js'

/** Where a test that never ends is stopped: on the real kernel, and here. */
const SECONDS = 600
const INSTRUCTIONS = 6e9

const programPath = (suite: Suite, test: SuiteTest) => join(programFolder(suite.name), programName(test))

/** By the tests' names. */
export function runOnLinux(suite: Suite, tests: readonly SuiteTest[]): Map<string, Outcome> {
  const sizes = new Set(tests.map((test) => memoryOf(suite, test)))
  return new Map(
    [...sizes].flatMap((memory) => {
      const alike = tests.filter((test) => memoryOf(suite, test) === memory)
      return [...runTogether(suite, alike, memory)]
    }),
  )
}

const memoryOf = (suite: Suite, test: SuiteTest) => test.memory ?? suite.memory

function runTogether(suite: Suite, tests: readonly SuiteTest[], memory: number): Map<string, Outcome> {
  const { root } = suite
  const files = tests.map((test) => [guestPath(test), programPath(suite, test)] as const)
  const commands = tests.map((test) => ({ name: test.name, argv: commandOf(test) }))
  return runCommands({ root, files, memory, seconds: SECONDS }, commands)
}

const text = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString('latin1')

export interface SuiteRun extends Outcome {
  readonly report: ExitReport
}

/** Checks every invariant when the test has ended. */
export async function runInPagoda(
  suite: Suite,
  test: SuiteTest,
  trace?: (line: string) => void,
): Promise<SuiteRun> {
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const host = {
    stdin: fixedInput(new Uint8Array()),
    stdout: callbackOutput((chunk) => out.push(chunk)),
    stderr: callbackOutput((chunk) => err.push(chunk)),
  }
  const root = [new NodeDirectory(findRoot(suite.root)!, true)]
  const { linux, files, mm } = bootLinux({ host, memory: memoryOf(suite, test), cwd: DIRECTORY, root, trace })
  files.addFile(guestPath(test), readFileSync(programPath(suite, test)), 0o755)
  const argv = commandOf(test)
  const problem = linux.start(argv[0]!, argv, [...ENVIRONMENT])
  if (problem) throw new Error(`${test.name}: ${problem.reason}`)
  const report = await linux.run({ instructions: INSTRUCTIONS })
  mm.check()
  linux.check()
  const status = report.limited || report.stuck ? UNFINISHED : report.exitCode
  return { status, stdout: text(out), stderr: text(err), report }
}

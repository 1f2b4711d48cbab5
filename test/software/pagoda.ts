/** Runs a case in Pagoda, in this process. */
import { readFileSync } from 'node:fs'
import { NodeDirectory } from '../../src/cli/node-directory.js'
import { bootLinux } from '../../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../../src/linux/host.js'
import type { ExitReport } from '../../src/linux/report.js'
import { DIRECTORY, ENVIRONMENT, memoryOf, type SoftwareCase } from './cases.js'
import { filesOf } from './files.js'
import type { Outcome } from './references.js'
import { findRoot } from './roots.js'

export interface SoftwareRun extends Outcome {
  readonly report: ExitReport
}

const text = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString('latin1')

/** Checks every invariant when the program has ended. */
export async function runInPagoda(test: SoftwareCase, trace?: (line: string) => void): Promise<SoftwareRun> {
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const host = {
    stdin: fixedInput(Buffer.from(test.input ?? '', 'latin1')),
    stdout: callbackOutput((chunk) => out.push(chunk)),
    stderr: callbackOutput((chunk) => err.push(chunk)),
  }
  const root = [new NodeDirectory(findRoot(test.root)!, true)]
  const { linux, files, mm } = bootLinux({ host, memory: memoryOf(test.root), cwd: DIRECTORY, root, trace })
  for (const [guest, path] of filesOf(test)) files.addFile(guest, readFileSync(path), 0o755)
  const problem = linux.start(test.argv[0]!, test.argv, [...ENVIRONMENT, ...(test.env ?? [])])
  if (problem) throw new Error(`${test.name}: ${problem.reason}`)
  const report = await linux.run()
  mm.check()
  return { status: report.exitCode, stdout: text(out), stderr: text(err), report }
}

/** `node scripts/run-ts.mjs test/software/run.ts [-t] NAME…`: runs cases in Pagoda and says how they differ; -t traces. */
import { softwareCases } from './cases.js'
import { runInPagoda } from './pagoda.js'
import { readReference } from './references.js'

const names = process.argv.slice(2).filter((name) => name !== '-t')
const trace = process.argv.includes('-t') ? (line: string) => process.stderr.write(`${line}\n`) : undefined

/** The first line that differs, as the real kernel has it and as Pagoda does. */
function difference(name: string, expected: string, actual: string): string {
  if (expected === actual) return ''
  const [wanted, found] = [expected.split('\n'), actual.split('\n')]
  const line = wanted.findIndex((text, i) => text !== found[i])
  const at = line < 0 ? wanted.length : line
  const show = (lines: readonly string[]) => lines.slice(Math.max(0, at - 1), at + 4).join('\n      ')
  return `\n  ${name}, line ${at + 1}\n    real kernel:\n      ${show(wanted)}\n    Pagoda:\n      ${show(found)}`
}

async function report(test: (typeof softwareCases)[number]): Promise<void> {
  const start = performance.now()
  const reference = readReference(test)
  const run = await runInPagoda(test, trace)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const { instructions, systemCalls, missing } = run.report.memory!
  const differences =
    (reference?.status === run.status ? '' : `\n  status ${reference?.status}, in Pagoda ${run.status}`) +
    difference('output', reference?.stdout ?? '', run.stdout) +
    difference('errors', reference?.stderr ?? '', run.stderr)
  const work = `${seconds} s, ${Math.round(instructions / 1e6)} million instructions, ${systemCalls} calls`
  console.log(`${differences ? 'DIFFERS' : 'same'} ${test.name}: ${work}${differences}`)
  if (Object.keys(missing).length > 0) console.log('  missing:', missing)
  if (run.report.stuck) console.log('  stuck: all threads wait')
}

for (const test of softwareCases) {
  if (!names.some((name) => test.name === name || test.name.startsWith(`${name}/`))) continue
  await report(test).catch((error: Error) => console.log(`FAILED ${test.name}: ${error.stack}`))
}

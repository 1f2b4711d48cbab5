// Runs a command that is one script on programs that many are like, and says which of its functions ran, [start, end) in the text: when the
// script was loaded, later, and in runs of what only many programs do.
//   node scripts/executed-functions.mjs COMMAND RESULT
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { COMMON_RUNS, FREQUENT_RUNS } from './common-runs.mjs'

const file = resolve(process.argv[2])
const TOUR = 'examples/programs/tour.elf'
/** The translator is what not every program needs. Such a hart is another one, with an interpreter of its own. */
const UNTRANSLATED = ['--translate-threshold', '1000000000']
const HEAD = '(function (exports, require, module) {'
const source = readFileSync(file, 'utf8')
const session = new Session()
session.connect()
await session.post('Profiler.enable')

const executed = { loading: [], later: [], frequent: [] }
/** Does it and notes what ran meanwhile. */
async function note(when, act) {
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  await act()
  const { result: scripts } = await session.post('Profiler.takePreciseCoverage')
  for (const { functionName, ranges } of scripts.find(({ url }) => url === pathToFileURL(file).href)
    .functions) {
    const [{ startOffset, endOffset, count }] = ranges
    const isOfClass = functionName === '<static_initializer>' // runs when the class is made
    const isAll = startOffset < HEAD.length
    if (count > 0 && !isOfClass && !isAll)
      executed[when].push([startOffset - HEAD.length, endOffset - HEAD.length])
  }
  await session.post('Profiler.stopPreciseCoverage')
}

const module = { exports: {} }
await note('loading', () =>
  new Script(`${HEAD}${source}\n})`, { filename: file }).runInThisContext()(
    module.exports,
    createRequire(import.meta.url),
    module,
  ),
)
const command = module.exports
const run = (program, kept, ...options) =>
  command.main(['', '', 'run', '--no-report', ...options, program], kept)
// Translated code is looked for in the folder where it usually is, and at first there is none.
const HOME = 'dist/nobody'
Object.assign(process.env, { PAGODA_CODE_CACHE: '', XDG_CACHE_HOME: '', HOME })
rmSync(HOME, { recursive: true, force: true })
await note('later', () => command.withUsualSettings(() => command.tuneEngine()))
// What makes a hart's parts does not count: they are kept.
const made = command.builtIn()
await run(TOUR, made)
await run(TOUR, made, ...UNTRANSLATED)
command.keepInterpreter(made)
await note('later', async () => {
  const kept = command.builtIn(made.parts.bytes(), 'build')
  for (const [program, ...options] of COMMON_RUNS) {
    await run(program, kept, ...options, ...UNTRANSLATED)
  }
})
// With the settings that guests run with, so that what V8 compiled is kept too.
await note('frequent', async () => {
  command.tuneEngine()
  for (const [program, ...options] of FREQUENT_RUNS) {
    await run(program, command.builtIn(made.parts.bytes(), 'build'), ...options)
  }
})
rmSync(HOME, { recursive: true, force: true })
writeFileSync(process.argv[3], JSON.stringify(executed))

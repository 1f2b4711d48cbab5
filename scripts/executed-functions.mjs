// Runs a command that is one script on programs that many are like, and says which of its functions ran, [start, end) in the text: when the
// script was loaded, and later. In a process for each kind of programs: some functions run once in a process, whoever needs them first.
//   node scripts/executed-functions.mjs COMMAND FOLDER WHAT
// FOLDER: where WHAT.json is written, and what a kind leaves for the next: the parts of harts, and translated code.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { COMMON_RUNS, FREQUENT_RUNS, IN_ROOT, TRANSLATING_RUNS } from './common-runs.mjs'

const [file, folder] = process.argv.slice(2).map((path) => resolve(path))
const what = process.argv[4]
const TOUR = 'examples/programs/tour.elf'
/** What translates is what not every program needs. */
const UNTRANSLATED = ['--translate-threshold', '1000000000']
const RUNS = {
  /** What makes a hart's parts does not count: they are kept. */
  parts: [[TOUR], IN_ROOT],
  later: COMMON_RUNS.map((run) => [...run, ...UNTRANSLATED]),
  translating: TRANSLATING_RUNS,
  frequent: FREQUENT_RUNS,
}
const HEAD = '(function (exports, require, module) {'
const source = readFileSync(file, 'utf8')
const session = new Session()
session.connect()
await session.post('Profiler.enable')

const executed = { loading: [], later: [] }
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
// Translated code is looked for in the folder where it usually is, and at first there is none.
Object.assign(process.env, { PAGODA_CODE_CACHE: '', XDG_CACHE_HOME: '', HOME: join(folder, 'home') })
const partsFile = join(folder, 'parts')
const parts = existsSync(partsFile) ? readFileSync(partsFile) : undefined
if (what === 'later') await note('later', () => command.withUsualSettings(() => command.tuneEngine()))
// With the settings that guests run with, so that what V8 compiled is kept too.
if (what !== 'later') command.tuneEngine()
let built
await note('later', async () => {
  built = command.builtIn(parts, 'build')
  for (const [program, ...options] of RUNS[what]) {
    await command.main(['', '', 'run', '--no-report', ...options, program], built)
  }
})
command.keepInterpreter(built)
writeFileSync(partsFile, built.parts.bytes())
writeFileSync(join(folder, `${what}.json`), JSON.stringify(executed))

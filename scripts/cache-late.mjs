// Runs the command on programs and keeps what V8 compiled of its later scripts: dist/frequent.cache, translator.cache and late.cache. Nearly all of a program is translated, so
// that the translator is in there, and then a report is made. In a process of its own, with the settings that guests run with: these scripts are loaded
// while they are in force, and V8 takes a cache with the same settings only.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { loadCommand } from '../bin/pagoda.js'
import { writeLaterCache } from './cache-files.mjs'
import { FREQUENT_RUNS, TRANSLATING_RUNS } from './common-runs.mjs'

const { exports: command, later, build, parts } = loadCommand()
command.tuneEngine()
setFlagsFromString('--no-sparkplug') // as in cache-command.mjs
const codeCache = mkdtempSync(join(tmpdir(), 'pagoda-build-'))
process.on('exit', () => {
  setFlagsFromString('--sparkplug')
  rmSync(codeCache, { recursive: true })
  for (const [name, script] of Object.entries(later.scripts)) {
    writeLaterCache(
      name,
      command.withUsualSettings(() => script.createCachedData()),
    )
  }
})
const built = command.builtIn(parts, build)
const run = (program, ...options) =>
  command.main([...process.argv.slice(0, 2), 'run', '--code-cache', codeCache, ...options, program], built)
for (const [program, ...options] of [...TRANSLATING_RUNS, ...FREQUENT_RUNS])
  await run(program, '--no-report', ...options)
await run('examples/programs/tour.elf')

// Runs the command on some programs and keeps what V8 compiled for them and what their hart is made of: dist/command.cache.
import { setFlagsFromString } from 'node:v8'
import { loadCommand } from '../bin/pagoda.js'
import { writeCache } from './cache-files.mjs'
import { COMMON_RUNS } from './common-runs.mjs'

const { exports: command, script } = loadCommand()
// The cache says of each function whether Sparkplug had compiled it, and who takes the cache has it compiled again as soon as it is called:
// 890 functions for hello, and 540 if it never had.
setFlagsFromString('--no-sparkplug')
const kept = command.builtIn()
process.on('exit', () => {
  command.builtIn(kept.parts.bytes()) // as each start does, which has bytes
  command.untuneEngine()
  setFlagsFromString('--sparkplug')
  writeCache(script.createCachedData(), kept.parts.bytes())
})
for (const [program, ...options] of COMMON_RUNS) {
  await command.main([...process.argv.slice(0, 2), 'run', '--no-report', ...options, program], kept)
}

// Runs the command on a program and keeps what V8 compiled of its late code: dist/late.cache. Nearly all of the program is translated, so
// that the translator is in there, and then the report is made. In a process of its own, with the settings that guests run with: late code is loaded
// while they are in force, and V8 takes a cache with the same settings only.
import { setFlagsFromString } from 'node:v8'
import { loadCommand } from '../bin/pagoda.js'
import { writeLateCache } from './cache-files.mjs'

const { exports: command, late } = loadCommand()
command.tuneEngine()
setFlagsFromString('--no-sparkplug') // as in cache-command.mjs
process.on('exit', () => {
  setFlagsFromString('--sparkplug')
  writeLateCache(late.script.createCachedData())
})
const run = (...options) =>
  command.main([...process.argv.slice(0, 2), 'run', ...options, 'examples/programs/tour.elf'])
await run('--translate-threshold', '2', '--no-report')
await run()

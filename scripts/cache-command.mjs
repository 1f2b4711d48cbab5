// Runs the command on a program and keeps what V8 compiled for it and what its hart is made of: dist/command.cache. Once it translates nearly
// all of the program, so that the translator's code is in there too.
import { setFlagsFromString } from 'node:v8'
import { loadCommand, writeCache } from '../bin/load-command.js'

const PROGRAM = 'examples/programs/tour.elf'
const { exports: command, script } = loadCommand()
// The cache says of each function whether Sparkplug had compiled it, and who takes the cache has it compiled again as soon as it is called:
// 890 functions for hello, and 540 if it never had.
setFlagsFromString('--no-sparkplug')
const kept = command.builtIn()
process.on('exit', () => {
  command.untuneEngine()
  setFlagsFromString('--sparkplug')
  writeCache(script.createCachedData(), kept.parts.bytes())
})
const run = (options, ...more) =>
  command.main([...process.argv.slice(0, 2), 'run', ...options, PROGRAM], ...more)
await run(['--no-report', '--translate-threshold', '2'])
await run([], kept)

// Adds to dist/command.cache what V8 makes of the interpreter's WebAssembly when it compiles it in full: that took 30 ms in each process
// that ran for longer. In a process of its own: V8 would refuse the script's part of a cache that was made with the settings that guests
// run with.
import { loadCommand } from '../bin/pagoda.js'
import { readCache, writeCache } from './cache-files.mjs'

const { exports: command, parts: bytes } = loadCommand()
const kept = command.builtIn(bytes)
process.on('exit', () => {
  command.keepInterpreter(kept)
  writeCache(readCache().code, kept.parts.bytes())
})
command.tuneEngine()
await command.main([...process.argv.slice(0, 2), 'run', '--no-report', 'examples/programs/tour.elf'], kept)

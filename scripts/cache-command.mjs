// Runs the command on a program and keeps what V8 compiled for it and what its hart is made of: dist/command.cache.
import { loadCommand, writeCache } from '../bin/load-command.js'

const { exports: command, script } = loadCommand()
const parts = new command.KeptParts()
process.on('exit', () => writeCache(script, parts.bytes()))
await command.main([...process.argv.slice(0, 2), 'run', 'examples/programs/tour.elf'], parts)

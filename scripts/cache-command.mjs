// Runs the command on a program and writes down what V8 has compiled for it: dist/command.cache (bin/load-command.js).
import { writeFileSync } from 'node:fs'
import { cacheFile, loadCommand } from '../bin/load-command.js'

const { exports, script } = await loadCommand()
process.on('exit', () => writeFileSync(cacheFile, script.createCachedData()))
await exports.main([...process.argv.slice(0, 2), 'run', 'examples/programs/tour.elf'])

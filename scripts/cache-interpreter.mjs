// Adds to dist/command.cache what V8 makes of the interpreter's WebAssembly when it compiles it in full, which took 30 ms in each process
// that ran for longer, and of other WebAssembly that many programs need. In a process of its own: V8 would refuse the script's part of a cache that was made with the settings that guests
// run with.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCommand } from '../bin/pagoda.js'
import { readCache, writeCache } from './cache-files.mjs'
import { IN_ROOT } from './common-runs.mjs'

const { exports: command, parts: bytes, build } = loadCommand()
const kept = command.builtIn(bytes, build)
const codeCache = mkdtempSync(join(tmpdir(), 'pagoda-build-'))
process.on('exit', () => {
  rmSync(codeCache, { recursive: true })
  command.keepInterpreter(kept)
  writeCache(readCache().code, kept.parts.bytes())
})
command.tuneEngine()
const run = (program, ...options) =>
  command.main(
    [...process.argv.slice(0, 2), 'run', '--no-report', '--code-cache', codeCache, ...options, program],
    kept,
  )
for (const [program, ...options] of [['examples/programs/tour.elf'], IN_ROOT]) await run(program, ...options)

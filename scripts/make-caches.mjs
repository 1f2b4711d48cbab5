// Makes what V8 compiles of the command: dist/*.cache (bin/pagoda.js). The build does, and npm where the package is installed: what one V8 has
// written no other one takes, so that it is not in the package.
//   node scripts/make-caches.mjs
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { argv, chdir, execPath } from 'node:process'
import { fileURLToPath } from 'node:url'

/** Throws when one cannot be made; the command needs none of them. */
export function makeCaches() {
  // V8 knows a script by its length: it would take what it compiled of an earlier one that was as long.
  for (const name of ['command', 'frequent', 'translator', 'late'])
    rmSync(`dist/${name}.cache`, { force: true })
  for (const what of ['command', 'interpreter', 'late']) {
    execFileSync(execPath, [`scripts/cache-${what}.mjs`], { stdio: 'pipe' })
  }
}

const self = fileURLToPath(import.meta.url)
if (argv[1] === self) {
  chdir(dirname(dirname(self)))
  // A clone is built later.
  if (existsSync('dist/command.cjs')) {
    try {
      makeCaches()
    } catch (error) {
      console.error(`pagoda: it will start slowly, because V8's code of it cannot be kept: ${error.message}`)
    }
  }
}

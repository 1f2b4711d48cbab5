/**
 * Loads the command. It is one script, so that V8 can take its code from dist/command.cache, which the build makes: without it a
 * third of the processor time of a short guest goes into compiling. A cache of another V8 is refused, and then all is compiled.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

export const commandFile = fileURLToPath(new URL('../dist/command.cjs', import.meta.url))
export const cacheFile = commandFile.replace(/cjs$/, 'cache')

/** What the command exports, and its script. */
export async function loadCommand() {
  // Before the script: V8 takes no cache that was made with other settings.
  const { tuneEngine } = await import('../dist/engine.js')
  tuneEngine()
  // The build leaves ASCII only; latin1 is read without decoding.
  const source = readFileSync(commandFile, 'latin1')
  const script = new Script(source, { filename: commandFile, cachedData: readCache() })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(import.meta.url), module)
  return { exports: module.exports, script }
}

function readCache() {
  try {
    return readFileSync(cacheFile)
  } catch {
    return undefined
  }
}

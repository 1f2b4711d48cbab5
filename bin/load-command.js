/**
 * Loads the command. It is one script, so that V8 can take its code from dist/command.cache, which the build makes: without it a
 * third of the processor time of a short guest goes into compiling. The parts of a hart that take long to make are in there too.
 * A cache of another V8 is refused, and then all is made anew. This folder is CommonJS: Node's loader of ES modules takes 10 ms.
 */
const { readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')

const commandFile = join(__dirname, '../dist/command.cjs')
const cacheFile = join(__dirname, '../dist/command.cache')
/** The cache's first bytes: how many of those that follow are V8's, as a little-endian number. */
const HEADER = 8
/** The script's last characters: its hash. */
const BUILD_LENGTH = 64

/**
 * What the command exports, its script, a name that no other build has, and what the cache holds for `KeptParts`: undefined without a cache.
 */
function loadCommand() {
  const cache = readCache()
  // The build leaves ASCII only; latin1 is read without decoding.
  const source = readFileSync(commandFile, 'latin1')
  const script = new Script(source, { filename: commandFile, cachedData: cache?.code })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, require, module)
  // V8 looks whether its part belongs to this script; so does the rest then.
  const parts = script.cachedDataRejected === false ? cache.parts : undefined
  return { exports: module.exports, script, build: source.slice(-BUILD_LENGTH), parts }
}

function readCache() {
  try {
    const bytes = readFileSync(cacheFile)
    const end = HEADER + bytes.readUInt32LE(0)
    return { code: bytes.subarray(HEADER, end), parts: bytes.subarray(end) }
  } catch {
    return undefined // there is none, or nobody can read it
  }
}

/** For the build: keeps what V8 compiled of the script, and the bytes of a KeptParts. */
function writeCache(code, parts) {
  const header = Buffer.alloc(HEADER)
  header.writeUInt32LE(code.length, 0)
  writeFileSync(cacheFile, Buffer.concat([header, code, parts]))
}

module.exports = { commandFile, loadCommand, readCache, writeCache }

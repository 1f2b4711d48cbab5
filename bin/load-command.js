/**
 * Loads the command. It is one script and another one with what not every program needs (scripts/late-code.mjs), so that V8 can take its code from dist/command.cache, which the build makes: without it a
 * third of the processor time of a short guest goes into compiling. The parts of a hart that take long to make are in there too.
 * A cache of another V8 is refused, and then all is made anew. This folder is CommonJS: Node's loader of ES modules takes 10 ms.
 */
const { readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')

const dist = join(__dirname, '../dist')
const commandFile = join(dist, 'command.cjs')
const cacheFile = join(dist, 'command.cache')
const lateFile = join(dist, 'late.cjs')
const lateCacheFile = join(dist, 'late.cache')
/** The cache's first bytes: how many of those that follow are V8's, as a little-endian number. */
const HEADER = 8
/** The last characters of both scripts: the hash of both. */
const BUILD_LENGTH = 64

/**
 * What the command exports, its script, a name that no other build has, and what the cache holds for `KeptParts`: undefined without a cache.
 * `late` has the script of the late code as soon as that is loaded.
 */
function loadCommand() {
  const cache = readCache()
  const { script, source } = scriptOf(commandFile, cache?.code)
  const late = { build: source.slice(-BUILD_LENGTH), script: undefined }
  const module = { exports: {}, loadLate: (early) => loadLate(late, early, module.exports) }
  script.runInThisContext()(module.exports, require, module)
  // V8 looks whether its part belongs to this script; so does the rest then.
  const parts = script.cachedDataRejected === false ? cache.parts : undefined
  return { exports: module.exports, script, late, build: late.build, parts }
}

/** Gives the late code what it needs of the early code; what the early code needs of it. It may be needed wherever a function is called. */
function loadLate(late, early, command) {
  const { script, source } = command.withUsualSettings(() => scriptOf(lateFile, readIfThere(lateCacheFile)))
  if (!source.endsWith(late.build)) throw new Error('pagoda was built anew while it ran')
  late.script = script
  const module = { exports: {} }
  late.script.runInThisContext()(module.exports, require, module, early)
  return module.exports
}

function scriptOf(filename, cachedData) {
  // The build leaves ASCII only; latin1 is read without decoding.
  const source = readFileSync(filename, 'latin1')
  return { source, script: new Script(source, { filename, cachedData }) }
}

function readIfThere(file) {
  try {
    return readFileSync(file)
  } catch {
    return undefined // there is none, or nobody can read it
  }
}

function readCache() {
  const bytes = readIfThere(cacheFile)
  if (bytes === undefined || bytes.length < HEADER) return undefined
  const end = HEADER + bytes.readUInt32LE(0)
  return { code: bytes.subarray(HEADER, end), parts: bytes.subarray(end) }
}

/** For the build: keeps what V8 compiled of the script, and the bytes of a KeptParts. */
function writeCache(code, parts) {
  const header = Buffer.alloc(HEADER)
  header.writeUInt32LE(code.length, 0)
  writeFileSync(cacheFile, Buffer.concat([header, code, parts]))
}

/** For the build: keeps what V8 compiled of the late code. */
function writeLateCache(code) {
  writeFileSync(lateCacheFile, code)
}

module.exports = { commandFile, loadCommand, readCache, writeCache, writeLateCache }

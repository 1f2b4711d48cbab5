#!/usr/bin/env node
/**
 * The command: it is one script and three others with what not every program needs (scripts/late-code.mjs), so that V8 can take its code from dist/command.cache, which the build makes: without it a
 * third of the processor time of a short guest goes into compiling. The parts of a hart that take long to make are in there too.
 * A cache of another V8 is refused, and then all is made anew. This folder is CommonJS: Node's loader of ES modules takes 10 ms. It is one file: another one takes 1 ms.
 */
const { closeSync, fstatSync, openSync, readSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')

const dist = join(__dirname, '../dist')
const commandFile = join(dist, 'command.cjs')
const cacheFile = join(dist, 'command.cache')
/** The scripts that are loaded when they are needed, and what V8 compiled of them. */
const LATER = ['frequent', 'translator', 'late']
const laterFile = (name, suffix) => join(dist, `${name}.${suffix}`)
/** The cache's first bytes: how many of those that follow are V8's, and how many the rest, as little-endian numbers. */
const HEADER = 8
/** The last characters of all scripts: the hash of all. */
const BUILD_LENGTH = 64

/** A file that is read part by part. */
class Parts {
  constructor(file) {
    this.fd = openSync(file)
    this.size = fstatSync(this.fd).size
  }

  /** The bytes from `start` on up to `end` or the file's own, at the start of `room`. */
  read(room, start, end = this.size) {
    const length = Math.min(end, this.size) - start
    let done = 0
    while (done < length) {
      const bytes = readSync(this.fd, room, done, length - done, start + done)
      if (bytes === 0) break
      done += bytes
    }
    return room.subarray(0, done)
  }

  close() {
    closeSync(this.fd)
  }
}

/**
 * What the command exports, its script, a name that no other build has, and what the cache holds for `KeptParts`: undefined without a cache.
 * `room`: what is left of the memory that all was read through. `later` has the later scripts that are loaded.
 *
 * All that is read goes through the same memory, one after the other: each new page of it costs a page fault, which takes as long as to read a page.
 */
function loadCommand() {
  const [text, cache] = [new Parts(commandFile), openCache()]
  const room = Buffer.allocUnsafeSlow(Math.max(text.size, cache.largest))
  const source = textOf(text, room)
  const script = makeScript(commandFile, source, cache.code(room))
  const later = { build: source.slice(-BUILD_LENGTH), scripts: {} }
  const module = { exports: {}, loadLate: (...given) => loadLate(later, module.exports, ...given) }
  script.runInThisContext()(module.exports, require, module)
  // V8 looks whether its part belongs to this script; so does the rest then.
  const parts = script.cachedDataRejected === false ? cache.parts(room) : undefined
  text.close()
  cache.close()
  return {
    exports: module.exports,
    script,
    later,
    build: later.build,
    parts,
    room: room.subarray(parts?.length),
  }
}

/** Gives a later script what it needs of those before it; what they need of it. It may be needed wherever a function is called. */
function loadLate(later, command, number, early, link) {
  const name = LATER[number - 1]
  const { script, source } = command.withUsualSettings(() => laterScript(name))
  if (!source.endsWith(later.build)) throw new Error('pagoda was built anew while it ran')
  later.scripts[name] = script
  const module = { exports: {} }
  script.runInThisContext()(module.exports, require, module, early, link)
  return module.exports
}

/** A later script with its text, both read through one memory as the first one is. (Node's readFileSync takes 1 ms more.) */
function laterScript(name) {
  const file = laterFile(name, 'cjs')
  const [text, cache] = [new Parts(file), openIfThere(laterFile(name, 'cache'))]
  const room = Buffer.allocUnsafeSlow(Math.max(text.size, cache?.size ?? 0))
  const source = textOf(text, room)
  const script = makeScript(file, source, cache && readIfPossible(cache, room))
  text.close()
  cache?.close()
  return { source, script }
}

/** The build leaves ASCII only; latin1 is read without decoding. */
function textOf(text, room) {
  return text.read(room, 0).latin1Slice()
}

function makeScript(filename, source, cachedData) {
  return new Script(source, { filename, cachedData })
}

/** V8 does without. */
function readIfPossible(parts, room) {
  try {
    return parts.read(room, 0)
  } catch {
    return undefined
  }
}

function openIfThere(file) {
  try {
    return new Parts(file)
  } catch {
    return undefined // there is none, or nobody can read it
  }
}

const NO_CACHE = { largest: 0, code: () => undefined, parts: () => undefined, close: () => {} }

/** The cache that the build has made, if it is one and whole. */
function openCache() {
  let file
  try {
    file = new Parts(cacheFile)
    const header = file.read(Buffer.alloc(HEADER), 0, HEADER)
    const end = header.length < HEADER ? Number.NaN : HEADER + header.readUInt32LE(0)
    if (file.size === end + header.readUInt32LE(4)) {
      return {
        largest: Math.max(end, file.size - end),
        code: (room) => file.read(room, HEADER, end),
        parts: (room) => file.read(room, end),
        close: () => file.close(),
      }
    }
  } catch {
    // there is none, or nobody can read it
  }
  file?.close()
  return NO_CACHE
}

function fail({ message }) {
  console.error(`pagoda: ${message}`)
  process.exit(125)
}

/** Runs the command line, and ends the process. */
function start() {
  let loaded
  try {
    loaded = loadCommand()
  } catch (error) {
    const isMissing = error.code === 'ENOENT'
    fail(
      isMissing ? new Error('not built yet: run `npm ci` or `npm run build` in the project folder') : error,
    )
  }
  const { exports: command, build, parts, room } = loaded
  command.tuneEngine() // not before: V8 takes no code cache that was made with other settings
  // Nothing is left to be done: all was written when it was said. Node would wait until V8 has compiled what it is at, and tidy up.
  command.main(process.argv, command.builtIn(parts, build, room)).then(() => process.exit(), fail)
}

module.exports = { cacheFile, laterFile, HEADER, loadCommand, openCache, start }
if (require.main === module) start()

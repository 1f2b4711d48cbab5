// What bin/pagoda.js reads: V8's code of its scripts, and what a hart is made of.
import { writeFileSync } from 'node:fs'
import { cacheFile, HEADER, laterFile, openCache } from '../bin/pagoda.js'

/** The parts of dist/command.cache. */
export function readCache() {
  const cache = openCache()
  const [code, parts] = [cache.code, cache.parts].map((read) => read(Buffer.allocUnsafeSlow(cache.largest)))
  cache.close()
  return { code, parts }
}

/** Keeps what V8 compiled of the script, and the bytes of a KeptParts. */
export function writeCache(code, parts) {
  const header = Buffer.alloc(HEADER)
  header.writeUInt32LE(code.length, 0)
  header.writeUInt32LE(parts.length, 4)
  writeFileSync(cacheFile, Buffer.concat([header, code, parts]))
}

/** Keeps what V8 compiled of a later script. */
export function writeLaterCache(name, code) {
  writeFileSync(laterFile(name, 'cache'), code)
}

/**
 * Translated code between runs: a file for each program with its options, in a folder of the user's cache. It is only a help: what is not there, or cannot be
 * read or written, is translated anew.
 *
 *     4 × u32  digest of all that follows
 *     u32      bytes of the key, which says what it is of; the key; zeros up to a multiple of four
 *     what KeptTranslations takes
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { type ModuleMaker, NEW_MODULES } from '../base/wasm/module-maker.js'
import { DigestedBytes } from './digested-bytes.js'

const DIGEST_BYTES = 16
const HEADER = DIGEST_BYTES + 4
/** Of all files; those that were used last stay. */
const FOLDER_BYTES_MAX = 512 * 2 ** 20
const SUFFIX = '.code'

/** The folder where things are kept if nobody says where; nothing when the user has no home. */
export function defaultFolder({
  PAGODA_CODE_CACHE,
  XDG_CACHE_HOME,
  HOME,
}: NodeJS.ProcessEnv): string | undefined {
  if (PAGODA_CODE_CACHE) return PAGODA_CODE_CACHE
  if (XDG_CACHE_HOME) return `${XDG_CACHE_HOME}/pagoda`
  return HOME ? `${HOME}/.cache/pagoda` : undefined
}

/** FNV-1a over 32-bit words, and a second one from another start: for a name. */
function hash(words: Int32Array, start: number): number {
  let sum = start
  for (let i = 0; i < words.length; i++) sum = Math.imul(sum ^ words[i]!, 0x01000193) ^ (sum >>> 15)
  return sum
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
}

function encodeKey(key: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(key))
  const padded = new Uint8Array(Math.ceil(text.length / 4) * 4)
  padded.set(text)
  return padded
}

function hex(number: number): string {
  return (number >>> 0).toString(16).padStart(8, '0')
}

export class CodeCache {
  readonly #folder: string
  readonly #file: string
  readonly #key: Uint8Array
  readonly #modules: ModuleMaker

  /** `what`: all that the code depends on; `name`: for who looks into the folder. */
  constructor(folder: string, name: string, what: unknown, modules: ModuleMaker = NEW_MODULES) {
    const key = encodeKey(what)
    const words = wordsOf(key)
    this.#folder = folder
    this.#file = `${folder}/${name.replace(/[^\w.+-]/g, '_').slice(0, 64)}-${hex(hash(words, 1))}${hex(hash(words, 2))}${SUFFIX}`
    this.#key = key
    this.#modules = modules
  }

  /** What was written last; nothing when that cannot be used. */
  read(): Uint8Array | undefined {
    try {
      // To throw takes longer than to look.
      const status = statSync(this.#file, { throwIfNoEntry: false })
      if (status === undefined) return undefined
      const room = this.#readAll(status.size)
      if (room === undefined || !this.#isWhole(room)) return undefined
      this.#noteUse()
      return room.bytes.subarray(HEADER + this.#key.length)
    } catch {
      return undefined
    }
  }

  #readAll(size: number): DigestedBytes | undefined {
    if (size % 4 !== 0 || size < HEADER + this.#key.length) return undefined
    const room = new DigestedBytes(size, this.#modules)
    const file = openSync(this.#file, 'r')
    try {
      for (let done = 0; done < size; ) {
        const bytes = readSync(file, room.bytes, done, size - done, done)
        if (bytes === 0) return undefined
        done += bytes
      }
    } finally {
      closeSync(file)
    }
    return room
  }

  #isWhole(room: DigestedBytes): boolean {
    const { bytes } = room
    if (bytes.readUInt32LE(DIGEST_BYTES) !== this.#key.length) return false
    const start = HEADER + this.#key.length
    if (bytes.compare(this.#key, 0, undefined, HEADER, start) !== 0) return false
    return room.digest(DIGEST_BYTES).every((word, i) => bytes.readInt32LE(i * 4) === word)
  }

  #noteUse(): void {
    const now = new Date()
    try {
      utimesSync(this.#file, now, now)
    } catch {
      // a folder that may only be read helps too
    }
  }

  /** Throws when that fails. Who reads meanwhile sees the old file or the new one. */
  write(packed: Uint8Array): void {
    const room = new DigestedBytes(HEADER + this.#key.length + packed.length, this.#modules)
    const { bytes } = room
    bytes.writeUInt32LE(this.#key.length, DIGEST_BYTES)
    bytes.set(this.#key, HEADER)
    bytes.set(packed, HEADER + this.#key.length)
    room.digest(DIGEST_BYTES).forEach((word, i) => {
      bytes.writeInt32LE(word, i * 4)
    })
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    const temporary = `${this.#file}.${process.pid}`
    try {
      writeFileSync(temporary, bytes, { mode: 0o600 })
      renameSync(temporary, this.#file)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
    this.#prune()
  }

  #prune(): void {
    const files = readdirSync(this.#folder)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => ({ path: `${this.#folder}/${name}`, ...sizeAndUse(`${this.#folder}/${name}`) }))
      .sort((a, b) => b.used - a.used)
    let room = FOLDER_BYTES_MAX
    for (const { path, bytes } of files) {
      room -= bytes
      if (room < 0) rmSync(path, { force: true })
    }
  }
}

function sizeAndUse(path: string): { bytes: number; used: number } {
  const status = statSync(path, { throwIfNoEntry: false })
  return { bytes: status?.size ?? 0, used: status?.mtimeMs ?? 0 }
}

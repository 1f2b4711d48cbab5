/** The digest of bytes, against the same in BigInt. */
import { expect, test } from 'vitest'
import { Random } from '../random.js'
import { SEED } from '../testing.js'
import { DIGEST_PARAMETERS, DIGEST_RESULTS, type Digest, emitDigest } from './digest.js'
import { WasmModule } from './module.js'

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
const u8 = new Uint8Array(memory.buffer)
const digest = digestOf(memory)

function digestOf(memory: WebAssembly.Memory): Digest {
  const module = new WasmModule()
  module.importMemory('memory', { shared: false, pages: 1 })
  module.function('digest', DIGEST_PARAMETERS, DIGEST_RESULTS, emitDigest)
  const compiled = new WebAssembly.Module(module.bytes() as BufferSource)
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports.digest as Digest
}

const low64 = (value: bigint) => BigInt.asUintN(64, value)
const rotl = (value: bigint, by: bigint) => low64(value << by) | (value >> (64n - by))

function expected(pointer: number, bytes: number): number[] {
  const view = new DataView(memory.buffer)
  const [first, second] = [0x6a09e667f3bcc909n, 0xbb67ae8584caa73bn]
  let [a, b] = [BigInt(bytes), BigInt(bytes) ^ second]
  for (let at = 0; at < bytes; at += 16) {
    const [left, right] = [0, 8].map((offset) => view.getBigUint64(pointer + at + offset, true))
    const next = low64(rotl(low64((a ^ left!) * first), 29n) + b)
    b = low64(rotl(low64((b ^ right!) * second), 31n) + a)
    a = next
  }
  a = low64((a ^ (a >> 32n)) * first + b)
  b = low64((b ^ (b >> 32n)) * first + a)
  return [a, a >> 32n, b, b >> 32n].map((half) => Number(BigInt.asIntN(32, half)))
}

test(`is of all bytes, and of how many they are (seed ${SEED})`, () => {
  const random = new Random(SEED)
  for (let i = 0; i < u8.length; i++) u8[i] = random.below(256)
  for (let i = 0; i < 50; i++) {
    const [pointer, bytes] = [random.below(1000), random.below(5000)]
    expect(digest(pointer, bytes), `PAGODA_SEED=${SEED}, ${bytes} at ${pointer}`).toEqual(
      expected(pointer, bytes),
    )
  }
  expect(digest(0, 0)).toEqual(expected(0, 0))
})

test('no bit can change alone, nor two words their places', () => {
  u8.fill(0)
  const seen = new Set([digest(0, 4096).join()])
  for (let bit = 0; bit < 8 * 4096; bit++) {
    u8[bit >>> 3] = 1 << (bit & 7)
    seen.add(digest(0, 4096).join())
    u8[bit >>> 3] = 0
  }
  for (let words = 1; words < 512; words++) seen.add(digest(0, words * 8).join())
  const words = new Uint32Array(memory.buffer)
  for (let place = 1; place < 1024; place++) {
    for (const [left, right] of [
      [1, 2],
      [2, 1],
    ] as const) {
      words.set([left], 0)
      words.set([right], place)
      seen.add(digest(0, 4096).join())
    }
    words[place] = 0
  }
  expect(seen.size).toBe(1 + 8 * 4096 + 511 + 2 * 1023)
})

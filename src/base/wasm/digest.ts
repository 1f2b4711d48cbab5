/**
 * A digest of 128 bits of bytes in the buffer, as WebAssembly: instead of bytes that would be kept only to compare others with them. It is good enough for files
 * and pages that nobody makes on purpose. Who does finds two with the same digest, as with every hash that is no cryptographic one.
 */
import type { Code, ValueType } from './code.js'
import { i64, local, op } from './value.js'

/** digest(pointer, bytes) → its words. What follows the bytes up to a multiple of 16 belongs to them. */
export const DIGEST_PARAMETERS: readonly ValueType[] = ['i32', 'i32']
export const DIGEST_RESULTS: readonly ValueType[] = ['i32', 'i32', 'i32', 'i32']
export const DIGEST_WORDS = 4
export type Digest = (pointer: number, bytes: number) => number[]
/** What is taken at a time. */
const STEP = 16

/** Odd, so that to multiply by them loses nothing: the first 64 bits behind the points of the square roots of 2, with 1 more, and of 3. */
const [FIRST, SECOND] = [0x6a09e667f3bcc909n, 0xbb67ae8584caa73bn]

/** Each lane takes every other word, and the other lane's state, so that either depends on all bytes. */
export function emitDigest(code: Code): void {
  const [pointer, bytes] = [0, 1]
  const [a, b, next, end] = [code.local('i64'), code.local('i64'), code.local('i64'), code.local('i32')]
  code.get(bytes).op('i64_extend_i32_u').tee(a)
  code.i64(SECOND).op('i64_xor').set(b)
  code
    .get(pointer)
    .get(bytes)
    .i32(STEP - 1)
    .op('i32_add')
    .i32(-STEP)
    .op('i32_and')
    .op('i32_add')
    .set(end)
  const done = code.block()
  const again = code.loop()
  code.get(pointer).get(end).op('i32_eq').brIf(done)
  code.get(a).get(pointer).memory('i64_load').op('i64_xor')
  code.i64(FIRST).op('i64_mul').i64(29).op('i64_rotl').get(b).op('i64_add').set(next)
  code.get(b).get(pointer).memory('i64_load', 8).op('i64_xor')
  code.i64(SECOND).op('i64_mul').i64(31).op('i64_rotl').get(a).op('i64_add').set(b)
  code.get(next).set(a)
  code.get(pointer).i32(STEP).op('i32_add').set(pointer).br(again).end().end()
  for (const [lane, other] of [
    [a, b],
    [b, a],
  ] as const) {
    // The high half of a product depends on all bits below.
    op('i64_mul', op('i64_xor', local(lane), op('i64_shr_u', local(lane), i64(32))), i64(FIRST))(code)
    code.get(other).op('i64_add').set(lane)
  }
  for (const lane of [a, b]) {
    code.get(lane).op('i32_wrap_i64')
    code.get(lane).i64(32).op('i64_shr_u').op('i32_wrap_i64')
  }
}

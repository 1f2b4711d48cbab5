import { expect, test } from 'vitest'
import { packParts, unpackParts } from './named-parts.js'

const PARTS = new Map([
  ['a', Uint8Array.of(1, 2, 3)],
  ['nothing', new Uint8Array(0)],
  ['ü "quoted"', Uint8Array.of(4, 5, 6, 7, 8)],
])

test('what was packed is there again, at multiples of four bytes', () => {
  const packed = packParts(PARTS)
  const parts = unpackParts(packed)
  expect([...parts].map(([name, part]) => [name, [...part]])).toEqual(
    [...PARTS].map(([name, part]) => [name, [...part]]),
  )
  for (const { byteOffset } of parts.values()) expect(byteOffset % 4).toBe(0)
})

test('what is cut short anywhere is refused', () => {
  const packed = packParts(PARTS)
  // The last part has three bytes of padding.
  for (let length = 0; length < packed.length - 3; length++) {
    expect(() => unpackParts(packed.subarray(0, length)), `${length} bytes`).toThrow()
  }
})

/** Texts made record by record: the same bytes however they are read, whole records in a read, and no more in memory than fits. */
import { describe, expect, test } from 'vitest'
import { ESRCH } from '../../../base/errno.js'
import { Random } from '../../../base/random.js'
import { byteString } from '../text.js'
import { type RecordSource, readRecords, startReading } from './record-text.js'

/** Records of these texts, by number. */
function listOf(texts: readonly string[]): RecordSource & { made: number } {
  const source = (cursor: number) => {
    source.made++
    return cursor < texts.length ? { text: texts[cursor]!, next: cursor + 1 } : undefined
  }
  source.made = 0
  return source
}

function readAll(source: RecordSource, sizes: () => number): { text: string; reads: number[] } {
  const reading = startReading()
  const reads: number[] = []
  let text = ''
  for (;;) {
    const target = new Uint8Array(sizes())
    const got = readRecords(reading, source, text.length, target)
    if (got <= 0) return { text, reads }
    reads.push(got)
    text += byteString(target.subarray(0, got))
  }
}

const lines = Array.from({ length: 500 }, (_, i) => `line ${i} ${'x'.repeat(i % 90)}\n`)

describe('texts made record by record', () => {
  test('a large read gives whole records of one buffer', () => {
    const { text, reads } = readAll(listOf(lines), () => 65536)
    expect(text).toBe(lines.join(''))
    expect(reads[0]).toBeLessThan(4096)
    expect(reads[0]! + lines[text.slice(0, reads[0]).split('\n').length - 1]!.length).toBeGreaterThanOrEqual(
      4096,
    )
  })

  test('a record larger than the buffer doubles it, and more fit then', () => {
    const texts = ['a'.repeat(4095), 'b'.repeat(4096), 'c'.repeat(4095), 'd', 'e'.repeat(30000)]
    expect(readAll(listOf(texts), () => 65536).reads).toEqual([4095, 8191, 1, 30000])
  })

  test.each([1, 2, 3])('small reads of any size give the same bytes, seed %i', (seed) => {
    const random = new Random(seed)
    expect(readAll(listOf(lines), () => random.between(1, 300)).text).toBe(lines.join(''))
  })

  test('records are made once by who reads on, and again by who jumps', () => {
    const source = listOf(lines)
    readAll(source, () => 7)
    expect(source.made).toBeLessThan(lines.length + 4)
    const reading = startReading()
    const target = new Uint8Array(20)
    const all = lines.join('')
    for (const position of [1000, 5, 20000, all.length - 3, all.length, all.length + 50, 0]) {
      const got = readRecords(reading, source, position, target)
      expect(byteString(target.subarray(0, got))).toBe(
        position < all.length ? all.slice(position, position + got) : '',
      )
    }
  })

  test('empty records are passed over; an error comes when nothing was read', () => {
    expect(readAll(listOf(['', '', 'a', '', 'b', '']), () => 10)).toEqual({ text: 'ab', reads: [2] })
    const failing: RecordSource = (cursor) => (cursor === 0 ? { text: 'first\n', next: 1 } : -ESRCH)
    const reading = startReading()
    const target = new Uint8Array(100)
    expect(readRecords(reading, failing, 0, target)).toBe(6)
    expect(readRecords(reading, failing, 6, target)).toBe(-ESRCH)
    expect(readRecords(reading, failing, 3, target)).toBe(3)
    expect(readRecords(reading, failing, 7, target)).toBe(-ESRCH)
  })
})

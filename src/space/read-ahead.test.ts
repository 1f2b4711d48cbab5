import { describe, expect, test } from 'vitest'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { Reading, windowFor } from './read-ahead.js'

const nothing = () => false
const pagesOf = ({ first, order }: { first: number; order: number }) => [first, first + 2 ** order]

describe('read in order', () => {
  test('from the start a file is read in larger and larger pieces, up to 128 KiB', () => {
    let end = 0
    const sizes: number[] = []
    while (end < 100) {
      const [first, stop] = pagesOf(windowFor(Reading.inOrder, end, 1000, (at) => at < end))
      expect(first).toBe(end)
      sizes.push(stop! - end)
      end = stop!
    }
    expect(sizes).toEqual([4, 8, 16, 32, 32, 32])
  })

  test('what is asked for out of order is read alone', () => {
    expect(windowFor(Reading.inOrder, 7, 1000, nothing)).toEqual({ first: 7, order: 0 })
  })

  test('one page is as many as that', () => {
    expect(windowFor(Reading.alone, 0, 1000, nothing)).toEqual({ first: 0, order: 0 })
  })
})

describe('read around', () => {
  test('half before, half after', () => {
    expect(pagesOf(windowFor(Reading.around, 100, 1000, nothing))).toEqual([84, 116])
  })

  test('at the start and the end of a file', () => {
    expect(pagesOf(windowFor(Reading.around, 3, 1000, nothing))).toEqual([0, 32])
    expect(pagesOf(windowFor(Reading.around, 999, 1000, nothing))).toEqual([984, 1000])
    expect(pagesOf(windowFor(Reading.around, 4, 7, nothing))).toEqual([2, 6])
  })
})

test('a window has the page, lies in the file, and nothing in it is cached', () => {
  const random = new Random(SEED)
  for (let step = 0; step < 20_000; step++) {
    const end = 1 + random.below(200)
    const index = random.below(end)
    const cached = new Set(Array.from({ length: random.below(100) }, () => random.below(end)))
    cached.delete(index)
    const reading = [Reading.alone, Reading.inOrder, Reading.around][random.below(3)]!
    const [first, stop] = pagesOf(windowFor(reading, index, end, (at) => cached.has(at))) as [number, number]
    const told = `seed ${SEED}, step ${step}`
    expect(first <= index && index < stop, told).toBe(true)
    expect(first >= 0 && stop <= end && stop - first <= 32, told).toBe(true)
    for (let at = first; at < stop; at++) expect(cached.has(at), told).toBe(false)
  }
})

import { expect, test } from 'vitest'
import { grouped } from './grouped.js'

test.each([0, 7, 999, 1000, 65032, 100_000, 3_855_810, 2 ** 53 - 1])(
  '%d is grouped as in English',
  (value) => {
    expect(grouped(value)).toBe(value.toLocaleString('en-US'))
  },
)

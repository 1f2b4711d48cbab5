import { expect, it } from 'vitest'
import { formatSize, parseSize } from './size.js'

it('reads sizes in powers of 1024, with any of the usual endings', () => {
  expect(
    ['0', '4096', '64k', '64 KiB', '1.5K', '256M', '256MB', '256mib', '1G', '4GiB'].map(parseSize),
  ).toEqual([0, 4096, 65536, 65536, 1536, 2 ** 28, 2 ** 28, 2 ** 28, 2 ** 30, 2 ** 32])
})

it('refuses what is no whole number of bytes', () => {
  for (const text of ['', 'M', '-1', '1.3', '1T', '0x10', '1e9', '1 M x', 'NaN', '1.0001k']) {
    expect(parseSize(text), text).toBeUndefined()
  }
})

it('writes sizes for people', () => {
  const sizes = [0, 1023, 1024, 1536, 2 ** 20 - 1, 2 ** 20, 254.4 * 2 ** 20, 2 ** 30, 2 ** 32]
  const texts = [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '1024.0 KiB',
    '1.0 MiB',
    '254.4 MiB',
    '1.0 GiB',
    '4.0 GiB',
  ]
  expect(sizes.map(formatSize)).toEqual(texts)
})

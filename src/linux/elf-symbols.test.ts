import { describe, expect, it } from 'vitest'
import { ElfSymbols } from './elf-symbols.js'

const symbols = new ElfSymbols([
  { start: 300, bytes: 20, name: 'later' },
  { start: 100, bytes: 50, name: 'main' },
  { start: 160, bytes: 0, name: 'unsized' },
])

describe('symbols', () => {
  it.each([
    [99, undefined],
    [100, 'main'],
    [149, 'main+0x31'],
    [150, undefined],
    [160, 'unsized'],
    [299, 'unsized+0x8b'],
    [300, 'later'],
    [319, 'later+0x13'],
    [320, undefined],
  ])('%d is %s', (address, name) => {
    expect(symbols.describe(address)).toBe(name)
  })
})

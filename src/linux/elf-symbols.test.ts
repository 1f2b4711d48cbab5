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
    [100, { name: 'main', offset: 0 }],
    [149, { name: 'main', offset: 49 }],
    [150, undefined],
    [160, { name: 'unsized', offset: 0 }],
    [299, { name: 'unsized', offset: 139 }],
    [300, { name: 'later', offset: 0 }],
    [319, { name: 'later', offset: 19 }],
    [320, undefined],
  ])('%d is %o', (address, place) => {
    expect(symbols.find(address)).toEqual(place)
  })
})

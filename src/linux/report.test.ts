import { describe, expect, it } from 'vitest'
import { mappingsAround } from './report.js'

const low = '00010000-00011000 r-xp 00000000 00:14 31   /program'
const high = '3ffffdf000-4000000000 rw-p 00000000 00:00 0   [stack]'
const maps = `${low}\n${high}\n`

describe('the mapping around an address', () => {
  it('is the one that holds it, or its neighbours', () => {
    expect(mappingsAround(maps, 0x10000).mapping).toBe(low)
    expect(mappingsAround(maps, 0x10fff).mapping).toBe(low)
    expect(mappingsAround(maps, 0x11000)).toEqual({ mapping: undefined, below: low, above: high })
    expect(mappingsAround(maps, 0)).toEqual({ mapping: undefined, below: undefined, above: low })
    expect(mappingsAround(maps, 0x40_0000_0000)).toEqual({
      mapping: undefined,
      below: high,
      above: undefined,
    })
    expect(mappingsAround('', 5)).toEqual({ mapping: undefined, below: undefined, above: undefined })
  })
})

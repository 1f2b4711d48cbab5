import { describe, expect, test } from 'vitest'
import { Random } from '../base/random.js'
import { fuzzSteps, SEED } from '../base/testing.js'
import { type BootEntry, BootMemoryMap, type RangeKind } from './boot-memory-map.js'

const FRAMES = 2048
const usable: BootEntry = { start: 0, bytes: 0x800000, kind: 'usable' }

function kindsOf(map: BootMemoryMap): (RangeKind | 'hole')[] {
  const kinds = new Array<RangeKind | 'hole'>(FRAMES).fill('hole')
  for (const kind of ['usable', 'reserved', 'noMap'] as const) {
    for (const { start, end } of map.ranges(kind)) kinds.fill(kind, start, end)
  }
  return kinds
}

describe('BootMemoryMap', () => {
  test('reserves the header in frame 0', () => {
    const map = BootMemoryMap.wholeRam(FRAMES)
    expect(map.ranges('reserved')).toEqual([{ start: 0, end: 1 }])
    expect(map.ranges('usable')).toEqual([{ start: 1, end: FRAMES }])
  })

  test('takes a firmware map that reserves the header too', () => {
    const map = BootMemoryMap.fromEntries(FRAMES, [usable, { start: 0, bytes: 0x4000, kind: 'reserved' }])
    expect(map.usableFrames()).toBe(FRAMES - 4)
    expect(kindsOf(map).slice(0, 5)).toEqual(['reserved', 'reserved', 'reserved', 'reserved', 'usable'])
  })

  test.each<[string, BootEntry[], RegExp]>([
    [
      'two usable ranges overlap',
      [usable, { ...usable, start: 0x1000, bytes: 0x1000 }],
      /overlaps usable RAM at 0x1000/,
    ],
    [
      'two reserved ranges overlap',
      [
        usable,
        { start: 0x4000, bytes: 0x2000, kind: 'noMap' },
        { start: 0x5000, bytes: 0x2000, kind: 'noMap' },
      ],
      /0x5000-0x7000 overlaps noMap RAM at 0x4000-0x6000/,
    ],
    ['the start is unaligned', [{ ...usable, start: 0x10 }], /unaligned/],
    ['the length is unaligned', [{ ...usable, bytes: 0x1234 }], /unaligned/],
    ['a range is empty', [{ ...usable, bytes: 0 }], /empty/],
    ['a range reaches beyond RAM', [{ ...usable, start: 0x1000 }], /0x1000-0x801000 lies outside RAM/],
    ['a range starts below RAM', [{ ...usable, start: -0x1000 }], /lies outside RAM/],
    ['a range is not a number', [{ ...usable, start: Number.NaN }], /unaligned/],
    [
      'frame 0 is reserved but is a hole',
      [
        { start: 0x1000, bytes: 0x7ff000, kind: 'usable' },
        { start: 0, bytes: 0x1000, kind: 'reserved' },
      ],
      /0x0-0x1000 is not wholly in usable RAM/,
    ],
    [
      'a reserved range lies in a hole',
      [
        { ...usable, bytes: 0x400000 },
        { start: 0x500000, bytes: 0x1000, kind: 'reserved' },
      ],
      /not wholly in usable RAM/,
    ],
  ])('refuses a map where %s', (_, entries, message) => {
    expect(() => BootMemoryMap.fromEntries(FRAMES, entries)).toThrow(message)
    expect(() => BootMemoryMap.fromEntries(FRAMES, entries)).toThrow('EINVAL')
  })

  test('refuses to boot with no usable RAM, or too little', () => {
    expect(() => new BootMemoryMap(FRAMES).assertBootable()).toThrow(/no usable RAM/)
    expect(() => new BootMemoryMap(FRAMES).add(8, 511).assertBootable()).toThrow(/too small: 511 usable/)
    expect(() => new BootMemoryMap(FRAMES).add(8, 512).assertBootable()).not.toThrow()
  })

  test('agrees with a list of frames; a refused range changes nothing', () => {
    const random = new Random(SEED)
    const map = new BootMemoryMap(FRAMES)
    const model = new Array<RangeKind | 'hole'>(FRAMES).fill('hole')
    for (let step = 0; step < fuzzSteps(2000); step++) {
      const start = random.chance(0.05) ? 0 : random.below(FRAMES)
      const frames = random.between(1, random.chance(0.5) ? 8 : 300)
      const end = start + frames
      const kind = random.pick(['usable', 'reserved', 'noMap', 'hole'] as const)
      const before = model.slice(start, end)
      if (start === 0 && before[0] === 'reserved') before[0] = 'usable'
      const legal = end <= FRAMES && before.every((it) => it === (kind === 'usable' ? 'hole' : 'usable'))
      const operation = { usable: 'add', reserved: 'reserve', noMap: 'noMap', hole: 'remove' } as const
      const act = () => map[operation[kind]](start, frames)
      if (legal) {
        act()
        model.fill(kind, start, end)
        if (start === 0) model[0] = 'reserved'
      } else expect(act, `seed ${SEED}, step ${step}`).toThrow('boot memory map')
      expect(kindsOf(map), `seed ${SEED}, step ${step}`).toEqual(model)
    }
  })
})

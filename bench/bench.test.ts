import { describe, expect, it } from 'vitest'
import { type Benchmark, type Contender, isMet, makeRow, runBenchmark } from './benchmark.js'
import { goalText, number, tableRow } from './table.js'

/** Gives one figure after another, and notes whose turn it was. */
function contender(name: string, figures: number[], turns: string[]): Contender {
  const seen: number[] = []
  return {
    round() {
      turns.push(name)
      seen.push(figures[seen.length]!)
    },
    best: () => Math.min(...seen),
  }
}

const about = { group: 'page fault', name: 'fresh', unit: 'ns', goal: { ofNative: 0.5 } }

describe('a benchmark', () => {
  it('takes turns and keeps the minimum of each side', () => {
    const turns: string[] = []
    const side = (name: string, ...figures: number[]) => contender(name, figures, turns)
    const benchmark: Benchmark = {
      ...about,
      sides: () => ({
        ours: side('A', 9, 4, 5),
        peers: { native: side('B', 8, 10, 9), qemu: side('C', 7, 7, 6) },
      }),
    }
    const row = runBenchmark(benchmark, { least: 3, time: 0 })
    expect(turns.join('')).toBe('ABCABCABC')
    expect(row).toEqual({ ...about, ours: 4, peers: { native: 8, qemu: 6 }, met: true })
  })

  it('goes on for a time where rounds are short, but not beyond its own limit', () => {
    const turns: string[] = []
    const figures = Array.from({ length: 20 }, (_, i) => 30 - i)
    const sides = () => ({ ours: contender('A', figures, turns), peers: {} })
    let clock = 0
    const now = () => (clock += 10)
    expect(runBenchmark({ ...about, sides }, { least: 3, time: 100 }, now).ours).toBe(30 - (turns.length - 1))
    expect(turns.length).toBe(12)
    turns.length = 0
    runBenchmark({ ...about, sides, roundsMax: 2 }, { least: 3, time: 100 }, now)
    expect(turns.length).toBe(2)
  })

  it('shows a peer that is absent as null, and one that there cannot be not at all', () => {
    const sides = () => ({ ours: contender('A', [1], []), peers: { native: undefined } })
    const row = runBenchmark({ ...about, sides }, { least: 1, time: 0 })
    expect(JSON.parse(JSON.stringify(row))).toEqual({ ...about, ours: 1, peers: { native: null }, met: null })
  })
})

describe('a goal', () => {
  it('is a limit, a share of native, or both', () => {
    expect(isMet(null, 5, 1)).toBe(null)
    expect(isMet({ atMost: 5 }, 5, null)).toBe(true)
    expect(isMet({ atMost: 5 }, 5.1, null)).toBe(false)
    expect(isMet({ ofNative: 0.5 }, 5, 10)).toBe(true)
    expect(isMet({ ofNative: 0.5 }, 5.1, 10)).toBe(false)
    expect(isMet({ atMost: 8, ofNative: 0.6 }, 7, 10)).toBe(false)
    expect(isMet({ atMost: 8, ofNative: 0.6 }, 9, 100)).toBe(false)
    expect(isMet({ atMost: 8, ofNative: 0.6 }, 6, 10)).toBe(true)
  })

  it('is neither met nor missed when native is absent, unless its limit is missed already', () => {
    expect(isMet({ ofNative: 0.5 }, 5, null)).toBe(null)
    expect(isMet({ atMost: 8, ofNative: 0.6 }, 7, null)).toBe(null)
    expect(isMet({ atMost: 8, ofNative: 0.6 }, 9, null)).toBe(false)
  })

  it('says itself in a few letters', () => {
    expect(goalText({ atMost: 8, ofNative: 0.6 })).toBe('≤ 8, 0.6 native')
    expect(goalText({ ofNative: 0.25 })).toBe('≤ 0.25 native')
    expect(goalText(null)).toBe('')
  })
})

describe('the table', () => {
  const cells = (text: string) => text.trim().split(/ {2,}/)

  it('has the ratio to native', () => {
    const row = makeRow(about, 300, { native: 1200, qemu: null })
    expect(cells(tableRow(row))).toEqual([
      'fresh',
      'ns',
      '300',
      '1,200',
      'absent',
      '0.25',
      '≤ 0.5 native',
      'yes',
    ])
  })

  it('keeps columns apart, however long the numbers are', () => {
    const long = { ...about, name: 'a name that is as long as its column is wide, and more' }
    const row = makeRow(long, 12_345_678_901, { native: 2_310_965_184, qemu: 123_184_000 })
    expect(cells(tableRow(row)).slice(0, 6)).toEqual([
      long.name,
      'ns',
      '12,345,678,901',
      '2,310,965,184',
      '123,184,000',
      '5.34',
    ])
  })

  it('has no ratio without native', () => {
    const row = makeRow({ ...about, goal: null }, 300, { native: null })
    expect(cells(tableRow(row))).toEqual(['fresh', 'ns', '300', 'absent'])
  })

  it('gives three digits', () => {
    expect([0.125, 9.994, 10.04, 99.94, 1234567.8].map(number)).toEqual([
      '0.13',
      '9.99',
      '10.0',
      '99.9',
      '1,234,568',
    ])
  })
})

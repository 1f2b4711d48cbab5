/** The files that tell of zones, with two zones that have memory, beside those of the real kernel with 3 GiB: every line but for its numbers. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type MemoryManager, mmInit } from '../../../mm.js'
import { bootLinux } from '../../boot.js'
import { callbackOutput, fixedInput } from '../../host.js'
import { buddyinfoText, pagetypeinfoText, vmallocinfoRecord } from './allocator-texts.js'
import { meminfoText } from './meminfo.js'
import type { TextRecord } from './record-text.js'
import { zoneRecord } from './zoneinfo.js'

const MIB = 2 ** 20
const LOW_FRAMES = 5000

const recorded = readFileSync(new URL('testing/two-zones-linux-6.12.txt', import.meta.url), 'latin1')

/** The text of a file in the record. */
function linuxText(name: string): string {
  const start = recorded.indexOf(`=== ${name}\n`)
  const end = recorded.indexOf('\n=== ', start + 1)
  return recorded.slice(recorded.indexOf('\n', start) + 1, end < 0 ? undefined : end + 1)
}

/** Lines with numbers and the room before them made alike. Its machine has two processors. */
function shape(text: string): string[] {
  const oneProcessor = text.replace(/ {4}cpu: [1-9]\n(?: {14}.*\n){3} {2}vm stats threshold: \d+\n/g, '')
  return oneProcessor.split('\n').map((line) => line.replace(/ *\b\d+/g, ' N'))
}

function allRecords(
  mm: MemoryManager,
  record: (mm: MemoryManager, cursor: number) => TextRecord | undefined,
) {
  let text = ''
  for (let at = record(mm, 0); at !== undefined; at = record(mm, at.next)) text += at.text
  return text
}

describe('two zones', () => {
  const mm = mmInit({ bytes: 64 * MIB, lowFrames: LOW_FRAMES })
  const used = [mm.buddy.allocate(0), mm.buddy.allocateBelow(LOW_FRAMES, 3)]

  test('zoneinfo', () => {
    expect(used.every((pfn) => pfn > 0)).toBe(true)
    const text = allRecords(mm, zoneRecord)
    expect(shape(text)).toEqual(shape(linuxText('/proc/zoneinfo')))
    const numbers = (name: string) =>
      [...text.matchAll(new RegExp(`^ +${name} +(\\d+)$`, 'gm'))].map(([, value]) => Number(value))
    const { all } = mm.buddy.zones
    const ends = [0, 0]
    expect(numbers('pages free')).toEqual([...all.map((zone) => zone.freeFrames), ...ends])
    expect(numbers('managed')).toEqual([...all.map((zone) => zone.managedFrames), ...ends])
    expect(numbers('start_pfn:')).toEqual(all.map((zone) => mm.arch.physBasePfn + zone.start))
    expect(/protection: (.*)/.exec(text)?.[1]).toMatch(/^\(0, (\d+), \1, \1\)$/)
    expect(numbers('count:').reduce((sum, count) => sum + count)).toBe(mm.buddy.stats().cached[0])
  })

  test('buddyinfo and pagetypeinfo', () => {
    expect(shape(buddyinfoText(mm))).toEqual(shape(linuxText('/proc/buddyinfo')))
    expect(shape(pagetypeinfoText(mm))).toEqual(shape(linuxText('/proc/pagetypeinfo')))
    const frames = buddyinfoText(mm)
      .trim()
      .split('\n')
      .map((line) =>
        line
          .split(/ +/)
          .slice(4, 15)
          .reduce((sum, count, order) => sum + Number(count) * 2 ** order, 0),
      )
    expect(frames).toEqual(mm.buddy.zones.all.map((zone) => zone.freeFrames))
  })
})

test('vmallocinfo and VmallocUsed tell of the areas of the kernel', () => {
  const mm = mmInit({ bytes: 16 * MIB })
  const before = mm.kernelAreas.areas().length
  const area = mm.kernelAreas.allocate(4)
  const window = mm.kernelAreas.mapFrames(mm.buddy.allocate(1), 2, 3)
  expect(Math.min(area, window) < 0).toBe(true)
  const lines = allRecords(mm, vmallocinfoRecord).trim().split('\n').slice(before)
  expect(lines).toEqual([
    expect.stringMatching(/^0xffff[0-9a-f]{12}-0xffff[0-9a-f]{12} {3}20480 pages=4 vmalloc N0=4$/),
    expect.stringMatching(/^0xffff[0-9a-f]{12}-0xffff[0-9a-f]{12} {3}12288 pages=2 vmap N0=2$/),
  ])
  const used = () => Number(/^VmallocUsed: +(\d+) kB$/m.exec(meminfoText({ mm } as never))?.[1])
  const kib = used()
  mm.kernelAreas.free(area)
  expect(kib - used()).toBe(16)
})

test('a machine with Linux has the zone of low frames that it was booted with', () => {
  const silent = callbackOutput(() => {})
  const host = { stdin: fixedInput(new Uint8Array()), stdout: silent, stderr: silent }
  const zonesOf = (lowFrames?: number) =>
    bootLinux({ host, memory: 64 * MIB, lowFrames }).mm.buddy.zones.all.map(({ start, end }) => [start, end])
  const frames = (64 * MIB) / 4096
  expect(zonesOf()).toEqual([[0, frames]])
  expect(zonesOf(LOW_FRAMES)).toEqual([
    [0, LOW_FRAMES],
    [LOW_FRAMES, frames],
  ])
})

/** Texts about mappings cost what is there: with 65,530 mappings each is looked for once, and a reservation of 64 GiB nothing. */
import { expect, test, vi } from 'vitest'
import { ESRCH } from '../../../base/errno.js'
import { mapRegion } from '../../../space/map-region.js'
import { anonymous, locked, pokePage } from '../../../space/testing.js'
import { unmapRange } from '../../../space/unmap-range.js'
import { VM_NORESERVE, VM_READ, VM_WRITE } from '../../../space/vm-flags.js'
import { FileMachine } from '../testing/file-machine.js'
import { byteString } from '../text.js'
import { maps, smaps, smapsRollup } from './mapping-files.js'
import type { ProcFile } from './proc-node.js'
import { readRecords, startReading } from './record-text.js'

/** vm.max_map_count of a new machine. */
const MAP_COUNT_MAX = 65530

const FIRST = 0x10000

/** Reads a file to its end as cat does. */
function read(
  { files, space }: FileMachine,
  { records }: ProcFile,
  between = () => {},
): { text: string; most: number } {
  const reading = startReading()
  const target = new Uint8Array(131_072)
  const parts: string[] = []
  let [at, most] = [0, 0]
  for (;;) {
    const got = readRecords(reading, (cursor) => records!(files.vfs, space, cursor), at, target)
    if (got <= 0) return { text: parts.join(''), most }
    parts.push(byteString(target.subarray(0, got)))
    at += got
    most = Math.max(most, reading.room)
    between()
  }
}

test('each of 65,530 mappings is looked for once, and one buffer is enough', () => {
  const machine = new FileMachine(32)
  const { mm, space } = machine
  const rights = [VM_READ, VM_READ | VM_WRITE]
  locked(mm, space, () => {
    for (let i = 0; space.vmaCount < MAP_COUNT_MAX; i++)
      mapRegion(mm, space, anonymous(FIRST + i, 1, rights[i % 2]!))
  })
  const find = vi.spyOn(mm.vmas, 'find')
  const { text, most } = read(machine, maps)
  expect(text.split('\n').length).toBe(MAP_COUNT_MAX + 1)
  expect(most).toBe(4096)
  // A record that did not fit is made again by the next read: one for each 4 KiB.
  expect(find.mock.calls.length).toBeLessThan(MAP_COUNT_MAX + text.length / 3000 + 10)
})

test('64 GiB that nobody touched cost nothing', () => {
  const machine = new FileMachine()
  const { mm, space } = machine
  const pages = 2 ** 24
  locked(mm, space, () => mapRegion(mm, space, anonymous(FIRST, pages, VM_READ | VM_WRITE | VM_NORESERVE)))
  pokePage(mm, space, (FIRST + pages - 1) as never, 1)
  const flagsOf = vi.spyOn(mm.arch, 'flagsOf')
  const { text } = read(machine, smaps)
  expect(text).toMatch(/^Size: +67108864 kB$/m)
  expect(flagsOf.mock.calls.length).toBeLessThan(200)
})

test('what is mapped and unmapped while somebody reads: every line is true when it is made', () => {
  const machine = new FileMachine()
  const { mm, space } = machine
  locked(mm, space, () => {
    for (let i = 0; i < 400; i++) mapRegion(mm, space, anonymous(FIRST + i * 2, 1, VM_READ))
  })
  let reads = 0
  const { text } = read(machine, maps, () => {
    reads++
    const at = FIRST + (800 - reads * 30)
    locked(mm, space, () => {
      unmapRange(mm, space, at as never, (at + 20) as never)
      mapRegion(mm, space, anonymous(at + 3, 1, VM_READ | VM_WRITE))
    })
    mm.check()
  })
  const starts = text
    .trimEnd()
    .split('\n')
    .map((line) => Number.parseInt(line, 16))
  expect(reads).toBeGreaterThan(3)
  expect(starts).toEqual([...starts].sort((a, b) => a - b))
  expect(new Set(starts).size).toBe(starts.length)
})

test('a rollup is the sum of its mappings, and of no memory at all an error', () => {
  const machine = new FileMachine()
  const sum = (text: string, name: string) =>
    [...text.matchAll(new RegExp(`^${name}: +(\\d+) kB$`, 'gm'))].reduce(
      (all, [, kib]) => all + Number(kib),
      0,
    )
  const [all, each] = [read(machine, smapsRollup).text, read(machine, smaps).text]
  for (const name of ['Rss', 'Pss', 'Private_Dirty', 'Anonymous', 'Referenced'])
    expect(sum(all, name)).toBe(sum(each, name))
  expect(smapsRollup.records!(machine.files.vfs, undefined, 0)).toBe(-ESRCH)
  expect(maps.records!(machine.files.vfs, undefined, 0)).toBeUndefined()
})

import { EntryFlag } from '../arch/memory-management-arch.js'
import type { Vpn } from '../base/numbers.js'
import type { PageTable } from './page-table.js'

const LETTERS: readonly (readonly [flag: number, letter: string])[] = [
  [EntryFlag.read, 'r'],
  [EntryFlag.write, 'w'],
  [EntryFlag.execute, 'x'],
  [EntryFlag.user, 'u'],
  [EntryFlag.global, 'g'],
  [EntryFlag.accessed, 'a'],
  [EntryFlag.dirty, 'd'],
  [EntryFlag.special, 's'],
]

/** `rw-u-ad-`: one letter for each EntryFlag. */
export function entryFlagsText(flags: number): string {
  return LETTERS.map(([flag, letter]) => ((flags & flag) !== 0 ? letter : '-')).join('')
}

interface Run {
  start: Vpn
  end: Vpn
  flags: number
}

/** Pages in hexadecimal, huge leaves too, as ranges of equal flags: `0x10-0x14 r-xu-a-- 4`. */
export function dumpLeaves(table: PageTable): string {
  const runs: Run[] = []
  table.walkPages(table.start, table.end, (vpn, _pfn, flags) => {
    const last = runs[runs.length - 1]
    if (last?.end === vpn && last.flags === flags) last.end = (vpn + 1) as Vpn
    else runs.push({ start: vpn, end: (vpn + 1) as Vpn, flags })
  })
  return runs.map(({ start, end, flags }) => line(start, end, flags)).join('\n')
}

function line(start: Vpn, end: Vpn, flags: number): string {
  return `${hex(start)}-${hex(end)} ${entryFlagsText(flags)} ${end - start}`
}

function hex(vpn: number): string {
  return vpn < 0 ? `-0x${(-vpn).toString(16)}` : `0x${vpn.toString(16)}`
}

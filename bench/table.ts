/** The table that people read. */
import type { Goal, Row } from './benchmark.js'

/** Numbers of nine digits and commas fit; what is longer still has its space before it. */
const WIDTHS = [52, 8, 11, 11, 11, 9, 17, 5]
const HEAD = ['', 'unit', 'Pagoda', 'native', 'qemu', '/ native', 'goal', 'met']

export function tableHead(): string {
  return line(HEAD)
}

export function tableRow(row: Row): string {
  const { name, unit, ours, peers, goal, met } = row
  return line([
    `  ${name}`,
    unit,
    number(ours),
    peerNumber(peers.native),
    peerNumber(peers.qemu),
    typeof peers.native === 'number' ? number(ours / peers.native) : '',
    goalText(goal),
    met === null ? '' : met ? 'yes' : 'NO',
  ])
}

/** Columns of text, the first one flush left, two spaces between them at least. */
function line(cells: readonly string[]): string {
  return cells
    .map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[i]!) : `  ${cell.padStart(WIDTHS[i]! - 2)}`))
    .join('')
    .trimEnd()
}

/** Three digits, or all of a large number. */
export function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(value >= 10 ? 1 : 2)
}

/** A peer that this row does not have leaves the column empty. */
function peerNumber(value: number | null | undefined): string {
  if (value === undefined) return ''
  return value === null ? 'absent' : number(value)
}

/** `≤ 8`, `≤ 0.6 native`: all that is given must hold. */
export function goalText(goal: Goal | null): string {
  if (goal === null) return ''
  const parts = [goal.atMost, goal.ofNative].map((limit, i) =>
    limit === undefined ? [] : [`${limit}${i === 1 ? ' native' : ''}`],
  )
  return `≤ ${parts.flat().join(', ')}`
}

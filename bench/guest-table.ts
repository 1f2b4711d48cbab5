/** The table of bench:guest, as Markdown. */
import { CODE, START, type Work } from './guest-works.js'

/** The six kernels against the real kernel's page tables. */
const SYSTEM_GOAL = 0.8

export const SIDES = ['pagoda', 'qemu', 'system', 'native', 'interpreted', 'v86', 'beside'] as const
/** `beside`: what counts with qemu's. */
export type Side = (typeof SIDES)[number]
/** Seconds of CPU; a side that is not there has none. */
export type Row = { readonly work: Work } & Readonly<Record<Side, number>>

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

const seconds = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(2))
const verdict = (ratio: number, goal: number): string[] => [`≤ ${goal}`, ratio <= goal ? 'yes' : 'no']

const ratioOf = ({ pagoda, qemu, beside }: Row): number => pagoda / (qemu + (beside || 0))
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** The rows as Markdown. `start` is the row of the program that does nothing. */
export class Table {
  readonly #start: Row
  readonly #columns: [string, Side][]

  constructor(start: Row, hasV86: boolean) {
    this.#start = start
    this.#columns = [
      ['Pagoda, s', 'pagoda'],
      ['qemu-riscv64, s', 'qemu'],
      ['qemu-system, s', 'system'],
      ['native, s', 'native'],
    ]
    if (!Number.isNaN(start.interpreted)) this.#columns.push(['interpreted, s', 'interpreted'])
    if (hasV86) this.#columns.push(['v86, s', 'v86'])
  }

  head(): string {
    const names = this.#columns.map(([name]) => name)
    const all = ['work', ...names, 'Pagoda / qemu', 'without the start', 'goal', 'met']
    return `${line(all)}\n${line(all.map(() => '---'))}`
  }

  row(row: Row): string {
    const { group, name, goal } = row.work
    const times = this.#columns.map(([, side]) => seconds(row[side]))
    const ratio = ratioOf(row)
    const judged = group === CODE ? ['', ''] : verdict(ratio, goal)
    return line([`${group}: ${name}`, ...times, ratio.toFixed(2), this.#withoutStart(row), ...judged])
  }

  #withoutStart(row: Row): string {
    if (row.work.group === START) return ''
    return ((row.pagoda - this.#start.pagoda) / (row.qemu - this.#start.qemu)).toFixed(2)
  }

  means(rows: readonly Row[]): string[] {
    const kernels = rows.filter(({ work }) => work.group === CODE)
    if (kernels.length === 0) return []
    const mean = (side: Side) => geometricMean(kernels.map((row) => row.pagoda / row[side]))
    const none = this.#columns.map(() => '')
    const text = (name: string, ratio: number, goal: number) =>
      line([`${CODE}: geometric mean${name}`, ...none, ratio.toFixed(2), '', ...verdict(ratio, goal)])
    const lines = [text('', mean('qemu'), kernels[0]!.work.goal)]
    const system = mean('system')
    return Number.isNaN(system) ? lines : [...lines, text(', against qemu-system', system, SYSTEM_GOAL)]
  }

  text(rows: readonly Row[]): string {
    return [this.head(), ...rows.map((row) => this.row(row)), ...this.means(rows)].join('\n')
  }
}

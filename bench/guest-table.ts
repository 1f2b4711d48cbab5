/** The table of bench:guest, as Markdown. */
import { CODE, START, type Work } from './guest-works.js'

/** The six kernels against the real kernel's page tables. */
const SYSTEM_GOAL = 0.8

export const SIDES = ['pagoda', 'again', 'qemu', 'system', 'native', 'interpreted', 'v86', 'beside'] as const
/** `again`: Pagoda, with what earlier runs have translated; `beside`: what counts with qemu's. */
export type Side = (typeof SIDES)[number]
/** Seconds of CPU; a side that is not there has none. */
export type Row = { readonly work: Work } & Readonly<Record<Side, number>>

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

const seconds = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(2))
/** Whether a goal is met by the first run, or by later ones. */
function verdict(first: number, again: number, goal: number): string[] {
  return [`≤ ${goal}`, first <= goal ? 'yes' : again <= goal ? 'again' : 'no']
}

const ratioOf = (seconds: number, { qemu, beside }: Row): number => seconds / (qemu + (beside || 0))
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** The rows as Markdown. `start` is the row of the program that does nothing. */
export class Table {
  readonly #start: Row
  readonly #columns: [string, Side][]

  constructor(start: Row, hasV86: boolean) {
    this.#start = start
    this.#columns = [
      ['Pagoda, s', 'pagoda'],
      ['again, s', 'again'],
      ['qemu-riscv64, s', 'qemu'],
      ['qemu-system, s', 'system'],
      ['native, s', 'native'],
    ]
    if (!Number.isNaN(start.interpreted)) this.#columns.push(['interpreted, s', 'interpreted'])
    if (hasV86) this.#columns.push(['v86, s', 'v86'])
  }

  head(): string {
    const names = this.#columns.map(([name]) => name)
    const all = ['work', ...names, 'Pagoda / qemu', 'again / qemu', 'without the start', 'goal', 'met']
    return `${line(all)}\n${line(all.map(() => '---'))}`
  }

  row(row: Row): string {
    const { group, name, goal } = row.work
    const times = this.#columns.map(([, side]) => seconds(row[side]))
    const [first, again] = [ratioOf(row.pagoda, row), ratioOf(row.again, row)]
    const judged = group === CODE ? ['', ''] : verdict(first, again, goal)
    const ratios = [first.toFixed(2), again.toFixed(2), this.#withoutStart(row)]
    return line([`${group}: ${name}`, ...times, ...ratios, ...judged])
  }

  /** Of both Pagodas. */
  #withoutStart(row: Row): string {
    if (row.work.group === START) return ''
    const qemu = row.qemu - this.#start.qemu
    const ratio = (side: 'pagoda' | 'again') => ((row[side] - this.#start[side]) / qemu).toFixed(2)
    return `${ratio('pagoda')}, ${ratio('again')}`
  }

  means(rows: readonly Row[]): string[] {
    const kernels = rows.filter(({ work }) => work.group === CODE)
    if (kernels.length === 0) return []
    const mean = (ours: 'pagoda' | 'again', theirs: Side) =>
      geometricMean(kernels.map((row) => row[ours] / row[theirs]))
    const none = this.#columns.map(() => '')
    const text = (name: string, theirs: Side, goal: number) => {
      const [first, again] = [mean('pagoda', theirs), mean('again', theirs)]
      const ratios = [first.toFixed(2), again.toFixed(2), '']
      return line([`${CODE}: geometric mean${name}`, ...none, ...ratios, ...verdict(first, again, goal)])
    }
    const lines = [text('', 'qemu', kernels[0]!.work.goal)]
    if (Number.isNaN(mean('pagoda', 'system'))) return lines
    return [...lines, text(', against qemu-system', 'system', SYSTEM_GOAL)]
  }

  text(rows: readonly Row[]): string {
    return [this.head(), ...rows.map((row) => this.row(row)), ...this.means(rows)].join('\n')
  }
}

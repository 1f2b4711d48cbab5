/**
 * Random scripts for vmaoracle.c from a seed: every operation that it knows, on ranges that meet. What would make the rest of a
 * script pointless (a limit, a lock on all that comes, another overcommit mode) is taken back after a few operations; what cannot be
 * taken back (dropped capabilities, seals) is done in forked children.
 */
import { Random } from '../../src/base/random.js'

export interface GeneratorOptions {
  readonly seed: number
  readonly ops: number
  /** Pages of the window. */
  readonly pages: number
  /** Let the kernel choose addresses too. */
  readonly free: boolean
}

const FILES = 4
const FILE_PAGES = 64
/** Recent ranges that operations come back to. */
const HOT_MAX = 64
/** Operations after which a restriction is lifted. */
const RESTRICTED_MAX = 25
const FORKS_MAX = 2

const PROTECTIONS = ['r', 'r', 'rw', 'rw', 'rw', 'rw', 'rx', 'rwx', '-', '-', 'w', 'x', 'wx'] as const
const ADVICES = [
  'dontneed dontneed free willneed remove dontfork dofork populate_read populate_write random normal dontdump dodump',
  'sequential wipeonfork keeponfork cold pageout hugepage nohugepage mergeable unmergeable collapse guard_install undefined',
].flatMap((names) => names.split(' '))

type Range = readonly [page: number, pages: number]

class ScriptGenerator {
  readonly lines: string[] = []
  readonly #random: Random
  readonly #pages: number
  readonly #free: boolean
  readonly #hot: Range[] = []
  /** How many operations each open child still makes. */
  readonly #children: number[] = []
  /** What to do, and after how many operations. */
  #later: { line: string; operations: number }[] = []

  constructor({ seed, pages, free }: GeneratorOptions) {
    this.#random = new Random(seed)
    this.#pages = pages
    this.#free = free
    for (let k = 0; k < FILES; k++) this.lines.push(`file ${k} ${FILE_PAGES}`)
  }

  /** One operation and what is due because of it. */
  step(): void {
    const line = this.#operation()
    if (line === undefined) return
    this.lines.push(line)
    this.#liftRestrictions()
    if (line === 'fork') this.#children.push(5 + this.#below(20))
    else if (this.#children.length > 0 && --this.#children[this.#children.length - 1]! <= 0) this.#endChild()
  }

  end(): void {
    while (this.#children.length > 0) this.#endChild()
  }

  /** What is due goes away with the child. */
  #endChild(): void {
    this.#children.pop()
    this.lines.push('exit')
    for (const { line } of this.#later) this.lines.push(line)
    this.#later = []
  }

  #liftRestrictions(): void {
    for (const one of this.#later) one.operations--
    for (const { line, operations } of this.#later) if (operations <= 0) this.lines.push(line)
    this.#later = this.#later.filter(({ operations }) => operations > 0)
  }

  #restrict(line: string, undo: string): string {
    this.#later.push({ line: undo, operations: 1 + this.#below(RESTRICTED_MAX) })
    return line
  }

  #below(n: number): number {
    return this.#random.below(n)
  }

  #length(): number {
    return Math.min(this.#pages >> 2, 1 + (this.#below(4) ? this.#below(16) : this.#below(128)))
  }

  #page(pages = 1): number {
    return this.#below(this.#pages - pages)
  }

  #remember(page: number, pages: number): void {
    this.#hot.push([page, pages])
    if (this.#hot.length > HOT_MAX) this.#hot.shift()
  }

  /** Mostly a part of a recent one. */
  #range(): Range {
    if (this.#hot.length > 0 && this.#below(3)) {
      const [page, pages] = this.#random.pick(this.#hot)
      const offset = this.#below(pages)
      const start = Math.min(this.#pages - 1, page + offset)
      const length = this.#below(2) ? pages - offset : this.#length()
      return [start, Math.max(1, Math.min(this.#pages - start, length))]
    }
    const pages = this.#length()
    return [this.#page(pages), pages]
  }

  #operation(): string | undefined {
    const r = this.#below(1000)
    let sum = 0
    for (const [weight, make] of this.#operations) if (r < (sum += weight)) return make()
    return `r ${this.#range()[0]}`
  }

  /** Of a thousand operations so many; the rest are loads. */
  readonly #operations: readonly (readonly [weight: number, make: () => string | undefined])[] = [
    [240, () => this.#mmap()],
    [110, () => `munmap ${this.#range().join(' ')}`],
    [120, () => this.#mprotect()],
    [90, () => this.#mremap()],
    [90, () => `madvise ${this.#range().join(' ')} ${this.#random.pick(ADVICES)}`],
    [30, () => `${this.#random.pick(['mlock', 'mlock2', 'munlock', 'munlock'])} ${this.#range().join(' ')}`],
    [4, () => this.#lockAll()],
    [
      20,
      () => `msync ${this.#range().join(' ')} ${this.#random.pick(['s', 'a', 'i', 'si', 'sa', 'ai', '-'])}`,
    ],
    [8, () => (this.#below(2) ? `brk ${this.#below(64)}` : `brkb ${this.#below(64 * 4096)}`)],
    [5, () => `remap_file_pages ${this.#range().join(' ')} ${this.#below(FILE_PAGES + 4)}`],
    [8, () => this.#limit()],
    [2, () => this.#restrict(`overcommit ${this.#below(2)}`, 'overcommit 0')],
    [
      4,
      () =>
        `reserve ${this.#random.pick([1, 1000, 1e6, 3e7])} ${this.#random.pick(PROTECTIONS)} ${this.#random.pick(['p', 'pr', 's', 'sr'])}`,
    ],
    [
      3,
      () =>
        this.#children.length ? this.#random.pick(['drop', `mseal ${this.#range().join(' ')}`]) : undefined,
    ],
    [10, () => this.#transfer()],
    [110, () => `w ${this.#range()[0]} ${this.#below(256)}`],
    [30, () => `${this.#random.pick(['resident', 'ptes'])} ${this.#range().join(' ')}`],
    [10, () => 'stat'],
    [8, () => 'dump'],
    [1, () => 'exec'],
    [2, () => `truncate ${this.#below(FILES)} ${this.#below(FILE_PAGES + 8)}`],
    [6, () => (this.#children.length < FORKS_MAX ? 'fork' : undefined)],
  ]

  #mmap(): string | undefined {
    const pages = this.#length()
    const [last, length] = this.#hot.length > 0 ? this.#random.pick(this.#hot) : [0, 0]
    const beside = Math.min(this.#pages - pages, last + length)
    const page = this.#below(3) ? beside : this.#page(pages)
    const fixed = this.#random.pick(['f', 'f', 'f', 'n', ''])
    const choose = this.#free && this.#below(2) === 1
    if (!choose && fixed === '' && !this.#free) return undefined
    const file = this.#below(4) === 0 ? ` f${this.#below(FILES)} ${this.#below(FILE_PAGES + 4)}` : ''
    const where = choose ? '-' : `${page}`
    if (!choose) this.#remember(page, pages)
    const flags = `${this.#sharing(file !== '')}${choose ? '' : fixed}${this.#extra()}`
    return `mmap ${where} ${pages} ${this.#random.pick(PROTECTIONS)} ${flags}${file}`
  }

  #sharing(isFile: boolean): string {
    if (this.#below(4)) return 'p'
    return isFile && this.#below(4) === 0 ? 'v' : 's'
  }

  /** A further flag: populate, locked, no reserve, grows down, stack, nonblock, hugetlb, sync. */
  #extra(): string {
    if (this.#below(8)) return ''
    return this.#random.pick(['o', 'o', 'l', 'r', 'g', 'g', 't', 'ob', 'lb', 'h', 'y'])
  }

  #mprotect(): string {
    const grows = this.#below(20) === 0 ? this.#random.pick(['d', 'd', 'u', 'du']) : ''
    return `mprotect ${this.#range().join(' ')} ${this.#random.pick(PROTECTIONS)}${grows}`
  }

  #mremap(): string | undefined {
    const [page, range] = this.#range()
    const old = this.#below(12) ? range : 0
    const other = this.#length()
    const pages = this.#below(3) ? other : Math.max(1, old)
    const flags = this.#random.pick(
      this.#free ? ['-', 'm', 'mf', 'mfd', 'md', 'f'] : ['-', 'mf', 'mf', 'mfd'],
    )
    if (!flags.includes('f')) return `mremap ${page} ${old} ${pages} ${flags}`
    if (pages >= this.#pages) return undefined
    const target = this.#page(pages)
    this.#remember(target, pages)
    return `mremap ${page} ${old} ${pages} ${flags} ${target}`
  }

  /** Locking what is there now would touch the program's own pages. */
  #lockAll(): string {
    if (this.#below(4) === 0) return 'munlockall'
    const flags = this.#random.pick(['f', 'fo', 'co', 'cfo', 'o', '-'])
    return this.#restrict(`mlockall ${flags}`, 'munlockall')
  }

  #limit(): string {
    const kind = this.#random.pick(['as', 'data', 'memlock', 'stack'])
    const pages = this.#below(kind === 'stack' || kind === 'memlock' ? 64 : 400)
    return this.#restrict(`limit ${kind} ${pages}`, `limit ${kind} -`)
  }

  #transfer(): string {
    const [page, range] = this.#range()
    const pages = Math.min(range, 64)
    if (this.#below(2)) return `writev ${page} ${pages} ${this.#below(256)}`
    return `${this.#children.length > 0 && this.#below(2) ? 'preadv' : 'readv'} ${page} ${pages}`
  }
}

export function generate(options: GeneratorOptions): string {
  const generator = new ScriptGenerator(options)
  while (generator.lines.length < options.ops) generator.step()
  generator.end()
  return `${generator.lines.join('\n')}\n`
}

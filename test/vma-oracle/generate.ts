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
  /** Of huge pages: most ranges are of whole ones, and their settings change. `pages` is a multiple of 512. */
  readonly huge?: boolean
}

const HUGE_PAGES = 512
const FILES = 4
const FILE_PAGES = 64
/** Pages of every second file of scripts about huge pages: two of them and some. The first ones have something in them. */
const HUGE_FILE_PAGES = 2 * HUGE_PAGES + FILE_PAGES
/** Recent ranges that operations come back to. */
const HOT_MAX = 64
/** Operations after which a restriction is lifted. */
const RESTRICTED_MAX = 25
const FORKS_MAX = 2
const SEGMENTS = 3

const PROTECTIONS = ['r', 'r', 'rw', 'rw', 'rw', 'rw', 'rx', 'rwx', '-', '-', 'w', 'x', 'wx'] as const
const ADVICES = [
  'dontneed dontneed free willneed remove dontfork dofork populate_read populate_write random normal dontdump dodump',
  'sequential wipeonfork keeponfork cold pageout hugepage nohugepage mergeable unmergeable collapse guard_install',
  'guard_remove dontneed_locked undefined',
].flatMap((names) => names.split(' '))
const HUGE_ADVICES = [
  'dontneed dontneed willneed remove dontfork dofork populate_read populate_write wipeonfork keeponfork',
  'hugepage hugepage nohugepage collapse collapse free cold pageout',
].flatMap((names) => names.split(' '))
/** What process_madvise takes, and two that it does not. */
const PARENT_ADVICES = ['cold', 'pageout', 'willneed', 'dontneed', 'undefined']
const OWN_ADVICES = [...PARENT_ADVICES, 'collapse']

type Range = readonly [page: number, pages: number]
type Weighted = readonly [weight: number, make: () => string | undefined]

/** A line that takes a restriction back, and after how many operations. */
interface Undo {
  readonly line: string
  operations: number
}

interface Child {
  /** How many it still makes. */
  operations: number
  /** What its parent still has to take back: the child only does so for itself. */
  readonly parents: Undo[]
}

class ScriptGenerator {
  readonly lines: string[] = []
  readonly #random: Random
  readonly #pages: number
  readonly #free: boolean
  readonly #huge: boolean
  readonly #hot: Range[] = []
  readonly #children: Child[] = []
  readonly #operations: readonly Weighted[]
  readonly #weights: number
  /** Lines that belong together: the next ones. */
  readonly #next: string[] = []
  #later: Undo[] = []

  constructor({ seed, pages, free, huge = false }: GeneratorOptions) {
    this.#random = new Random(seed)
    this.#pages = pages
    this.#free = free
    this.#huge = huge
    this.#operations = huge ? [...this.#common, ...this.#ofHugePages] : this.#common
    this.#weights = this.#operations.reduce((sum, [weight]) => sum + weight, 0)
    if (huge) this.lines.push('thpoff 0')
    for (let k = 0; k < FILES; k++) this.lines.push(this.#newFile(k))
  }

  /** One operation and what is due because of it. */
  step(): void {
    const line = this.#next.shift() ?? this.#operation()
    if (line === undefined) return
    this.lines.push(line)
    const child = this.#children.at(-1)
    if (line === 'fork') this.#beginChild()
    this.#liftRestrictions()
    if (line !== 'fork' && child !== undefined && --child.operations <= 0) this.#endChild()
  }

  end(): void {
    while (this.#children.length > 0) this.#endChild()
  }

  /** It inherits the restrictions. */
  #beginChild(): void {
    this.#children.push({ operations: 5 + this.#below(20), parents: this.#later })
    this.#later = this.#later.map((undo) => ({ ...undo }))
  }

  /** What the child itself has restricted may be the machine's, and is taken back at once. */
  #endChild(): void {
    const { parents } = this.#children.pop()!
    const isParents = ({ line }: Undo) => parents.some((undo) => undo.line === line)
    this.lines.push('exit')
    for (const undo of this.#later) if (!isParents(undo)) this.lines.push(undo.line)
    this.#later = parents
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

  get #isChild(): boolean {
    return this.#children.length > 0
  }

  #length(): number {
    if (this.#huge && this.#below(3)) return this.#hugeLength()
    return Math.min(this.#pages >> 2, 1 + (this.#below(4) ? this.#below(16) : this.#below(128)))
  }

  /** One to three huge pages, now and then a little more or less. */
  #hugeLength(): number {
    const exact = HUGE_PAGES * (1 + this.#below(3))
    return Math.max(1, exact + (this.#below(4) ? 0 : this.#random.between(-8, 8)))
  }

  #page(pages = 1): number {
    const page = this.#below(this.#pages - pages)
    return this.#huge && this.#below(3) ? page - (page % HUGE_PAGES) : page
  }

  #remember(page: number, pages: number): void {
    this.#hot.push([page, pages])
    if (this.#hot.length > HOT_MAX) this.#hot.shift()
  }

  /** Mostly a part of a recent one. */
  #range(): Range {
    if (this.#hot.length > 0 && this.#below(3)) {
      const [page, pages] = this.#random.pick(this.#hot)
      const offset = this.#huge && this.#below(2) ? 0 : this.#below(pages)
      const start = Math.min(this.#pages - 1, page + offset)
      const length = this.#below(2) ? pages - offset : this.#length()
      return [start, Math.max(1, Math.min(this.#pages - start, length))]
    }
    const pages = this.#length()
    return [this.#page(pages), pages]
  }

  #text(): string {
    return this.#range().join(' ')
  }

  #operation(): string | undefined {
    const r = this.#below(this.#weights)
    let sum = 0
    for (const [weight, make] of this.#operations) if (r < (sum += weight)) return make()
    return undefined
  }

  readonly #common: readonly Weighted[] = [
    [230, () => this.#mmap()],
    [105, () => `munmap ${this.#text()}`],
    [115, () => this.#mprotect()],
    [90, () => this.#mremap()],
    [90, () => `madvise ${this.#text()} ${this.#random.pick(this.#huge ? HUGE_ADVICES : ADVICES)}`],
    [30, () => `${this.#random.pick(['mlock', 'mlock2', 'munlock', 'munlock'])} ${this.#text()}`],
    [2, () => this.#lockAll()],
    [15, () => `msync ${this.#text()} ${this.#random.pick(['s', 'a', 'i', 'si', 'sa', 'ai', '-'])}`],
    [8, () => (this.#below(2) ? `brk ${this.#below(64)}` : `brkb ${this.#below(64 * 4096)}`)],
    [5, () => `remap_file_pages ${this.#text()} ${this.#below(FILE_PAGES + 4)}`],
    [10, () => this.#limit()],
    [2, () => this.#restrict(`overcommit ${this.#below(2)}`, 'overcommit 0')],
    [4, () => this.#reserve()],
    [4, () => (this.#isChild ? this.#random.pick(['drop', `mseal ${this.#text()}`]) : undefined)],
    [14, () => this.#transfer()],
    [8, () => this.#adviseProcess()],
    [20, () => this.#shared()],
    [20, () => this.#file()],
    [110, () => `w ${this.#range()[0]} ${this.#below(256)}`],
    [60, () => `r ${this.#range()[0]}`],
    [40, () => `${this.#random.pick(['resident', 'ptes', 'ptes', 'scan'])} ${this.#text()}`],
    [3, () => `smaps ${this.#text()}`],
    [5, () => 'stat'],
    [1, () => 'exec'],
    [6, () => (this.#children.length < FORKS_MAX ? 'fork' : undefined)],
  ]

  readonly #ofHugePages: readonly Weighted[] = [
    [60, () => `scan ${this.#text()}`],
    [40, () => this.#collapsed()],
    [20, () => `madvise ${this.#hugeRange()} collapse`],
    [6, () => this.#restrict(`thp ${this.#random.pick(['madvise', 'never'])}`, 'thp always')],
    [4, () => this.#restrict('zeropage 0', 'zeropage 1')],
    [4, () => this.#restrict('thpoff 1', 'thpoff 0')],
    [6, () => (this.#children.length < FORKS_MAX ? 'fork' : undefined)],
  ]

  /** Where a range begins that was used lately, or anywhere, from a huge page's first page on. */
  #hugeRange(): string {
    const [page, pages] = this.#range()
    return `${page - (page % HUGE_PAGES)} ${Math.max(HUGE_PAGES, pages - (pages % HUGE_PAGES))}`
  }

  /** A mapping of huge pages of memory that is shared, or of one's own; some are touched, and then collapsed. */
  #collapsed(): string {
    const pages = HUGE_PAGES * (1 + this.#below(2))
    const any = this.#page(pages)
    const page = any - (any % HUGE_PAGES)
    this.#remember(page, pages)
    const lines = this.#mapped(page, pages)
    for (let i = this.#below(5); i > 0; i--)
      lines.push(`${this.#random.pick(['w', 'w', 'r'])} ${page + this.#below(pages)} ${this.#below(256)}`)
    if (this.#below(4) === 0)
      lines.push(`madvise ${page} ${pages} ${this.#random.pick(['populate_read', 'populate_write'])}`)
    lines.push(`madvise ${page} ${pages} collapse`)
    this.#next.push(...lines.slice(1))
    return lines[0]!
  }

  #mapped(page: number, pages: number): string[] {
    const rights = this.#random.pick(['r', 'rw', 'rw', 'rwx', '-'])
    const [huge, segment] = [2 * this.#below(FILES / 2), this.#below(SEGMENTS)]
    switch (this.#below(5)) {
      case 0:
        return [`mmap ${page} ${pages} ${rights} pf`]
      case 1:
        return [`mmap ${page} ${pages} ${rights} sf`]
      case 2:
        return [`mmap ${page} ${pages} ${rights} pf f${huge} ${HUGE_PAGES * this.#below(2)}`]
      case 3:
        return [`mmap ${page} ${pages} ${rights} sf f${huge} ${HUGE_PAGES * this.#below(2)}`]
      default:
        return this.#below(2)
          ? [`shmat ${segment} ${page} m`]
          : [`shmget ${segment} ${pages * 4096}`, `shmat ${segment} ${page} m`]
    }
  }

  #mmap(): string | undefined {
    const pages = Math.min(this.#length(), this.#pages - 1)
    const [last, length] = this.#hot.length > 0 ? this.#random.pick(this.#hot) : [0, 0]
    const beside = Math.min(this.#pages - pages, last + length)
    const page = this.#below(3) ? beside : this.#page(pages)
    const fixed = this.#random.pick(['f', 'f', 'f', 'n', ''])
    const choose = this.#free && this.#below(2) === 1
    if (!choose && fixed === '' && !this.#free) return undefined
    const file = this.#below(this.#huge ? 6 : 4) === 0 ? this.#fileAndPage() : ''
    const where = choose ? '-' : `${page}`
    if (!choose) this.#remember(page, pages)
    const flags = `${this.#sharing(file !== '')}${choose ? '' : fixed}${this.#extra()}`
    return `mmap ${where} ${pages} ${this.#random.pick(PROTECTIONS)} ${flags}${file}`
  }

  #isHugeFile(k: number): boolean {
    return this.#huge && k % 2 === 0
  }

  #newFile(k: number): string {
    return this.#isHugeFile(k) ? `file ${k} ${HUGE_FILE_PAGES} ${FILE_PAGES}` : `file ${k} ${FILE_PAGES}`
  }

  /** A page of a file, or beyond it by fewer than `more`. */
  #pageOf(k: number, more = 0): number {
    if (!this.#isHugeFile(k)) return this.#below(FILE_PAGES + more)
    return this.#below(3) ? HUGE_PAGES * this.#below(3) : this.#below(HUGE_FILE_PAGES + more)
  }

  #fileAndPage(): string {
    const opened = this.#below(6) ? 'f' : 'r'
    const k = this.#below(FILES)
    return ` ${opened}${k} ${this.#pageOf(k, 4)}`
  }

  #sharing(isFile: boolean): string {
    if (this.#below(4)) return 'p'
    if (!isFile && this.#below(8) === 0) return 'd'
    return isFile && this.#below(4) === 0 ? 'v' : 's'
  }

  /** A further flag: populate, locked, no reserve, grows down, stack, nonblock, hugetlb, sync. */
  #extra(): string {
    if (this.#below(8)) return ''
    return this.#random.pick(['o', 'o', 'l', 'r', 'g', 'g', 't', 'ob', 'lb', 'h', 'y'])
  }

  #mprotect(): string {
    const grows = this.#below(20) === 0 ? this.#random.pick(['d', 'd', 'u', 'du']) : ''
    return `mprotect ${this.#text()} ${this.#random.pick(PROTECTIONS)}${grows}`
  }

  /** Where the kernel must not choose, only flags with which it does not. */
  #mremap(): string | undefined {
    const [page, range] = this.#range()
    const old = this.#below(12) ? range : 0
    const other = this.#length()
    const pages = this.#below(3) ? other : Math.max(1, old)
    const chosen = ['-', 'm', 'm', 'mf', 'mf', 'mfd', 'md', 'f', 'd', 'fd', 'mu']
    const flags = this.#random.pick(this.#free ? chosen : ['-', 'mf', 'mf', 'mf', 'mfd', 'f', 'd', 'u'])
    if (!flags.includes('f') && (flags !== 'md' || this.#below(2)))
      return `mremap ${page} ${old} ${pages} ${flags}`
    if (pages >= this.#pages) return undefined
    const target = this.#page(pages)
    this.#remember(target, pages)
    return `mremap ${page} ${old} ${pages} ${flags} ${target}`
  }

  #lockAll(): string {
    if (this.#below(4) === 0) return 'munlockall'
    const flags = this.#random.pick(['f', 'f', 'fo', 'fo', 'c', 'co', 'cfo', 'o', '-'])
    return this.#restrict(`mlockall ${flags}`, 'munlockall')
  }

  #limit(): string {
    const kind = this.#random.pick(['as', 'data', 'memlock', 'stack'])
    if (this.#below(12) === 0) return this.#restrict(`mapcount ${this.#below(24)}`, 'mapcount -')
    const pages = this.#below(kind === 'stack' || kind === 'memlock' ? 64 : 400)
    return this.#restrict(`limit ${kind} ${pages}`, `limit ${kind} -`)
  }

  /** Not while new memory is locked: all of it would be touched, and the machine run out of memory. */
  #reserve(): string | undefined {
    if (this.#later.some(({ line }) => line === 'munlockall')) return undefined
    const pages = this.#random.pick([1, 1000, 1e6, 3e7])
    return `reserve ${pages} ${this.#random.pick(PROTECTIONS)} ${this.#random.pick(['p', 'pr', 's', 'sr'])}`
  }

  #transfer(): string {
    const [page, range] = this.#range()
    const pages = Math.min(range, 64)
    const parent = this.#isChild && this.#below(2) === 1
    switch (this.#below(3)) {
      case 0:
        return `${parent ? 'pwritev' : 'writev'} ${page} ${pages} ${this.#below(256)}`
      case 1:
        return `${parent ? 'preadv' : 'readv'} ${page} ${pages}`
      default:
        return `readx ${page} ${pages} ${this.#below(4096)}`
    }
  }

  #adviseProcess(): string {
    const isParents = this.#isChild && this.#below(2) === 1
    const advice = this.#random.pick(isParents ? PARENT_ADVICES : OWN_ADVICES)
    return `${isParents ? 'parent' : 'process'}_madvise ${this.#text()} ${advice} ${this.#text()}`
  }

  /** SysV shared memory. */
  #shared(): string {
    const k = this.#below(SEGMENTS)
    const pages = this.#huge && this.#below(2) ? HUGE_PAGES * (1 + this.#below(2)) : 1 + this.#below(24)
    switch (this.#below(12)) {
      case 0:
      case 1:
        return `shmget ${k} ${Math.max(0, pages * 4096 - this.#random.pick([0, 0, 1, 4095, 4096]))}`
      case 2:
        return `shmrm ${k}`
      case 3:
        return `shmstat ${k}`
      case 4:
      case 5:
      case 6:
        return `shmdt ${this.#range()[0]}`
      default:
        return this.#attach(k, pages)
    }
  }

  #attach(k: number, pages: number): string {
    const flags = this.#random.pick(['-', '-', 'r', 'e', 'm', 'm', 'rm', 'em', 'n', 'mn'])
    if (this.#free && this.#below(3) === 0) return `shmat ${k} - ${flags}`
    const page = this.#below(2) ? this.#range()[0] : this.#page(pages)
    this.#remember(page, pages)
    return `shmat ${k} ${page} ${flags}${flags.includes('n') ? ` ${this.#below(4096)}` : ''}`
  }

  #file(): string {
    const k = this.#below(FILES)
    switch (this.#below(12)) {
      case 0:
        return `truncate ${k} ${this.#pageOf(k, 8)}`
      case 1:
        return `punch ${k} ${this.#pageOf(k)} ${this.#isHugeFile(k) && this.#below(4) === 0 ? HUGE_PAGES : 1 + this.#below(8)}`
      case 2:
        return this.#restrict(
          `seal ${k} ${this.#random.pick(['s', 'g', 'w', 'f', 'sg', 'sgw'])}`,
          this.#newFile(k),
        )
      case 3:
      case 4:
        return `pwrite ${k} ${this.#pageOf(k)} ${this.#below(256)}`
      default:
        return `pread ${k} ${this.#pageOf(k)}`
    }
  }
}

export function generate(options: GeneratorOptions): string {
  const generator = new ScriptGenerator(options)
  while (generator.lines.length < options.ops) generator.step()
  generator.end()
  return `${generator.lines.join('\n')}\n`
}

/** What the build puts in the places of calls (scripts/inline-calls.mjs), and what it leaves alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
// @ts-expect-error: a script of the build
import { Constants } from '../../scripts/const-members.mjs'
// @ts-expect-error: a script of the build
import { inlineCalls } from '../../scripts/inline-calls.mjs'
// @ts-expect-error: a script of the build
import { plainName } from '../../scripts/plain-members.mjs'

const folder = mkdtempSync(join(tmpdir(), 'pagoda-inlining-'))
afterAll(() => rmSync(folder, { recursive: true }))

const BASE = `
export const FIELD = 4
const OWN = { first: 1, second: 2 } as const
let changing = 1
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message)
}
export function half(bytes: number): number { return bytes >>> 1 }
export function twice(n: number): number { return n + n }
export function changes(): number { return changing++ }
export function isChanging(): boolean { return changing > 0 }
export interface Pair { readonly low: number; readonly high: number }
export function sum({ low, high }: Pair): number { return low + high }

export class View {
  readonly #words: Uint32Array
  readonly other: View
  last: View
  ptr = 0
  constructor(words: Uint32Array, other: View) { this.#words = words; this.other = other; this.last = other }

  get kind(): number { return this.#words[this.ptr >>> 2]! }
  set kind(kind: number) { this.#words[this.ptr >>> 2] = kind }
  get next(): number { return this.word(8) }
  set next(next: number) { this.setWord(8, next) }
  get uneven(): number { return this.#words[1]! }
  set uneven(value: number) { this.#words[2] = value }
  get second(): number { return this.#words[OWN.second]! + FIELD }
  get made(): object { return {} }
  get isChanging(): boolean { return isChanging() }

  word(offset: number): number { return this.#words[(this.ptr + offset) >>> 2]! }
  setWord(offset: number, value: number): void { this.#words[(this.ptr + offset) >>> 2] = value }
  element(i: number): number { return this.#words[i]! }
  swapped(i: number, j: number): number { return this.#words[j - i]! }
  move(ptr: number): void { this.ptr = ptr }
  put(low: number, high: number): void { this.#words[0] = low; this.#words[1] = high }
  isAt(ptr: number): boolean { const { other } = this; return other.ptr === ptr }
  pass(n: number): number { return this.other.count(n + 1) }
  tell(n: number): void { this.other.count(n) }
  count(n: number): number { for (let i = 0; i < n; i++) this.ptr++; return this.ptr }
  reset(): void { if (this.ptr === 0) return; this.ptr = 0; this.last = this.other }
  flush(): void { if (this.ptr > 8) { this.count(1); this.count(2) } }
  long(n: number): boolean { return this.#words[n]! > 1000001 && this.#words[n + 1]! > 1000002 && this.#words[n + 2]! > 1000003 && this.#words[n + 3]! > 1000004 && this.#words[n + 4]! > 1000005 }
  swap(): void { const { ptr } = this; this.ptr = this.#words[0]!; this.#words[0] = ptr }
  take({ low, high }: Pair): void { this.ptr = low; this.#words[0] = high }
  add(i: number, n: number): void { this.#words[i] += n }
  either(i: number, j: number): number { return this.#words[i && j]! }
  beyond(i: number): number { return this.#words[i + this.start]! }
  masked(n: number): void { n &= ~3; this.ptr = n }
  least(): number { const first = this.#words[0]!; return first < 5 ? first : 0 }
  get row(): number[] { return this.#rows[this.ptr]! }
  cut(n: number): void { this.row.length = n }
  both(n: number): number { return this.step() + n }
  step(): number { for (;;) return changing++ }
  get size(): number { return 4096 }
  name(n: number): string { return n.toString(16) }
  once(n: number): void { return this.tell(n) }
  readonly start = 0
  readonly #rows: number[][] = []
  async later(): Promise<number> { return this.ptr }
  static of(n: number): number { return n + 1 }
}
export function ensure(condition: boolean): asserts condition { changing++; if (!condition) throw new Error() }
export function holds(text: string, ok: boolean): asserts ok { if (!ok) throw new Error(text) }
export interface Link { readonly next: Link | undefined; readonly n: number }
export function lastOf(link: Link): Link { return link.next === undefined ? link : lastOf(link.next) }
export class Row<T> { #first = 1; get width(): number { return this.#first } items: T[] = [] }
export class Middle<T> extends Row<T> {}
export class End extends Middle<number> { override get width(): number { return 2 } }
export class Base {
  #hidden = 1
  get over(): number { return this.#hidden }
  get kept(): number { return this.#hidden }
}
export class Derived extends Base { override get over(): number { return 2 } }
export class Open { ptr = 0; get at(): number { return this.ptr } }
export type Part = Pick<View, 'kind'>
`
const DECLARED = `
declare const row: Row<number>, link: Link, a: View, some: View | undefined, base: Base, derived: Derived, open: Open, part: Part, pair: Pair
declare let n: number
function change(): void { n++ }
const SIZE = 4
declare function use(...all: unknown[]): number
`

const DONE: readonly (readonly [string, string])[] = [
  // accessors
  ['use(a.kind)', 'use((a.words[a.ptr >>> 2]))'],
  ['use(a.other.kind)', 'use((a.other.words[a.other.ptr >>> 2]))'],
  ['use(some!.kind)', 'use((some.words[some.ptr >>> 2]))'],
  ['a.kind = n + 1', 'a.words[a.ptr >>> 2] = n + 1'],
  ['a.kind |= half(n)', 'a.words[a.ptr >>> 2] |= (n >>> 1)'],
  ['a.kind++', 'a.words[a.ptr >>> 2]++'],
  ['use(--a.kind)', 'use(--a.words[a.ptr >>> 2])'],
  ['use(a.next)', 'use(((a.words[(a.ptr + 8) >>> 2])))'],
  ['a.next = n', 'a.words[(a.ptr + 8) >>> 2] = n'],
  ['a.uneven = 3', 'a.words[2] = 3'],
  ['use(a.second)', 'use((a.words[2] + 4))'],
  ['use(a.once(1))', 'use(a.tell(1))'],
  ['use(half(SIZE))', 'use(half(SIZE))'],
  ['use(derived.over)', 'use((2))'],
  ['use(a.size.toString())', 'use((4096).toString())'],
  ['a.tell(1); a.move(2); use()', 'a.other.count(1); a.ptr = 2; use()'],
  ['if (pair) a.move(3); else use()', 'if (pair) a.ptr = 3; else use()'],
  ['use(a.pass(\n  1,\n) as unknown)', 'use(a.other.count(1 + 1\n\n) as unknown)'],
  ['function f(m: number) { return a.both(m) }', 'function f(m: number) { return (a.step() + m) }'],
  ['use(derived.kept)', 'use(derived.hidden)'],
  // methods and functions
  ['use(a.word(n))', 'use((a.words[(a.ptr + n) >>> 2]))'],
  ['use(half(n + 1))', 'use(((n + 1) >>> 1))'],
  ['use(half(half(n)))', 'use((((n >>> 1)) >>> 1))'],
  ['use(twice(n))', 'use((n + n))'],
  ['use(sum(pair))', 'use((pair.low + pair.high))'],
  ['a.setWord(4, n)', 'a.words[(a.ptr + 4) >>> 2] = n'],
  ['a.put(1, n)', '{ a.words[0] = 1; a.words[1] = n }'],
  ['use(a.isAt(n))', 'use((a.other.ptr === n))'],
  ['use(a.element(changes()))', 'use((a.words[(changes())]))'],
  ['use(a.pass(n))', 'use(a.other.count(n + 1))'],
  ['a.tell(n)', 'a.other.count(n)'],
  ['a.reset()', '{ if (!(a.ptr === 0)) a.reset() }'],
  ['a.flush()', '{ if (a.ptr > 8) a.flush() }'],
  ["assert(n < a.kind, 'small')", "{ if (!(n < (a.words[a.ptr >>> 2]))) assert(false, 'small') }"],
  ["if (n) assert(n > 1, 'a'); else use()", "if (n) { if (!(n > 1)) assert(false, 'a') } else use()"],
  ['use(\n  half(\n    n,\n  ),\n)', 'use(\n  (n >>> 1\n\n),\n)'],
  ['use(() => a.kind)', 'use(() => (a.words[a.ptr >>> 2]))'],
]

const LEFT: readonly (readonly [string, string])[] = [
  ['a getter with more effects than its setter', 'a.uneven += 1'],
  ['a receiver that may be missing', 'use(some?.kind)'],
  ['a receiver that does something', 'use(((n += 1), a).kind)'],
  ['what a subclass has too', 'use(base.over)'],
  ['a class without a private member', 'use(open.at)'],
  ['a part of a class', 'use(part.kind)'],
  ['an argument used twice', 'use(twice(a.ptr + n))'],
  ['an argument that does something', 'use(half(changes()))'],
  ['arguments in another order', 'use(a.swapped(changes(), n))'],
  ['what may move the view', 'a.kind = changes()'],
  ['what makes an object', 'use(a.made)'],
  ['names of another file', 'use(a.isChanging)'],
  ['what is long', 'use(a.long(n))'],
  ['a loop', 'use(a.count(n))'],
  ['a spread', 'a.put(...[1, 2] as const)'],
  ['a static method', 'use(View.of(n))'],
  ['a promise', 'use(a.later())'],
  ['a method that is not called', 'use(a.word)'],
  ['a pattern', '[a.kind, n] = [1, 2]'],
  ['a loop into it', 'for (a.kind of [1]) use()'],
  ['two assignments through a field that changes', 'a.last.put(1, n)'],
  ['assignments that read what they assigned', 'a.swap()'],
  ['assignments that take apart what they assign to', 'a.take(pair)'],
  ['what is read before an argument does something', 'a.add(1, changes())'],
  ['an argument that may not be evaluated', 'use(a.either(0, changes()))'],
  ['a receiver that is read after an argument', 'use(a.last.beyond(changes()))'],
  ['what assigns to its parameter', 'a.masked(n)'],
  ['an element that is read twice', 'use(a.least())'],
  ['what a subclass of a generic one has too', 'use(row.width)'],
  ['a parenthesis at the beginning of a statement', 'use()\na.cut(3)'],
  ['a variable that what is called may change', 'use(a.both(n))'],
  [
    'a function in a function, whose names are not those of the file',
    'function outer(SIZE: number) { function inner(m: number) { return m + SIZE } return inner(3) }',
  ],
  ['what calls itself', 'use(lastOf(link))'],
  ['a number with a method', 'use(a.name(5))'],
  ['an assertion that does more', 'ensure(n > 1)'],
  ['an assertion of another argument', "holds('small', n > 1)"],
  ['a type assertion that is assigned to', '(<number>a.kind)++'],
  ['a condition of an argument that does something', 'a.other.other.last.reset()'],
]

const HEAD = `import { assert, Base, changes, Derived, ensure, half, holds, lastOf, Open, Row, type Pair, type Part, sum, twice, View } from './base.js'${DECLARED}\n`
const CONFIG = { compilerOptions: { target: 'ES2022', strict: true, module: 'NodeNext' }, include: ['*.ts'] }

const path = (name: string): string => join(folder, name)
const all = [...DONE.map(([code]) => code), ...LEFT.map(([, code]) => code)]
writeFileSync(path('base.ts'), BASE)
writeFileSync(path('tsconfig.json'), JSON.stringify(CONFIG))
for (const [i, code] of all.entries()) writeFileSync(path(`case-${i}.ts`), HEAD + code)
const { transform } = inlineCalls(undefined, path('tsconfig.json'), new Constants(folder))

/** What becomes of the code of a case, with private members by their own names. */
function made(code: string): string {
  const { code: text } = transform.handler(HEAD + code, path(`case-${all.indexOf(code)}.ts`))
  expect(text.split('\n').length).toBe((HEAD + code).split('\n').length)
  const [words, hidden] = ['words', 'hidden'].map((name) => plainName(name, path('base.ts')))
  return text.slice(HEAD.length).replaceAll(words, 'words').replaceAll(hidden, 'hidden')
}

test.each(DONE)('%s', (code, expected) => {
  expect(made(code)).toBe(expected)
})

test.each(LEFT)('%s: %s stays', (_name, code) => {
  expect(made(code)).toBe(code)
})

test('a file that is not of the program is left alone, one that has changed is an error', () => {
  expect(transform.handler('use(1)', path('other.ts'))).toBeNull()
  expect(() => transform.handler('use(1)', path('case-0.ts'))).toThrow('case-0.ts is not as it was read')
})

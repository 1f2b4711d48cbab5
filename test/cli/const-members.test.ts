/** What the build knows of constants (scripts/const-members.mjs). */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
// @ts-expect-error: a script of the build
import { Constants, compute, constMembers } from '../../scripts/const-members.mjs'

type Value = number | string | Map<string, number | string> | { parameters: readonly string[] } | undefined

const src = fileURLToPath(new URL('../../src', import.meta.url))
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !/test|\.d\.ts$/.test(name),
)

/** Arguments to try a function with. */
const TRIED = [0, 1, 2, 3, 7, 63, 64, 4095, 4096, 65536, 2 ** 31, 2 ** 32]

function expectSame(actual: unknown, value: Value, name: string): number {
  if (value === undefined || actual === undefined) return 0
  if (value instanceof Map) {
    for (const [key, member] of value) {
      if (member !== undefined)
        expect((actual as Record<string, unknown>)[key], `${name}.${key}`).toBe(member)
    }
    return value.size
  }
  if (typeof value !== 'object') {
    expect(actual, name).toBe(value)
    return 1
  }
  for (const first of TRIED) {
    const given = value.parameters.map((_, i) => first + i)
    const known = compute(value, given)
    if (known !== undefined) expect((actual as (...all: number[]) => unknown)(...given), name).toBe(known)
  }
  return 1
}

test('constants are what the sources export', { timeout: 60_000 }, async () => {
  const constants = new Constants(src)
  let compared = 0
  for (const source of sources) {
    const known: Map<string, Value> = constants.of(join(src, source))
    if (known.size === 0) continue
    const real: Record<string, unknown> = await import(join(src, source))
    for (const [name, value] of known) compared += expectSame(real[name], value, `${source}: ${name}`)
  }
  expect(compared).toBeGreaterThan(1500)
})

const folder = mkdtempSync(join(tmpdir(), 'pagoda-constants-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What becomes of a file beside one with constants. */
function made(code: string): string {
  const base = `
    import { late } from './code.js'
    export const Kind = { none: 0, some: 1 << 4, minus: -3, word: 'it', zero: -0, made: Math.log2(8), big: 1n } as const
    export const SIZE = 2 ** 12
    export const Open = { none: 0 }
    export function half(bytes: number): number { return (bytes >>> 1) as Bytes }
    export function plus(a: number, b = 1): number { return a + b }
    export const both = () => [Kind.none, late]`
  writeFileSync(join(folder, 'base.ts'), base)
  const text = `import { Kind, SIZE, Open, half, plus } from './base.js'\n${code}`
  writeFileSync(join(folder, 'code.ts'), text)
  const result = constMembers(new Constants(folder)).transform.handler(text, join(folder, 'code.ts'))
  return (result?.code ?? text).split('\n').slice(1).join('\n')
}

test.each([
  ['use(Kind.some)', 'use((16))'],
  ['Kind.minus ** 2', '(-3) ** 2'],
  ['Kind.word.length', '("it").length'],
  ['half(SIZE)', '(2048)'],
  ['half(Kind.some + 2)', '(9)'],
  [
    'const OWN = { a: Kind.some | 1 } as const; use(OWN.a)',
    'const OWN = { a: (16) | 1 } as const; use((17))',
  ],
  ['half(Kind.none) + half(SIZE / 2)', '(0) + (1024)'],
])('%s', (code, expected) => {
  expect(made(code)).toBe(expected)
})

test.each([
  'use(Kind.zero, Kind.made, Kind.big)', // not what a number in the text would be, or not known
  'Kind[name]',
  'use(Open.none)', // somebody may change it
  'half(given)',
  'plus(1)',
  'half?.(SIZE)',
  'other.Kind.some',
  'function f(Kind) { return Kind.some }',
  'function f() { const { Kind } = given; return Kind.some }',
  'try { f() } catch (Kind) { use(Kind.some) }',
  'for (const Kind of all) use(Kind.some)',
  'type Other = typeof Kind',
])('%s stays', (code) => {
  expect(made(code)).toBe(code)
})

test('files that import each other', () => {
  expect(made('export const late = Kind.some; use(half(SIZE))')).toBe('export const late = (16); use((2048))')
})

/** --code-cache: the next run of a program begins with what this one has translated, and is the same run. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { runPagoda } from '../setup/command.js'

const tour = fileURLToPath(new URL('../../examples/programs/tour.elf', import.meta.url))
const parent = mkdtempSync(join(tmpdir(), 'pagoda-kept-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

let folder = ''
let runs = 0
beforeEach(() => {
  folder = join(parent, `${runs++}`)
})

/** A run, and how many functions it translated and how many of earlier runs it used. */
async function run(options: readonly string[] = ['--code-cache', folder], env: Record<string, string> = {}) {
  const report = join(parent, 'report.json')
  const words = ['run', '--translate-threshold', '50', '--json', report, '--profile', join(parent, 'profile')]
  const { status, stdout, stderr } = await runPagoda([...words, ...options, tour], { env })
  const [, translated, used] = /(\d+) {2}functions translated, and (\d+) of earlier runs/.exec(stderr)!
  const lines = stderr.split('\n').filter((line) => line.startsWith('pagoda:'))
  const result = { status, stdout: stdout.toString(), report: JSON.parse(readFileSync(report, 'utf8')) }
  return { result, translated: Number(translated), used: Number(used), lines }
}

const files = () => (existsSync(folder) ? readdirSync(folder) : [])
const file = () => join(folder, files()[0]!)

test('a later run translates nothing, and is the same', async () => {
  const first = await run()
  expect(first).toMatchObject({ used: 0, lines: [] })
  expect(first.translated).toBeGreaterThan(50)
  expect(files()).toEqual([expect.stringMatching(/^tour\.elf-[0-9a-f]{16}\.code$/)])
  expect(statSync(file()).mode & 0o777).toBe(0o600)
  const second = await run()
  expect(second.result).toEqual(first.result)
  expect(second.used).toBeGreaterThan(first.translated / 2)
  expect(second.translated).toBeLessThan(first.translated / 10)
  const third = await run()
  expect(third.result).toEqual(first.result)
})

test('other options have other code', async () => {
  await run()
  expect(await run(['--code-cache', folder, '--memory', '128M'])).toMatchObject({ used: 0 })
  expect(await run(['--code-cache', folder, '--seed', '2'])).toMatchObject({ used: 0 })
  expect(files().length).toBe(3)
})

test('the folder is that of the environment, of the cache, or none', async () => {
  const cache = join(parent, 'home')
  const homes = { HOME: cache, PAGODA_CODE_CACHE: '', XDG_CACHE_HOME: '' }
  await run([], { ...homes, PAGODA_CODE_CACHE: folder })
  expect(files().length).toBe(1)
  await run([], homes)
  expect(readdirSync(join(cache, '.cache/pagoda')).length).toBe(1)
  await run([], { ...homes, XDG_CACHE_HOME: join(cache, 'xdg') })
  expect(readdirSync(join(cache, 'xdg/pagoda')).length).toBe(1)
  rmSync(cache, { recursive: true })
  await run(['--code-cache', 'off'], homes)
  expect(existsSync(cache)).toBe(false)
})

test.each([
  ['cut short', () => truncateSync(file(), statSync(file()).size - 4096)],
  ['empty', () => truncateSync(file(), 0)],
  [
    'of something else',
    () => writeFileSync(file(), 'something else, and so long that it might be a file of code'),
  ],
  ['damaged in one bit', () => damage(readFileSync(file()))],
])('a file that is %s is made anew', async (_, spoil) => {
  const first = await run()
  spoil()
  const second = await run()
  expect(second).toMatchObject({ used: 0, lines: [], result: first.result })
  expect((await run()).used).toBeGreaterThan(0)
})

function damage(bytes: Buffer): void {
  bytes[bytes.length >>> 1]! ^= 1
  writeFileSync(file(), bytes)
}

test.skipIf(process.getuid?.() === 0)(
  'a folder that nobody may write to costs a line if it was asked for',
  async () => {
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    expect((await run()).lines).toEqual([expect.stringContaining('EACCES')])
    expect((await run([], { PAGODA_CODE_CACHE: folder })).lines).toEqual([])
  },
)

test('what is no folder costs a line if it was asked for', async () => {
  writeFileSync(folder, '')
  const { lines, result } = await run()
  expect(lines).toEqual([expect.stringMatching(/^pagoda: --code-cache: .*(EEXIST|ENOTDIR)/)])
  expect(result.status).toBe(0)
  expect((await run([], { PAGODA_CODE_CACHE: folder })).lines).toEqual([])
})

test('what was used longest ago makes room', async () => {
  mkdirSync(folder)
  const old = (name: string, age: number, bytes: number) => {
    const path = join(folder, name)
    writeFileSync(path, '')
    truncateSync(path, bytes)
    utimesSync(path, Date.now() / 1000 - age, Date.now() / 1000 - age)
  }
  old('a.code', 1000, 300 * 2 ** 20)
  old('b.code', 100, 300 * 2 ** 20)
  old('somebody.else', 10_000, 600 * 2 ** 20)
  await run()
  expect(files().sort()).toEqual(['b.code', 'somebody.else', expect.stringMatching(/^tour/)])
})

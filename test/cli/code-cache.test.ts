/** The command's compiled code (bin/load-command.js): what the build wrote down is taken, and is not needed. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const copy = mkdtempSync(join(tmpdir(), 'pagoda-cache-'))
for (const name of ['bin', 'dist', 'package.json', 'examples']) {
  cpSync(join(root, name), join(copy, name), { recursive: true })
}
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
afterAll(() => rmSync(copy, { recursive: true, force: true }))

const node = (...args: string[]) => execFileSync(process.execPath, args, { cwd: copy, encoding: 'utf8' })

function isRefused(): string {
  const script =
    "import('./bin/load-command.js').then(async (m) => console.log((await m.loadCommand()).script.cachedDataRejected))"
  return node('-e', script).trim()
}

test('the cache that the build made is taken', () => {
  expect(isRefused()).toBe('false')
})

test.each(['', 'not what V8 writes', undefined])('a cache of %j does no harm', (cache) => {
  const file = join(copy, 'dist/command.cache')
  if (cache === undefined) rmSync(file)
  else writeFileSync(file, cache)
  expect(existsSync(file)).toBe(cache !== undefined)
  if (cache !== undefined) expect(isRefused()).toBe('true')
  expect(node('bin/pagoda.js', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
})

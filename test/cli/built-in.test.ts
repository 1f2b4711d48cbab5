/** What the build kept for a short start (bin/pagoda.js): it is taken, and is not needed. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
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
  return node('-p', "require('./bin/pagoda.js').loadCommand().script.cachedDataRejected").trim()
}

test('the cache that the build made is taken', () => {
  expect(isRefused()).toBe('false')
})

/** Runs a program; which later scripts were loaded, and whether V8 refused what was kept of them. */
function laterScripts(program: string, ...options: string[]): string {
  const script = `
    const { exports: command, parts, build, later } = require('./bin/pagoda.js').loadCommand()
    command.tuneEngine()
    process.on('exit', () => console.error(Object.entries(later.scripts).map(([name, { cachedDataRejected }]) => name + ' ' + cachedDataRejected).join()))
    command.main(['node', 'pagoda', 'run', '--no-report', ...${JSON.stringify([...options, program])}], command.builtIn(parts, build))`
  return spawnSync(process.execPath, ['-e', script], { cwd: copy, encoding: 'utf8' }).stderr.trim()
}

test('a program that only starts and ends does without later scripts', () => {
  expect(laterScripts(join(root, 'scripts/start-program/start.elf'))).toBe('')
})

/** What is printed at the end by a run of a program that only starts and ends, after some JavaScript. */
function atEnd(before: string, shown: string, ...nodeOptions: string[]): string {
  const program = join(root, 'scripts/start-program/start.elf')
  const script = `
    ${before}
    process.on('exit', () => console.error(${shown}))
    process.argv.splice(1, 0, 'pagoda', 'run', '--no-report', '${program}')
    require('./bin/pagoda.js').start()`
  const options = { cwd: copy, encoding: 'utf8' } as const
  return spawnSync(process.execPath, [...nodeOptions, '-e', script], options).stderr.trim()
}

test('nor are the streams of Node loaded for it, and Node has nothing to say', () => {
  const streams = `process.moduleLoadList.filter((name) => name.includes('internal/streams/readable')).length`
  expect(atEnd('', streams, '--throw-deprecation', '--pending-deprecation')).toBe('0')
})

test('where Node has no such inner part, its public one sets the same', () => {
  expect(atEnd('process.binding = undefined', '0')).toBe('0')
  const refused = `require('./bin/pagoda.js').loadCommand().script.cachedDataRejected`
  expect(atEnd('process.binding = undefined', refused)).toBe(atEnd('', refused))
})

// Other settings are in force then.
test('what was kept of them is taken when they are needed to translate', () => {
  expect(laterScripts('examples/programs/tour.elf', '--translate-threshold', '2')).toBe(
    'frequent false,translator false',
  )
})

test('what earlier runs have translated needs no translator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pagoda-code-'))
  const options = ['--code-cache', folder, '--translate-threshold', '2', '--memory', '64M']
  const runs = [1, 2].map(() => laterScripts('examples/programs/tour.elf', ...options))
  rmSync(folder, { recursive: true })
  expect(runs).toEqual(['frequent false,translator false', 'frequent false'])
})

test('also while a machine is made', () => {
  const folders = [
    '--root',
    join(root, 'scripts/start-program'),
    '--mount',
    `${root}examples/programs:/mnt:ro`,
  ]
  expect(laterScripts('/linked.elf', ...folders)).toBe('frequent false')
})

test('also of the last one', () => {
  const options = ['--trace', '--translate-threshold', '2']
  expect(laterScripts('examples/programs/tour.elf', ...options)).toMatch(
    /^frequent false,late false,translator false$/m,
  )
})

test.each(['256M', '8M', '4G'])(
  'it has all that the hart of a machine of %s is made of, as it would be made',
  (memory) => {
    const script = `
    const { exports: command, parts } = require('./bin/pagoda.js').loadCommand()
    command.tuneEngine()
    const kept = command.builtIn(parts)
    const made = command.builtIn()
    const run = (of) => command.main(['node', 'pagoda', 'run', '--no-report', '--memory', '${memory}', 'examples/programs/tour.elf'], of)
    run(kept).then(() => run(made)).then(() => {
      const same = (a, b) => Buffer.compare(a, b) === 0
      // Behind their tables of contents; what V8 compiled comes last.
      const data = (bytes) =>
        bytes.subarray(Math.ceil((4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)) / 4) * 4)
      const anew = data(made.parts.bytes())
      console.error(kept.parts.isWhole, same(kept.parts.bytes(), parts), same(anew, data(parts).subarray(0, anew.length)))
    })`
    const { stderr } = spawnSync(process.execPath, ['-e', script], { cwd: copy, encoding: 'utf8' })
    expect(stderr).toBe('true true true\n')
  },
)

test('a cache that is cut short does no harm, nor one that cannot be read', () => {
  const file = join(copy, 'dist/command.cache')
  const whole = readFileSync(file)
  const code = 8 + whole.readUInt32LE(0)
  for (const length of [4, 8, code - 1, code, code + 2, code + 5000]) {
    writeFileSync(file, whole.subarray(0, length))
    expect(isRefused(), `${length}`).not.toBe('false')
    expect(node('bin/pagoda.js', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  }
  rmSync(file)
  mkdirSync(file)
  expect(node('bin/pagoda.js', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  rmSync(file, { recursive: true })
  writeFileSync(file, whole)
  expect(isRefused()).toBe('false')
})

test('when it was built anew meanwhile, it says so', () => {
  const file = join(copy, 'dist/late.cjs')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, `${text.slice(0, -1)}x`)
  const { status, stderr } = spawnSync(process.execPath, ['bin/pagoda.js', 'run', './nowhere'], {
    cwd: copy,
    encoding: 'utf8',
  })
  writeFileSync(file, text)
  expect({ status, stderr }).toEqual({ status: 125, stderr: 'pagoda: pagoda was built anew while it ran\n' })
})

const BROKEN: readonly [what: string, put: (file: string) => void, why: string][] = [
  ['not there', () => {}, 'not built yet: run `npm ci` or `npm run build` in the project folder'],
  ['a folder', (file) => mkdirSync(file), 'EISDIR: illegal operation on a directory, read'],
  ['no script', (file) => writeFileSync(file, 'of another kind'), 'Unexpected identifier'],
]

test.each(BROKEN)('a command that is %s is our own failure, said in one line', (_, put, why) => {
  const file = join(copy, 'dist/command.cjs')
  const text = readFileSync(file)
  rmSync(file)
  put(file)
  const { status, stderr } = spawnSync(process.execPath, ['bin/pagoda.js', '--version'], {
    cwd: copy,
    encoding: 'utf8',
  })
  rmSync(file, { force: true, recursive: true })
  writeFileSync(file, text)
  expect(status).toBe(125)
  expect(stderr.split('\n')).toEqual([expect.stringContaining(`pagoda: ${why}`), ''])
})

test.each(['', 'short', 'nothing that the build has ever written', undefined])(
  'a cache of %j does no harm',
  (cache) => {
    const file = join(copy, 'dist/command.cache')
    if (cache === undefined) rmSync(file)
    else writeFileSync(file, cache)
    expect(existsSync(file)).toBe(cache !== undefined)
    expect(isRefused()).not.toBe('false')
    expect(node('bin/pagoda.js', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  },
)

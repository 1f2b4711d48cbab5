/** What `npm pack` makes works in an empty project, and its types resolve. */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name: string) => join(root, 'node_modules', '.bin', name)
const run = (command: string, args: string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

let project: string
let tarball: string

/** A build of its own, as the other tests use dist/ at the same time; unless dist/ is what it would make, declarations too, as after `npm ci`. */
function buildCopy(copy: string): void {
  mkdirSync(copy)
  const wanted = [
    'bin',
    'dist',
    'docs',
    'src',
    'scripts',
    'examples',
    'package.json',
    'package-lock.json',
    'LICENSE',
  ]
  const names = readdirSync(root).filter((name) => wanted.includes(name) || /^tsconfig|\.md$/.test(name))
  for (const name of names) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  run(process.execPath, ['scripts/build.mjs', '--if-changed'], copy)
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'pagoda-pack-'))
  const copy = join(project, 'source')
  buildCopy(copy)
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', project]
  const [{ filename }] = JSON.parse(run('npm', pack, copy))
  tarball = join(project, filename)
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "type": "module", "private": true }')
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], project)
}, 180_000)

afterAll(() => rmSync(project, { recursive: true, force: true }))

test("the README's links to files lead to files that ship", () => {
  const readme = readFileSync(join(project, 'node_modules/pagoda/README.md'), 'utf8')
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) => path!)
  expect(links).toContain('docs/linux-differences.md')
  const missing = links.filter((path) => !existsSync(join(project, 'node_modules/pagoda', path)))
  expect(missing).toEqual([])
})

test('the command starts with what V8 compiled of it where it was installed', () => {
  const script =
    "const { script } = require('pagoda-bin').loadCommand(); console.log(script.cachedDataRejected)"
  const loader = join(project, 'node_modules/pagoda/bin/pagoda.js')
  expect(run(process.execPath, ['-e', script.replace('pagoda-bin', loader)], project)).toBe('false\n')
})

test('and so do its later scripts', () => {
  const installed = join(project, 'node_modules/pagoda')
  const script = `
    const { exports: command, parts, later } = require('${installed}/bin/pagoda.js').loadCommand()
    command.tuneEngine()
    process.on('exit', () => console.log(Object.entries(later.scripts).map(([name, it]) => name + ' ' + it.cachedDataRejected).join()))
    const options = ['--no-report', '--trace', '--translate-threshold', '2']
    command.main(['', '', 'run', ...options, '${installed}/examples/programs/tour.elf'], command.builtIn(parts))`
  expect(run(process.execPath, ['-e', script], project)).toMatch(
    /^frequent false,late false,translator false\n$/m,
  )
})

test('the library can be imported and used', () => {
  const script = `
    import { Machine } from 'pagoda'
    import { bootLinux } from 'pagoda/linux'
    import { Hart } from 'pagoda/hart'
    import { NodeDirectory } from 'pagoda/node'
    const space = Machine.create({ memory: 8 * 2 ** 20 }).createSpace()
    const address = space.mmap({ length: 4096 })
    space.write(address, 'packed')
    console.log(space.readText(address, 6), typeof bootLinux, typeof Hart, typeof NodeDirectory)`
  writeFileSync(join(project, 'use.mjs'), script)
  expect(run(process.execPath, ['use.mjs'], project)).toBe('packed function function function\n')
})

test('the command runs the program that ships with it', () => {
  const pagoda = join(project, 'node_modules/.bin/pagoda')
  const program = join(project, 'node_modules/pagoda/examples/programs/tour.elf')
  expect(run(pagoda, ['run', '--no-report', program], project)).toContain('Hello from riscv64 Linux')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(run(pagoda, ['--version'], project)).toBe(`${version}\n`)
})

test('a TypeScript program type-checks against the declarations', () => {
  const script = `
    import { Machine } from 'pagoda'
    import { Hart } from 'pagoda/hart'
    import { type BootedLinux, bootLinux, callbackOutput, fixedInput } from 'pagoda/linux'
    import { NodeDirectory } from 'pagoda/node'
    const text: string = Machine.create({ memory: 16 * 2 ** 20 }).createSpace().maps()
    const output = callbackOutput((chunk) => chunk.length)
    const host = { stdin: fixedInput(new Uint8Array(0)), stdout: output, stderr: output }
    const booted: BootedLinux = bootLinux({ host })
    booted.files.mount('/mnt', new NodeDirectory('.'))
    // @ts-expect-error a number is no string
    const wrong: number = text
    export { Hart, wrong }`
  const compilerOptions = {
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2022', 'DOM'],
    types: [],
    strict: true,
    noEmit: true,
  }
  writeFileSync(join(project, 'use.ts'), script)
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
  expect(run(process.execPath, [bin('tsc'), '-p', '.'], project)).toBe('')
})

test('publint and attw find nothing', () => {
  expect(run(bin('publint'), ['--strict', tarball], root)).toContain('All good')
  // attw ends with 1, and so run throws, when it finds a problem that the profile does not ignore.
  const types = run(bin('attw'), [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji'], root)
  expect(types.match(/^node16 \(from ESM\): OK \(ESM\)/gm)).toHaveLength(4)
}, 120_000)

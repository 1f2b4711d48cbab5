/** What `npm pack` makes works in an empty project, and its types resolve. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = (command: string, args: string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

let project: string
let tarball: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'pagoda-pack-'))
  // A build of its own: the other tests use dist/ at the same time.
  const copy = join(project, 'source')
  run('cp', ['-r', root, copy], project)
  run('node', ['scripts/build.mjs'], copy)
  const [{ filename }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], copy),
  )
  tarball = join(project, filename)
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "type": "module", "private": true }')
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], project)
}, 180_000)

afterAll(() => rmSync(project, { recursive: true, force: true }))

test('the library can be imported and used', () => {
  const script = `
    import { Machine } from 'pagoda'
    import { Linux } from 'pagoda/linux'
    import { Hart } from 'pagoda/hart'
    import { NodeDirectory } from 'pagoda/node'
    console.log(typeof Machine, typeof Linux, typeof Hart, typeof NodeDirectory)`
  writeFileSync(join(project, 'use.mjs'), script)
  expect(run('node', ['use.mjs'], project)).toBe('function function function function\n')
})

test('the command runs the program that ships with it', () => {
  const program = join(project, 'node_modules/pagoda/examples/programs/tour.elf')
  expect(run('npx', ['pagoda', 'run', '--no-report', program], project)).toContain('Hello from riscv64 Linux')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(run('npx', ['pagoda', '--version'], project).trim()).toBe(version)
})

test('a TypeScript program type-checks against the declarations', () => {
  const script = `
    import { Machine } from 'pagoda'
    const machine = new Machine({ memory: 16 * 2 ** 20 })
    const text: string = machine.createSpace().maps()
    // @ts-expect-error a number is no string
    const wrong: number = text
    export { wrong }`
  writeFileSync(join(project, 'use.ts'), script)
  writeFileSync(
    join(project, 'tsconfig.json'),
    '{ "compilerOptions": { "module": "NodeNext", "target": "ES2022", "strict": true, "noEmit": true, "types": [], "lib": ["ES2022", "DOM"] }, "files": ["use.ts"] }',
  )
  run('node', [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], project)
})

test('publint and attw find nothing', () => {
  expect(run('npx', ['publint', '--strict', tarball], root)).toContain('All good')
  expect(run('npx', ['attw', tarball, '--profile', 'esm-only'], root)).toContain('No problems found')
}, 120_000)

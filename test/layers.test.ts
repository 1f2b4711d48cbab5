/** A folder imports only from folders above it in the list: an import that goes up the layers fails here. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const src = fileURLToPath(new URL('../src', import.meta.url))

/** Lowest layer first. `mm.ts` and `index.ts` are files of src/ itself. */
const LAYERS = [
  'base',
  'state',
  'arch',
  'frame',
  'slab',
  'paging',
  'space',
  'fault',
  'syscall',
  'boot',
  'mm.ts',
  'index.ts',
  'hart',
  'linux',
  'cli',
]
/** The hardware knows of the kernel only the tables and the TLB. */
const HART_MAY_IMPORT = ['base', 'state', 'arch', 'paging', 'hart']

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return name === 'testing' ? [] : sourceFiles(path)
    return /\.ts$/.test(name) && !/\.(test|bench|fuzz)\.ts$/.test(name) && name !== 'testing.ts' ? [path] : []
  })
}

const importsOf = (path: string): string[] => importsIn(readFileSync(path, 'utf8'))

function importsIn(text: string): string[] {
  return [...text.matchAll(/\b(?:from\s+|import\s*\(?\s*)'([^'\n]+)'/g)].map((match) => match[1]!)
}

const layerOf = (path: string) => relative(src, path).split('/')[0]!

export function violations(files: readonly { path: string; imports: readonly string[] }[]): string[] {
  return files.flatMap(({ path, imports }) => {
    const from = layerOf(path)
    return imports.flatMap((specifier) => {
      const where = relative(src, path)
      if (!specifier.startsWith('.')) {
        return from === 'cli' ? [] : [`${where} imports ${specifier}: only cli/ may import packages or Node`]
      }
      const to = layerOf(resolve(dirname(path), specifier.replace(/\.js$/, '.ts')))
      if (LAYERS.indexOf(to) < 0) return [`${where} imports ${specifier}: ${to} is no layer`]
      if (LAYERS.indexOf(to) > LAYERS.indexOf(from))
        return [`${where} imports ${specifier}: ${to} stands above ${from}`]
      if (from === 'hart' && !HART_MAY_IMPORT.includes(to))
        return [`${where} imports ${specifier}: hart/ sees only ${HART_MAY_IMPORT}`]
      return []
    })
  })
}

test('no import goes up the layers', () => {
  const files = sourceFiles(src).map((path) => ({ path, imports: importsOf(path) }))
  expect(files.length).toBeGreaterThan(20)
  expect(violations(files)).toEqual([])
})

test('an import that goes up is found', () => {
  const path = join(src, 'frame', 'x.ts')
  expect(violations([{ path, imports: ['../space/vma.js'] }])).toHaveLength(1)
  expect(violations([{ path, imports: ['node:fs'] }])).toHaveLength(1)
  expect(violations([{ path, imports: ['../state/memory.js', './y.js'] }])).toEqual([])
  expect(violations([{ path: join(src, 'hart', 'x.ts'), imports: ['../mm.js'] }])).toHaveLength(1)
})

test('imports of every form are seen, and nothing else', () => {
  const text = `import a from './a.js'\nimport {\n  b,\n} from './b.js'\nimport './c.js'\nawait import('./d.js')
export * from './e.js'\nconst calls = [{ name: 'recvfrom', trace: 'i' }]`
  expect(importsIn(text)).toEqual(['./a.js', './b.js', './c.js', './d.js', './e.js'])
})

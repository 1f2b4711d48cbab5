/** How the build parts the command (scripts/late-code.mjs). */
import { fileURLToPath } from 'node:url'
import { type RolldownPluginOption, rolldown } from 'rolldown'
import ts from 'typescript'
import { expect, test } from 'vitest'
// @ts-expect-error: a script of the build
import { partedCode } from '../../scripts/late-code.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Names that a script mentions and nobody declares. */
function undeclared(files: readonly string[]): string[] {
  const program = ts.createProgram({
    rootNames: files.map((name) => `${root}dist/${name}`),
    options: {
      ...{ allowJs: true, checkJs: true, noEmit: true, types: ['node'], skipLibCheck: true },
      ...{ target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] },
      typeRoots: [`${root}node_modules/@types`],
    },
  })
  const codes = new Set([2304, 2552, 2580, 18004]) // "cannot find name", and the like
  return program
    .getSemanticDiagnostics()
    .filter(({ code }) => codes.has(code))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))
}

test('both scripts declare all that they mention', { timeout: 120_000 }, () => {
  expect(undeclared(['command.cjs', 'late.cjs'])).toEqual([])
})

/** The two scripts of a bundle of which `ran` are the functions that ran. */
async function parted(source: string, ran: readonly string[]): Promise<{ early: string; late: string }> {
  const bundle = (plugins: RolldownPluginOption[]) =>
    rolldown({
      input: 'entry',
      treeshake: false,
      plugins: [{ name: 'entry', resolveId: (id: string) => id, load: () => source }, ...plugins],
    }).then(async (made) => (await made.generate({ format: 'cjs', minify: false })).output[0].code)
  const whole = await bundle([])
  const later = ran.map((name) => {
    const start = whole.indexOf(`function ${name}(`)
    return [start, whole.indexOf('\n}', start) + 2]
  })
  const { early, late } = partedCode(whole, [{ loading: [], later }])
  return { early: await bundle([early]), late: await bundle([late]) }
}

const SOURCE = `
function first(lock) { if (lock !== 1) { const unlock = lock; return unlock } return last(lock) }
function lock() { return 'lock' }
function unlock() { return 'unlock' }
function last(given) { return helper(given) }
function helper(given) { return [given, lock(), unlock()] }
export { first }
`

test('what only a local variable has the name of is late', async () => {
  const { early, late } = await parted(SOURCE, ['first'])
  for (const name of ['lock', 'unlock', 'last', 'helper']) {
    expect(late, name).toContain(`function ${name}(`)
    expect(early, name).not.toContain(`function ${name}(`)
  }
})

test('what is mentioned outside of a block is the name of the top, whatever the block has', async () => {
  const source = `
  let count = 0
  function first() { { let count = 5; consume(count) } count += 1; return count }
  function consume(it) { return it }
  export { first }`
  const { early } = await parted(source, ['first', 'consume'])
  expect(early).toContain('let count = 0')
})

test('a stub loads the late code once, and from then on each name is what it stands for', async () => {
  const { early, late } = await parted(SOURCE, ['first'])
  let loaded = 0
  const run = (code: string, module: object, names?: unknown[]) =>
    new Function('exports', 'module', 'early', code)({}, module, names)
  const module = {
    exports: {} as { first?: (it: number) => unknown },
    loadLate: (names: unknown[]) => {
      loaded++
      const own = { exports: [] as unknown[] }
      run(late, own, names)
      return own.exports
    },
  }
  new Function('exports', 'module', early)(module.exports, module)
  expect(module.exports.first!(2)).toBe(2)
  expect(loaded).toBe(0)
  expect(module.exports.first!(1)).toEqual([1, 'lock', 'unlock'])
  expect(module.exports.first!(1)).toEqual([1, 'lock', 'unlock'])
  expect(loaded).toBe(1)
})

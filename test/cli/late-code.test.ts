/** How the build parts the command (scripts/late-code.mjs). */
import { fileURLToPath } from 'node:url'
import { type RolldownPluginOption, rolldown } from 'rolldown'
import ts from 'typescript'
import { expect, test } from 'vitest'
// @ts-expect-error: a script of the build
import { partedCode, SCRIPTS } from '../../scripts/late-code.mjs'

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

test('all scripts declare what they mention', { timeout: 120_000 }, () => {
  // What bin/pagoda.js and the build give them.
  const given = new Set(['late$early', 'late$link'].map((name) => `Cannot find name '${name}'.`))
  expect(undeclared(SCRIPTS.map((name: string) => `${name}.cjs`)).filter((text) => !given.has(text))).toEqual(
    [],
  )
})

interface Parted {
  readonly command: string
  readonly frequent: string
  readonly translator: string
  readonly late: string
}

/** The scripts of a bundle of which `later`, `frequent` and `translating` are the functions that ran. */
async function parted(
  source: string,
  later: readonly string[],
  frequent: readonly string[],
  translating: readonly string[] = [],
): Promise<Parted> {
  const bundle = (plugins: RolldownPluginOption[]) =>
    rolldown({
      input: 'entry',
      treeshake: false,
      plugins: [{ name: 'entry', resolveId: (id: string) => id, load: () => source }, ...plugins],
    }).then(async (made) => (await made.generate({ format: 'cjs', minify: false })).output[0].code)
  const whole = await bundle([])
  const ranges = (names: readonly string[]) =>
    names.map((name) => {
      const start = whole.indexOf(`function ${name}(`)
      return [start, whole.indexOf('\n}', start) + 2]
    })
  const executed = [
    { loading: [], later: ranges(later), frequent: ranges(frequent), translating: ranges(translating) },
  ]
  const [command, often, translator, late] = await Promise.all(
    partedCode(whole, executed).map((plugin: RolldownPluginOption) => bundle([plugin])),
  )
  return { command: command!, frequent: often!, translator: translator!, late: late! }
}

/** Runs the first script; what it exports, and the scripts that were loaded until now. */
function load(scripts: Parted): { exports: Record<string, (it: number) => unknown>; loaded: string[] } {
  const loaded: string[] = []
  const module = {
    exports: {} as Record<string, (it: number) => unknown>,
    loadLate: (script: number, early: unknown[], link: object) => {
      const name = SCRIPTS[script] as keyof Parted
      loaded.push(name)
      const own = { exports: [] as unknown[] }
      new Function('exports', 'module', 'late$early', 'late$link', scripts[name])({}, own, early, link)
      return own.exports
    },
  }
  new Function('exports', 'module', scripts.command)(module.exports, module)
  return { exports: module.exports, loaded }
}

const SOURCE = `
function first(lock) { if (lock !== 1) { const unlock = lock; return unlock } return often(lock) }
function lock() { return 'lock' }
function unlock() { return 'unlock' }
function often(given) { return given > 1 ? seldom(given) : [given, lock()] }
function seldom(given) { return [...often(1), unlock(), new Seldom(given).value, TABLE[0](given)] }
class Seldom { constructor(value) { this.value = value } }
const TABLE = [inTable]
function inTable({ length } = {}, other = length) { return typeof other }
function other() { return seldom(2) }
export { first, often, other }
`

test('what only a local variable has the name of is late', async () => {
  const { command, frequent, late } = await parted(SOURCE, ['first'], ['often', 'lock'])
  for (const [name, script] of Object.entries({
    often: frequent,
    lock: frequent,
    unlock: late,
    seldom: late,
  })) {
    expect(script, name).toContain(`function ${name}(`)
    expect(command, name).not.toContain(`function ${name}(`)
  }
})

test('what is mentioned outside of a block is the name of the top, whatever the block has', async () => {
  const source = `
  let count = 0
  function first() { { let count = 5; consume(count) } count += 1; return count }
  function consume(it) { return it }
  export { first }`
  const { command } = await parted(source, ['first', 'consume'], [])
  expect(command).toContain('let count = 0')
})

test('what changes a variable that is in another script is told to whoever builds', async () => {
  const source = `
  let count = 0
  function first() { return count }
  function change() { count += 1 }
  export { first, change }`
  await expect(parted(source, ['first'], [])).rejects.toThrow(
    'count is changed, and change is in another script',
  )
})

test('what looks at how it is called has no stub, nor what is given to a constructor', async () => {
  const source = `
  function first() { return [called(1, 2), new Box(Box).value] }
  function called() { return arguments.length }
  class Box { constructor(value) { this.value = value } }
  export { first }`
  const { command } = await parted(source, ['first'], [])
  expect(command).toContain('function called(')
  expect(command).toContain('Box = class')
})

test.each(['count = 1', 'count++', '({ count } = given)', '({ other: count } = given)', '[count] = given'])(
  'a variable is changed by %s',
  async (change) => {
    const source = `
    let count = 0
    function first() { return count }
    function change(given) { ${change} }
    export { first, change }`
    await expect(parted(source, ['first'], [])).rejects.toThrow('count is changed')
  },
)

test('a stub loads its script once, and from then on each name is what it stands for', async () => {
  const { exports, loaded } = load(await parted(SOURCE, ['first'], ['often', 'lock']))
  expect(exports.first!(2)).toBe(2)
  expect(loaded).toEqual([])
  expect([exports.first!(1), exports.often!(1)]).toEqual([
    [1, 'lock'],
    [1, 'lock'],
  ])
  expect(loaded).toEqual(['frequent'])
  const most = [1, 'lock', 'unlock', 2, 'undefined']
  expect([exports.often!(2), exports.often!(2), exports.other!(0)]).toEqual([most, most, most])
  expect(loaded).toEqual(['frequent', 'late'])
})

test('the last script brings the one before it', async () => {
  const { exports, loaded } = load(await parted(SOURCE, ['first'], ['often', 'lock']))
  expect(exports.other!(0)).toEqual([1, 'lock', 'unlock', 2, 'undefined'])
  expect(loaded).toEqual(['frequent', 'late'])
})

test.each(['all', 'script', 'i', 'real', 'names'])(
  'a late function may be called %s, whatever the stubs and who loads the scripts have',
  async (name) => {
    const source = `
    function first(which) { return [${name}, often, seldom][which]() }
    function often() { return [${name}, seldom][0]() }
    function seldom() { return ${name}() }
    function ${name}() { return 'it' }
    export { first }`
    for (const frequent of [[], ['often'], ['often', name]]) {
      for (const which of [0, 1, 2]) {
        const { exports } = load(await parted(source, ['first'], frequent))
        expect(exports.first!(which)).toBe('it')
      }
    }
  },
)

const ASIDE = `
function first(which) { return [often, translate, seldom, report, never][which]() }
function often() { return [translate, seldom] }
function translate() { return [tool(), new KINDS.Tool().value, TOOLS[0], seldom(), report] }
function tool() { return 'tool' }
class Tool { constructor() { this.value = 'made' } }
const TOOLS = ['listed', seldom]
const KINDS = { Tool }
const MORE = [TOOLS]
const MOST = [MORE]
class More extends Tool { static listed = MOST[0][0][0] }
function report() { return 'report' }
function seldom() { return [tool(), new KINDS.Tool().value, { TOOLS }.TOOLS[0], typeof Tool, report()].join() }
function never() { return [new More().value, More.listed].join() }
export { first }
`

const BY_TRANSLATE = ['tool', 'made', 'listed']
const BY_SELDOM = 'tool,made,listed,function,report'

test.each([
  { order: ['report', 'seldom', 'never', 'translate'], scripts: ['frequent', 'late', 'translator'] },
  { order: ['translate', 'report', 'never', 'seldom'], scripts: ['frequent', 'translator', 'late'] },
  { order: ['never', 'translate', 'seldom', 'report'], scripts: ['frequent', 'late', 'translator'] },
])(
  'the last script gets what it needs of the translator when it needs it: $order',
  async ({ order, scripts }) => {
    const { exports, loaded } = load(
      await parted(ASIDE, ['first'], ['often'], ['translate', 'tool', 'constructor']),
    )
    const names = ['often', 'translate', 'seldom', 'report', 'never']
    const call = (name: string) => exports.first!(names.indexOf(name))
    expect(call('often')).toHaveLength(2)
    expect(loaded).toEqual(['frequent'])
    for (const name of order) {
      const result = call(name)
      if (name === 'report') expect(result).toBe('report')
      if (name === 'report' && name === order[0]) expect(loaded).toEqual(['frequent', 'late'])
      if (name === 'seldom') expect(result).toBe(BY_SELDOM)
      if (name === 'never') expect(result).toBe('made,listed')
      if (name === 'translate') {
        const [tool, made, listed, seldom, report] = result as [string, string, string, string, () => string]
        expect([tool, made, listed]).toEqual(BY_TRANSLATE)
        expect([seldom, report()]).toEqual([BY_SELDOM, 'report'])
      }
    }
    expect(loaded).toEqual(scripts)
  },
)

// Builds dist/: ESM bundles that share chunks, the command as one script, and the declarations.
//   node scripts/build.mjs [--no-types] [--if-changed]
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { rolldown } from 'rolldown'
import { forgetBuilt, inputsHash, isBuilt, noteBuilt } from './build-inputs.mjs'
import { bundling, isExternal, lateChildProcess, putCallsIn } from './bundling.mjs'
import { partedCode, SCRIPTS } from './late-code.mjs'
import { makeCaches } from './make-caches.mjs'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const written = new Set(['.inputs'])
const withTypes = !process.argv.includes('--no-types')

// As they are now: what changes meanwhile may be in it or not.
const inputs = inputsHash()
if (process.argv.includes('--if-changed') && isBuilt(inputs, withTypes)) process.exit()
forgetBuilt()

async function write(input, { platform, plugins = [] }, output) {
  const shared = bundling(version)
  const bundle = await rolldown({
    ...shared,
    plugins: [...plugins, ...shared.plugins],
    platform,
    input,
    external: isExternal,
  })
  const files = await bundle.write({ dir: 'dist', sourcemap: true, ...output })
  for (const { fileName } of files.output) written.add(fileName).add(`${fileName}.map`)
}

await write(
  {
    index: 'src/index.ts',
    hart: 'src/hart/index.ts',
    linux: 'src/linux/index.ts',
    node: 'src/cli/node.ts',
  },
  { platform: 'neutral' },
  { entryFileNames: '[name].js', chunkFileNames: 'chunk-[hash].js' },
)
/** The command, as one script; `plugin` may leave out a part. */
function writeCommand(name, plugin, output) {
  return write(
    { [name]: 'src/cli/main.ts' },
    { platform: 'node', plugins: [putCallsIn, lateChildProcess, plugin] },
    { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false, ...output },
  )
}

/** Which functions ran, by the kind of programs (executed-functions.mjs). */
function executedWith(stdin) {
  const folder = 'dist/executed'
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const ran = (what) => {
    execFileSync(process.execPath, ['scripts/executed-functions.mjs', wholeFile, folder, what], {
      stdio: [stdin, 'ignore', 'pipe'],
    })
    return JSON.parse(readFileSync(`${folder}/${what}.json`, 'utf8'))
  }
  ran('parts')
  const { loading, later } = ran('later')
  return { loading, later, translating: ran('translating').later, frequent: ran('frequent').later }
}

await writeCommand('whole', undefined, { minify: false, sourcemap: false })
const wholeFile = 'dist/whole.cjs'
// Standard input of two kinds, for which there is code of its own.
const executed = ['pipe', 'ignore'].map(executedWith)
for (const name of ['whole.cjs', 'whole.cjs.map']) written.delete(name)
// Minified: V8 reads less at each start, and more fits into what it compiles as one.
for (const [script, plugin] of partedCode(readFileSync(wholeFile, 'utf8'), executed).entries()) {
  await writeCommand(SCRIPTS[script], plugin, { minify: true })
}

/** As bin/pagoda.js wants it. The source map stays right but for the first line. */
function asFunction(script, parameters) {
  const ascii = script.replace(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `(function (${parameters}) {${ascii}\n})`
}

const texts = SCRIPTS.map((name) => {
  const parameters =
    name === 'command' ? 'exports, require, module' : 'exports, require, module, late$early, late$link'
  return asFunction(readFileSync(`dist/${name}.cjs`, 'utf8'), parameters)
})
// A name that no other build has comes last, in all.
const build = createHash('sha256').update(texts.join('')).digest('hex')
for (const [script, name] of SCRIPTS.entries()) {
  writeFileSync(`dist/${name}.cjs`, `${texts[script]}//${build}`)
  written.add(`${name}.cache`)
}
makeCaches()

// The command has Commander in it.
copyFileSync('node_modules/commander/LICENSE', 'dist/LICENSE-commander')
written.add('LICENSE-commander')

// What an earlier build left goes last: a program that starts meanwhile finds all its chunks.
for (const name of readdirSync('dist').filter((name) => name !== 'types')) {
  if (!written.has(name)) rmSync(`dist/${name}`, { recursive: true })
}
if (withTypes) {
  rmSync('dist/types', { recursive: true, force: true })
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
}
noteBuilt(inputs, withTypes)

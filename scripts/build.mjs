// Builds dist/: ESM bundles that share chunks, the command as one script, and the declarations.
//   node scripts/build.mjs [--no-types]
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { rolldown } from 'rolldown'
import { bundling, isExternal, lateChildProcess } from './bundling.mjs'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const written = new Set()

async function write(input, { platform, plugins = [] }, output) {
  const shared = bundling(version)
  const bundle = await rolldown({
    ...shared,
    plugins: [...shared.plugins, ...plugins],
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
await write(
  { command: 'src/cli/main.ts' },
  { platform: 'node', plugins: [lateChildProcess] },
  // Minified: V8 reads less at each start, and more fits into what it compiles as one.
  { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false, minify: true },
)

/** As bin/load-command.js wants it: its name, which no other build has, comes last. The source map stays right but for the first line. */
function asFunction(script) {
  const ascii = script.replace(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const name = createHash('sha256').update(ascii).digest('hex')
  return `(function (exports, require, module) {${ascii}\n})//${name}`
}

writeFileSync('dist/command.cjs', asFunction(readFileSync('dist/command.cjs', 'utf8')))
// V8 knows a script by its length: it would take what it compiled of an earlier one that was as long.
rmSync('dist/command.cache', { force: true })
for (const what of ['command', 'interpreter']) {
  execFileSync(process.execPath, [`scripts/cache-${what}.mjs`], { stdio: 'pipe' })
}
written.add('command.cache')

// The command has Commander in it.
copyFileSync('node_modules/commander/LICENSE', 'dist/LICENSE-commander')
written.add('LICENSE-commander')

// What an earlier build left goes last: a program that starts meanwhile finds all its chunks.
for (const name of readdirSync('dist').filter((name) => name !== 'types')) {
  if (!written.has(name)) rmSync(`dist/${name}`, { recursive: true })
}
if (!process.argv.includes('--no-types')) {
  rmSync('dist/types', { recursive: true, force: true })
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
}

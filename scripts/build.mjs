// Builds dist/: ESM bundles that share chunks, and the declarations.
//   node scripts/build.mjs [--no-types]
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { rolldown } from 'rolldown'
import { bundling } from './bundling.mjs'

const entryPoints = {
  index: 'src/index.ts',
  hart: 'src/hart/index.ts',
  linux: 'src/linux/index.ts',
  node: 'src/cli/node.ts',
  cli: 'src/cli/main.ts',
}
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))

const bundle = await rolldown({
  ...bundling(version),
  input: entryPoints,
  platform: 'neutral',
  external: [/^node:/, 'commander'],
})
const { output } = await bundle.write({
  dir: 'dist',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunk-[hash].js',
  sourcemap: true,
})
const written = new Set(output.flatMap(({ fileName }) => [fileName, `${fileName}.map`]))
// What an earlier build left goes last: a program that starts meanwhile finds all its chunks.
for (const name of readdirSync('dist').filter((name) => name !== 'types')) {
  if (!written.has(name)) rmSync(`dist/${name}`, { recursive: true })
}
if (!process.argv.includes('--no-types')) {
  rmSync('dist/types', { recursive: true, force: true })
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
}

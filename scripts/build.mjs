// Builds dist/: ESM bundles that share chunks, and the declarations.
//   node scripts/build.mjs [--no-types]
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { build } from 'esbuild'

const entryPoints = {
  index: 'src/index.ts',
  hart: 'src/hart/index.ts',
  linux: 'src/linux/index.ts',
  node: 'src/cli/node.ts',
  cli: 'src/cli/main.ts',
}
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))

const { metafile } = await build({
  entryPoints,
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: ['node:*', 'commander'],
  define: { PAGODA_VERSION: JSON.stringify(version) },
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
})
// What an earlier build left goes last: a program that starts meanwhile finds all its chunks.
for (const name of readdirSync('dist').filter((name) => name !== 'types')) {
  if (!(`dist/${name}` in metafile.outputs)) rmSync(`dist/${name}`, { recursive: true })
}
if (!process.argv.includes('--no-types')) {
  rmSync('dist/types', { recursive: true, force: true })
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
}

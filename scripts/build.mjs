// Builds dist/: ESM bundles that share chunks, and the declarations.
//   node scripts/build.mjs [--no-types]
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
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

rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: Object.fromEntries(Object.entries(entryPoints).filter(([, path]) => existsSync(path))),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: ['node:*', 'commander'],
  define: { PAGODA_VERSION: JSON.stringify(version) },
  sourcemap: true,
  logLevel: 'warning',
})
if (!process.argv.includes('--no-types')) {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
}

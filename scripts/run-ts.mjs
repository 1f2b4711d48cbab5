// Runs a TypeScript file of ours: node scripts/run-ts.mjs FILE [ARGS…]. (Node 20 does not strip types.)
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const [file, ...args] = process.argv.slice(2)
const output = join(dirname(file), `.${process.pid}.run.mjs`) // beside the source: import.meta.url stays right
try {
  await build({
    entryPoints: [file],
    outfile: output,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    define: { PAGODA_VERSION: '"dev"' },
    logLevel: 'warning',
  })
  const { status, signal } = spawnSync(process.execPath, ['--expose-gc', output, ...args], {
    stdio: 'inherit',
  })
  process.exitCode = signal ? 1 : status
} finally {
  rmSync(output, { force: true })
}

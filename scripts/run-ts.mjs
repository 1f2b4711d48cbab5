// Runs a TypeScript file of ours: node scripts/run-ts.mjs FILE [ARGS…]. (Node 20 does not strip types.)
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { rolldown } from 'rolldown'
import { bundling } from './bundling.mjs'

const [file, ...args] = process.argv.slice(2)
const output = join(dirname(file), `.${process.pid}.run.mjs`) // beside the source: import.meta.url stays right
try {
  const isPackage = (id) => /^[^./]/.test(id) && !id.startsWith('node:')
  const bundle = await rolldown({ ...bundling('dev'), input: file, platform: 'node', external: isPackage })
  await bundle.write({ file: output, format: 'esm' })
  const { status, signal } = spawnSync(process.execPath, ['--expose-gc', output, ...args], {
    stdio: 'inherit',
  })
  process.exitCode = signal ? 1 : status
} finally {
  rmSync(output, { force: true })
}

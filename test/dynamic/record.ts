/** `npm run record:dynamic`: records what the programs of this folder do on the real kernel. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build, COMMANDS, sourceHash } from './programs.js'
import { REFERENCE } from './reference.js'

const temporary = mkdtempSync(join(tmpdir(), 'pagoda-dynamic-'))
try {
  const root = join(temporary, 'root')
  for (const [path, bytes] of build()) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), bytes, { mode: 0o755 })
  }
  const launcher = join('test', 'dynamic', 'launcher.c')
  execFileSync('riscv64-linux-gnu-gcc', ['-O1', '-w', '-static', '-o', join(root, 'launcher'), launcher])
  const output = execFileSync('test/riscv64-linux/rv-exec', ['-r', root, '/launcher', ...COMMANDS], {
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = output.trim().split('\n')
  const text = (hex: string | undefined) => Buffer.from(hex ?? '', 'hex').toString('latin1')
  const runs = COMMANDS.map((command, i) => {
    const [status, stdout, stderr] = lines[i]!.split(' ')
    return { command, status: Number(status), stdout: text(stdout), stderr: text(stderr) }
  })
  writeFileSync(REFERENCE, `${JSON.stringify({ sourceHash, runs }, null, 1)}\n`)
  console.log(`${runs.length} commands recorded`)
} finally {
  rmSync(temporary, { recursive: true, force: true })
}

/** What the options of `pagoda run` do, and what it reports. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { probe, resultOf, runPagoda, runProbe, startPagoda } from '../setup/command.js'

const folder = mkdtempSync(join(tmpdir(), 'pagoda-options-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ESCAPE = String.fromCharCode(27)
const text = (bytes: Buffer) => bytes.toString()

test.concurrent('--help and --version answer on standard output', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const about = await runPagoda(['--version'])
  expect(about).toMatchObject({ status: 0, stderr: '' })
  expect(text(about.stdout)).toBe(`${version}\n`)
  for (const args of [['--help'], ['run', '--help']]) {
    const help = await runPagoda(args)
    expect(help).toMatchObject({ status: 0, stderr: '' })
    expect(text(help.stdout)).toContain('\nExamples:\n  pagoda run ./hello ')
  }
})

describe.skipIf(probe === undefined)('pagoda run', () => {
  test.concurrent('passes arguments and environment, its own options only before the program', async () => {
    const args = await runProbe(['arguments', '--memory', '--', '-h', 'é ü'])
    expect(text(args.stdout)).toBe(`${probe}\narguments\n--memory\n--\n-h\né ü\n`)
    const env = await runProbe(['environment'], ['--env', 'A=1', '--env', 'B=x=y', '--env', 'C='])
    expect(text(env.stdout)).toBe('A=1\nB=x=y\nC=\n')
  })

  test.concurrent('reports on standard error what the program did with its memory', async () => {
    const { stdout, stderr, status } = await runPagoda(['run', probe!, 'both'])
    expect(status).toBe(0)
    expect(text(stdout)).toBe('to output\n')
    expect(stderr).toMatch(/^to error\nAddress map at exit\n/)
    expect(stderr).toMatch(/^ {2}[0-9a-f]{8}-[0-9a-f]{8} r-xp 00000000 \S+ \d+ +\/\S+probe\S+$/m)
    expect(stderr).toMatch(/^ {2}3f[0-9a-f]+-3f[0-9a-f]+000 rw-p .* \[stack\]$/m)
    expect(stderr).toMatch(/^ +\d+ {2}fresh zeroed frame \(first write\)$/m)
    expect(stderr).toMatch(/^ +\d+ {2}page-table frames/m)
    expect(stderr).toMatch(/^ +[\d,]+ {2}instructions$/m)
    expect(stderr).not.toContain(ESCAPE)
  })

  test.concurrent('has colour when asked, and not with NO_COLOR', async () => {
    const run = (env: Record<string, string>) => runPagoda(['run', probe!, 'exit', '0'], { env })
    expect((await run({ FORCE_COLOR: '1' })).stderr).toContain(`${ESCAPE}[1mAddress map`)
    expect((await run({ NO_COLOR: '1' })).stderr).not.toContain(ESCAPE)
  })

  test.concurrent('--no-report says nothing', async () => {
    const result = await runProbe(['both'])
    expect(result.stderr).toBe('to error\n')
  })

  test.concurrent('--memory is what the machine has', async () => {
    const frames = async (size: string) => {
      const { stderr } = await runPagoda(['run', '--memory', size, probe!, 'exit', '0'])
      return Number(/of ([\d,]+) frames/.exec(stderr)![1]!.replaceAll(',', ''))
    }
    const [small, large] = [await frames('8M'), await frames('64MiB')]
    expect(small).toBeGreaterThan(1700)
    expect(small).toBeLessThan(2048)
    expect(large).toBeGreaterThan(15_800)
    expect(large).toBeLessThan(16_000) // a 64th is the TLB's
  })

  test.concurrent('--json: the same seed, the same report; another seed, another run', async () => {
    const run = async (seed: string, name: string) => {
      const path = join(folder, name)
      const result = await runProbe(['random'], ['--seed', seed, '--json', path])
      expect(result.stderr).toBe('')
      return { report: readFileSync(path, 'utf8'), printed: text(result.stdout) }
    }
    const [first, again, other] = [await run('7', 'a'), await run('7', 'b'), await run('8', 'c')]
    expect(again).toEqual(first)
    expect(other.printed).not.toBe(first.printed)
    const report = JSON.parse(first.report)
    expect(report).toMatchObject({ exitCode: 0, stuck: false, memory: { missing: {} } })
    expect(report.memory.maps).toContain('[stack]')
    expect(report.memory.instructions).toBeGreaterThan(1000)
  })

  test.concurrent('--no-aslr: the same addresses, whatever the seed', async () => {
    const maps = async (seed: string, ...options: string[]) => {
      const path = join(folder, `maps-${seed}-${options.length}`)
      await runProbe(['both'], ['--seed', seed, ...options, '--json', path])
      return JSON.parse(readFileSync(path, 'utf8')).memory.maps as string
    }
    const [first, other] = [await maps('7'), await maps('8')]
    expect(other).not.toBe(first)
    const fixed = await maps('7', '--no-aslr')
    expect(await maps('8', '--no-aslr')).toBe(fixed)
    expect(fixed).toMatch(/-4000000000 .*\[stack\]/)
  })

  test.concurrent('--json to where the program writes comes after what it wrote', async () => {
    const path = join(folder, 'everything')
    writeFileSync(path, 'what an older run left')
    const output = openSync(path, 'a')
    const child = startPagoda(['run', '--no-report', '--json', '/dev/stdout', probe!, 'both'], {
      stdio: ['ignore', output, 'pipe'],
    })
    expect(await resultOf(child)).toMatchObject({ status: 0, stderr: 'to error\n' })
    closeSync(output)
    const [line, ...report] = readFileSync(path, 'utf8').split('\n')
    expect(line).toBe('to output')
    expect(JSON.parse(report.join('\n'))).toMatchObject({ exitCode: 0 })
  })

  test.concurrent('--clock virtual is counted, real passes', async () => {
    const seconds = async (clock: string) => {
      const started = performance.now()
      const { status } = await runProbe(['sleep', '2'], ['--clock', clock])
      expect(status).toBe(0)
      return (performance.now() - started) / 1000
    }
    expect(await seconds('real')).toBeGreaterThan(2)
    const hours = await runProbe(['sleep', '36000'], ['--clock', 'virtual'])
    expect(hours.status).toBe(0)
  })

  test.concurrent('--trace prints system calls as strace does', async () => {
    const { stderr, stdout } = await runProbe(['read', '/nowhere'], ['--trace'])
    expect(text(stdout)).toBe('')
    expect(stderr).toContain('openat(AT_FDCWD, "/nowhere", O_RDONLY|O_LARGEFILE')
    expect(stderr).toContain(') = -1 ENOENT (No such file or directory)\n')
    expect(stderr).toMatch(/^exit_group\(1\) = \?$/m)
    const written = await runProbe(['both'], ['--trace'])
    expect(written.stderr).toContain('write(1, "to output\\n", 10) = 10\n')
    const lines = await runProbe(['many', '3'], ['--trace'])
    expect(lines.stderr).toMatch(/^(writev\(1, \[\{iov_base=|write\(1, )"line 0/m)
  })

  test.concurrent('--mount shows a folder of the host, --cwd starts there', async () => {
    const shared = join(folder, 'shared')
    mkdirSync(shared)
    writeFileSync(join(shared, 'note'), 'from the host')
    const flags = ['--mount', `${shared}:/mnt/shared`, '--cwd', '/mnt/shared']
    expect(text((await runProbe(['cwd'], flags)).stdout)).toBe('/mnt/shared\n')
    expect(text((await runProbe(['read', 'note'], flags)).stdout)).toBe('from the host')
    const write = await runProbe(['write', 'reply'], flags, { input: 'from the guest' })
    expect(write).toMatchObject({ status: 0, stderr: '' })
    expect(readFileSync(join(shared, 'reply'), 'utf8')).toBe('from the guest')
  })

  test.concurrent('--mount with :ro keeps the folder as it is, and nothing else of the host is seen', async () => {
    const kept = join(folder, 'kept')
    mkdirSync(kept)
    writeFileSync(join(kept, 'note'), 'kept')
    const flags = ['--mount', `${kept}:/mnt:ro`]
    expect(text((await runProbe(['read', '/mnt/note'], flags)).stdout)).toBe('kept')
    for (const path of ['/mnt/note', '/mnt/new']) {
      const write = await runProbe(['write', path], flags, { input: 'changed' })
      expect(write).toMatchObject({ status: 1, stderr: `${path}: Read-only file system\n` })
    }
    expect(readFileSync(join(kept, 'note'), 'utf8')).toBe('kept')
    expect(existsSync(join(kept, 'new'))).toBe(false)
    for (const path of [`/mnt/../..${kept}/note`, join(kept, 'note')]) {
      const outside = await runProbe(['read', path], flags)
      expect(outside).toMatchObject({ status: 1, stderr: `${path}: No such file or directory\n` })
    }
  })
})

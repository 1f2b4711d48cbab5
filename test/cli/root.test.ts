/** `pagoda run --root`: programs and files of a folder, which stays as it is. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { probe, runPagoda } from '../setup/command.js'

const folder = mkdtempSync(join(tmpdir(), 'pagoda-root-'))
const [lower, upper] = [join(folder, 'lower'), join(folder, 'upper')]
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (...args: string[]) => runPagoda(['run', '--no-report', ...args])
const text = (bytes: Buffer) => bytes.toString()

describe.skipIf(probe === undefined)('--root', () => {
  beforeAll(() => {
    for (const path of ['lower/usr/bin', 'lower/etc', 'upper/opt'])
      mkdirSync(join(folder, path), { recursive: true })
    copyFileSync(probe!, join(lower, 'usr/bin/probe'))
    chmodSync(join(lower, 'usr/bin/probe'), 0o755)
    writeFileSync(join(lower, 'etc/plain'), 'no program')
    writeFileSync(join(upper, 'opt/tool'), '#!/usr/bin/probe environment\n', { mode: 0o755 })
  })

  test.concurrent('finds a program by its path and by its name', async () => {
    for (const name of ['/usr/bin/probe', 'probe', 'usr/bin/probe']) {
      const { stdout, status } = await run('--root', lower, name, 'arguments', 'x')
      expect([text(stdout), status]).toEqual([`${name}\narguments\nx\n`, 0])
    }
    expect((await run('--root', lower, '--env', 'PATH=/opt', 'probe', 'exit', '3')).status).toBe(127)
  })

  test.concurrent('gives it a usual environment, which --env changes', async () => {
    const { stdout } = await run(
      '--root',
      lower,
      '--env',
      'HOME=/tmp',
      '--env',
      'A=b',
      'probe',
      'environment',
    )
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    expect(text(stdout)).toBe(`${path}\nHOME=/tmp\nA=b\n`)
  })

  test.concurrent('lays folders over one another', async () => {
    const { stdout, status } = await run('--root', lower, '--root', upper, '/opt/tool')
    expect([text(stdout).split('\n')[1], status]).toEqual(['HOME=/root', 0])
  })

  test.concurrent('says what is wrong', async () => {
    const missing = await run('--root', join(folder, 'nowhere'), 'probe')
    expect(missing).toMatchObject({ status: 125, stderr: expect.stringContaining('no such directory') })
    const unknown = await run('--root', lower, 'nosuch')
    expect(unknown).toMatchObject({ status: 127, stderr: expect.stringContaining('nosuch: no such program') })
    const plain = await run('--root', lower, '/etc/plain')
    expect(plain).toMatchObject({ status: 126, stderr: expect.stringContaining('permission denied') })
  })

  test('leaves the folder as it was', async () => {
    await run('--root', lower, 'probe', 'arguments')
    expect(readdirSync(lower, { recursive: true }).sort()).toEqual([
      'etc',
      'etc/plain',
      'usr',
      'usr/bin',
      'usr/bin/probe',
    ])
  })
})

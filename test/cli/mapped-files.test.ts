/** What a program stores in a mapped file of the host is in the file afterwards, however the program ends. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type CommandResult, resultOf, runPagoda, startPagoda } from '../setup/command.js'
import { guestProgram } from '../setup/programs.js'

const PAGE = 4096
const program = guestProgram('dirty', 'musl') ?? guestProgram('dirty', 'glibc')
const folder = mkdtempSync(join(tmpdir(), 'pagoda-mapped-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A folder with one file of four pages of dots. */
function share(name: string): { path: string; flags: string[] } {
  const shared = join(folder, name)
  mkdirSync(shared)
  const path = join(shared, 'file')
  writeFileSync(path, Buffer.alloc(4 * PAGE, '.'))
  return { path, flags: ['run', '--no-report', '--mount', `${shared}:/mnt`] }
}

/** The whole file is as it was but for what is said to stand on its third page. */
function expectStored(path: string, stored: string, bytes = 4 * PAGE): void {
  const expected = Buffer.alloc(bytes, '.')
  expected.write(stored, 2 * PAGE, 'latin1')
  expect(Buffer.compare(readFileSync(path), expected)).toBe(0)
}

/** Starts the program, waits until it is ready, and sends a signal to the command. */
async function interrupt(flags: string[], how: string, signal: NodeJS.Signals): Promise<CommandResult> {
  const child = startPagoda([...flags, '--clock', 'real', program!, '/mnt/file', how])
  const result = resultOf(child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill(signal)
  return result
}

describe.skipIf(program === undefined)('nothing is lost when the program', () => {
  test.concurrent.each([
    ['returns', 'return', 0],
    ['calls _exit', '_exit', 0],
    ['aborts', 'abort', 134],
    ['is killed', 'kill', 137],
    ['dies of SIGSEGV', 'segv', 139],
    ['is replaced by another', 'exec', 0],
  ])('%s', async (_, how, status) => {
    const { path, flags } = share(how)
    expect((await runPagoda([...flags, program!, '/mnt/file', how])).status).toBe(status)
    expectStored(path, 'X')
  })

  test.concurrent('dies of SIGBUS in a file that it made shorter', async () => {
    const { path, flags } = share('bus')
    expect((await runPagoda([...flags, program!, '/mnt/file', 'bus'])).status).toBe(135)
    expectStored(path, 'X', 3 * PAGE)
  })

  test.concurrent('is killed because it takes all memory', async () => {
    const { path, flags } = share('hog')
    const result = await runPagoda([...flags, '--memory', '8M', program!, '/mnt/file', 'hog'])
    expect(result.status).toBe(137)
    expectStored(path, 'X')
  })

  test.concurrent('stores into three times as much as there is RAM', async () => {
    const { path, flags } = share('fill')
    const result = await runPagoda([...flags, '--memory', '8M', program!, '/mnt/file', 'fill'])
    expect(result).toMatchObject({ status: 0, stderr: '' })
    const expected = Buffer.alloc(24 * 2 ** 20)
    expected.fill('.', 0, 4 * PAGE)
    for (let page = 0; page * PAGE < expected.length; page++) {
      expected[page * PAGE + (page % PAGE)] = 1 + (page % 255)
    }
    expect(Buffer.compare(readFileSync(path), expected)).toBe(0)
  })

  test.concurrent.each([
    ['computes', 'spin', 'SIGINT', 130],
    ['computes', 'spin', 'SIGTERM', 143],
    ['waits for input', 'wait', 'SIGINT', 130],
    ['computes', 'spin', 'SIGHUP', 129],
  ] as const)('%s (%s) and the command gets %s', async (_, how, signal, status) => {
    const { path, flags } = share(`${how}-${signal}`)
    expect(await interrupt(flags, how, signal)).toMatchObject({ status })
    expectStored(path, 'X')
  })

  test.concurrent('is there when Ctrl-\\ ends the command itself', async () => {
    const { path, flags } = share('quit')
    expect(await interrupt(flags, 'spin', 'SIGQUIT')).toMatchObject({ signal: 'SIGQUIT' })
    expectStored(path, 'X')
  })

  test.concurrent('is interrupted with a child that has changed the file, too', async () => {
    const { path, flags } = share('child')
    expect((await interrupt(flags, 'child', 'SIGINT')).status).toBe(130)
    expectStored(path, 'XY')
  })

  test.concurrent('writes to somebody who has gone', async () => {
    const { path, flags } = share('pipe')
    const child = startPagoda([...flags, program!, '/mnt/file', 'pipe'])
    const result = resultOf(child)
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.destroy()
    expect((await result).status).toBe(141)
    expectStored(path, 'X')
  })
})

describe.skipIf(program === undefined)('what was written before the command was killed stays:', () => {
  test.concurrent.each([
    ['msync and fsync', 'msync', 'X'],
    ['sync', 'sync', 'X'],
    ['unmapping the last view of a closed file', 'unmap', 'X'],
  ])('%s', async (_, how, stored) => {
    const { path, flags } = share(`killed-${how}`)
    const result = await interrupt(flags, how, 'SIGKILL')
    expect(result.signal).toBe('SIGKILL')
    if (how === 'msync') expect(result.stdout.toString()).toMatch(/^msync 0 fsync 0/)
    expectStored(path, how === 'msync' ? 'Z' : stored)
  })
})

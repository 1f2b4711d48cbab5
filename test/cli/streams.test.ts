/** Bytes pass through the command unchanged, whatever is at the other ends, and none are lost. */
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { probe, resultOf, runProbe, startPagoda } from '../setup/command.js'

const folder = mkdtempSync(join(tmpdir(), 'pagoda-streams-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const MEBIBYTE = randomBytes(2 ** 20)
const same = (bytes: Buffer, expected: Buffer = MEBIBYTE) => expect(bytes.equals(expected)).toBe(true)
const start = (...what: string[]) => startPagoda(['run', '--no-report', probe!, ...what])

/** With descriptors of ours as its standard streams. */
async function runOn(stdin: number, stdout: number, ...what: string[]) {
  const stdio = [stdin, stdout, 'pipe'] as const
  const child = startPagoda(['run', '--no-report', probe!, ...what], { stdio: [...stdio] })
  closeSync(stdin)
  closeSync(stdout)
  return resultOf(child)
}

describe.skipIf(probe === undefined)('standard streams', () => {
  test.concurrent('a mebibyte through pipes', async () => {
    const { stdout, status } = await runProbe(['cat'], [], { input: MEBIBYTE })
    same(stdout)
    expect(status).toBe(0)
  })

  test.concurrent('a mebibyte from a file into a file', async () => {
    const [from, to] = [join(folder, 'from'), join(folder, 'to')]
    writeFileSync(from, MEBIBYTE)
    const { status } = await runOn(openSync(from, 'r'), openSync(to, 'w'), 'cat')
    same(readFileSync(to))
    expect(status).toBe(0)
  })

  test.concurrent('input that comes slowly', async () => {
    const child = start('cat')
    const result = resultOf(child)
    for (let at = 0; at < 5000; at += 1000) {
      child.stdin.write(MEBIBYTE.subarray(at, at + 1000))
      await sleep(30)
    }
    child.stdin.end()
    same((await result).stdout, MEBIBYTE.subarray(0, 5000))
  })

  test.concurrent('output that is read slowly', async () => {
    const child = start('cat')
    child.stdin.end(MEBIBYTE)
    child.stdout.pause()
    const result = resultOf(child)
    child.stdout.pause()
    await sleep(600)
    child.stdout.resume()
    same((await result).stdout)
  })

  test.concurrent('output while input is still open: an answer for each question', async () => {
    const child = start('cat')
    for (const question of ['one\n', 'two\n']) {
      child.stdin.write(question)
      const [answer] = await new Promise<Buffer[]>((resolve) =>
        child.stdout.once('data', (c) => resolve([c])),
      )
      expect(answer!.toString()).toBe(question)
    }
    child.stdin.end()
    expect((await resultOf(child)).status).toBe(0)
  })

  test.concurrent('input that nobody reads and that never ends', async () => {
    const child = start('exit', '3')
    expect(await resultOf(child)).toMatchObject({ status: 3, stderr: '' })
  })

  test.concurrent('many lines just before the end', async () => {
    const { stdout } = await runProbe(['many', '20000'])
    const lines = stdout.toString().split('\n')
    expect(lines).toHaveLength(20001)
    expect(lines[19999]).toBe('line 19999')
  })

  test.concurrent('a reader that goes away: SIGPIPE', async () => {
    const child = start('yes')
    child.stdout.once('data', () => child.stdout.destroy())
    const { status, stderr } = await resultOf(child)
    expect(status).toBe(141)
    expect(stderr).toBe('')
  })

  test.concurrent('a reader that goes away: EPIPE for who ignores the signal', async () => {
    const child = start('yes', 'ignore')
    child.stdout.once('data', () => child.stdout.destroy())
    expect(await resultOf(child)).toMatchObject({ status: 3, stderr: 'write: Broken pipe\n' })
  })

  test.concurrent('a reader of the report that goes away', async () => {
    const child = startPagoda(['run', probe!, 'both'])
    child.stderr.destroy()
    const { status, stdout } = await resultOf(child)
    expect(stdout.toString()).toBe('to output\n')
    // The guest's own write to standard error may come before or after.
    expect([0, 141]).toContain(status)
  })

  test.concurrent('a full device: the guest is told', async () => {
    const { status } = await runOn(openSync('/dev/null', 'r'), openSync('/dev/full', 'w'), 'both')
    expect(status).toBe(255)
  })

  test.concurrent('a folder as input: the guest is told', async () => {
    const { status } = await runOn(openSync(folder, 'r'), openSync('/dev/null', 'w'), 'cat')
    expect(status).toBe(1)
  })
})

/** How a run ends: the guest's exit code, a signal, the end of memory, somebody's Ctrl-C. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  type CommandResult,
  pagoda,
  probe,
  resultOf,
  runPagoda,
  runProbe,
  startPagoda,
} from '../setup/command.js'
import { findCommand } from '../setup/oracles.js'
import { guestProgram } from '../setup/programs.js'

const folder = mkdtempSync(join(tmpdir(), 'pagoda-endings-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const crash = guestProgram('crash', 'glibc')
const NO_STACK_TRACE = /^ +at .*:\d+:\d+/m

/** Starts a guest, waits until it says that it is ready, sends a signal to the command. */
async function interrupt(signal: NodeJS.Signals, ...what: string[]): Promise<CommandResult> {
  const child = startPagoda(['run', '--no-report', '--clock', 'real', probe!, ...what])
  const result = resultOf(child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill(signal)
  return result
}

describe.skipIf(probe === undefined)('a run ends', () => {
  test.concurrent.each([0, 1, 42, 125, 255])('with the exit code %d of the guest', async (code) => {
    expect(await runProbe(['exit', String(code)])).toMatchObject({ status: code, stderr: '' })
  })

  test.concurrent.each([
    [3, 131, 'SIGQUIT (Quit)'],
    [6, 134, 'SIGABRT (Aborted)'],
    [8, 136, 'SIGFPE (Floating point exception)'],
  ])('with what is known of a program that went wrong: signal %d', async (signal, status, name) => {
    const result = await runProbe(['raise', String(signal)])
    expect(result.status).toBe(status)
    expect(result.stderr).toMatch(/^pagoda: .*, signal \d+, at pc 0x[0-9a-f]+ \(\w+(\+0x[0-9a-f]+)?\)\n$/)
    expect(result.stderr).toContain(name)
  })

  test.concurrent.each([
    [9, 137, 'pagoda: SIGKILL (Killed), signal 9'],
    [15, 143, 'pagoda: SIGTERM (Terminated), signal 15'],
    [13, 141, 'Address map at exit'],
  ])('with a line at most when it was ended: signal %d', async (signal, status, firstLine) => {
    const quiet = await runProbe(['raise', String(signal)])
    expect(quiet).toMatchObject({ status, stderr: '' })
    const reported = await runPagoda(['run', probe!, 'raise', String(signal)])
    expect(reported.status).toBe(status)
    expect(reported.stderr.split('\n', 1)[0]).toBe(firstLine)
  })

  test.concurrent('with what a crash was about: signal, pc and symbol, address, the mappings around', async () => {
    const report = join(folder, 'crash.json')
    const options = ['--no-report', '--no-aslr', '--json', report]
    const { status, stdout, stderr } = await runPagoda(['run', ...options, crash!])
    expect(status).toBe(139)
    expect(stdout.toString()).toBe('going\n')
    expect(stderr).toMatch(
      /^pagoda: SIGSEGV \(Segmentation fault\), signal 11, at pc 0x[0-9a-f]+ \((victim|main)/,
    )
    expect(stderr).toContain('\n  address 0xdead000\n  no mapping there\n')
    expect(stderr).toMatch(/^ {2}below it: [0-9a-f]+-[0-9a-f]+ rw-p .*\[heap\]$/m)
    expect(stderr).toMatch(/^ {2}above it: 3[0-9a-f]+-/m)
    expect(JSON.parse(readFileSync(report, 'utf8')).crash).toMatchObject({
      name: 'SIGSEGV',
      address: 0xdead000,
    })
  })

  test.concurrent('by SIGKILL when it takes all memory', async () => {
    const { status, stderr } = await runPagoda(['run', '--memory', '32M', probe!, 'hog', 'touch'])
    expect(status).toBe(137)
    expect(stderr).toMatch(/^pagoda: SIGKILL .*\n {2}the machine is out of memory: --memory gives it more\n/)
    expect(stderr).toMatch(/^pagoda: kernel: Out of memory: Killed process \d+ /m)
    expect(stderr).toMatch(/^ +\d+ {2}found no memory$/m)
    expect(stderr).not.toMatch(NO_STACK_TRACE)
  })

  test.concurrent('by ENOMEM when it only asks for more than there are addresses', async () => {
    const { status, stdout, stderr } = await runProbe(['hog'], ['--memory', '32M'])
    expect(stdout.toString()).toMatch(/^mmap: Out of memory after \d+\n$/)
    expect({ status, stderr }).toEqual({ status: 4, stderr: '' })
  })

  test.concurrent('by SIGSEGV when its stack has no end', async () => {
    const { status, stderr } = await runProbe(['recurse'], ['--memory', '32M'])
    expect(status).toBe(139)
    expect(stderr).toMatch(/^ {2}above it: .*\[stack\]$/m)
  })
})

describe.skipIf(probe === undefined)('a guest that would not end', () => {
  const endings: readonly (readonly [NodeJS.Signals, number])[] = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]
  test.concurrent.each(endings)('computes: %s ends it', async (signal, status) => {
    const result = await interrupt(signal, 'spin')
    expect(result).toMatchObject({ status, signal: null, stderr: '' })
    expect(result.stdout.toString()).toBe('ready\n')
  })

  test.concurrent('handles Ctrl-C itself', async () => {
    const result = await interrupt('SIGINT', 'spin', 'catch')
    expect(result).toMatchObject({ status: 7, stderr: '' })
    expect(result.stdout.toString()).toBe('ready\ncaught\n')
  })

  test.concurrent('faults for ever: Ctrl-C ends it', async () => {
    expect(await interrupt('SIGINT', 'faults')).toMatchObject({ status: 130, signal: null })
  })

  test.concurrent('waits for input: Ctrl-C ends it', async () => {
    expect(await interrupt('SIGINT', 'wait')).toMatchObject({ status: 130, signal: null })
  })

  test.concurrent('sleeps: Ctrl-C ends it', async () => {
    expect(await interrupt('SIGINT', 'sleep', '1000')).toMatchObject({ status: 130, signal: null })
  })
})

const script = findCommand('script')

describe.skipIf(probe === undefined || script === undefined)('on a terminal', () => {
  test.concurrent('Ctrl-C typed ends a guest that waits for a line, and the terminal is as it was', async () => {
    // Ctrl-C reaches the shell too: without a trap dash dies of it, where bash waits for the command's end.
    const command = `trap : INT; ${process.execPath} ${pagoda} run --no-report ${probe} wait; echo status $?; stty -a`
    const env = { ...process.env, NO_COLOR: '1', SHELL: '/bin/sh' }
    const child = spawn(script!, ['-qec', command, '/dev/null'], { env })
    const typed = ['a line\n', '\x03']
    let shown = ''
    child.stdout.on('data', (chunk) => {
      shown += chunk
      // Type on when the guest is ready, then when its answer to the line is there beside the echo.
      const isAnswered = shown.split('a line').length > 2
      if (shown.includes('ready') && (typed.length > 1 || isAnswered)) child.stdin.write(typed.shift() ?? '')
    })
    await new Promise((resolve) => child.on('close', resolve))
    expect(shown).not.toContain('pagoda: ')
    expect(shown).toContain('status 130')
    for (const mode of ['isig', 'icanon', 'echo']) expect(shown).toMatch(new RegExp(`(^| )${mode} `, 'm'))
  })
})

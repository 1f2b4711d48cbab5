/** What the command cannot do: one line that says what and what to do, nothing on standard output, the shells' exit codes. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { probe, runPagoda } from '../setup/command.js'

const folder = mkdtempSync(join(tmpdir(), 'pagoda-refusals-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PROGRAM_HEADERS = 64
const PT_LOAD = 1
const PT_INTERP = 3

function put(name: string, bytes: Uint8Array | string, mode = 0o755): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  chmodSync(path, mode)
  return path
}

/** A real program with something changed in it. */
function changed(name: string, change: (elf: Buffer) => Uint8Array | undefined): string {
  const elf = readFileSync(probe!)
  return put(name, change(elf) ?? elf)
}

/** Offset of the last program header that is, or is not, a PT_LOAD. */
function lastHeader(elf: Buffer, isLoad: boolean): number {
  const count = elf.readUInt16LE(56)
  const offsets = Array.from({ length: count }, (_, i) => PROGRAM_HEADERS + i * 56)
  return offsets.filter((at) => (elf.readUInt32LE(at) === PT_LOAD) === isLoad).pop()!
}

function dynamic(elf: Buffer): Uint8Array {
  const name = Buffer.from('/lib/ld-linux-riscv64-lp64d.so.1\0')
  const at = lastHeader(elf, false)
  elf.writeUInt32LE(PT_INTERP, at)
  elf.writeBigUInt64LE(BigInt(elf.length), at + 8)
  elf.writeBigUInt64LE(BigInt(name.length), at + 32)
  return Buffer.concat([elf, name])
}

function needingMemory(elf: Buffer): undefined {
  elf.writeBigUInt64LE(2n ** 33n, lastHeader(elf, true) + 40)
}

describe.skipIf(probe === undefined)('a program that cannot be run', () => {
  const cases: readonly (readonly [string, () => string, number, RegExp])[] = [
    ['is missing', () => join(folder, 'nothing'), 127, /nothing: no such file; give the path/],
    ['has a file on its way', () => join(put('plain', ''), 'x'), 127, /no such file/],
    ['is a folder', () => folder, 126, /is a directory/],
    ['is not executable', () => put('data', '', 0o644), 126, /permission denied; .*chmod \+x/],
    ['is a device', () => '/dev/zero', 126, /not a regular file; give the path/],
    ['is empty', () => put('empty', ''), 126, /: empty file, not a program$/],
    ['is a text', () => put('text', 'hello\n'), 126, /not an ELF file/],
    [
      'is a script',
      () => put('script', '#!/bin/sh\n'),
      126,
      /needs the interpreter \/bin\/sh: .* with --root/,
    ],
    ['is for another machine', () => changed('x86', (e) => void (e[18] = 62)), 126, /x86-64; only riscv64/],
    ['is 32-bit', () => changed('rv32', (e) => void (e[4] = 1)), 126, /a 32-bit ELF/],
    ['is an object file', () => changed('object', (e) => void (e[16] = 1)), 126, /not been linked/],
    ['is cut short', () => changed('short', (e) => e.subarray(0, 5000)), 126, /cut short/],
    [
      'is dynamic',
      () => changed('dynamic', dynamic),
      126,
      /needs the interpreter \/lib\/ld-linux.*link with -static/,
    ],
    ['needs more memory', () => changed('huge', needingMemory), 126, /needs \d+ MiB .*more with --memory/],
    ['is a large file', () => changed('large', (e) => Buffer.concat([e], 2 ** 25)), 126, /give it more with/],
  ]
  test.concurrent.each(cases)('because it %s', async (_, make, status, message) => {
    const result = await runPagoda(['run', '--memory', '16M', make()])
    expect(result.stdout.toString()).toBe('')
    expect(result.stderr).toMatch(/^pagoda: .*\n$/)
    expect(result.stderr.trimEnd()).toMatch(message)
    expect(result.status).toBe(status)
  })
})

describe('a command line that is wrong', () => {
  const run = (...args: string[]) => ['run', ...args, '/dev/null']
  const cases: readonly (readonly [string[], RegExp])[] = [
    [[], /^Usage: pagoda /],
    [['walk'], /unknown command 'walk'/],
    [['run'], /missing required argument 'program'/],
    [run('--bogus'), /unknown option '--bogus'/],
    [run('--memory', 'much'), /'much' is invalid. Give a size like 256M/],
    [run('--memory', '7M'), /between 8M and 4G/],
    [run('--seed', '-1'), /'-1' is invalid. Give a whole number/],
    [run('--clock', 'sun'), /Allowed choices are virtual, real/],
    [run('--env', 'A'), /Give NAME=VALUE/],
    [run('--mount', '.'), /Give HOST:GUEST/],
    [run('--mount', '.:relative'), /GUEST an absolute path/],
  ]
  test.concurrent.each(cases)('%j', async (args, message) => {
    const result = await runPagoda(args)
    expect(result.stdout.toString()).toBe('')
    expect(result.stderr).toMatch(message)
    expect(result.stderr).toContain('Usage: pagoda')
    if (args.length > 0)
      expect(result.stderr).toMatch(/^error: .*\nUsage: pagoda .*\npagoda (run )?--help .*\n$/)
    expect(result.status).toBe(125)
  })
})

describe.skipIf(probe === undefined)('a machine that cannot be made as asked', () => {
  const cases: readonly (readonly [string, string[], RegExp])[] = [
    ['a mount of nothing', ['--mount', `${folder}/no:/x`], /--mount .*no such directory/],
    ['a mount of a file', ['--mount', `${probe}:/x`], /--mount .*is not a directory/],
    ['a mount over all', ['--mount', `${folder}:/`], /mount at a folder, like \/mnt/],
    ['a folder not there', ['--cwd', '/nowhere'], /--cwd \/nowhere: no such directory in the guest/],
    ['an unwritable report', ['--json', `${folder}/no/report.json`], /--json .*no such file or directory/],
  ]
  test.concurrent.each(cases)('%s: nothing runs', async (_, args, message) => {
    const result = await runPagoda(['run', '--no-report', ...args, probe!, 'both'])
    expect(result.stdout.toString()).toBe('')
    expect(result.stderr).toMatch(/^pagoda: .*\n$/)
    expect(result.stderr).toMatch(message)
    expect(result.status).toBe(125)
  })
})

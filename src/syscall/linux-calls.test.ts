/**
 * The mapping calls, with arguments at the edges of what is legal, must answer and leave the mappings as Linux does.
 * testing/linux-6.12.log was printed by testing/calls.c on a riscv64 Linux 6.12 (Debian 13, QEMU virt, Sv39, as root) for
 * the script of testing/cases.ts, whose hash is its first line.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { script } from './testing/cases.js'
import { replay } from './testing/replay.js'

const SEED = 1
const log = readFileSync(new URL('./testing/linux-6.12.log', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
const [header, ...expected] = log

test('the log belongs to the script', () => {
  const hash = createHash('sha256').update(script(SEED, expected.length)).digest('hex')
  expect(header).toBe(`# Linux 6.12 riscv64, script ${hash}`)
})

test('results and mappings are those of Linux', () => {
  const different: string[] = []
  replay(SEED, expected.length, (line, index, call) => {
    // A call that took the program's own code away has no result there.
    const linux = expected[index]!
    if (linux !== 'died' && linux !== line) different.push(`${index}: ${call}: ${line}, Linux: ${linux}`)
  })
  expect(different).toEqual([])
})

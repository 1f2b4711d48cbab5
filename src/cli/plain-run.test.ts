/** What is read without Commander is what Commander reads. */
import { expect, test, vi } from 'vitest'
import { Random } from '../base/random.js'
import { readCommandLine } from './command-line.js'
import { type PlainRun, plainRun } from './plain-run.js'

vi.mock('./say.js', () => ({ say: () => {} }))

const SEED = Number(process.env.SEED ?? 20261129)
const LINES = 20_000

const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  '--memory': ['64M', '1G', '256M', '3', 'much', '64KiB', ''],
  '--env': ['A=1', 'B=', '=', 'C', '--seed'],
  '--mount': ['.:/mnt', '.:/mnt:ro', '.', 'a:b'],
  '--root': ['debian', '/', ''],
  '--json': ['file', '-', ''],
  '--profile': ['file'],
  '--cwd': ['/tmp'],
  '--seed': ['0', '7', '-1', 'x', '4294967296'],
  '--clock': ['virtual', 'real', 'wall', ''],
  '--translate': ['on', 'off', 'no'],
  '--translate-threshold': ['1', '1000', '0', '1e9', '1e10'],
  '--code-cache': ['off', 'folder'],
}
const SWITCHES = ['--no-report', '--no-aslr', '--trace']
/** What only Commander reads. */
const OTHERS = ['--', '--help', '-h', '-', '--report', '--unknown', '--seed=3', '--memory=64M', '--env=A=1']

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)]!

function commandLine(random: Random): string[] {
  const words = ['node', 'pagoda', random.below(50) === 0 ? pick(random, ['walk', '--version']) : 'run']
  for (let left = random.below(5); left > 0; left--) {
    const kind = random.below(20)
    if (kind === 0) words.push(pick(random, OTHERS))
    else if (kind < 5) words.push(pick(random, SWITCHES))
    else {
      const name = pick(random, Object.keys(OPTIONS))
      // Mostly the first one, which is right.
      const values = OPTIONS[name]!
      words.push(
        name,
        ...(random.below(60) === 0 ? [] : [random.below(4) > 0 ? values[0]! : pick(random, values)]),
      )
    }
  }
  if (random.below(20) > 0) words.push(pick(random, ['prog', './a b', '/bin/sh']))
  for (let left = random.below(3); left > 0; left--)
    words.push(pick(random, ['x', '--seed', '7', '-h', '--', '--help', '']))
  return words
}

async function asCommander(words: readonly string[]): Promise<PlainRun | undefined> {
  let read: PlainRun | undefined
  await readCommandLine(words, async (program, args, options) => {
    read = { program, args: [...args], options: { ...options } }
  })
  return read
}

test(`random command lines, SEED=${SEED}`, async () => {
  const random = new Random(SEED)
  let plain = 0
  for (let i = 0; i < LINES; i++) {
    const words = commandLine(random)
    const [own, commander] = [plainRun(words), await asCommander(words)]
    if (own === undefined) {
      const hasOther = words.some((word) => OTHERS.includes(word))
      if (commander !== undefined) expect(hasOther, `${words.join(' ')}: is plain`).toBe(true)
      continue
    }
    plain++
    expect(own, words.join(' ')).toEqual(commander)
  }
  expect(plain).toBeGreaterThan(LINES / 4)
})

/** What a run costs the host: the guest's memory and node's own, and no JavaScript object for each page fault. Leaks: with PAGODA_FULL. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { pagoda } from './setup/command.js'
import { guestProgram } from './setup/programs.js'
import { findRoot } from './software/roots.js'

const FULL = process.env.PAGODA_FULL !== undefined
const pages = guestProgram('pages', 'musl') ?? guestProgram('pages', 'glibc')
const folder = mkdtempSync(join(tmpdir(), 'pagoda-host-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Standard output and error of a run; `node` are words for node itself. */
function run(node: readonly string[], ...words: string[]): string {
  const command = [...node, pagoda, 'run', '--no-report', '--memory', '512M', pages!, ...words]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return stdout + stderr
}

test.skipIf(pages === undefined)('64 MiB that a guest touches cost 64 MiB and a quarter at most', () => {
  const script = join(folder, 'peak.cjs')
  const say = "process.on('exit', () => console.error('peak', process.resourceUsage().maxRSS))"
  writeFileSync(script, say)
  const peak = (mebibytes: number) => {
    const [, kibibytes] = /^peak (\d+)$/m.exec(run(['--require', script], 'keep', `${mebibytes}`))!
    return Number(kibibytes) / 1024
  }
  const cost = peak(64) - peak(0)
  expect(cost).toBeGreaterThan(48) // or the guest has not touched it
  expect(cost).toBeLessThan(80)
})

/** Says at the end how many bytes of JavaScript objects the kernel has made (by V8's samples, one for each 4 KiB). */
const SAMPLER = `
const session = new (require('node:inspector').Session)()
session.connect()
const flags = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
session.post('HeapProfiler.startSampling', { samplingInterval: 4096, ...flags })
const sum = ({ callFrame, selfSize, children }, inKernel) => {
  const isKernel = inKernel || callFrame.functionName === 'runSlice'
  return (isKernel ? selfSize : 0) + children.reduce((all, child) => all + sum(child, isKernel), 0)
}
process.on('exit', () => {
  session.post('HeapProfiler.stopSampling', (error, { profile }) => console.error('made', sum(profile.head, false)))
})
`

test.skipIf(pages === undefined)('page faults make no JavaScript objects', { timeout: 600_000 }, () => {
  const faults = FULL ? 10_000_000 : 1_000_000
  const script = join(folder, 'sampler.cjs')
  writeFileSync(script, SAMPLER)
  const [, bytes] = /^made (\d+)$/m.exec(run(['--require', script], 'again', `${faults}`))!
  // Until V8 has compiled what handles a fault, it makes an object of each number that does not fit 31 bits: a while on a busy machine.
  expect(Number(bytes) / faults).toBeLessThan(FULL ? 8 : 40)
})

const PROGRAM = `
import json, re, random, collections
while True:
    data = [{"a": random.random(), "b": str(i), "c": [i] * 3} for i in range(2000)]
    text = json.dumps(data)
    words = collections.Counter(w[:4] for w in re.findall(r"[0-9]+\\.[0-9]+", text))
    json.loads(text).sort(key=lambda x: x["a"])
    x = 0
    for i in range(100000): x = (x * 31 + i) % 1000003
`
const MINUTES = 10

interface HostUse {
  readonly kibibytes: number
  readonly mappings: number
}

function useOf({ pid }: ChildProcess): HostUse {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8')
  return { kibibytes: Number(/VmRSS:\s+(\d+)/.exec(status)![1]), mappings: maps.split('\n').length }
}

const python = FULL ? findRoot('python') : undefined
test.skipIf(python === undefined)(
  `${MINUTES} minutes of Python leak nothing`,
  { timeout: (MINUTES + 5) * 60_000 },
  async () => {
    const words = ['run', '--no-report', '--memory', '512M', '--root', python!]
    const child = spawn(process.execPath, [pagoda, ...words, '/usr/bin/python3', '-c', PROGRAM])
    try {
      const uses: HostUse[] = []
      for (let minute = 0; minute < MINUTES; minute++) {
        await new Promise((resolve) => setTimeout(resolve, 60_000))
        uses.push(useOf(child))
      }
      const half = uses.slice(MINUTES / 2)
      const growth = (key: keyof HostUse) =>
        Math.max(...half.map((use) => use[key])) / uses[MINUTES / 2 - 1]![key]
      expect(growth('kibibytes'), JSON.stringify(uses)).toBeLessThan(1.2)
      expect(growth('mappings'), JSON.stringify(uses)).toBeLessThan(1.2)
    } finally {
      child.kill('SIGKILL')
    }
  },
)

/** Machines with less memory than their programs want: files make room, and whoever is worst is ended. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NO_FRAME } from '../src/base/numbers.js'
import { NodeDirectory } from '../src/cli/node-directory.js'
import { Reach } from '../src/frame/reach.js'
import { bootLinux } from '../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../src/linux/host.js'
import { runGuest } from './setup/guest.js'
import { guestProgram } from './setup/programs.js'

const MIB = 2 ** 20

const HOGS = `hog that stores: 9
hog that locks: 9
scores: 1 1 1
bystander with 1000: 9
hog: 9
score of -1000: 0
hog: 9
protected: 10
hog: 9, its twin: 9
survived
`

describe.skipIf(guestProgram('hogs') === undefined)('out of memory', () => {
  test('the real kernel and this one end the same processes, each time in the same way', async () => {
    const once = () => runGuest({ path: guestProgram('hogs')!, guestPath: '/t/hogs' }, { memory: 64 * MIB })
    const run = await once()
    // Recorded on the real kernel with RV_MEM=192M: 55 s there.
    expect(run.stdout).toBe(HOGS)
    expect(run.report.kernelLog).toHaveLength(6)
    expect(run.report.kernelLog[0]).toMatch(
      /^Out of memory: Killed process \d+ \(hogs\) total-vm:\d+kB, anon-rss:\d+kB, file-rss:\d+kB, shmem-rss:\d+kB, UID:0 pgtables:\d+kB oom_score_adj:0$/,
    )
    expect(run.report.crash).toBeUndefined()
    const again = await once()
    expect(again.report.kernelLog).toEqual(run.report.kernelLog)
    expect(again.report.memory!.instructions).toBe(run.report.memory!.instructions)
  })
})

/** Recorded on the real kernel with RV_MEM=192M. */
const OOM_SETTINGS = `off: the large one was ended, exit 3
the large one by 9
on: the one that asked was ended by 9
the large one by 15
off again: the large one was ended, exit 3
the large one by 9
`

describe.skipIf(guestProgram('oom_settings') === undefined)('settings of running out of memory', () => {
  const run = (...args: string[]) =>
    runGuest({ path: guestProgram('oom_settings')!, guestPath: '/t/oom', args }, { memory: 32 * MIB })

  test('oom_kill_allocating_task ends who asked', async () => {
    const { stdout, report } = await run()
    expect(stdout).toBe(OOM_SETTINGS)
    expect(report.kernelLog.map((line) => line.split(':')[0])).toEqual([
      'Out of memory',
      'Out of memory (oom_kill_allocating_task)',
      'Out of memory',
    ])
  })

  test.each([
    ['1', 'system-wide'],
    ['2', 'compulsory'],
  ])('panic_on_oom %s ends the machine', async (value, whose) => {
    const { stdout, report, status } = await run(value)
    expect(stdout).toBe('')
    expect(status).toBe(137)
    expect(report.kernelLog).toEqual([
      `Kernel panic - not syncing: Out of memory: ${whose} panic_on_oom is enabled`,
    ])
  })
})

test.skipIf(guestProgram('oom_settings') === undefined)(
  'who is ended for its memory finds some to end with',
  async () => {
    const output = callbackOutput(() => {})
    const host = { stdin: fixedInput(new Uint8Array()), stdout: output, stderr: output }
    const { linux, files, mm } = bootLinux({ host, memory: 32 * MIB })
    files.addFile('/t/oom', readFileSync(guestProgram('oom_settings')!), 0o755)
    const end = linux.endForMemory.bind(linux)
    const found: number[] = []
    linux.endForMemory = (process) => {
      const { reach } = mm.buddy
      const pages = [Reach.min, reach].map((tried) => {
        mm.buddy.reach = tried
        return mm.buddy.allocate(0)
      })
      mm.buddy.reach = reach
      found.push(...pages.map((pfn) => Number(pfn !== NO_FRAME)))
      for (const pfn of pages) if (pfn !== NO_FRAME) mm.buddy.free(pfn, 0)
      end(process)
    }
    expect(linux.start('/t/oom', ['oom'], [])).toBeUndefined()
    await linux.run()
    expect(found).toEqual([0, 1, 0, 1, 0, 1])
    mm.check()
  },
)

const BIG_FILE = `read and mapped agree: 1
changed: 1
written and read agree: 1
private: 1
one large read: 1
one large write: 1
msync 0
`

/** A file of 32 MiB as big_file.c leaves it: a byte of each page changed, then the first eighth copied to the middle. */
function changed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  for (let at = 0; at < copy.length; at += 4096) copy[at]! ^= 0x5a
  copy.copyWithin(copy.length / 2, 0, copy.length / 8)
  return copy
}

test.skipIf(guestProgram('big_file') === undefined)('a file twice as large as memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pagoda-'))
  const bytes = new Uint8Array(32 * MIB)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2_654_435_761) >>> 24
  writeFileSync(join(folder, 'data'), bytes)
  const chunks: Uint8Array[] = []
  const output = callbackOutput((chunk) => chunks.push(chunk))
  const host = { stdin: fixedInput(new Uint8Array()), stdout: output, stderr: output }
  const { linux, files, mm } = bootLinux({ host, memory: 16 * MIB })
  files.mount('/mnt', new NodeDirectory(folder))
  files.addFile('/t/big_file', readFileSync(guestProgram('big_file')!), 0o755)
  expect(linux.start('/t/big_file', ['big_file', '/mnt/data', '32'], [])).toBeUndefined()
  const report = await linux.run()
  mm.check()
  expect(Buffer.concat(chunks).toString()).toBe(BIG_FILE)
  expect(report.exitCode).toBe(0)
  expect(report.kernelLog).toEqual([])
  expect(mm.stats().events.stolenInBackground).toBeGreaterThan(1000)
  expect(Buffer.compare(readFileSync(join(folder, 'data')), changed(bytes))).toBe(0)
  rmSync(folder, { recursive: true })
})

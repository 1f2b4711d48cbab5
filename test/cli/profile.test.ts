/** --profile: where the time goes, in a file that Chrome's tools, VS Code and speedscope read. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import type { CpuProfileFile } from '../../src/linux/cpu-profile.js'
import { runPagoda } from '../setup/command.js'

const tour = fileURLToPath(new URL('../../examples/programs/tour.elf', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pagoda-profile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(file(name), 'utf8'))

test('the profile of a run', async () => {
  const { status, stderr } = await runPagoda(['run', '--profile', file('tour.cpuprofile'), tour])
  expect(status).toBe(0)
  expect(stderr).toMatch(/Profile\n +[\d,]+ {2}milliseconds: .*interpreted \d+ %.*\n +[\d,]+ {2}samples\n/)
  const { nodes, samples, timeDeltas, startTime, endTime } = read('tour.cpuprofile') as CpuProfileFile
  const byId = new Map(nodes.map((node) => [node.id, node]))
  expect(byId.size).toBe(nodes.length)
  const children = nodes.flatMap((node) => node.children)
  expect(new Set(children).size).toBe(nodes.length - 1)
  expect(children.every((id) => byId.has(id))).toBe(true)
  expect(samples.every((id) => byId.has(id))).toBe(true)
  expect(samples.length).toBe(timeDeltas.length)
  expect(timeDeltas.every((delta) => delta >= 0)).toBe(true)
  expect(timeDeltas.reduce((sum, delta) => sum + delta, startTime)).toBe(endTime)

  const namesBelow = (id: number): string[] =>
    byId.get(id)!.children.flatMap((child) => [byId.get(child)!.callFrame.functionName, ...namesBelow(child)])
  const process = nodes.find(({ callFrame }) => /^tour\.elf \(\d+\)$/.test(callFrame.functionName))!
  expect(namesBelow(process.id)).toEqual(
    expect.arrayContaining([tour, '(interpreted)', '(kernel)', 'mmap', 'page fault: store']),
  )
  // tour.elf has its symbols.
  expect(namesBelow(process.id).filter((name) => name.startsWith('(no symbol)'))).toEqual([])
})

test('the guest does not notice', async () => {
  const options = ['--no-report', '--translate-threshold', '50']
  await runPagoda(['run', ...options, '--json', file('without.json'), tour])
  await runPagoda(['run', ...options, '--json', file('with.json'), '--profile', file('p'), tour])
  expect(read('with.json')).toEqual(read('without.json'))
  const names = (read('p') as CpuProfileFile).nodes.map(({ callFrame }) => callFrame.functionName)
  expect(names).toEqual(expect.arrayContaining(['(translated)', '(translating)']))
})

test('a file that cannot be written is refused before the run', async () => {
  const { status, stdout, stderr } = await runPagoda(['run', '--profile', file('no/where'), tour])
  expect([status, stdout.length]).toEqual([125, 0])
  expect(stderr).toContain(`--profile ${file('no/where')}: ENOENT`)
})

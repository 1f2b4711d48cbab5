/** Programs that live of signals and timers run the same each time, on both kinds of memory, and leave nothing behind. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { bootLinux } from '../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../src/linux/host.js'
import { hashMemory } from '../src/state/snapshot.js'
import { guestProgram } from './setup/programs.js'

const BYTES = 64 * 2 ** 20

async function run(path: string, shared: boolean) {
  const sink = callbackOutput(() => {})
  const host = { stdin: fixedInput(new Uint8Array()), stdout: sink, stderr: sink }
  const { linux, mm, files } = bootLinux({ host, shared, memory: BYTES, seed: 7 })
  files.addFile('/program', readFileSync(path), 0o755)
  expect(linux.start('/program', ['/program'], [])).toBeUndefined()
  const { exitCode } = await linux.run()
  linux.check()
  mm.check()
  const left = mm.slab
    .stats()
    .filter(({ name, objects }) => /^(timer|signal|thread|process)$/.test(name) && objects > 0)
  return { exitCode, left, instructions: linux.hart.instructions(), hash: hashMemory(mm.memory) }
}

for (const name of ['signal_processes', 'signal_threads', 'timers']) {
  const path = guestProgram(name)
  test.skipIf(path === undefined)(`${name}: the same seed, the same hash`, async () => {
    const first = await run(path!, false)
    expect(first).toMatchObject({ exitCode: 0, left: [] })
    expect(await run(path!, false)).toEqual(first)
    expect(await run(path!, true)).toEqual(first)
  })
}

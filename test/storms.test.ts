/** Storms of processes and threads leave nothing behind, and are the same each time (test/programs/tools/storm.c). */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type BootedLinux, type BootOptions, bootLinux } from '../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../src/linux/host.js'
import { hashMemory } from '../src/state/snapshot.js'
import { guestProgram } from './setup/programs.js'

const path = guestProgram('storm', 'musl') ?? guestProgram('storm', 'glibc')
const MEBIBYTE = 2 ** 20

function boot(kind: Pick<BootOptions, 'shared' | 'inSharedBuffer'>): BootedLinux {
  const nowhere = callbackOutput(() => {})
  const host = { stdin: fixedInput(new Uint8Array()), stdout: nowhere, stderr: nowhere }
  const machine = bootLinux({ host, memory: 32 * MEBIBYTE, ...kind })
  machine.files.addFile('/bin/storm', readFileSync(path!), 0o755)
  return machine
}

async function run({ linux, mm }: BootedLinux, storm: string) {
  expect(linux.start('/bin/storm', ['storm', storm], [])).toBeUndefined()
  const report = await linux.run()
  mm.check()
  linux.check()
  return report
}

/** Frames in use, and objects of all caches, when no process is left. */
function inUse({ mm }: BootedLinux) {
  mm.slab.shrink()
  const { spaces, mappings, slabs, tableFrames } = mm.stats()
  const objects = slabs.map(({ name, objects }) => `${name} ${objects}`)
  return { frames: mm.buddy.totalFrames() - mm.buddy.freeFrames(), spaces, mappings, tableFrames, objects }
}

describe.skipIf(path === undefined || !existsSync(path))('a storm', () => {
  test.each(['forks', 'pidfds', 'threads', 'execs', 'bomb', 'hog'])(
    'of %s leaves no frame, object or table',
    async (storm) => {
      const machine = boot({})
      await run(machine, 'nothing')
      const before = inUse(machine)
      expect(await run(machine, storm)).toMatchObject({ exitCode: 0, stuck: false })
      expect(machine.linux.processes.size).toBe(0)
      expect(machine.files.vfs.state.pids.size).toBe(0)
      expect(inUse(machine)).toEqual(before)
      expect(await run(machine, 'nothing')).toMatchObject({ exitCode: 0 })
    },
  )

  test.each(['forks', 'threads'])('of %s is the same twice, and on all kinds of memory', async (storm) => {
    const runs = []
    for (const kind of [{}, {}, { shared: true }, { inSharedBuffer: true }]) {
      const machine = boot(kind)
      const report = await run(machine, storm)
      runs.push({ hash: hashMemory(machine.mm.memory), report })
    }
    expect(runs[1]).toEqual(runs[0])
    expect(runs[2]).toEqual(runs[0])
    expect(runs[3]).toEqual(runs[0])
  })
})

/**
 * Damaged programs through the whole path: reader, loader, and a short run of what loads. Whatever the bytes are, the
 * machine says why not or runs them, stays whole, and gets every frame back.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Random } from '../src/base/random.js'
import { type BootedLinux, bootLinux } from '../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../src/linux/host.js'
import { mutateElf } from './setup/mutate-elf.js'
import { guestProgram } from './setup/programs.js'

const SEED = Number(process.env.PAGODA_SEED ?? 1)
const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? (process.env.PAGODA_FULL ? 10_000 : 1500))
const CHECK_EVERY = 100
const INSTRUCTIONS = 20_000
const MILLISECONDS_MAX = 20_000
/** A program that reads where it should not can be the first to touch [vvar], whose pages then stay for all. */
const SHARED_PAGES = 2
const PATH = '/bin/damaged'

const tour = fileURLToPath(new URL('../examples/programs/tour.elf', import.meta.url))
const others = [guestProgram('probe', 'musl'), guestProgram('crash', 'musl'), guestProgram('crash', 'glibc')]
const programs = [tour, ...others.filter((path) => path !== undefined)].map((path) => readFileSync(path))

const host = {
  stdin: fixedInput(new Uint8Array(0)),
  stdout: callbackOutput(() => {}),
  stderr: callbackOutput(() => {}),
}

function removeFile({ files: { vfs } }: BootedLinux, path: string): void {
  const dentry = vfs.walk.resolve(vfs.walker(), vfs.root, path, true)
  if (typeof dentry !== 'number') expect(vfs.operations(dentry).remove(dentry, vfs.now())).toBe(0)
}

/** Loads and runs; what came of it. */
function tryProgram(machine: BootedLinux, elf: Uint8Array): string {
  const { linux, files } = machine
  expect(files.addFile(PATH, elf, 0o755)).toBe(0)
  const problem = linux.start(PATH, ['damaged', 'many', '3'], [])
  if (problem === undefined) {
    linux.runSync({ instructions: INSTRUCTIONS })
    linux.stop()
  }
  removeFile(machine, PATH)
  return problem?.reason ?? 'ran'
}

function freeFrames({ mm }: BootedLinux): number {
  mm.slab.shrink()
  return mm.stats().frames.free
}

function expectWhole(machine: BootedLinux, free: number): void {
  const lost = free - freeFrames(machine)
  expect(lost, 'frames lost').toBeGreaterThanOrEqual(0)
  expect(lost, 'frames lost').toBeLessThanOrEqual(SHARED_PAGES)
  machine.mm.check()
}

function fuzz(seed: number, outcomes: Map<string, number>): void {
  const machine = bootLinux({ host, memory: 32 * 2 ** 20 })
  tryProgram(machine, programs[0]!)
  const free = freeFrames(machine)
  const random = new Random(seed)
  for (let step = 0; step < STEPS; step++) {
    const started = performance.now()
    const elf = mutateElf(random.pick(programs), random)
    try {
      const outcome = tryProgram(machine, elf)
      expect(outcome).toMatch(/^\P{C}+$/u)
      const kind = outcome.replace(/0x[0-9a-f]+|\d+/g, 'N')
      outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1)
      expect(performance.now() - started).toBeLessThan(MILLISECONDS_MAX)
      if (step % CHECK_EVERY === 0) expectWhole(machine, free)
    } catch (error) {
      throw new Error(`PAGODA_SEED=${seed}, step ${step}: ${(error as Error).message}`, { cause: error })
    }
  }
  expectWhole(machine, free)
}

test(
  `${STEPS} damaged programs, seed ${SEED}`,
  () => {
    const outcomes = new Map<string, number>()
    fuzz(SEED, outcomes)
    if (process.env.PAGODA_FUZZ_STEPS) console.log(Object.fromEntries(outcomes))
    expect(outcomes.get('ran'), 'most damage is harmless enough to run').toBeGreaterThan(STEPS / 10)
    expect(outcomes.size).toBeGreaterThan(10)
  },
  Math.max(600_000, STEPS * 400),
)

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { InvariantError } from './base/assert.js'
import { Random } from './base/random.js'
import { Access } from './fault/access.js'
import { Program } from './fault/testing.js'
import { BootMemoryMap } from './frame/boot-memory-map.js'
import { Machine } from './index.js'
import { type BootStep, mmAttach, mmInit } from './mm.js'
import { Resident } from './space/space-counts.js'
import { applyWatermarks } from './space/tunables.js'
import { LockRank } from './state/atomics.js'
import { Region, regionBytes, regionPtr, Word, wordIndex } from './state/layout.js'
import { hashMemory, restoreSnapshot, takeSnapshot } from './state/snapshot.js'
import * as mman from './syscall/mman.js'

const PAGE = 4096
const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS

describe('boot', () => {
  test('a fresh machine is sound, and says what it has', () => {
    const mm = mmInit({ bytes: 8 * 2 ** 20, debug: true })
    mm.check()
    const stats = mm.stats()
    expect(stats).toMatchObject({ spaces: 0, mappings: 0, objects: { objects: 0, pages: 0 } })
    expect(stats.frames.free + stats.frames.reserved + stats.tableFrames).toBe(2048)
    expect(mm.dump()).toContain('Node 0, zone   Normal')
  })

  test('bad options are refused with a reason', () => {
    expect(() => mmInit({ bytes: 4096 })).toThrow('8 MiB')
    expect(() => mmInit({ bytes: 8 * 2 ** 20, harts: 0 })).toThrow('harts')
    for (const frames of [2047, 2049]) {
      const map = BootMemoryMap.wholeRam(frames)
      expect(() => mmInit({ bytes: 8 * 2 ** 20, map })).toThrow('it is of RAM of another size')
    }
  })

  test('a boot says what the watermarks of its zones will be', () => {
    const facts = new Map<string, number | string>()
    const onBootStep = (step: BootStep) => {
      for (const { what, value } of step.facts) facts.set(what, value)
    }
    for (const lowFrames of [3000, 3001, 8192, undefined]) {
      const mm = mmInit({ bytes: 64 * 2 ** 20, lowFrames, onBootStep })
      applyWatermarks(mm)
      mm.buddy.zones.all.forEach((zone, i) => {
        const { min, low, high } = zone.watermarks
        expect(min).toBeGreaterThan(0)
        expect(facts.get(`zone ${i} watermarks min, low, high`)).toBe(`${min}, ${low}, ${high}`)
      })
    }
  })

  test('reserved and missing RAM is never used', () => {
    const map = BootMemoryMap.wholeRam(4096).reserve(1000, 24).noMap(2048, 512)
    const mm = mmInit({ bytes: 16 * 2 ** 20, map, debug: true })
    mm.check()
    for (let pfn = mm.buddy.allocate(0); pfn !== 0; pfn = mm.buddy.allocate(0)) {
      expect((pfn >= 1000 && pfn < 1024) || (pfn >= 2048 && pfn < 2560)).toBe(false)
    }
  })

  test('4 GiB boot without touching all of it', () => {
    const { memory } = mmInit({ bytes: 2 ** 32 })
    const start = regionPtr(memory, Region.frameTable) >>> 2
    const end = start + (regionBytes(memory, Region.frameTable) >>> 2)
    const entries = new Set<number>()
    for (let word = start; word < end; word++) if (memory.u32[word] !== 0) entries.add((word - start) >>> 2)
    expect(end - start).toBe(4 * 2 ** 20) // words, four an entry
    // Those of the frames that hold the table itself, and little more, of a million.
    expect(entries.size).toBeGreaterThan(4096)
    expect(entries.size).toBeLessThan(5200)
  })

  test('two machines live side by side', () => {
    const [a, b] = [Machine.create({ memory: 8 * 2 ** 20 }), Machine.create({ memory: 8 * 2 ** 20 })]
    const [x, y] = [a.createSpace(), b.createSpace()]
    const address = x.mmap({ length: PAGE })
    expect(y.mmap({ length: PAGE })).toBe(address)
    x.write(address, 'x')
    y.write(address, 'y')
    expect(x.readText(address, 1) + y.readText(address, 1)).toBe('xy')
    expect([a.stats().events.faultAnonymous, b.stats().events.faultAnonymous]).toEqual([1, 1])
  })
})

describe('check finds what is broken', () => {
  function broken(spoil: (program: Program, address: number) => void): () => void {
    const program = Program.boot()
    const address = program.mmap(0, PAGE, RW, PRIVATE)
    program.touch(address, Access.write)
    program.mm.check()
    spoil(program, address)
    return () => program.mm.check()
  }

  test('a reference too many', () => {
    const frame = (program: Program) => {
      const { mm } = program
      for (let pfn = 1; pfn < 2048; pfn++) {
        if ((mm.frames.flags(pfn as never) & (1 << 10)) !== 0) mm.buddy.retain(pfn as never)
      }
    }
    expect(broken(frame)).toThrow(InvariantError)
  })

  test('a page that no count knows of', () => {
    expect(broken(({ space }) => space.counts.addResident(0, Resident.anonymous, 1))).toThrow('RssAnon')
    expect(broken(({ space }) => space.counts.lockedPages++)).toThrow('lockedPages')
  })

  test('a page table that nobody reaches', () => {
    expect(
      broken(({ mm, space }) => {
        mm.memory.u32[wordIndex(Word.spaceList)] = space.next
        mm.memory.u32[wordIndex(Word.spaceCount)]!--
      }),
    ).toThrow(InvariantError)
  })

  test('a mapping, a tree node or a page cache node that is lost', () => {
    expect(broken(({ mm }) => mm.vmas.allocateVma())).toThrow('every mapping is in a tree')
    const allocate = (name: string, bytes: number) => {
      return broken(({ mm }) => mm.slab.createCache(name, bytes).allocateZeroed())
    }
    expect(allocate('vma_node', 736)).toThrow('every node is in a tree')
    expect(allocate('page_cache_node', 264)).toThrow('belongs to an object')
  })

  test('locks out of rank', () => {
    const { mm, space } = Program.boot()
    mm.atomics.lock(space.lock, LockRank.space)
    expect(() => mm.atomics.lock(space.lock, LockRank.threads)).toThrow('rank')
  })
})

describe('snapshot', () => {
  /** A few hundred random calls; what they are depends on the seed only. */
  function run(program: Program, seed: number, steps: number): void {
    const random = new Random(seed)
    const base = 0x1000_0000
    for (let step = 0; step < steps; step++) {
      const address = base + random.below(64) * PAGE
      const length = random.between(1, 8) * PAGE
      const shared = random.chance(0.3) ? mman.MAP_SHARED : mman.MAP_PRIVATE
      const what = random.below(6)
      if (what === 0) program.mmap(address, length, RW, shared | mman.MAP_ANONYMOUS | mman.MAP_FIXED)
      else if (what === 1) program.call('munmap', address, length)
      else if (what === 2) program.call('mprotect', address, length, random.pick([0, 1, 3, 5]))
      else if (what === 3) program.call('madvise', address, length, mman.MADV_DONTNEED)
      else program.touch(address, random.pick([Access.read, Access.write, Access.execute]))
    }
  }

  test('take, go on, restore: same hash, sound, and the same future', () => {
    const program = Program.boot()
    const { memory } = program.mm
    run(program, 1, 500)
    const before = hashMemory(memory)
    const snapshot = takeSnapshot(memory)
    run(program, 2, 500)
    const child = program.fork()!
    run(child, 3, 100)
    child.exit()
    const after = hashMemory(memory)
    expect(after).not.toBe(before)
    restoreSnapshot(memory, snapshot)
    expect(hashMemory(memory)).toBe(before)
    program.mm.check()
    run(program, 2, 500)
    const again = program.fork()!
    run(again, 3, 100)
    again.exit()
    expect(hashMemory(memory)).toBe(after)
    program.mm.check()
  })

  test('the same steps on another machine, shared or not, give the same hash', () => {
    const hashes = [false, true].map((shared) => {
      const program = Program.boot(8, shared)
      run(program, 7, 400)
      return hashMemory(program.mm.memory)
    })
    expect(hashes[0]).toBe(hashes[1])
  })
})

describe('attach', () => {
  test('only to a booted machine', () => {
    const empty = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true })
    expect(() => mmAttach(empty)).toThrow('bad magic')
    const mm = mmInit({ bytes: 8 * 2 ** 20, shared: true })
    mm.memory.u32[2] = 99
    expect(() => mmAttach(mm.memory.raw)).toThrow('layout version 99')
  })

  test('a second view in the same thread sees and does the same', () => {
    const machine = Machine.create({ memory: 8 * 2 ** 20, shared: true })
    const space = machine.createSpace()
    const address = space.mmap({ length: 3 * PAGE })
    space.write(address, 'seen')
    const other = Machine.attach(machine.memory)
    const [view] = other.spaces()
    expect(view!.maps()).toBe(space.maps())
    expect(view!.readText(address, 4)).toBe('seen')
    view!.munmap(address, PAGE)
    expect(() => space.read(address, 1)).toThrow('EFAULT')
    machine.check()
    other.check()
  })
})

/** What the worker is: it attaches, answers one question at a time with the value of an expression. */
const WORKER = `
import { parentPort, workerData } from 'node:worker_threads'
import { Machine } from './index.js'
const machine = Machine.attach(workerData)
const churn = ${churn.toString()}
parentPort.on('message', (body) => {
  try {
    parentPort.postMessage({ value: new Function('machine', 'churn', body)(machine, churn) })
  } catch (error) {
    parentPort.postMessage({ error: String(error?.stack ?? error) })
  }
})
`

/** Maps, writes, forks and unmaps in one space, over and over; its mappings are its own. */
function churn(machine: Machine, which: number, rounds: number): number {
  const space = machine.spaces().at(-1)!
  for (let round = 0; round < rounds; round++) {
    const address = space.mmap({ length: 5 * 4096, shared: round % 3 === 0 })
    const text = `hart ${which} round ${round}`
    space.write(address + 4090, text)
    if (round % 16 === 0) space.fork().exit()
    if (space.readText(address + 4090, text.length) !== text) throw new Error('somebody else wrote here')
    space.mprotect(address, 4096, 'r')
    space.munmap(address + 4096, 4096)
    space.munmap(address, 5 * 4096)
  }
  return rounds
}

describe('a worker thread', () => {
  let folder: string
  let bundle: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pagoda-attach-'))
    bundle = join(folder, 'worker.mjs')
    const input = join(import.meta.dirname, 'worker-of-this-test.ts')
    const load = (id: string) => (id === input ? WORKER : null)
    const resolveId = (id: string) => (id === input ? id : null)
    const resolve = { extensionAlias: { '.js': ['.ts', '.js'] } }
    const plugins = [{ name: 'source in this file', resolveId, load }]
    const built = await rolldown({ input, plugins, resolve, platform: 'node' })
    await built.write({ file: bundle, format: 'esm' })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  async function withWorker(
    body: (ask: (code: string) => Promise<unknown>, machine: Machine) => Promise<void>,
  ) {
    const machine = Machine.create({ memory: 16 * 2 ** 20, shared: true })
    const worker = new Worker(bundle, { workerData: machine.memory })
    const ask = (code: string) =>
      new Promise((resolve, reject) => {
        worker.once('error', reject)
        worker.once('message', ({ value, error }) => (error ? reject(new Error(error)) : resolve(value)))
        worker.postMessage(code)
      })
    try {
      await body(ask, machine)
    } finally {
      await worker.terminate()
    }
  }

  test('sees the same mappings and translations, maps and unmaps; both sides are sound', async () => {
    await withWorker(async (ask, machine) => {
      const space = machine.createSpace()
      const address = space.mmap({ length: 4 * PAGE })
      space.write(address, 'from the first thread')
      const code = (body: string) => `const space = machine.spaces()[0]; const address = ${address}; ${body}`
      expect(await ask(code('return space.maps()'))).toBe(space.maps())
      expect(await ask(code('return space.frameAt(address)'))).toBe(space.frameAt(address))
      expect(await ask(code('return space.readText(address, 21)'))).toBe('from the first thread')
      await ask(code(`space.munmap(address + ${2 * PAGE}, ${PAGE})`))
      const made = (await ask(
        code('const made = space.mmap({ length: 5000 }); space.write(made, "hi"); return made'),
      )) as number
      expect(space.readText(made, 2)).toBe('hi')
      expect(() => space.read(address + 2 * PAGE, 1)).toThrow('EFAULT')
      await ask('machine.check()')
      machine.check()
      expect(await ask('return machine.stats().frames.free')).toBe(machine.stats().frames.free)
    })
  })

  test('two threads map, fault, fork and unmap in one space at once', async () => {
    await withWorker(async (ask, machine) => {
      machine.createSpace()
      const rounds = Number(process.env.PAGODA_FUZZ_STEPS ?? 300)
      await ask('return 1')
      const theirs = ask(`return churn(machine, 1, ${rounds})`)
      churn(machine, 0, rounds)
      expect(await theirs).toBe(rounds)
      machine.check()
      await ask('machine.check()')
      expect(machine.stats()).toMatchObject({ spaces: 1, mappings: 0 })
    })
  })
})

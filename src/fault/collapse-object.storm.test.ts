/** Two threads collapse, fault, drop, cut and fork one file's pages at once. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fuzzSteps, SEED } from '../base/testing.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { mmInit } from '../mm.js'
import { AddressSpace } from '../space/address-space.js'
import { ObjectKind } from '../space/object-records.js'
import { Counter, counted } from '../state/counters.js'
import * as mman from '../syscall/mman.js'
import { BASE, PAGES, storm } from './testing/collapse-storm.js'
import { openFile, Program } from './testing.js'

let folder: string
let bundle: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pagoda-collapse-'))
  bundle = join(folder, 'thread.mjs')
  const input = new URL('testing/collapse-thread.ts', import.meta.url).pathname
  const resolve = { extensionAlias: { '.js': ['.ts', '.js'] } }
  const built = await rolldown({ input, resolve, platform: 'node' })
  await built.write({ file: bundle, format: 'esm' })
})
afterAll(() => rmSync(folder, { recursive: true }))

const nextMessage = (worker: Worker) =>
  new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', resolve)
  })

test(`what two threads store to shared memory stays while it is collapsed and comes apart (seed ${SEED})`, async () => {
  const mm = mmInit({ bytes: 48 * 2 ** 20, shared: true, harts: 2 })
  const space = mm.spaces.create()
  const object = mm.objects.create(ObjectKind.tmpfs, PAGES * 4096)
  const program = new Program(mm, new AddressSpace(mm.memory, space), new FaultInjector())
  program.files.set(3, openFile(object))
  const rights = mman.PROT_READ | mman.PROT_WRITE
  expect(program.mmap(BASE, PAGES * 4096, rights, mman.MAP_SHARED | mman.MAP_FIXED, 3)).toBe(BASE)
  const setting = { space, object, seed: SEED, rounds: fuzzSteps(600) }
  const worker = new Worker(bundle, { workerData: { memory: mm.memory.raw, setting } })
  try {
    expect(await nextMessage(worker)).toBe('ready')
    worker.postMessage('go')
    storm(mm, 0, setting)
    expect(await nextMessage(worker)).toBe('done')
  } finally {
    await worker.terminate()
  }
  mm.check()
  expect(counted(mm.memory, Counter.hugeCollapse)).toBeGreaterThan(10)
  mm.spaces.release(space)
  mm.objects.release(object)
  mm.check()
  expect(mm.objects.stats()).toEqual({ objects: 0, pages: 0 })
}, 120_000)

/** The emulated hart on a thread of its own: what another thread takes from it, it does not use once the call has returned. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { frameToPtr, NO_FRAME, type Pfn, type Vpn } from '../src/base/numbers.js'
import { Access } from '../src/fault/access.js'
import { Program } from '../src/fault/testing.js'
import { FaultInjector } from '../src/frame/fault-injector.js'
import { Exit } from '../src/hart/exit.js'
import { HART_BYTES, HartField } from '../src/hart/hart-state.js'
import { assemble } from '../src/hart/testing/assembler.js'
import { type MemoryManager, mmInit } from '../src/mm.js'
import { UserMapper } from '../src/paging/user-mapper.js'
import { AddressSpace } from '../src/space/address-space.js'
import { Region, regionPtr } from '../src/state/layout.js'
import { bundleThread, type ThreadBundle } from '../src/state/testing/bundle-thread.js'
import * as mman from '../src/syscall/mman.js'
import type { GuestAnswer, GuestRequest, GuestThreadData } from './harts/guest-thread.js'

const PAGE = 4096
const [CODE, DATA, ELSEWHERE] = [0x10000, 0x20000, 0x30000]
const ANY = mman.PROT_READ | mman.PROT_WRITE | mman.PROT_EXEC
const FIXED = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED
const HART = 1
const [OWN, OTHERS] = [0x11, 0xee]

const LOADS = 'loop: lbu a0, 0(a1)\n or a2, a2, a0\n addi a3, a3, 1\n j loop'
const STORES = 'loop: sd a3, 8(a1)\n addi a3, a3, 1\n j loop'

const machines: Machine[] = []
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.stop()
})

let bundle: ThreadBundle
beforeAll(async () => {
  bundle = await bundleThread(fileURLToPath(new URL('harts/guest-thread.ts', import.meta.url)))
})
afterAll(() => bundle.remove())

class Machine {
  readonly mm: MemoryManager
  readonly program: Program
  readonly #worker: Worker

  constructor(threshold: number) {
    this.mm = mmInit({ bytes: 32 * 2 ** 20, shared: true, harts: 2, debug: true })
    const space = new AddressSpace(this.mm.memory, this.mm.spaces.create())
    this.program = new Program(this.mm, space, new FaultInjector())
    const workerData: GuestThreadData = { memory: this.mm.memory.raw, hart: HART, threshold }
    this.#worker = new Worker(bundle.file, { workerData })
    machines.push(this)
  }

  async start(): Promise<void> {
    await once(this.#worker, 'message')
    this.map(CODE)
    this.mm.memory.u8.set(assemble(LOADS, CODE), this.place(CODE))
    this.mm.memory.u8.set(assemble(STORES, CODE + 256), this.place(CODE) + 256)
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  map(address: number): void {
    this.program.mmap(address, PAGE, ANY, FIXED)
    this.program.touch(address, Access.write)
  }

  frame(address: number): Pfn {
    const mapper = new UserMapper(this.mm, this.program.space.root)
    expect(mapper.translate((address / PAGE) as Vpn)).toBe(true)
    return mapper.lastPfn
  }

  place(address: number): number {
    return frameToPtr(this.frame(address))
  }

  /** Lets the guest run; resolves when it has made some turns. */
  async run(pc: number): Promise<{ answer: Promise<GuestAnswer> }> {
    const request: GuestRequest = { root: this.program.space.root, pc, address: DATA }
    const before = this.#instructions()
    this.#worker.postMessage(request)
    const answer = once(this.#worker, 'message').then(([message]) => message as GuestAnswer)
    while (this.#instructions() - before < 300_000) await new Promise((resolve) => setTimeout(resolve, 1))
    return { answer }
  }

  #instructions(): number {
    const record = regionPtr(this.mm.memory, Region.harts) + HART * HART_BYTES + HartField.instret
    return Atomics.load(this.mm.memory.u32, record >>> 2)
  }

  /** Gives a frame that was given back to somebody else, who fills it. */
  reuse(pfn: Pfn): void {
    const taken: Pfn[] = []
    for (let each = this.mm.buddy.allocate(0); each !== NO_FRAME; each = this.mm.buddy.allocate(0)) {
      taken.push(each)
      this.mm.memory.fill(frameToPtr(each), OTHERS, PAGE)
      if (each === pfn) break
    }
    expect(taken).toContain(pfn)
    for (const each of taken) this.mm.buddy.free(each, 0)
  }
}

const CHANGES: Readonly<Record<string, (program: Program) => number>> = {
  munmap: (program) => program.call('munmap', DATA, PAGE),
  'madvise and no new page': (program) => {
    program.call('madvise', DATA, PAGE, mman.MADV_DONTNEED)
    return program.call('munmap', DATA, PAGE)
  },
  mremap: (program) => {
    const flags = mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED
    program.call('mremap', DATA, PAGE, PAGE, flags, ELSEWHERE)
    return program.call('munmap', ELSEWHERE, PAGE)
  },
}

describe.each([
  ['interpreted', 0],
  ['translated', 50],
])('%s', (_, threshold) => {
  test('a page that was taken is not read any more, though its frame is another', {
    timeout: 120_000,
  }, async () => {
    const machine = new Machine(threshold)
    await machine.start()
    for (const change of Object.values(CHANGES)) {
      for (let round = 0; round < 4; round++) {
        machine.map(DATA)
        const pfn = machine.frame(DATA)
        machine.mm.memory.fill(frameToPtr(pfn), OWN, PAGE)
        const { answer } = await machine.run(CODE)
        expect(change(machine.program)).toBeGreaterThanOrEqual(0)
        machine.reuse(pfn)
        expect(await answer).toMatchObject({ exit: Exit.loadFault, tval: DATA, a2: OWN })
      }
    }
    machine.mm.check()
  })

  test('a page that was write-protected does not change any more', { timeout: 120_000 }, async () => {
    const machine = new Machine(threshold)
    await machine.start()
    for (let round = 0; round < 8; round++) {
      machine.map(DATA)
      const word = (machine.place(DATA) + 8) >>> 2
      const { answer } = await machine.run(CODE + 256)
      expect(machine.program.call('mprotect', DATA, PAGE, mman.PROT_READ)).toBe(0)
      const last = Atomics.load(machine.mm.memory.i32, word)
      const { exit, turns } = await answer
      expect([exit, Atomics.load(machine.mm.memory.i32, word)]).toEqual([Exit.storeFault, last])
      expect(turns - 1).toBe(last)
    }
  })
})

/** A pipe and its waiting calls against a naive model: a list of pages. */
import { expect, test } from 'vitest'
import { EAGAIN } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { Random } from '../../../base/random.js'
import { SEED } from '../../../base/testing.js'
import { PARKED } from '../../wait.js'
import { Open } from '../flags.js'
import { FileMachine, OUT } from '../testing/file-machine.js'
import { objectOf } from './file-object.js'
import type { PipeEnd } from './pipe-file.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 1500)
const FCNTL_SET_PIPE_SIZE = 1031

/** A pipe as pipe(7) describes it: pages, each with room behind what was written last. */
class Model {
  pages: { bytes: number[]; end: number }[] = []
  capacity = 16

  write(bytes: number[]): number {
    const odd = bytes.length % PAGE_SIZE
    const last = this.pages[this.pages.length - 1]
    let done = 0
    if (last !== undefined && odd > 0 && last.end + odd <= PAGE_SIZE) {
      last.bytes.push(...bytes.slice(0, odd))
      last.end += odd
      done = odd
    }
    for (; done < bytes.length && this.pages.length < this.capacity; done += PAGE_SIZE) {
      const page = bytes.slice(done, done + PAGE_SIZE)
      this.pages.push({ bytes: page, end: page.length })
    }
    done = Math.min(done, bytes.length)
    return done > 0 || bytes.length === 0 ? done : -EAGAIN
  }

  read(most: number): number[] {
    const taken: number[] = []
    while (taken.length < most && this.pages.length > 0) {
      const { bytes } = this.pages[0]!
      taken.push(...bytes.splice(0, most - taken.length))
      if (bytes.length === 0) this.pages.shift()
    }
    return taken
  }

  get length(): number {
    return this.pages.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }
}

function machineWithPipe(flags: number): { machine: FileMachine; reader: number; writer: number } {
  const machine = new FileMachine()
  machine.populate()
  expect(machine.call('pipe2', OUT, flags)).toBe(0)
  const view = machine.view(OUT, 8)
  return { machine, reader: view.getInt32(0, true), writer: view.getInt32(4, true) }
}

test(`random reads and writes agree with the model, seed ${SEED}`, () => {
  const { machine, reader, writer } = machineWithPipe(Open.nonBlock)
  const { pipe } = objectOf<PipeEnd>(machine.user.files.get(reader)!)
  const random = new Random(SEED)
  const model = new Model()
  const free = machine.mm.buddy.freeFrames()
  for (let step = 0; step < STEPS; step++) {
    const length = random.chance(0.1) ? random.below(30000) : random.below(700)
    if (random.chance(0.05)) {
      const pages = 1 + random.below(20)
      const fits = 2 ** Math.ceil(Math.log2(pages))
      const result = machine.call('fcntl', writer, FCNTL_SET_PIPE_SIZE, pages * PAGE_SIZE)
      expect(result > 0).toBe(fits >= model.pages.length)
      if (result > 0) model.capacity = fits
    } else if (random.chance(0.5)) {
      const bytes = Array.from({ length }, () => random.below(256))
      expect(machine.call('write', writer, Uint8Array.from(bytes), length)).toBe(model.write(bytes))
    } else {
      const expected = model.read(length)
      const result = machine.call('read', reader, OUT, length)
      expect(result).toBe(length > 0 && expected.length === 0 ? -EAGAIN : expected.length)
      expect(Buffer.compare(machine.peek(OUT, expected.length), Uint8Array.from(expected))).toBe(0)
    }
    machine.files.vfs.pipes.check(pipe)
    expect(pipe.slots.length).toBe(model.pages.length)
    expect(free - machine.mm.buddy.freeFrames()).toBe(model.pages.length)
  }
  machine.call('close', reader)
  machine.call('close', writer)
  expect(machine.mm.buddy.freeFrames()).toBe(free)
  machine.check()
})

test(`calls that wait move every byte once and in order, seed ${SEED}`, () => {
  const { machine, reader, writer } = machineWithPipe(0)
  const random = new Random(SEED)
  let sent = 0
  let received = 0
  let writing: (() => number) | undefined
  let length = 0
  for (let step = 0; step < STEPS / 2; step++) {
    if (writing === undefined) {
      length = 1 + random.below(random.chance(0.2) ? 25000 : 3000)
      const bytes = Uint8Array.from({ length }, (_, i) => (sent + i) * 7)
      writing = machine.begin('write', writer, bytes, length)
    }
    // The caller's memory is one for all calls: what it writes is put back before the call goes on.
    const from = sent
    machine.begin(
      'write',
      writer,
      Uint8Array.from({ length }, (_, i) => (from + i) * 7),
      length,
    )
    const result = writing()
    expect(result === PARKED || result === length).toBe(true)
    if (result !== PARKED) {
      sent += length
      writing = undefined
    }
    if (result === PARKED || random.chance(0.4)) {
      const got = machine.call('read', reader, OUT, 1 + random.below(20000))
      const bytes = machine.peek(OUT, Math.max(0, got))
      bytes.forEach((byte, i) => {
        if (byte !== (((received + i) * 7) & 255)) expect.fail(`byte ${received + i}`)
      })
      received += Math.max(0, got)
    }
  }
  expect(sent).toBeGreaterThan(0)
  expect(received).toBeLessThanOrEqual(sent + length)
})

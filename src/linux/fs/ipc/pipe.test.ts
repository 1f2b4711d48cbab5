/** Pipes, FIFOs and eventfd: who waits, who is woken, and what is left. */
import { beforeEach, describe, expect, test } from 'vitest'
import { EAGAIN, EFAULT, EMFILE, ENOMEM, ENXIO, EPIPE } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { Signal } from '../../signal-numbers.js'
import { PARKED } from '../../wait.js'
import { Open } from '../flags.js'
import { AT_FDCWD, FileMachine, OUT, UNMAPPED } from '../testing/file-machine.js'
import { bytesOf } from '../text.js'
import { objectOf } from './file-object.js'
import type { PipeEnd } from './pipe-file.js'

let machine: FileMachine
beforeEach(() => {
  machine = new FileMachine()
  machine.populate()
})

function pipe(flags = 0): [reader: number, writer: number] {
  expect(machine.call('pipe2', OUT, flags)).toBe(0)
  const view = machine.view(OUT, 8)
  return [view.getInt32(0, true), view.getInt32(4, true)]
}

const maskOf = (fd: number) => objectOf<PipeEnd>(machine.user.files.get(fd)!).pipe.events.mask
const write = (fd: number, text: string) => machine.call('write', fd, bytesOf(text), text.length)

describe('waiting', () => {
  test('a reader parks for its pipe, and the write wakes exactly those that wait for it', () => {
    const [reader, writer] = pipe()
    const [, other] = pipe()
    const read = machine.begin('read', reader, OUT, 10)
    expect(read()).toBe(PARKED)
    expect(machine.parked.at(-1)!.argument).toBe(maskOf(reader))
    machine.woken.length = 0
    write(other, 'x')
    expect(machine.woken.some((mask) => (mask & maskOf(reader)) !== 0)).toBe(false)
    write(writer, 'here')
    expect(machine.woken).toContain(maskOf(reader))
    expect(read()).toBe(4)
  })

  test('the end of the last writer wakes a reader', () => {
    const [reader, writer] = pipe()
    const duplicate = machine.call('dup', writer)
    const read = machine.begin('read', reader, OUT, 10)
    expect(read()).toBe(PARKED)
    machine.call('close', writer)
    expect(read()).toBe(PARKED)
    machine.woken.length = 0
    machine.call('close', duplicate)
    expect(machine.woken).toContain(maskOf(reader))
    expect(read()).toBe(0)
  })

  test('a long write goes on where it was, and is cut short when its reader goes', () => {
    const [reader, writer] = pipe()
    const length = 20 * PAGE_SIZE
    const writing = machine.begin('write', writer, OUT, length)
    expect(writing()).toBe(PARKED)
    expect(machine.call('read', reader, OUT, 2 * PAGE_SIZE)).toBe(2 * PAGE_SIZE)
    expect(writing()).toBe(PARKED)
    machine.call('close', reader)
    expect(writing()).toBe(18 * PAGE_SIZE)
    expect(machine.signals).toEqual([Signal.PIPE])
  })

  test('a write without a reader is EPIPE and SIGPIPE', () => {
    const [reader, writer] = pipe()
    machine.call('close', reader)
    expect(write(writer, 'x')).toBe(-EPIPE)
    expect(machine.signals).toEqual([Signal.PIPE])
  })

  test('two readers of one pipe in turns', () => {
    const [reader, writer] = pipe()
    const [one, other] = [machine.begin('read', reader, OUT, 1), machine.begin('read', reader, OUT, 1)]
    expect([one(), other()]).toEqual([PARKED, PARKED])
    write(writer, 'a')
    expect([one(), other()]).toEqual([1, PARKED])
    write(writer, 'b')
    expect(other()).toBe(1)
  })
})

describe('FIFOs', () => {
  const FIFO = 0o010000
  beforeEach(() => {
    expect(machine.call('mknodat', AT_FDCWD, '/tmp/fifo', FIFO | 0o644, 0)).toBe(0)
  })

  test('both openers wait for each other', () => {
    const reading = machine.begin('openat', AT_FDCWD, '/tmp/fifo', Open.readOnly, 0)
    expect(reading()).toBe(PARKED)
    expect(reading()).toBe(PARKED)
    const writer = machine.open('/tmp/fifo', Open.writeOnly)
    expect(writer).toBeGreaterThan(2)
    const reader = reading()
    expect(reader).toBeGreaterThan(2)
    expect(write(writer, 'met')).toBe(3)
    expect(machine.call('read', reader, OUT, 9)).toBe(3)
  })

  test('a partner that has left already still lets the opener through', () => {
    const reading = machine.begin('openat', AT_FDCWD, '/tmp/fifo', Open.readOnly, 0)
    expect(reading()).toBe(PARKED)
    machine.call('close', machine.open('/tmp/fifo', Open.writeOnly))
    const reader = reading()
    expect(machine.call('read', reader, OUT, 9)).toBe(0)
  })

  test('an opener that waits when its process ends leaves nothing', () => {
    expect(machine.begin('openat', AT_FDCWD, '/tmp/fifo', Open.readOnly, 0)()).toBe(PARKED)
    machine.user.close()
    machine.user.files.users++
    expect(machine.open('/tmp/fifo', Open.writeOnly | Open.nonBlock)).toBe(-ENXIO)
  })
})

describe('failures', () => {
  test('no room for two numbers leaves none', () => {
    machine.limits.set(7, 4)
    const frames = machine.mm.buddy.freeFrames()
    expect(machine.call('pipe2', OUT, 0)).toBe(-EMFILE)
    machine.limits.set(7, 64)
    expect(machine.call('pipe2', UNMAPPED, 0)).toBe(-EFAULT)
    expect(pipe()).toEqual([3, 4])
    expect(machine.mm.buddy.freeFrames()).toBe(frames)
  })

  test('a pipe without frames: ENOMEM, or what went before', () => {
    const [, writer] = pipe(Open.nonBlock)
    machine.faults.failAt(1)
    expect(write(writer, 'x')).toBe(-ENOMEM)
    machine.faults.failFrom(3)
    expect(machine.call('write', writer, OUT, 10 * PAGE_SIZE)).toBe(2 * PAGE_SIZE)
    machine.faults.reset()
    machine.check()
  })

  test('pages that are not there: nothing is lost and nothing is left', () => {
    const [reader, writer] = pipe(Open.nonBlock)
    const frames = machine.mm.buddy.freeFrames()
    expect(machine.call('write', writer, UNMAPPED, 10)).toBe(-EFAULT)
    expect(machine.mm.buddy.freeFrames()).toBe(frames)
    write(writer, 'kept')
    expect(machine.call('read', reader, UNMAPPED, 10)).toBe(-EFAULT)
    expect(machine.call('read', reader, OUT, 10)).toBe(4)
  })

  test('a page in two pipes goes with the second', () => {
    const [a, b] = [pipe(), pipe()]
    const frames = machine.mm.buddy.freeFrames()
    write(a[1], 'shared')
    expect(machine.call('tee', a[0], b[1], 100, 0)).toBe(6)
    expect(machine.mm.buddy.freeFrames()).toBe(frames - 1)
    for (const fd of [...a]) machine.call('close', fd)
    expect(machine.call('read', b[0], OUT, 100)).toBe(6)
    expect(machine.mm.buddy.freeFrames()).toBe(frames)
  })
})

test('eventfd wakes who waits to read and who waits to write', () => {
  const fd = machine.call('eventfd2', 0, 0)
  const value = (n: bigint) => new Uint8Array(BigUint64Array.of(n).buffer)
  const read = machine.begin('read', fd, OUT, 8)
  expect(read()).toBe(PARKED)
  expect(machine.call('write', fd, value(2n ** 64n - 2n), 8)).toBe(8)
  const add = machine.begin('write', fd, value(1n), 8)
  expect(add()).toBe(PARKED)
  expect(read()).toBe(8)
  expect(machine.view(OUT, 8).getBigUint64(0, true)).toBe(2n ** 64n - 2n)
  machine.call('fcntl', fd, 4, Open.nonBlock)
  expect(machine.call('read', fd, OUT, 8)).toBe(-EAGAIN)
})

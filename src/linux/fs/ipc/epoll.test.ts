/** epoll: what is told once, what again, and in which order. */
import { beforeEach, expect, test } from 'vitest'
import { EINVAL, ELOOP } from '../../../base/errno.js'
import { PARKED } from '../../wait.js'
import { Open, Poll } from '../flags.js'
import { FileMachine, OUT } from '../testing/file-machine.js'
import { EpollEvent } from './epoll.js'

const EPOLL_EVENT_BYTES = 16
const [ADD, DELETE, MODIFY] = [1, 2, 3]

let machine: FileMachine
let epoll: number
beforeEach(() => {
  machine = new FileMachine()
  machine.populate()
  epoll = machine.call('epoll_create1', 0)
})

function control(operation: number, fd: number, events: number, on = epoll): number {
  const event = new Uint8Array(Int32Array.of(events, 0, fd, 0).buffer)
  return machine.call('epoll_ctl', on, operation, fd, event)
}

function pipe(): [number, number] {
  expect(machine.call('pipe2', OUT, Open.nonBlock)).toBe(0)
  const view = machine.view(OUT, 8)
  return [view.getInt32(0, true), view.getInt32(4, true)]
}

/** File numbers and bits that are ready now. */
function ready(most = 10, on = epoll): string {
  const count = machine.call('epoll_pwait', on, OUT, most, 0, 0, 8)
  if (count < 0) return String(count)
  const view = machine.view(OUT, Math.max(1, count) * EPOLL_EVENT_BYTES)
  return Array.from({ length: count }, (_, i) => {
    const at = i * EPOLL_EVENT_BYTES
    return `${view.getUint32(at + 8, true)}:${view.getUint32(at, true)}`
  }).join(' ')
}

const write = (fd: number) => machine.call('write', fd, Uint8Array.of(1, 2, 3), 3)
const drain = (fd: number) => machine.call('read', fd, OUT, 100)

test('level, edge and one-shot', () => {
  const [reader, writer] = pipe()
  control(ADD, reader, Poll.in)
  expect(ready()).toBe('')
  write(writer)
  expect([ready(), ready()]).toEqual([`${reader}:1`, `${reader}:1`])
  control(MODIFY, reader, Poll.in | EpollEvent.edge)
  expect([ready(), ready()]).toEqual([`${reader}:1`, ''])
  write(writer)
  expect([ready(), ready()]).toEqual([`${reader}:1`, ''])
  drain(reader)
  control(MODIFY, reader, Poll.in | EpollEvent.oneShot)
  write(writer)
  expect(ready()).toBe(`${reader}:1`)
  write(writer)
  expect(ready()).toBe('')
})

test('a thread waits for the epoll, and whatever becomes ready wakes it', () => {
  const pipes = [pipe(), pipe(), pipe()]
  for (const [reader] of pipes) control(ADD, reader, Poll.in)
  const waiting = machine.begin('epoll_pwait', epoll, OUT, 8, -1, 0, 8)
  expect(waiting()).toBe(PARKED)
  const { argument } = machine.parked.at(-1)!
  for (const [reader, writer] of pipes) {
    machine.woken.length = 0
    write(writer)
    expect(machine.woken.some((mask) => (mask & argument) !== 0)).toBe(true)
    expect(waiting()).toBe(1)
    drain(reader)
    expect(waiting()).toBe(PARKED)
  }
})

test('little room is shared in turns', () => {
  const pipes = [pipe(), pipe(), pipe()]
  for (const [reader] of pipes) control(ADD, reader, Poll.in)
  for (const [, writer] of pipes) write(writer)
  const [a, b, c] = pipes.map(([reader]) => `${reader}:1`)
  expect([ready(2), ready(2), ready(2)]).toEqual([`${a} ${b}`, `${c} ${a}`, `${b} ${c}`])
})

test('the streams of the host are watched too', () => {
  machine.stdin.isPending = true
  control(ADD, 0, Poll.in | EpollEvent.edge)
  const [reader] = pipe()
  control(ADD, reader, Poll.in)
  expect(ready()).toBe('')
  const waiting = machine.begin('epoll_pwait', epoll, OUT, 8, 100, 0, 8)
  expect(waiting()).toBe(PARKED)
  expect(machine.parked.at(-1)!.argument & 1).toBe(1)
  machine.stdin.chunks.push('typed')
  expect(waiting()).toBe(1)
  expect(ready()).toBe('')
})

test('what is closed is watched no more, and neither is what the epoll watched', () => {
  const [reader, writer] = pipe()
  const duplicate = machine.call('dup', reader)
  control(ADD, reader, Poll.in)
  write(writer)
  machine.call('close', reader)
  expect(ready()).toBe(`${reader}:1`)
  const file = machine.user.files.get(duplicate)!
  machine.call('close', duplicate)
  expect(ready()).toBe('')
  expect(file.watchers).toEqual([])
  const [other] = pipe()
  control(ADD, other, Poll.in)
  machine.call('close', epoll)
  expect(machine.user.files.get(other)!.watchers).toEqual([])
})

test('epolls in epolls: no circle, and the innermost event comes through', () => {
  const outer = machine.call('epoll_create1', 0)
  expect(control(ADD, epoll, Poll.in, outer)).toBe(0)
  expect(control(ADD, outer, Poll.in)).toBe(-ELOOP)
  expect(control(ADD, epoll, Poll.in)).toBe(-EINVAL)
  const [reader, writer] = pipe()
  control(ADD, reader, Poll.in)
  const waiting = machine.begin('epoll_pwait', outer, OUT, 8, -1, 0, 8)
  expect(waiting()).toBe(PARKED)
  const { argument } = machine.parked.at(-1)!
  machine.woken.length = 0
  write(writer)
  expect(machine.woken.some((mask) => (mask & argument) !== 0)).toBe(true)
  expect(waiting()).toBe(1)
  control(DELETE, reader, 0)
  expect(ready(8, outer)).toBe('')
})

/** What programs ask a terminal, and who may use it. */
import { beforeEach, expect, test } from 'vitest'
import { EFAULT, ENOTTY, ESRCH } from '../../base/errno.js'
import { TERMIOS_BYTES } from './terminal.js'
import { FileMachine, OUT, UNMAPPED } from './testing/file-machine.js'

const Request = {
  get: 0x5401,
  set: 0x5402,
  foreground: 0x540f,
  setForeground: 0x5410,
  size: 0x5413,
  setSize: 0x5414,
}

let machine: FileMachine
let terminal: number
beforeEach(() => {
  machine = new FileMachine()
  machine.stdin.terminal = true
  terminal = machine.open('/dev/tty', 2)
  expect(terminal).toBe(3)
})

const ioctl = (request: number, argument: number | Uint8Array) =>
  machine.call('ioctl', terminal, request, argument)

test('attributes are those that were set last', () => {
  expect(ioctl(Request.get, OUT)).toBe(0)
  const attributes = machine.peek(OUT, TERMIOS_BYTES)
  expect(attributes[17]).toBe(3)
  attributes[12]! &= ~8
  expect(ioctl(Request.set, attributes)).toBe(0)
  expect(ioctl(Request.get, OUT)).toBe(0)
  expect(machine.peek(OUT, TERMIOS_BYTES)).toEqual(attributes)
  expect(ioctl(Request.get, UNMAPPED)).toBe(-EFAULT)
  expect(ioctl(0x5499, OUT)).toBe(-ENOTTY)
})

test('the size is the host’s until the program sets another', () => {
  expect(ioctl(Request.size, OUT)).toBe(0)
  expect([...new Uint16Array(machine.peek(OUT, 8).buffer)]).toEqual([24, 80, 0, 0])
  expect(ioctl(Request.setSize, new Uint8Array(Uint16Array.of(50, 132, 0, 0).buffer))).toBe(0)
  expect(ioctl(Request.size, OUT)).toBe(0)
  expect([...new Uint16Array(machine.peek(OUT, 8).buffer)]).toEqual([50, 132, 0, 0])
})

test('the group of the first who asks is in the foreground; others must exist', () => {
  expect(ioctl(Request.foreground, OUT)).toBe(0)
  expect(machine.view(OUT, 4).getInt32(0, true)).toBe(machine.process.groupId)
  expect(ioctl(Request.setForeground, new Uint8Array(Int32Array.of(4711).buffer))).toBe(-ESRCH)
})

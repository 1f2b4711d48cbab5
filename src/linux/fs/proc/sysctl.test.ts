/** Numbers in /proc/sys: what a write is answered, and what is read then. The answers are those of Linux's kernel/sysctl.c. */
import { expect, test } from 'vitest'
import { EINVAL, EPERM } from '../../../base/errno.js'
import { readSetting, readUnsignedSetting, Setting } from '../../../state/settings.js'
import { NONE } from '../capabilities.js'
import { AT_FDCWD, FileMachine } from '../testing/file-machine.js'

const WRITE_ONLY = 1

function writeTo(machine: FileMachine, name: string, text: string): number {
  const fd = machine.call('openat', AT_FDCWD, `/proc/sys/${name}`, WRITE_ONLY, 0)
  const result = machine.call('write', fd, text, text.length)
  machine.call('close', fd)
  return result
}

function read(machine: FileMachine, name: string): string {
  const fd = machine.call('openat', AT_FDCWD, `/proc/sys/${name}`, 0, 0)
  const text = machine.readAll(fd)
  machine.call('close', fd)
  return `${text}`
}

test('an int between bounds', () => {
  const machine = new FileMachine()
  const name = 'vm/overcommit_memory'
  expect(read(machine, name)).toBe('0\n')
  const cases: readonly (readonly [string, number])[] = [
    ['1\n', 2],
    [' 2', 2],
    ['3\n', -EINVAL],
    ['-1', -EINVAL],
    ['', 0],
    ['\n', -EINVAL],
    ['x', -EINVAL],
    ['0x1\n', 4],
    ['02', 2],
    ['08', -EINVAL],
    ['1a', -EINVAL],
    ['1 2\n', 2],
    ['000000000000000000001', -EINVAL],
    ['99999999999', -EINVAL],
  ]
  for (const [text, answer] of cases) expect([text, writeTo(machine, name, text)]).toEqual([text, answer])
  expect(read(machine, name)).toBe('1\n')
})

test('a second write to the same open file is taken and forgotten', () => {
  const machine = new FileMachine()
  const fd = machine.call('openat', AT_FDCWD, '/proc/sys/vm/max_map_count', WRITE_ONLY, 0)
  expect(machine.call('write', fd, '100 7', 5)).toBe(4)
  expect(machine.call('write', fd, '7', 1)).toBe(1)
  expect(readSetting(machine.mm.memory, Setting.maxMapCount)).toBe(100)
})

test('an unsigned long, all 64 bits of it, and what it displaces', () => {
  const machine = new FileMachine()
  expect(writeTo(machine, 'vm/overcommit_kbytes', '18446744073709551615')).toBe(20)
  expect(read(machine, 'vm/overcommit_kbytes')).toBe('18446744073709551615\n')
  expect(readUnsignedSetting(machine.mm.memory, Setting.overcommitKbytes)).toBe(2 ** 64)
  expect(read(machine, 'vm/overcommit_ratio')).toBe('0\n')
  expect(writeTo(machine, 'vm/overcommit_kbytes', '18446744073709551616')).toBe(-EINVAL)
  expect(writeTo(machine, 'vm/overcommit_kbytes', '-0')).toBe(-EINVAL)
  expect(writeTo(machine, 'vm/overcommit_ratio', '-80')).toBe(3)
  expect(read(machine, 'vm/overcommit_kbytes')).toBe('0\n')
  expect(read(machine, 'vm/overcommit_ratio')).toBe('-80\n')
})

test('the lowest address is for who may access hardware', () => {
  const machine = new FileMachine()
  expect(writeTo(machine, 'vm/mmap_min_addr', '65536')).toBe(5)
  const { capabilities } = machine.user.credentials
  machine.user.credentials = {
    ...machine.user.credentials,
    capabilities: { ...capabilities, effective: NONE },
  }
  expect(writeTo(machine, 'vm/mmap_min_addr', '0')).toBe(-EPERM)
  expect(read(machine, 'vm/mmap_min_addr')).toBe('65536\n')
})

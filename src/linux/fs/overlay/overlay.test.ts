/** A root that is folders of the host with the guest's changes in RAM above them. */
import { expect, test } from 'vitest'
import {
  EACCES,
  EEXIST,
  EIO,
  EISDIR,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOTDIR,
  ENOTEMPTY,
} from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { mapRegion } from '../../../space/map-region.js'
import { locked, peekPage } from '../../../space/testing.js'
import { VM_READ } from '../../../space/vm-flags.js'
import { At, FileType, Open } from '../flags.js'
import { AT_FDCWD, FileMachine, OUT, OUT_BYTES } from '../testing/file-machine.js'
import { MemoryHost } from '../testing/memory-host.js'

/** A host that may be read and nothing else. */
class ReadOnlyHost extends MemoryHost {
  override open(path: string, writable: boolean): number {
    if (writable) throw new Error(`"${path}" is opened for writing`)
    return super.open(path, false)
  }
}

function hostWith(files: Record<string, string>): ReadOnlyHost {
  const host = new ReadOnlyHost()
  for (const [path, text] of Object.entries(files)) host.put(path, text)
  return host
}

const ETC = { 'etc/passwd': 'root:x:0:0\n', 'etc/motd': 'hello\n', 'usr/bin/sh': '#!sh' }

function boot(files: Record<string, string> = ETC) {
  const host = hostWith(files)
  return { host, machine: new FileMachine(8, '/', [host]) }
}

const rename = (machine: FileMachine, from: string, to: string) =>
  machine.call('renameat2', AT_FDCWD, from, AT_FDCWD, to, 0)
const unlink = (machine: FileMachine, path: string, flags = 0) =>
  machine.call('unlinkat', AT_FDCWD, path, flags)
const mkdir = (machine: FileMachine, path: string) => machine.call('mkdirat', AT_FDCWD, path, 0o755)
const stat = (machine: FileMachine, path: string) => machine.stat(path) as { links: number; inode: number }

test('the host is below, devices and the kernel above it', () => {
  const { machine } = boot()
  expect(machine.readFile('/etc/passwd')).toBe('root:x:0:0\n')
  expect((machine.names('/') as string[]).sort()).toEqual(['dev', 'etc', 'proc', 'sys', 'tmp', 'usr'])
  expect(machine.names('/etc')).toEqual(['passwd', 'motd'])
  expect(machine.writeFile('/dev/null', 'x')).toBe(0)
  expect(machine.readFile('/sys/devices/system/cpu/online')).toBe('0\n')
  expect(machine.readFile('/proc/mounts')).toMatch(/^overlay \/ overlay rw,relatime 0 0\n/)
  expect(machine.readFile('/etc/hostname')).toBe(-ENOENT)
  machine.check()
})

test('what the guest writes stays in RAM', () => {
  const { host, machine } = boot()
  const fd = machine.open('/etc/motd', Open.readWrite)
  machine.call('pwrite64', fd, 'XY', 2, 1)
  expect(machine.readFile('/etc/motd')).toBe('hXYlo\n')
  expect(machine.writeFile('/etc/passwd', 'nobody')).toBe(0)
  expect(machine.writeFile('/etc/new', 'new')).toBe(0)
  machine.call('fchmodat', AT_FDCWD, '/usr/bin/sh', 0o700)
  expect([host.text('etc/motd'), host.text('etc/passwd')]).toEqual(['hello\n', 'root:x:0:0\n'])
  expect(machine.names('/etc')).toEqual(['new', 'passwd', 'motd'])
  expect(machine.stat('/usr/bin/sh')).toMatchObject({ mode: FileType.regular | 0o700, size: 4 })
  machine.call('close', fd)
  machine.check()
})

test('a file keeps its inode and its pages when it is changed', () => {
  const { machine } = boot({ 'lib/a.so': 'a'.repeat(PAGE_SIZE + 10) })
  const reader = machine.open('/lib/a.so')
  const { inode } = stat(machine, '/lib/a.so')
  const { object } = machine.files.fileBacking(machine.process, reader) as { object: number }
  const request = { start: 0x500 as never, pages: 2, flags: VM_READ, object: object as never, pageOffset: 0 }
  const start = locked(machine.mm, machine.space, () =>
    mapRegion(machine.mm, machine.space, { ...request, fixed: true }),
  )
  expect(String.fromCharCode(peekPage(machine.mm, machine.space, start as never)! & 0xff)).toBe('a')
  const writer = machine.open('/lib/a.so', Open.readWrite)
  machine.call('write', writer, 'bcde', 4)
  expect(String.fromCharCode(peekPage(machine.mm, machine.space, start as never)! & 0xff)).toBe('b')
  expect(machine.readAll(reader)).toBe(`bcde${'a'.repeat(PAGE_SIZE + 6)}`)
  expect(stat(machine, '/lib/a.so').inode).toBe(inode)
  for (const fd of [reader, writer]) machine.call('close', fd)
  expect(unlink(machine, '/lib/a.so')).toBe(0)
  expect(peekPage(machine.mm, machine.space, 0x501 as never)! & 0xff).toBe('a'.charCodeAt(0))
  machine.check()
})

test('what was cut off the host’s file does not come back', () => {
  const { machine } = boot({ f: 'x'.repeat(3 * PAGE_SIZE) })
  machine.call('truncate', '/f', 100)
  machine.call('truncate', '/f', 2 * PAGE_SIZE)
  expect(machine.readFile('/f')).toBe('x'.repeat(100) + '\0'.repeat(2 * PAGE_SIZE - 100))
})

test('a hole that is punched into a file of the host reads as zeroes', () => {
  const { machine } = boot({ f: 'x'.repeat(3 * PAGE_SIZE) })
  const fd = machine.open('/f', Open.readWrite)
  expect(machine.call('fallocate', fd, 3, PAGE_SIZE, PAGE_SIZE)).toBe(0)
  const [full, empty] = ['x'.repeat(PAGE_SIZE), '\0'.repeat(PAGE_SIZE)]
  expect(machine.readFile('/f')).toBe(full + empty + full)
})

test('a removed name stays away, and a directory made anew is empty', () => {
  const { machine } = boot()
  expect(unlink(machine, '/etc', At.removeDirectory)).toBe(-ENOTEMPTY)
  expect(unlink(machine, '/etc/motd')).toBe(0)
  expect(machine.readFile('/etc/motd')).toBe(-ENOENT)
  expect(machine.names('/etc')).toEqual(['passwd'])
  expect(unlink(machine, '/etc/passwd')).toBe(0)
  expect(unlink(machine, '/etc', At.removeDirectory)).toBe(0)
  expect(mkdir(machine, '/etc')).toBe(0)
  expect(machine.names('/etc')).toEqual([])
  expect(machine.writeFile('/etc/motd', 'mine')).toBe(0)
  expect(machine.readFile('/etc/motd')).toBe('mine')
  machine.check()
})

test('a directory of the host takes its contents along', () => {
  const { machine } = boot({ 'a/b/c/file': 'deep', 'd/x': '' })
  const fd = machine.open('/a/b/c', Open.directory)
  expect(rename(machine, '/a', '/d/moved')).toBe(0)
  expect(machine.readFile('/d/moved/b/c/file')).toBe('deep')
  expect(machine.readFile('/a/b/c/file')).toBe(-ENOENT)
  expect(rename(machine, '/d/moved/b', '/b')).toBe(0)
  expect(machine.names('/d/moved')).toEqual([])
  expect(machine.call('readlinkat', AT_FDCWD, `/proc/self/fd/${fd}`, OUT, 100)).toBe('/b/c'.length)
  expect(machine.readFile(`/proc/self/fd/${fd}/file`)).toBe('deep')
  machine.check()
})

test('names of one file of the host are one file', () => {
  const host = hostWith({ 'a/one': 'same' })
  host.link('a/one', 'two')
  const machine = new FileMachine(8, '/', [host])
  expect(stat(machine, '/two')).toMatchObject({ links: 2, inode: stat(machine, '/a/one').inode })
  machine.writeFile('/two', 'changed')
  expect(machine.readFile('/a/one')).toBe('changed')
  expect(machine.call('linkat', AT_FDCWD, '/two', AT_FDCWD, '/three', 0)).toBe(0)
  expect(unlink(machine, '/two')).toBe(0)
  expect(stat(machine, '/three').links).toBe(2)
  machine.check()
})

test('an upper layer hides files and joins directories', () => {
  const lower = hostWith({
    'etc/a': 'lower a',
    'etc/b': 'lower b',
    'file/x': '',
    dir: 'a file',
    'deep/d/l': '1',
  })
  const upper = hostWith({
    'etc/a': 'upper a',
    'etc/c': 'upper c',
    file: 'hides',
    'dir/y': '',
    'deep/d/u': '2',
  })
  const bottom = hostWith({ 'dir/z': 'not seen', 'etc/d': 'bottom d' })
  const machine = new FileMachine(8, '/', [upper, lower, bottom])
  expect(machine.readFile('/etc/a')).toBe('upper a')
  expect(machine.names('/etc')).toEqual(['d', 'c', 'b', 'a'])
  expect(machine.readFile('/file')).toBe('hides')
  expect(machine.names('/dir')).toEqual(['y'])
  expect(machine.names('/deep/d')).toEqual(['u', 'l'])
  expect(stat(machine, '/deep').links).toBe(3)
  machine.check()
})

test('links of the host lead within the guest', () => {
  const host = hostWith(ETC)
  host.symlink('bin', '/usr/bin')
  host.symlink('etc/up', '../../../../etc/motd')
  host.symlink('usr/loop', 'loop')
  const machine = new FileMachine(8, '/', [host])
  expect(machine.readFile('/bin/sh')).toBe('#!sh')
  expect(machine.readFile('/etc/up')).toBe('hello\n')
  expect(machine.readFile('/usr/loop')).toBeLessThan(0)
  expect(machine.writeFile('/bin/new', '1')).toBe(0)
  expect(machine.readFile('/usr/bin/new')).toBe('1')
  machine.check()
})

test('a program that is named as in a shell', () => {
  const { host, machine } = boot()
  const path = '/nowhere:/usr/bin'
  expect(machine.files.findProgram('sh', path, '/')).toBe(-EACCES)
  host.setPermissions('usr/bin/sh', 0o755)
  const other = new FileMachine(8, '/', [host])
  expect(other.files.findProgram('sh', path, '/')).toBe('/usr/bin/sh')
  expect(other.files.findProgram('bin/sh', '', '/usr')).toBe('bin/sh')
  expect(other.files.findProgram('sh', '/bin', '/')).toBe(-ENOENT)
  expect(other.files.findProgram('/usr', path, '/')).toBe(-EACCES)
})

test('a host that breaks its promises harms nobody', () => {
  const { host, machine } = boot({ 'etc/real': 'text', gone: 'x', turned: 'file' })
  const honest = host.list.bind(host)
  host.list = (path) => [
    ...(honest(path) as []),
    ...['..', '.', '', 'a/b', '../../x', 'n\0l', 'x'.repeat(300)].map((name) => ({
      name,
      type: FileType.regular,
    })),
  ]
  expect(machine.names('/etc')).toEqual(['real'])
  expect(machine.call('getdents64', machine.open('/', Open.directory), OUT, 4096)).toBeGreaterThan(0)
  host.root.children.delete('gone')
  expect(machine.readFile('/gone')).toBe(-ENOENT)
  host.root.children.get('turned')!.type = FileType.directory
  expect(machine.readFile('/turned')).toBe(-EISDIR)
  expect(mkdir(machine, '/turned')).toBe(-EEXIST)
  host.read = (_handle, _offset, target) => target.length + 1
  expect(machine.readFile('/etc/real')).toBe(-EIO)
  machine.check()
})

test('a root that is no directory, or has files where mounts go, is an empty one', () => {
  const host = hostWith({ proc: 'a file', 'dev/x': '' })
  const machine = new FileMachine(8, '/', [host])
  expect(machine.readFile('/proc')).toBe('a file')
  expect(machine.readFile('/proc/self')).toBe(-ENOTDIR)
  expect(machine.names('/dev')).toContain('null')
})

test('files of the host that nobody has open take a part of RAM only, and few handles', () => {
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, `${i}`.repeat(40_000)]))
  const { host, machine } = boot(files)
  const free = machine.mm.buddy.freeFrames()
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 100; i++)
      expect((machine.readFile(`/f${i}`) as string).length).toBe(`${i}`.length * 40_000)
  }
  expect(free - machine.mm.buddy.freeFrames()).toBeLessThan(machine.mm.buddy.totalFrames() / 6)
  expect(host.handles.size).toBeLessThan(80)
  machine.check()
})

test("new files take half of RAM at most, as on the tmpfs that changes are in; the host's are not counted", () => {
  const { machine } = boot({ big: 'x'.repeat(20 * PAGE_SIZE) })
  const half = Math.floor(machine.mm.buddy.totalFrames() / 2)
  expect((machine.readFile('/big') as string).length).toBe(20 * PAGE_SIZE)
  const fd = machine.open('/new', Open.readWrite | Open.create)
  expect(machine.call('fallocate', fd, 0, 0, (half + 1) * PAGE_SIZE)).toBe(-ENOSPC)
  expect(machine.call('fallocate', fd, 0, 0, half * PAGE_SIZE)).toBe(0)
  expect(machine.writeFile('/more', 'x')).toBe(-ENOSPC)
  expect(machine.call('ftruncate', fd, 0)).toBe(0)
  expect(machine.writeFile('/more', 'x')).toBe(0)
  machine.check()
})

test('every allocation may fail', () => {
  let failures = 0
  for (let nth = 1; nth < 60; nth++) {
    const { host, machine } = boot({ 'd/f': 'x'.repeat(3 * PAGE_SIZE), 'd/g': 'g' })
    machine.poke(OUT - 8 * PAGE_SIZE, new Uint8Array(OUT_BYTES + 8 * PAGE_SIZE))
    machine.faults.failAt(nth)
    const before = machine.faults.count
    const results = [
      machine.readFile('/d/f'),
      machine.writeFile('/d/g', 'changed'),
      machine.writeFile('/d/new', 'new'),
      mkdir(machine, '/d/sub'),
      rename(machine, '/d/f', '/d/sub/f'),
      machine.readFile('/d/sub/f'),
    ]
    const wasReached = machine.faults.count - before >= nth
    machine.faults.reset()
    const failed = results.filter((result) => typeof result === 'number' && result < 0)
    expect(failed.every((errno) => [-ENOSPC, -ENOMEM].includes(errno as number))).toBe(true)
    expect(failed.length).toBeLessThanOrEqual(wasReached ? 1 : 0)
    failures += failed.length
    expect(machine.readFile('/d/sub/f')).toBe('x'.repeat(3 * PAGE_SIZE))
    expect(host.text('d/g')).toBe('g')
    machine.check()
    if (!wasReached) break
    expect(nth, 'allocations come to an end').toBeLessThan(59)
  }
  expect(failures).toBeGreaterThan(4)
})

/** Walking paths and changing names: what is found, and the errno of what is not, in a tmpfs and in mounts. */
import { beforeEach, describe, expect, test } from 'vitest'
import {
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
} from '../../base/errno.js'
import { At, FileType, Open, Rename } from './flags.js'
import { AT_FDCWD, FileMachine, OUT } from './testing/file-machine.js'
import { MemoryHost } from './testing/memory-host.js'

let machine: FileMachine

const mkdir = (path: string) => machine.call('mkdirat', AT_FDCWD, path, 0o755)
const rmdir = (path: string) => machine.call('unlinkat', AT_FDCWD, path, At.removeDirectory)
const unlink = (path: string) => machine.call('unlinkat', AT_FDCWD, path, 0)
const symlink = (target: string, path: string) => machine.call('symlinkat', target, AT_FDCWD, path)
const link = (from: string, to: string) => machine.call('linkat', AT_FDCWD, from, AT_FDCWD, to, 0)
const rename = (from: string, to: string, flags = 0) =>
  machine.call('renameat2', AT_FDCWD, from, AT_FDCWD, to, flags)
const cwd = () => String.fromCharCode(...machine.peek(OUT, machine.call('getcwd', OUT, 4096) - 1))
const readlink = (path: string) => {
  const count = machine.call('readlinkat', AT_FDCWD, path, OUT, 4096)
  return count < 0 ? count : String.fromCharCode(...machine.peek(OUT, count))
}

beforeEach(() => {
  machine = new FileMachine()
  machine.call('chdir', '/tmp')
})

describe('a path', () => {
  test.each([
    ['', -ENOENT],
    ['nothing', -ENOENT],
    ['nothing/more', -ENOENT],
    ['file/', -ENOTDIR],
    ['file/.', -ENOTDIR],
    ['file/..', -ENOTDIR],
    ['file/more', -ENOTDIR],
    ['x'.repeat(255), -ENOENT],
    ['x'.repeat(256), -ENAMETOOLONG],
    [`${'./'.repeat(2047)}d`, 0],
    [`${'./'.repeat(2048)}`, -ENAMETOOLONG],
    ['.', 0],
    ['..', 0],
    ['/', 0],
    ['//../..///', 0],
    ['/../../tmp/d', 0],
    ['d/./../d//', 0],
    ['to-file', 0],
    ['to-file/', -ENOTDIR],
    ['to-d/', 0],
    ['dangling', -ENOENT],
    ['loop-a', -ELOOP],
    ['loop-a/x', -ELOOP],
    ['up/tmp/file', 0],
  ])('%# %.40s', (path, expected) => {
    machine.writeFile('file', 'x')
    mkdir('d')
    symlink('file', 'to-file')
    symlink('/tmp/d', 'to-d')
    symlink('gone', 'dangling')
    symlink('loop-b', 'loop-a')
    symlink('loop-a', 'loop-b')
    symlink('..', 'up')
    const found = machine.stat(path)
    expect(typeof found === 'number' ? found : 0).toBe(expected)
  })

  test('follows 40 links and not 41', () => {
    machine.writeFile('end', 'reached')
    let target = 'end'
    for (let i = 1; i <= 41; i++) {
      symlink(target, `link${i}`)
      target = `link${i}`
    }
    expect(machine.readFile('link40')).toBe('reached')
    expect(machine.readFile('link41')).toBe(-ELOOP)
  })

  test('is relative to a directory file number, which only a relative one looks at', () => {
    mkdir('d')
    machine.writeFile('d/file', 'inside')
    const dir = machine.open('d', Open.directory)
    expect(machine.call('openat', dir, 'file', 0, 0)).toBeGreaterThan(2)
    expect(machine.call('openat', 999, 'file', 0, 0)).toBe(-9)
    expect(machine.call('openat', 999, '/tmp/d/file', 0, 0)).toBeGreaterThan(2)
    expect(machine.call('openat', machine.open('d/file'), 'file', 0, 0)).toBe(-ENOTDIR)
  })

  test('of the working directory follows its renaming, and ends with it', () => {
    mkdir('a')
    mkdir('a/b')
    machine.call('chdir', 'a/b')
    expect(cwd()).toBe('/tmp/a/b')
    rename('/tmp/a', '/tmp/other')
    expect(cwd()).toBe('/tmp/other/b')
    expect(machine.stat('../../other')).toMatchObject({ links: 3 })
    rmdir('/tmp/other/b')
    expect(machine.call('getcwd', OUT, 4096)).toBe(-ENOENT)
    expect(machine.open('new', Open.create | Open.writeOnly)).toBe(-ENOENT)
    expect(machine.call('getcwd', OUT, 1)).toBe(-ENOENT)
  })
})

test('the files say what they hold', () => {
  const before = machine.files.stats()
  mkdir('d')
  machine.writeFile('d/file', 'hello')
  link('d/file', 'd/again')
  machine.open('d/file')
  const { entries, inodes, opens, bytes } = machine.files.stats()
  expect(
    [entries, inodes, opens].map((count, i) => count - [before.entries, before.inodes, before.opens][i]!),
  ).toEqual([3, 2, 1])
  expect(bytes - before.bytes).toBe(5 + 40 + 2 * 20 + 20)
  expect(machine.files.dump()).toContain('\n  d 040755 2 80\n    file 100644 2 5\n    again 100644 2 5\n')
  expect(machine.files.dump()).toContain('\nproc 040755 2 40 (proc mounted)\n')
})

describe('making and removing names', () => {
  test('mkdir, rmdir', () => {
    expect(mkdir('d/')).toBe(0)
    expect(mkdir('d')).toBe(-EEXIST)
    expect(mkdir('.')).toBe(-EEXIST)
    expect(mkdir('/')).toBe(-EEXIST)
    expect(mkdir('no/d')).toBe(-ENOENT)
    mkdir('d/e')
    expect(machine.stat('d')).toMatchObject({ links: 3, mode: FileType.directory | 0o755 })
    expect(rmdir('d')).toBe(-ENOTEMPTY)
    expect(rmdir('d/.')).toBe(-EINVAL)
    expect(rmdir('d/e/..')).toBe(-ENOTEMPTY)
    expect(rmdir('/')).toBe(-EBUSY)
    expect(rmdir('/proc')).toBe(-EBUSY)
    expect(rmdir('d/e')).toBe(0)
    expect(machine.stat('d')).toMatchObject({ links: 2 })
    machine.writeFile('file', '')
    expect(rmdir('file')).toBe(-ENOTDIR)
    expect(rmdir('none')).toBe(-ENOENT)
    expect(machine.names('/tmp')).toEqual(['file', 'd'])
    machine.check()
  })

  test('unlink keeps an open file alive, and its pages go with the last close', () => {
    const free = machine.mm.buddy.freeFrames()
    const fd = machine.open('file', Open.create | Open.readWrite)
    machine.call('write', fd, 'x'.repeat(20_000), 20_000)
    expect(unlink('file/')).toBe(-ENOTDIR)
    expect(unlink('file')).toBe(0)
    expect(unlink('file')).toBe(-ENOENT)
    expect(unlink('/tmp')).toBe(-EISDIR)
    expect(unlink('.')).toBe(-EISDIR)
    expect(machine.call('pread64', fd, OUT, 10, 19_995)).toBe(5)
    expect(machine.call('fstat', fd, OUT)).toBe(0)
    expect(machine.view(OUT, 128).getUint32(20, true)).toBe(0)
    expect(readlink(`/proc/self/fd/${fd}`)).toBe('/tmp/file (deleted)')
    machine.call('close', fd)
    machine.mm.slab.shrink()
    expect(machine.mm.buddy.freeFrames()).toBeGreaterThanOrEqual(free - 6)
    machine.check()
  })

  test('links share the file', () => {
    machine.writeFile('a', 'one')
    expect(link('a', 'b')).toBe(0)
    expect(link('a', 'b')).toBe(-EEXIST)
    expect(link('a', 'c/')).toBe(-ENOENT)
    expect(link('/tmp', 'd')).toBe(-EPERM)
    expect(link('a', '/proc/x')).toBe(-ENOENT)
    machine.writeFile('b', 'two')
    expect(machine.readFile('a')).toBe('two')
    expect(machine.stat('a')).toMatchObject({ links: 2 })
    unlink('a')
    expect(machine.stat('b')).toMatchObject({ links: 1 })
    machine.check()
  })

  test('symbolic links are read, and not followed where Linux does not', () => {
    expect(symlink('', 's')).toBe(-ENOENT)
    expect(symlink('target', 's')).toBe(0)
    expect(symlink('target', 's')).toBe(-EEXIST)
    expect(readlink('s')).toBe('target')
    expect(machine.stat('s', At.symlinkNoFollow)).toMatchObject({ mode: FileType.symlink | 0o777, size: 6 })
    expect(readlink('/tmp')).toBe(-EINVAL)
    expect(machine.open('s', Open.noFollow)).toBe(-ELOOP)
    expect(machine.open('s', Open.noFollow | Open.path)).toBeGreaterThan(2)
    expect(machine.open('s', Open.create | Open.exclusive)).toBe(-EEXIST)
    expect(machine.open('s', Open.create | Open.writeOnly)).toBeGreaterThan(2)
    expect(machine.stat('target')).toMatchObject({ size: 0 })
    expect(mkdir('s')).toBe(-EEXIST)
  })
})

describe('rename', () => {
  beforeEach(() => {
    machine.writeFile('file', 'file')
    machine.writeFile('other', 'other')
    mkdir('d')
    mkdir('full')
    machine.writeFile('full/x', '')
    mkdir('empty')
  })

  test.each([
    ['none', 'x', 0, -ENOENT],
    ['file', 'other', 0, 0],
    ['file', 'file', 0, 0],
    ['file', 'd', 0, -EISDIR],
    ['d', 'file', 0, -ENOTDIR],
    ['d', 'empty', 0, 0],
    ['d', 'full', 0, -ENOTEMPTY],
    ['d', 'd/sub', 0, -EINVAL],
    ['full/x', 'full', 0, -ENOTEMPTY],
    ['d', '.', 0, -EBUSY],
    ['.', 'x', 0, -EBUSY],
    ['d/..', 'x', 0, -EBUSY],
    ['file', 'x/', 0, -ENOTDIR],
    ['file/', 'x', 0, -ENOTDIR],
    ['d', 'x/', 0, 0],
    ['file', 'other', Rename.noReplace, -EEXIST],
    ['file', 'x', Rename.noReplace, 0],
    ['file', 'x', Rename.exchange, -ENOENT],
    ['file', 'd', Rename.exchange, 0],
    ['file', 'other', Rename.exchange | Rename.noReplace, -EINVAL],
    ['file', 'other', 8, -EINVAL],
    ['file', '/proc/x', 0, -EXDEV],
    ['/proc', 'x', 0, -EBUSY],
    ['/dev', '/tmp/dev', 0, 0],
  ])('%s to %s, flags %i: %i', (from, to, flags, expected) => {
    expect(rename(from, to, flags)).toBe(expected)
    machine.check()
  })

  test('exchange keeps both', () => {
    rename('file', 'full/x', Rename.exchange)
    expect(machine.readFile('file')).toBe('')
    expect(machine.readFile('full/x')).toBe('file')
    rename('full', 'file', Rename.exchange)
    expect(machine.stat('/tmp')).toMatchObject({ links: 5 })
    machine.check()
  })

  test('over an open file leaves it readable', () => {
    const fd = machine.open('other')
    rename('file', 'other')
    expect(machine.readAll(fd)).toBe('other')
    expect(machine.readFile('other')).toBe('file')
  })
})

describe('a mount', () => {
  let host: MemoryHost

  beforeEach(() => {
    host = new MemoryHost()
    host.put('file', 'host file')
    host.put('sub/inner', 'inner')
    expect(machine.files.mount('/mnt/data', host)).toBe(0)
  })

  test('has the files of the host', () => {
    expect(machine.readFile('/mnt/data/file')).toBe('host file')
    expect(machine.names('/mnt/data')).toEqual(['file', 'sub'])
    expect(machine.stat('/mnt/data/sub')).toMatchObject({ mode: FileType.directory | 0o755 })
    machine.call('chdir', '/mnt/data/sub')
    expect(cwd()).toBe('/mnt/data/sub')
    expect(readlink('/proc/self/cwd')).toBe('/mnt/data/sub')
    expect(machine.stat('../..')).toEqual(machine.stat('/mnt'))
  })

  test.each([
    '/mnt/data/../../mnt/data/../../secret',
    '/mnt/data/sub/../../../secret',
    '/mnt/data/up/secret',
    '/mnt/data/far-up',
    '/mnt/data/absolute',
    '/mnt/data/sub/to-absolute/x',
    '/mnt/data/chain',
    '/mnt/data/sub/../up/../secret',
    'mnt/data/../../../../../../secret',
  ])('cannot be left by %s', (path) => {
    machine.writeFile('/secret', "the guest's own")
    machine.call('chdir', '/')
    const links: [string, string][] = [
      ['up', '../..'],
      ['far-up', '../../../../../../../../secret'],
      ['absolute', '/secret'],
      ['chain', 'sub/second'],
    ]
    for (const [name, target] of links) host.symlink(name, target)
    host.symlink('sub/second', '../up/secret')
    host.symlink('sub/to-absolute', '/')
    const expected = path.endsWith('/x') ? -ENOENT : "the guest's own"
    expect(machine.readFile(path)).toBe(expected)
  })

  test('with a loop of links, and one that changes to a link while its directory is open', () => {
    host.symlink('one', 'two')
    host.symlink('two', 'sub/../one')
    expect(machine.readFile('/mnt/data/one')).toBe(-ELOOP)
    const dir = machine.open('/mnt/data/sub', Open.directory)
    host.root.children.get('sub')!.children.delete('inner')
    host.symlink('sub/inner', '/etc/hostname')
    expect(machine.call('openat', dir, 'inner', Open.noFollow, 0)).toBe(-ELOOP)
    expect(machine.readFile('/mnt/data/sub/inner')).toBe('pagoda\n')
  })

  test('read-only refuses every change and allows every look', () => {
    machine.files.mount('/ro', host, { readOnly: true })
    expect(machine.readFile('/ro/file')).toBe('host file')
    expect(machine.open('/ro/file', Open.writeOnly)).toBe(-EROFS)
    expect(machine.open('/ro/file', Open.truncate)).toBe(-EROFS)
    expect(machine.open('/ro/new', Open.create | Open.writeOnly)).toBe(-EROFS)
    expect(machine.open('/ro/file', Open.create)).toBeGreaterThan(2)
    expect(mkdir('/ro/d')).toBe(-EROFS)
    expect(mkdir('/ro/sub')).toBe(-EEXIST)
    expect(unlink('/ro/file')).toBe(-EROFS)
    expect(rmdir('/ro/sub')).toBe(-EROFS)
    expect(rename('/ro/file', '/ro/x')).toBe(-EROFS)
    expect(symlink('a', '/ro/s')).toBe(-EROFS)
    expect(link('/ro/file', '/ro/l')).toBe(-EROFS)
    expect(machine.call('truncate', '/ro/file', 0)).toBe(-EROFS)
    expect(machine.call('fchmodat', AT_FDCWD, '/ro/file', 0o600)).toBe(-EROFS)
    expect(machine.call('utimensat', AT_FDCWD, '/ro/file', 0, 0)).toBe(-EROFS)
    expect(machine.call('faccessat', AT_FDCWD, '/ro/file', 2)).toBe(-EROFS)
    expect(machine.call('faccessat', AT_FDCWD, '/ro/file', 4)).toBe(0)
    expect(host.text('file')).toBe('host file')
  })

  test('takes new names, and gives them to the host', () => {
    expect(mkdir('/mnt/data/new')).toBe(0)
    expect(machine.writeFile('/mnt/data/new/f', 'written')).toBe(0)
    expect(host.text('new/f')).toBe('written')
    expect(rename('/mnt/data/new', '/mnt/data/full')).toBe(0)
    expect(host.text('full/f')).toBe('written')
    expect(rename('/mnt/data/sub', '/mnt/data/full')).toBe(-ENOTEMPTY)
    expect(rmdir('/mnt/data/full')).toBe(-ENOTEMPTY)
    expect(link('/mnt/data/full/f', '/mnt/data/g')).toBe(0)
    machine.writeFile('/mnt/data/g', 'both')
    expect(machine.readFile('/mnt/data/full/f')).toBe('both')
    expect(unlink('/mnt/data/full/f')).toBe(0)
    expect(machine.stat('/mnt/data/g')).toMatchObject({ links: 1 })
    expect(rmdir('/mnt/data/full')).toBe(0)
    expect(symlink('/etc/hostname', '/mnt/data/name')).toBe(0)
    expect(machine.readFile('/mnt/data/name')).toBe('pagoda\n')
    expect(rename('/mnt/data/g', '/tmp/g')).toBe(-EXDEV)
    expect(machine.call('truncate', '/mnt/data/g', 1)).toBe(0)
    expect(host.text('g')).toBe('b')
    expect(rmdir('/mnt/data')).toBe(-EBUSY)
    expect(machine.names('/mnt/data')).toEqual(['file', 'sub', 'g', 'name'])
  })

  test('is refused where a file is, and of what is no directory', () => {
    machine.writeFile('/plain', '')
    expect(machine.files.mount('/plain/x', host)).toBe(-ENOTDIR)
    expect(machine.files.mount('/plain', host)).toBe(-ENOTDIR)
    host.root.type = FileType.regular
    expect(machine.files.mount('/mnt/other', host)).toBe(-ENOTDIR)
  })
})

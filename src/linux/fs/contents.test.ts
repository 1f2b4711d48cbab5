/** Contents of files against a naive model, and what the calls that read and write say. */
import { beforeEach, describe, expect, test } from 'vitest'
import {
  EAGAIN,
  EBADF,
  EFAULT,
  EFBIG,
  EINVAL,
  EIO,
  EISDIR,
  EMFILE,
  ENOSPC,
  ENOTTY,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  ESPIPE,
} from '../../base/errno.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { SEED } from '../../base/testing.js'
import { mapRegion } from '../../space/map-region.js'
import { locked, peekPage, pokePage, shared } from '../../space/testing.js'
import { VM_READ, VM_WRITE } from '../../space/vm-flags.js'
import { PARKED } from '../wait.js'
import { FileWait } from './environment.js'
import { Fallocate, Open, Seek } from './flags.js'
import { AT_FDCWD, FileMachine, OUT, UNMAPPED } from './testing/file-machine.js'
import { MemoryHost } from './testing/memory-host.js'
import { bytesOf } from './text.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 600)
const READ_WRITE = Open.create | Open.readWrite

let machine: FileMachine
beforeEach(() => {
  machine = new FileMachine()
})

const text = (address: number, length: number) => String.fromCharCode(...machine.peek(address, length))

/** As toEqual, which takes milliseconds for a file. */
function expectSame(found: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(found, expected)).toBe(0)
}

/** A file as a naive programmer keeps it. */
class Model {
  bytes = new Uint8Array(0)

  resize(size: number): void {
    const next = new Uint8Array(size)
    next.set(this.bytes.subarray(0, size))
    this.bytes = next
  }

  write(offset: number, source: Uint8Array): void {
    if (offset + source.length > this.bytes.length) this.resize(offset + source.length)
    this.bytes.set(source, offset)
  }

  punch(offset: number, length: number): void {
    this.bytes.fill(0, offset, offset + length)
  }
}

describe.each(['tmpfs', 'a mount'])('random operations on a file of %s agree with a model', (where) => {
  test(`seed ${SEED}`, () => {
    const host = new MemoryHost()
    if (where === 'a mount') machine.files.mount('/data', host)
    const random = new Random(SEED)
    const model = new Model()
    const open = (flags: number) => machine.open(where === 'tmpfs' ? '/tmp/f' : '/data/f', flags)
    let fd = open(READ_WRITE)
    let position = 0
    const place = () => random.below(random.chance(0.2) ? 5 * PAGE_SIZE : model.bytes.length + 100)
    const data = () => {
      const length = random.below(random.chance(0.1) ? 3 * PAGE_SIZE : 300)
      return Uint8Array.from({ length }, () => random.below(256))
    }
    const actions: (() => void)[] = [
      () => {
        const bytes = data()
        expect(machine.call('write', fd, bytes, bytes.length)).toBe(bytes.length)
        if (bytes.length > 0) model.write(position, bytes)
        position += bytes.length
      },
      () => {
        const [bytes, offset] = [data(), place()]
        expect(machine.call('pwrite64', fd, bytes, bytes.length, offset)).toBe(bytes.length)
        if (bytes.length > 0) model.write(offset, bytes)
      },
      () => {
        const wanted = random.below(2 * PAGE_SIZE)
        const expected = model.bytes.slice(position, position + wanted)
        expect(machine.call('read', fd, OUT, wanted)).toBe(expected.length)
        expectSame(machine.peek(OUT, expected.length), expected)
        position += expected.length
      },
      () => {
        const [wanted, offset] = [random.below(2 * PAGE_SIZE), place()]
        const expected = model.bytes.slice(offset, offset + wanted)
        expect(machine.call('pread64', fd, OUT, wanted, offset)).toBe(expected.length)
        expectSame(machine.peek(OUT, expected.length), expected)
      },
      () => {
        const size = place()
        expect(machine.call('ftruncate', fd, size)).toBe(0)
        model.resize(size)
      },
      () => {
        const whence = random.pick([Seek.set, Seek.current, Seek.end])
        const base = { 0: 0, 1: position, 2: model.bytes.length }[whence]
        const target = place()
        expect(machine.call('lseek', fd, target - base, whence)).toBe(target)
        position = target
      },
      () => {
        machine.call('close', fd)
        const truncate = random.chance(0.2)
        fd = open(Open.readWrite | (truncate ? Open.truncate : 0))
        if (truncate) model.resize(0)
        position = 0
      },
      () => {
        if (where !== 'tmpfs') return
        const [offset, length] = [place(), random.between(1, 3 * PAGE_SIZE)]
        const mode = Fallocate.punchHole | Fallocate.keepSize
        expect(machine.call('fallocate', fd, mode, offset, length)).toBe(0)
        model.punch(offset, length)
      },
      () => {
        const bytes = data()
        const appending = open(Open.writeOnly | Open.append)
        expect(machine.call('write', appending, bytes, bytes.length)).toBe(bytes.length)
        if (bytes.length > 0) model.write(model.bytes.length, bytes)
        machine.call('close', appending)
      },
    ]
    for (let step = 0; step < STEPS; step++) {
      random.pick(actions)()
      expect(machine.call('fstat', fd, OUT)).toBe(0)
      expect(machine.view(OUT, 128).getUint32(48, true)).toBe(model.bytes.length)
      if (where === 'a mount') expectSame(host.root.children.get('f')!.bytes, model.bytes)
      if (step % 100 === 0) machine.check()
    }
    expect(machine.call('pread64', fd, OUT, 32 * PAGE_SIZE, 0)).toBe(model.bytes.length)
    expectSame(machine.peek(OUT, model.bytes.length), model.bytes)
    machine.check()
  })
})

describe('mapped files', () => {
  const PAGE = 0x1000

  const map = (fd: number, pages: number) => {
    const backing = machine.files.fileBacking(machine.process, fd)
    if (typeof backing === 'number') throw new Error('the file has a backing')
    const request = shared(PAGE, pages, VM_READ | VM_WRITE, backing.object)
    expect(locked(machine.mm, machine.space, () => mapRegion(machine.mm, machine.space, request))).toBe(PAGE)
    return backing
  }

  test('share their pages with read and write, and are named in maps', () => {
    const fd = machine.open('/tmp/mapped', READ_WRITE)
    machine.call('write', fd, 'abc', 3)
    expect(map(fd, 2)).toMatchObject({ readable: true, writable: true, mappable: true })
    expect(peekPage(machine.mm, machine.space, PAGE as never)).toBe(0x61)
    pokePage(machine.mm, machine.space, PAGE as never, 0x7a)
    expect(machine.readFile('/tmp/mapped')).toBe('zbc')
    machine.call('pwrite64', fd, 'q', 1, 0)
    expect(peekPage(machine.mm, machine.space, PAGE as never)).toBe(0x71)
    const inode = (machine.stat('/tmp/mapped') as { inode: number }).inode
    const maps = machine.readFile('/proc/self/maps') as string
    expect(maps).toMatch(new RegExp(`^01000000-01002000 rw-s 00000000 00:14 ${inode} +/tmp/mapped$`, 'm'))
    machine.call('unlinkat', AT_FDCWD, '/tmp/mapped', 0)
    machine.call('close', fd)
    expect(peekPage(machine.mm, machine.space, PAGE as never)).toBe(0x71)
    expect(machine.readFile('/proc/self/maps')).toContain('/tmp/mapped (deleted)\n')
    machine.check()
  })

  test('of a mount are written back by fsync, at close and at exit', () => {
    const host = new MemoryHost()
    host.put('f', 'x'.repeat(5000))
    machine.files.mount('/data', host)
    const fd = machine.open('/data/f', Open.readWrite)
    map(fd, 1)
    pokePage(machine.mm, machine.space, PAGE as never, 0x31)
    expect(machine.call('fsync', fd)).toBe(0)
    expect(host.text('f').slice(0, 2)).toBe('1x')
    pokePage(machine.mm, machine.space, PAGE as never, 0x32)
    machine.call('close', fd)
    expect(host.text('f').slice(0, 2)).toBe('2x')
    pokePage(machine.mm, machine.space, PAGE as never, 0x33)
    machine.user.close()
    expect(host.text('f')).toBe(`3${'x'.repeat(4999)}`)
    machine.check()
  })

  test('of a mount see what the host changed when they are opened again', () => {
    const host = new MemoryHost()
    host.put('f', 'first')
    machine.files.mount('/data', host)
    expect(machine.readFile('/data/f')).toBe('first')
    host.put('f', 'the second')
    expect(machine.readFile('/data/f')).toBe('the second')
    expect(host.handles.size).toBe(1)
    host.failures.set('read', -EIO)
    host.put('f', 'third')
    expect(machine.readFile('/data/f')).toBe(-EIO)
    host.failures.set('write', -ENOSPC)
    expect(machine.writeFile('/data/new', 'x')).toBe(-ENOSPC)
    machine.check()
  })

  test('keep few handles of the host open', () => {
    const host = new MemoryHost()
    for (let i = 0; i < 100; i++) host.put(`f${i}`, `${i}`)
    machine.files.mount('/data', host)
    for (let i = 0; i < 100; i++) expect(machine.readFile(`/data/f${i}`)).toBe(`${i}`)
    expect(host.handles.size).toBe(32)
    expect(machine.files.vfs.contents.frames().free).toBeGreaterThan(0)
  })
})

describe('read and write', () => {
  test('refuse in the order of Linux', () => {
    const fd = machine.open('/tmp/f', READ_WRITE)
    const readOnly = machine.open('/tmp/f')
    const directory = machine.open('/tmp')
    const path = machine.open('/tmp/f', Open.path)
    expect(machine.call('read', 99, UNMAPPED, 1)).toBe(-EBADF)
    expect(machine.call('read', path, OUT, 1)).toBe(-EBADF)
    expect(machine.call('write', readOnly, OUT, 1)).toBe(-EBADF)
    expect(machine.call('read', fd, UNMAPPED, 1)).toBe(0)
    expect(machine.call('write', fd, UNMAPPED, 1)).toBe(-EFAULT)
    expect(machine.call('write', fd, UNMAPPED, 0)).toBe(0)
    expect(machine.call('write', fd, OUT, 2 ** 38)).toBe(-EFAULT)
    machine.call('write', fd, 'abcdef', 6)
    expect(machine.call('pread64', fd, UNMAPPED, 1, 0)).toBe(-EFAULT)
    expect(machine.call('pread64', 99, OUT, 1, -1)).toBe(-EINVAL)
    expect(machine.call('read', directory, OUT, 1)).toBe(-EISDIR)
    expect(machine.call('pread64', 0, OUT, 1, 0)).toBe(-ESPIPE)
    expect(machine.call('lseek', 0, 0, 0)).toBe(-ESPIPE)
    expect(machine.call('lseek', fd, 0, 9)).toBe(-EINVAL)
    expect(machine.call('lseek', fd, -1, 0)).toBe(-EINVAL)
    expect(machine.call('lseek', fd, 2, Seek.data)).toBe(2)
    expect(machine.call('lseek', fd, 2, Seek.hole)).toBe(6)
    expect(machine.call('lseek', fd, 6, Seek.data)).toBe(-ENXIO)
    expect(machine.call('ftruncate', fd, -1)).toBe(-EINVAL)
    expect(machine.call('ftruncate', readOnly, 0)).toBe(-EINVAL)
    expect(machine.call('ftruncate', fd, 2 ** 50)).toBe(0)
    expect(machine.call('truncate', '/tmp', 0)).toBe(-EISDIR)
    expect(machine.call('fallocate', fd, Fallocate.punchHole, 0, 1)).toBe(-EOPNOTSUPP)
    expect(machine.call('fallocate', fd, 0, 0, 0)).toBe(-EINVAL)
    expect(machine.call('fallocate', readOnly, 0, 0, 1)).toBe(-EBADF)
  })

  test('a buffer that ends in nothing moves what is there', () => {
    const fd = machine.open('/tmp/f', READ_WRITE)
    const end = 0x160 * PAGE_SIZE
    expect(machine.call('write', fd, end - 10, 30)).toBe(10)
    expect(machine.call('pread64', fd, end - 4, 10, 0)).toBe(4)
    expect(machine.call('lseek', fd, 0, Seek.current)).toBe(10)
  })

  test('vectors', () => {
    const fd = machine.open('/tmp/f', READ_WRITE)
    const vector = (...pieces: [number, number][]) => {
      const view = new DataView(new ArrayBuffer(pieces.length * 16))
      for (const [i, [address, length]] of pieces.entries()) {
        view.setUint32(i * 16, address, true)
        view.setUint32(i * 16 + 8, length, true)
        view.setInt32(i * 16 + 12, length < 0 ? -1 : 0, true)
      }
      return new Uint8Array(view.buffer)
    }
    machine.poke(OUT, bytesOf('hello, world'))
    expect(machine.call('writev', fd, vector([OUT, 5], [OUT + 5, 0], [OUT + 7, 5]), 3)).toBe(10)
    expect(machine.call('preadv', fd, vector([OUT + 100, 3], [OUT + 200, 100]), 2, 0)).toBe(10)
    expect(text(OUT + 100, 3) + text(OUT + 200, 7)).toBe('helloworld')
    expect(machine.call('pwritev', fd, vector([OUT, 1]), 1, 9)).toBe(1)
    expect(machine.readFile('/tmp/f')).toBe('helloworlh')
    expect(machine.call('readv', fd, OUT, 1025)).toBe(-EINVAL)
    expect(machine.call('readv', fd, UNMAPPED, 1)).toBe(-EFAULT)
    expect(machine.call('readv', fd, vector([OUT, -1]), 1)).toBe(-EINVAL)
    expect(machine.call('readv', fd, UNMAPPED, 0)).toBe(0)
    expect(machine.call('pwritev2', fd, vector([OUT, 2]), 1, -1, 0, 16)).toBe(2)
    expect(machine.call('preadv2', fd, vector([OUT, 2]), 1, 0, 0, 0x80)).toBe(-EOPNOTSUPP)
  })

  test('a file takes half of memory and no more: ENOSPC, and truncating gives it back', () => {
    const small = new FileMachine(8)
    const fd = small.open('/tmp/big', READ_WRITE)
    const free = small.mm.buddy.freeFrames()
    let result = 0
    for (let i = 0; i < 4000 && result >= 0; i++) result = small.call('write', fd, OUT, 16 * PAGE_SIZE)
    expect(result).toBe(-ENOSPC)
    const half = Math.floor(small.mm.buddy.totalFrames() / 2)
    small.call('fstat', fd, OUT)
    const pages = small.view(OUT, 128).getUint32(64, true) / 8
    expect(pages).toBeLessThanOrEqual(half)
    expect(pages, 'other files have a few').toBeGreaterThan(half - 10)
    expect(small.call('ftruncate', fd, 0)).toBe(0)
    small.mm.slab.shrink()
    expect(small.mm.buddy.freeFrames()).toBeGreaterThan(free - 100)
    expect(small.call('fallocate', fd, 0, 0, 2 ** 30)).toBe(-ENOSPC)
    expect(small.call('fallocate', fd, 0, 100, 8 * PAGE_SIZE)).toBe(0)
    small.call('fstat', fd, OUT)
    expect(small.view(OUT, 128).getUint32(64, true)).toBe(9 * 8)
    small.check()
  })

  test('every allocation that fails leaves a sound machine', () => {
    for (let nth = 1; nth <= 12; nth++) {
      const target = new FileMachine()
      target.call('write', 1, 'x'.repeat(9000), 9000)
      target.faults.failAt(nth)
      const fd = target.open('/tmp/f', READ_WRITE)
      const written = fd < 0 ? fd : target.call('write', fd, 'x'.repeat(9000), 9000)
      target.faults.reset()
      expect([-ENOSPC, 4096, 8192, 9000]).toContain(written)
      target.check()
    }
  })

  test('RLIMIT_FSIZE: SIGXFSZ', () => {
    machine.limits.set(1, 10)
    const fd = machine.open('/tmp/f', READ_WRITE)
    expect(machine.call('write', fd, OUT, 20)).toBe(10)
    expect(machine.call('write', fd, OUT, 1)).toBe(-EFBIG)
    expect(machine.signals).toEqual([25])
  })

  test('sendfile and copy_file_range', () => {
    machine.writeFile('/tmp/a', 'abcdefghij')
    const source = machine.open('/tmp/a')
    const target = machine.open('/tmp/b', READ_WRITE)
    expect(machine.call('sendfile', target, source, 0, 4)).toBe(4)
    machine.poke(OUT, Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 0))
    expect(machine.call('sendfile', target, source, OUT, 100)).toBe(4)
    expect(machine.peek(OUT, 1)[0]).toBe(10)
    expect(machine.readFile('/tmp/b')).toBe('abcdghij')
    expect(machine.call('sendfile', 1, source, 0, 100)).toBe(6)
    expect(machine.stdout.text).toBe('efghij')
    machine.poke(OUT, new Uint8Array(8))
    expect(machine.call('copy_file_range', source, OUT, target, 0, 3, 0)).toBe(3)
    expect(machine.readFile('/tmp/b')).toBe('abcdghijabc')
    machine.poke(OUT, new Uint8Array(8))
    expect(machine.call('copy_file_range', target, OUT, target, 0, 12, 0)).toBe(11)
    machine.call('lseek', target, 5, 0)
    machine.poke(OUT, new Uint8Array(8))
    expect(machine.call('copy_file_range', target, OUT, target, 0, 12, 0)).toBe(-EINVAL)
  })
})

describe('streams and devices', () => {
  test('standard input gives what is there, waits, and ends', () => {
    machine.stdin.chunks.push('one line\n')
    machine.stdin.isPending = true
    expect(machine.call('read', 0, OUT, 3)).toBe(3)
    expect(machine.call('read', 0, OUT, 100)).toBe(6)
    expect(text(OUT, 6)).toBe(' line\n')
    expect(machine.call('read', 0, OUT, 100)).toBe(PARKED)
    expect(machine.parked).toEqual([{ argument: FileWait.stdin, deadline: Number.POSITIVE_INFINITY }])
    machine.stdin.isPending = false
    expect(machine.call('read', 0, OUT, 100)).toBe(0)
  })

  test('O_NONBLOCK does not wait', () => {
    machine.stdin.isPending = true
    expect(machine.call('fcntl', 0, 4, Open.nonBlock)).toBe(0)
    expect(machine.call('read', 0, OUT, 1)).toBe(-EAGAIN)
  })

  test('standard output: full, taken in part, and nobody reads any more', () => {
    expect(machine.call('write', 1, 'to be seen', 10)).toBe(10)
    machine.stdout.answer = 4
    expect(machine.call('write', 1, 'abcdef', 6)).toBe(4)
    machine.stdout.answer = -EAGAIN
    expect(machine.call('write', 1, 'x', 1)).toBe(PARKED)
    machine.stdout.answer = -EPIPE
    expect(machine.call('write', 1, 'x', 1)).toBe(-EPIPE)
    expect(machine.signals).toEqual([13])
    expect(machine.stdout.text).toBe('to be seenabcd')
    expect(machine.call('read', 1, OUT, 1)).toBe(-EBADF)
  })

  test('are pipes unless the host says terminal', () => {
    expect(machine.call('ioctl', 1, 0x5401, OUT)).toBe(-ENOTTY)
    expect(machine.open('/dev/tty', Open.readWrite)).toBe(-ENXIO)
    machine.call('fstat', 1, OUT)
    expect(machine.view(OUT, 128).getUint32(16, true)).toBe(0o010600)
    machine.stdout.terminal = true
    machine.call('close', 1)
    expect(machine.open('/dev/tty', Open.readWrite)).toBe(1)
    expect(machine.call('ioctl', 1, 0x5413, OUT)).toBe(0)
    expect(machine.view(OUT, 4).getUint16(0, true)).toBe(24)
    machine.call('write', 1, 'typed', 5)
    expect(machine.stdout.text).toBe('typed')
  })

  test('/dev', () => {
    const null_ = machine.open('/dev/null', Open.readWrite)
    expect(machine.call('read', null_, OUT, 10)).toBe(0)
    expect(machine.call('write', null_, OUT, 10)).toBe(10)
    const zero = machine.open('/dev/zero', Open.readWrite)
    machine.poke(OUT, bytesOf('xx'))
    expect(machine.call('read', zero, OUT, 200_000)).toBe(200_000)
    expect(text(OUT, 2)).toBe('\0\0')
    expect(machine.files.fileBacking(machine.process, zero)).toMatchObject({ object: 0, mappable: true })
    expect(machine.files.fileBacking(machine.process, null_)).toMatchObject({ mappable: false })
    const full = machine.open('/dev/full', Open.writeOnly)
    expect(machine.call('write', full, OUT, 1)).toBe(-ENOSPC)
    const random = machine.open('/dev/urandom')
    expect(machine.call('read', random, OUT, 4)).toBe(4)
    expect(text(OUT, 4)).toBe('ZZZZ')
    const stdout = machine.open('/dev/stdout', Open.writeOnly | Open.create | Open.truncate)
    machine.call('write', stdout, 'via dev', 7)
    expect(machine.stdout.text).toBe('via dev')
  })
})

describe('file numbers', () => {
  test('are the lowest free ones, shared by dup, closed by exec', () => {
    const first = machine.open('/etc/hostname')
    const second = machine.open('/etc/hostname', Open.closeOnExec)
    expect([first, second]).toEqual([3, 4])
    expect(machine.call('fcntl', second, 1)).toBe(1)
    expect(machine.call('fcntl', second, 3)).toBe(Open.largeFile)
    expect(machine.call('dup', first)).toBe(5)
    expect(machine.call('dup3', first, 9, Open.closeOnExec)).toBe(9)
    expect(machine.call('dup3', first, first, 0)).toBe(-EINVAL)
    expect(machine.call('dup3', 99, 10, 0)).toBe(-EBADF)
    expect(machine.call('dup3', first, 1024, 0)).toBe(-EBADF)
    expect(machine.call('fcntl', first, 0, 7)).toBe(7)
    expect(machine.call('fcntl', first, 1030, 7)).toBe(8)
    expect(machine.call('fcntl', first, 0, 1024)).toBe(-EINVAL)
    machine.call('lseek', first, 3, 0)
    expect(machine.readAll(5)).toBe('oda\n')
    machine.user.leaveProgram(machine.user.credentials)
    expect(machine.user.files.numbers()).toEqual([0, 1, 2, 3, 5, 7])
    expect(machine.call('close', 4)).toBe(-EBADF)
    expect(machine.open('/etc/hostname')).toBe(4)
    expect(machine.call('close_range', 4, 0xffff_ffff, 0)).toBe(0)
    expect(machine.user.files.numbers()).toEqual([0, 1, 2, 3])
  })

  test('end at RLIMIT_NOFILE', () => {
    machine.limits.set(7, 5)
    expect(machine.open('/etc/hostname')).toBe(3)
    expect(machine.open('/etc/hostname')).toBe(4)
    expect(machine.open('/etc/hostname')).toBe(-EMFILE)
    expect(machine.open('/etc/none')).toBe(-EMFILE)
    expect(machine.call('dup', 3)).toBe(-EMFILE)
    expect(machine.call('memfd_create', 'm', 0)).toBe(-EMFILE)
    machine.check()
  })

  test('a fork shares the open files and not the table', () => {
    const fd = machine.open('/etc/hostname')
    const child = machine.user.fork(false, false)
    machine.call('lseek', fd, 4, 0)
    expect(child.files.get(fd)).toBe(machine.user.files.get(fd))
    expect(child.closeNumber(fd)).toBe(0)
    expect(machine.readAll(fd)).toBe('da\n')
  })

  test('memfd_create: name, seals', () => {
    const fd = machine.call('memfd_create', 'scratch', 2)
    expect(fd).toBe(3)
    expect(machine.call('ftruncate', fd, 8192)).toBe(0)
    expect(machine.call('readlinkat', AT_FDCWD, '/proc/self/fd/3', OUT, 100)).toBe(24)
    expect(text(OUT, 24)).toBe('/memfd:scratch (deleted)')
    expect(machine.call('fcntl', fd, 1033, 2 | 4)).toBe(0)
    expect(machine.call('fcntl', fd, 1034)).toBe(6)
    expect(machine.call('ftruncate', fd, 1)).toBe(-EPERM)
    expect(machine.call('pwrite64', fd, 'abc', 3, 8191)).toBe(-EPERM)
    expect(machine.call('pwrite64', fd, 'abc', 3, 8192)).toBe(-EPERM)
    expect(machine.call('memfd_create', 'x'.repeat(250), 0)).toBe(-EINVAL)
    expect(machine.call('memfd_create', UNMAPPED, 0)).toBe(-EFAULT)
    expect(machine.call('memfd_create', 'x', 0x100)).toBe(-EINVAL)
    const sealed = machine.call('memfd_create', 'x', 0)
    expect(machine.call('fcntl', sealed, 1033, 2)).toBe(-EPERM)
    machine.check()
  })

  test('O_TMPFILE has no name until it gets one', () => {
    const temporary = Open.temporary | Open.directory
    const fd = machine.open('/tmp', temporary | Open.readWrite)
    machine.call('write', fd, 'kept', 4)
    expect(machine.names('/tmp')).toEqual([])
    expect(machine.open('/tmp', temporary)).toBe(-EINVAL)
    const linked = machine.call('linkat', AT_FDCWD, `/proc/self/fd/${fd}`, AT_FDCWD, '/tmp/named', 0x400)
    expect(linked).toBe(0)
    expect(machine.readFile('/tmp/named')).toBe('kept')
    machine.call('close', fd)
    machine.check()
  })

  test('flock keeps two open files apart', () => {
    const [one, two] = [machine.open('/etc/hostname'), machine.open('/etc/hostname')]
    expect(machine.call('flock', one, 2)).toBe(0)
    expect(machine.call('flock', two, 1 | 4)).toBe(-EAGAIN)
    expect(machine.call('flock', two, 1)).toBe(PARKED)
    expect(machine.call('flock', one, 1)).toBe(0)
    expect(machine.call('flock', two, 1)).toBe(0)
    machine.call('close', one)
    expect(machine.call('flock', two, 2 | 4)).toBe(0)
    expect(machine.call('flock', two, 3)).toBe(-EINVAL)
  })
})

describe('poll and select', () => {
  const pollFds = (...entries: [number, number][]) => {
    const view = new DataView(new ArrayBuffer(entries.length * 8))
    for (const [i, [fd, events]] of entries.entries()) {
      view.setInt32(i * 8, fd, true)
      view.setUint16(i * 8 + 4, events, true)
    }
    return new Uint8Array(view.buffer)
  }

  test('ready files answer at once', () => {
    const file = machine.open('/etc/hostname')
    machine.poke(OUT, pollFds([file, 5], [0, 1], [77, 1], [-1, 1], [1, 4]))
    expect(machine.call('ppoll', OUT, 5, 0, 0, 8)).toBe(4)
    const found = [0, 1, 2, 3, 4].map((i) => machine.view(OUT, 40).getUint16(i * 8 + 6, true))
    expect(found).toEqual([5, 1, 32, 0, 4])
  })

  test('a wait has a deadline and names the stream', () => {
    machine.stdin.isPending = true
    machine.poke(OUT, pollFds([0, 1]))
    expect(machine.call('ppoll', OUT, 1, 0, 0, 8)).toBe(PARKED)
    const timeout = new Uint8Array(16)
    expect(machine.call('ppoll', OUT, 1, timeout, 0, 8)).toBe(0)
    timeout[0] = 2
    expect(machine.call('ppoll', OUT, 1, timeout, 0, 8)).toBe(PARKED)
    expect(machine.parked.map(({ argument }) => argument)).toEqual([FileWait.stdin, FileWait.stdin])
    expect(machine.parked[1]!.deadline).toBeGreaterThan(2e9)
    timeout[15] = 0x80
    expect(machine.call('ppoll', OUT, 1, timeout, 0, 8)).toBe(-EINVAL)
    machine.poke(OUT, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0))
    expect(machine.call('pselect6', 1, OUT, 0, 0, 0, 0)).toBe(PARKED)
    machine.stdin.isPending = false
    expect(machine.call('pselect6', 1, OUT, 0, 0, 0, 0)).toBe(1)
    machine.poke(OUT, Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0))
    expect(machine.call('pselect6', 8, 0, OUT, 0, 0, 0)).toBe(-EBADF)
  })
})

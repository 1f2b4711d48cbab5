/** /proc: what is there, what it says, and that it follows the process. */
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { EINVAL, EIO, ENOENT, EPERM, ETXTBSY } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { ORDER_MAX } from '../../../frame/frame-allocator.js'
import { mapRegion } from '../../../space/map-region.js'
import { anonymous, frameOf, locked, peekPage, pokePage } from '../../../space/testing.js'
import { VM_READ, VM_WRITE } from '../../../space/vm-flags.js'
import { At, Open } from '../flags.js'
import { AT_FDCWD, FileMachine, OUT, UNMAPPED } from '../testing/file-machine.js'
import { MemoryHost } from '../testing/memory-host.js'

let machine: FileMachine
beforeEach(() => {
  machine = new FileMachine()
})

const readlink = (path: string) => {
  const count = machine.call('readlinkat', AT_FDCWD, path, OUT, 4096)
  return count < 0 ? count : String.fromCharCode(...machine.peek(OUT, count))
}

describe('/proc/self', () => {
  test('is the process that looks', () => {
    expect(readlink('/proc/self')).toBe('42')
    expect(readlink('/proc/thread-self')).toBe('42/task/42')
    expect(machine.readFile('/proc/thread-self/comm')).toBe('program\n')
    expect(machine.readFile('/proc/42/cmdline')).toBe('program\0--flag\0')
    expect(machine.readFile('/proc/self/environ')).toBe('HOME=/root\0')
    expect(readlink('/proc/self/exe')).toBe('/bin/program')
    expect(readlink('/proc/self/root')).toBe('/')
    expect(machine.readFile('/proc/43/comm')).toBe(-ENOENT)
    expect(machine.readFile('/proc/042/comm')).toBe(-ENOENT)
    expect(machine.names('/proc')).toContain('42')
    expect(machine.call('unlinkat', AT_FDCWD, '/proc/self', 0)).toBe(-EPERM)
  })

  test('arguments are where they were at one moment, though another hart says where else they are', () => {
    const { mm, space } = machine
    const { parts } = space
    const [start, end] = [parts.argumentsStart, parts.argumentsEnd]
    parts.argumentsStart = parts.argumentsEnd = start + 'program\0'.length // it has said the one and holds the lock
    const lock = vi.spyOn(mm.atomics, 'lock').mockImplementationOnce((...args) => {
      parts.argumentsEnd = end
      return mm.atomics.lock(...args)
    })
    expect(machine.readFile('/proc/self/cmdline')).toBe('--flag\0')
    expect(lock.mock.calls[0]![0]).toBe(space.lock)
  })

  test('exe is the program wherever its name goes, and nobody writes to it', () => {
    machine.call('renameat2', AT_FDCWD, '/bin/program', AT_FDCWD, '/tmp/new', 0)
    expect(readlink('/proc/self/exe')).toBe('/tmp/new')
    expect(machine.open('/tmp/new', Open.writeOnly)).toBe(-ETXTBSY)
    expect(machine.open('/tmp/new', Open.readOnly | Open.truncate)).toBe(-ETXTBSY)
    expect(machine.call('truncate', '/tmp/new', 1)).toBe(-ETXTBSY)
    machine.call('unlinkat', AT_FDCWD, '/tmp/new', 0)
    expect(readlink('/proc/self/exe')).toBe('/tmp/new (deleted)')
    expect(machine.open('/proc/self/exe', Open.readOnly)).toBeGreaterThanOrEqual(0)
    machine.user.close()
    expect(readlink('/proc/self/exe')).toBe(-ENOENT)
  })

  test('status, stat and statm agree on the pages in use', () => {
    const pages = (pattern: RegExp, name: string) =>
      Number(pattern.exec(machine.readFile(name) as string)![1])
    machine.space.counts.lockedPages = 3
    expect(pages(/^VmLck:\t +(\d+) kB$/m, '/proc/self/status')).toBe(12)
    machine.readFile('/proc/self/statm')
    const { rssPages, totalPages } = machine.space.counts
    expect(pages(/^VmRSS:\t +(\d+) kB$/m, '/proc/self/status')).toBe(rssPages * 4)
    expect(machine.readFile('/proc/self/statm')).toMatch(
      new RegExp(`^${totalPages} ${rssPages} 0 0 0 \\d+ 0\n$`),
    )
    const fields = (machine.readFile('/proc/self/stat') as string).trimEnd().split(' ')
    expect(fields.length).toBe(52)
    expect(fields.slice(0, 4)).toEqual(['42', '(program)', 'R', '1'])
    expect(Number(fields[22])).toBe(totalPages * PAGE_SIZE)
  })

  test('fd lists what is open, and its links open the file itself', () => {
    machine.writeFile('/tmp/f', 'contents')
    const fd = machine.open('/tmp/f', Open.readWrite)
    expect(machine.names('/proc/self/fd')).toEqual(['0', '1', '2', '3', '4'])
    expect(readlink(`/proc/self/fd/${fd}`)).toBe('/tmp/f')
    expect(readlink('/proc/self/fd/1')).toMatch(/^pipe:\[\d+\]$/)
    machine.call('unlinkat', AT_FDCWD, '/tmp/f', 0)
    expect(machine.readFile(`/proc/self/fd/${fd}`)).toBe('contents')
    expect(machine.readFile(`/proc/self/fdinfo/${fd}`)).toMatch(/^pos:\t0\nflags:\t0100002\n/)
    machine.call('close', fd)
    expect(machine.stat(`/proc/self/fd/${fd}`, At.symlinkNoFollow)).toBe(-ENOENT)
  })

  test('a text is one state for a reader in pieces, and new for one that starts again', () => {
    const fd = machine.open('/proc/self/comm', Open.readWrite)
    machine.call('read', fd, OUT, 4)
    Object.assign(machine.process, { name: 'changed' })
    expect(machine.readAll(fd)).toBe('ram\n')
    machine.call('lseek', fd, 0, 0)
    expect(machine.readAll(fd)).toBe('changed\n')
  })
})

describe('pagemap', () => {
  const PAGE = 0x1000
  const entry = (fd: number, page: number) => {
    expect(machine.call('pread64', fd, OUT, 8, page * 8)).toBe(8)
    const view = machine.view(OUT, 8)
    return { high: view.getUint32(4, true), frame: view.getUint32(0, true) }
  }

  test('tells pages that are there from those that are not', () => {
    const { mm, space } = machine
    locked(mm, space, () => mapRegion(mm, space, anonymous(PAGE, 4, VM_READ | VM_WRITE)))
    pokePage(mm, space, PAGE as never, 1)
    peekPage(mm, space, (PAGE + 1) as never)
    const fd = machine.open('/proc/self/pagemap')
    expect(entry(fd, PAGE)).toMatchObject({ high: 0x8100_0000 })
    expect(entry(fd, PAGE).frame).toBeGreaterThan(mm.arch.physBasePfn)
    expect(entry(fd, PAGE + 1)).toMatchObject({ high: 0x8000_0000 })
    expect(entry(fd, PAGE + 2)).toEqual({ high: 0, frame: 0 })
    expect(machine.call('pread64', fd, OUT, 12, 0)).toBe(-EINVAL)
    expect(machine.call('pread64', fd, OUT, 8, 4)).toBe(-EINVAL)
    expect(machine.call('pread64', fd, OUT, 80, (mm.arch.userEnd - 1) * 8)).toBe(8)
    expect(machine.call('pread64', fd, OUT, 8, mm.arch.userEnd * 8)).toBe(0)
  })
})

describe('kpagecount and kpageflags', () => {
  const entry = (name: string, frame: number) => {
    const fd = machine.open(name)
    expect(machine.call('pread64', fd, OUT, 8, frame * 8)).toBe(8)
    machine.call('close', fd)
    return machine.view(OUT, 8).getUint32(0, true)
  }

  test('say of each frame how many map it, and what it is', () => {
    const { mm, space } = machine
    locked(mm, space, () => mapRegion(mm, space, anonymous(0x1000, 1, VM_READ | VM_WRITE)))
    pokePage(mm, space, 0x1000 as never, 1)
    const pfn = frameOf(mm, space, 0x1000 as never)
    const base = mm.arch.physBasePfn
    expect(entry('/proc/kpagecount', base + pfn)).toBe(1)
    expect(entry('/proc/kpageflags', base + pfn) & 0x1800).toBe(0x1800)
    expect(entry('/proc/kpagecount', base)).toBe(0)
    expect(entry('/proc/kpageflags', base - 1)).toBe(1 << 20)
    const free = mm.buddy.allocate(0)
    mm.buddy.free(free, 0)
    expect(entry('/proc/kpageflags', base + free)).toBe(0)
    const blocks: number[] = []
    for (let order = 0; order <= ORDER_MAX; order++) {
      mm.buddy.zones.all[0]!.eachFree(order, (block) => blocks.push(block))
    }
    expect(blocks.length).toBeGreaterThan(0)
    for (const block of blocks) expect(entry('/proc/kpageflags', base + block)).toBe(1 << 10)
    const fd = machine.open('/proc/kpageflags')
    expect(machine.call('pread64', fd, OUT, 12, 0)).toBe(-EINVAL)
    expect(machine.call('pread64', fd, OUT, 8, (base + mm.frames.frameCount) * 8)).toBe(0)
  })
})

describe('/proc/PID/mem', () => {
  test('is the memory of the process, and nothing where there is none', () => {
    const fd = machine.open('/proc/self/mem', Open.readWrite)
    machine.poke(OUT + 100, new TextEncoder().encode('bytes'))
    expect(machine.call('pread64', fd, OUT, 5, OUT + 100)).toBe(5)
    expect(String.fromCharCode(...machine.peek(OUT, 5))).toBe('bytes')
    expect(machine.call('pwrite64', fd, 'XY', 2, OUT + 100)).toBe(2)
    expect(String.fromCharCode(...machine.peek(OUT + 100, 5))).toBe('XYtes')
    expect(machine.call('pread64', fd, OUT, 5, UNMAPPED)).toBe(-EIO)
  })
})

describe('smaps', () => {
  test('counts the pages of each mapping', () => {
    const text = machine.readFile('/proc/self/smaps') as string
    const sum = (name: string) =>
      [...text.matchAll(new RegExp(`^${name}: +(\\d+) kB$`, 'gm'))].reduce(
        (all, [, kib]) => all + Number(kib),
        0,
      )
    const { rssPages, totalPages } = machine.space.counts
    expect(sum('Size')).toBe(totalPages * 4)
    expect(Math.abs(sum('Rss') - rssPages * 4)).toBeLessThanOrEqual(8)
    expect(sum('Private_Dirty')).toBe(sum('Anonymous'))
    expect(text).toMatch(/^VmFlags: rd wr mr mw me ac $/m)
    expect(machine.readFile('/proc/self/smaps_rollup')).toMatch(/ ---p 00000000 00:00 0 +\[rollup\]\nRss: /)
  })
})

describe('the rest of /proc', () => {
  test('meminfo counts frames, mounts lists mounts', () => {
    const total = machine.mm.buddy.totalFrames() * 4
    expect(machine.readFile('/proc/meminfo')).toMatch(new RegExp(`^MemTotal: +${total} kB\n`))
    machine.files.mount('/data', new MemoryHost(), { readOnly: true, source: 'folder' })
    expect(machine.readFile('/proc/mounts')).toBe(
      'tmpfs / tmpfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\nsysfs /sys sysfs rw,relatime 0 0\ntmpfs /dev/shm tmpfs rw,relatime 0 0\nfolder /data 9p ro,relatime 0 0\n',
    )
  })

  test('drop_caches lets clean pages of files go, and only those', () => {
    const host = new MemoryHost()
    machine.files.mount('/data', host)
    machine.writeFile('/data/file', 'x'.repeat(10_000))
    const { objects } = machine.mm
    const before = objects.stats().pages
    const put = (text: string) => {
      const fd = machine.open('/proc/sys/vm/drop_caches', Open.writeOnly)
      const result = machine.call('write', fd, text, text.length)
      machine.call('close', fd)
      return result
    }
    expect([put('0'), put('5'), put('x'), put('')]).toEqual([-EINVAL, -EINVAL, -EINVAL, -EINVAL])
    const fd = machine.open('/data/file')
    machine.call('fsync', fd)
    machine.readAll(fd)
    const cached = objects.stats().pages
    expect(cached).toBeGreaterThanOrEqual(3)
    expect(put('3\n')).toBe(2)
    expect(objects.stats().pages).toBe(cached - 3)
    machine.call('lseek', fd, 0, 0)
    expect(machine.readAll(fd)).toBe('x'.repeat(10_000))
    expect(before).toBeLessThanOrEqual(cached)
    machine.mm.check()
  })

  test('every file can be read, and none is made up', () => {
    const visit = (path: string, depth: number): number => {
      let files = 0
      for (const name of machine.names(path) as string[]) {
        const found = machine.stat(`${path}/${name}`, At.symlinkNoFollow)
        if (/fd(info)?$/.test(path)) continue
        if (typeof found === 'number') throw new Error(`${path}/${name} is listed and is not there`)
        const type = found.mode & 0o170000
        if (type === 0o040000 && depth < 5) files += visit(`${path}/${name}`, depth + 1)
        if (
          type !== 0o100000 ||
          /^(pagemap|mem|kpage(count|flags))$/.test(name) ||
          (found.mode & 0o444) === 0
        )
          continue
        expect(typeof machine.readFile(`${path}/${name}`)).toBe('string')
        files++
      }
      return files
    }
    expect(visit('/proc', 0)).toBeGreaterThan(40)
    expect(machine.call('newfstatat', AT_FDCWD, '/proc/constructor', UNMAPPED, 0)).toBe(-ENOENT)
    expect(machine.call('newfstatat', AT_FDCWD, '/proc/self/toString', UNMAPPED, 0)).toBe(-ENOENT)
  })
})

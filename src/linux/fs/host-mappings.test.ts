/** Mapped files of a mounted folder when the host fails: no room, no reading, a file that somebody made shorter or removed. */
import { beforeEach, describe, expect, test } from 'vitest'
import { EIO, ENOSPC } from '../../base/errno.js'
import { PAGE_SIZE, pageOf } from '../../base/numbers.js'
import { Access, FaultResult } from '../../fault/access.js'
import { handleFault } from '../../fault/handle-fault.js'
import { unmapRange } from '../../space/unmap-range.js'
import { LockRank } from '../../state/atomics.js'
import { mapRequest } from '../../syscall/map.js'
import * as mman from '../../syscall/mman.js'
import { FileMachine, OUT } from './testing/file-machine.js'
import { type HostNode, MemoryHost } from './testing/memory-host.js'

const READ_WRITE = 2
/** POSIX_FADV_DONTNEED. */
const DONTNEED = 4
const PAGES = 4
const DOTS = '.'.repeat(PAGES * PAGE_SIZE)

let machine: FileMachine
let host: MemoryHost
let node: HostNode
let fd: number
let map: number

beforeEach(() => {
  machine = new FileMachine()
  host = new MemoryHost()
  node = host.put('file', DOTS)
  machine.files.mount('/mnt', host)
  fd = machine.open('/mnt/file', READ_WRITE)
  map = mapShared(fd)
})

function mapShared(file: number): number {
  const backing = machine.files.fileBacking(machine.process, file)
  if (typeof backing === 'number') throw new Error('the file is open')
  const prot = mman.PROT_READ | mman.PROT_WRITE
  const request = {
    page: 0,
    misaligned: 0,
    pages: PAGES,
    prot,
    unknownFlags: false,
    file: backing,
    offset: 0,
  }
  return mapRequest(machine.mm, machine.space, { ...request, flags: mman.MAP_SHARED })
}

function unmap(): void {
  const { mm, space } = machine
  mm.atomics.lock(space.lock, LockRank.space)
  unmapRange(mm, space, pageOf(map), pageOf(map + PAGES * PAGE_SIZE))
  mm.atomics.unlock(space.lock, LockRank.space)
}

const store = (page: number, text: string) =>
  machine.poke(map + page * PAGE_SIZE, new TextEncoder().encode(text))
const onHost = (page: number) => String.fromCharCode(node.bytes[page * PAGE_SIZE]!)
const touch = (page: number, access: Access) =>
  handleFault(machine.mm, machine.space, pageOf(map + page * PAGE_SIZE), access)

describe('a host without room', () => {
  test('fsync tells each open file once for each failure, and what was changed is written later', () => {
    const other = machine.open('/mnt/file', READ_WRITE)
    store(1, 'X')
    host.failures.set('write', -ENOSPC)
    expect(machine.call('fsync', fd)).toBe(-ENOSPC)
    expect(machine.call('sync')).toBe(0)
    host.failures.clear()
    expect(onHost(1)).toBe('.')
    expect(machine.call('fsync', fd)).toBe(-ENOSPC)
    expect(onHost(1)).toBe('X')
    expect(machine.call('fsync', fd)).toBe(0)
    expect(machine.call('fdatasync', other)).toBe(-ENOSPC)
    expect(machine.call('fdatasync', other)).toBe(0)
    const late = machine.open('/mnt/file', READ_WRITE)
    expect(machine.call('fsync', late)).toBe(0)
    machine.check()
  })

  test('an error that nobody has seen is news for who opens the file later', () => {
    store(0, 'X')
    host.failures.set('write', -EIO)
    machine.call('sync')
    host.failures.clear()
    const late = machine.open('/mnt/file', READ_WRITE)
    expect(machine.call('fsync', late)).toBe(-EIO)
    expect(machine.call('fsync', fd)).toBe(-EIO)
    expect(machine.call('fsync', fd)).toBe(0)
  })

  test('sync_file_range and syncfs report it, a range writes no other page', () => {
    store(0, 'A')
    store(3, 'B')
    host.failures.set('write', -ENOSPC)
    expect(machine.call('sync_file_range', fd, 0, PAGE_SIZE, 2)).toBe(-ENOSPC)
    expect(machine.call('syncfs', fd)).toBe(-ENOSPC)
    host.failures.clear()
    expect(machine.call('sync_file_range', fd, 0, PAGE_SIZE, 0)).toBe(0)
    expect(onHost(0)).toBe('.')
    expect(machine.call('sync_file_range', fd, PAGE_SIZE - 1, 1, 2)).toBe(-ENOSPC)
    expect([onHost(0), onHost(3)]).toEqual(['A', '.'])
    expect(machine.call('syncfs', fd)).toBe(0)
    expect(onHost(3)).toBe('B')
  })

  test('closing and unmapping do not lose what could not be written', () => {
    store(2, 'X')
    host.failures.set('write', -ENOSPC)
    machine.call('close', fd)
    unmap()
    for (let i = 0; i < 50; i++) {
      host.put(`other${i}`, 'text')
      machine.call('close', machine.open(`/mnt/other${i}`))
    }
    expect(machine.files.sync()).toBe(-ENOSPC)
    host.failures.clear()
    expect(machine.files.sync()).toBe(0)
    expect(onHost(2)).toBe('X')
    expect(machine.files.sync()).toBe(0)
    machine.check()
  })
})

describe('the last view of a closed file', () => {
  test('is written when it goes', () => {
    machine.call('close', fd)
    store(1, 'X')
    expect(onHost(1)).toBe('.')
    unmap()
    expect(onHost(1)).toBe('X')
    machine.check()
  })

  test('goes with its space', () => {
    const child = machine.mm.spaces.clone(machine.space.ptr)
    machine.call('close', fd)
    store(1, 'X')
    unmap()
    expect(onHost(1)).toBe('.')
    machine.mm.spaces.release(child)
    expect(onHost(1)).toBe('X')
  })
})

describe('a file that changed behind our back', () => {
  test('made shorter: SIGBUS and the end of the file, but what was there stays', () => {
    store(3, 'X')
    // All others were read with it.
    expect(machine.call('fadvise64', fd, 0, 3 * PAGE_SIZE, DONTNEED)).toBe(0)
    node.bytes = node.bytes.slice(0, PAGE_SIZE)
    expect(touch(0, Access.read)).toBe(FaultResult.ok)
    expect(touch(1, Access.read)).toBe(FaultResult.bus)
    expect(touch(2, Access.write)).toBe(FaultResult.bus)
    expect(machine.call('pread64', fd, OUT, 10, PAGE_SIZE)).toBe(0)
    expect(machine.call('pread64', fd, OUT, 2 * PAGE_SIZE, 0)).toBe(PAGE_SIZE)
    expect(machine.call('fsync', fd)).toBe(0)
    expect(onHost(3)).toBe('X')
    expect(touch(1, Access.read)).toBe(FaultResult.ok)
    machine.check()
  })

  test('removed: its bytes are there as long as somebody has it', () => {
    host.unlink('file')
    store(1, 'X')
    expect(machine.call('fsync', fd)).toBe(0)
    expect(onHost(1)).toBe('X')
    expect(touch(2, Access.read)).toBe(FaultResult.ok)
  })

  test('that cannot be read: EIO and SIGBUS, and the next try may succeed', () => {
    host.failures.set('read', -EIO)
    expect(machine.call('pread64', fd, OUT, 10, 0)).toBe(-EIO)
    expect(touch(1, Access.read)).toBe(FaultResult.bus)
    expect(touch(1, Access.write)).toBe(FaultResult.bus)
    host.failures.clear()
    expect(touch(1, Access.write)).toBe(FaultResult.ok)
    machine.check()
  })
})

describe('POSIX_FADV_DONTNEED', () => {
  const advise = (offset: number, length: number) => machine.call('fadvise64', fd, offset, length, DONTNEED)
  const cached = (): number => {
    const backing = machine.files.fileBacking(machine.process, fd)
    if (typeof backing === 'number') throw new Error('the file is open')
    return machine.mm.objects.pages(backing.object)
  }
  const readAll = () => machine.call('pread64', fd, OUT, 2 * PAGE_SIZE, 0) + fetchRest()
  const fetchRest = () => machine.call('readahead', fd, 2 * PAGE_SIZE, 2 * PAGE_SIZE)

  test('whole pages leave the cache, and are read again', () => {
    readAll()
    expect(cached()).toBe(PAGES)
    expect(advise(1, 2 * PAGE_SIZE - 1)).toBe(0)
    expect(cached()).toBe(PAGES - 1)
    expect(advise(2 * PAGE_SIZE, PAGE_SIZE - 1)).toBe(0)
    expect(cached()).toBe(PAGES - 1)
    expect(advise(0, 0)).toBe(0)
    expect(cached()).toBe(0)
    node.bytes.fill('B'.charCodeAt(0))
    expect(touch(1, Access.read)).toBe(FaultResult.ok)
    expect(machine.peek(map + PAGE_SIZE, 1)).toEqual(new TextEncoder().encode('B'))
    machine.check()
  })

  test('of the last page only as much has to be meant as there is', () => {
    expect(machine.call('ftruncate', fd, PAGE_SIZE + 10)).toBe(0)
    expect(machine.call('pread64', fd, OUT, 2 * PAGE_SIZE, 0)).toBe(PAGE_SIZE + 10)
    expect(advise(PAGE_SIZE, 9)).toBe(0)
    expect(cached()).toBe(2)
    expect(advise(PAGE_SIZE, 10)).toBe(0)
    expect(cached()).toBe(1)
  })

  test('pages that are mapped stay, changed ones are written', () => {
    readAll()
    expect(touch(0, Access.read)).toBe(FaultResult.ok)
    store(3, 'X')
    expect(onHost(3)).toBe('.')
    expect(advise(0, 0)).toBe(0)
    expect(onHost(3)).toBe('X')
    expect(cached()).toBeGreaterThanOrEqual(2)
    unmap()
    expect(advise(0, 0)).toBe(0)
    expect(cached()).toBe(0)
    machine.check()
  })

  test('what cannot be written stays', () => {
    store(1, 'X')
    host.failures.set('write', -ENOSPC)
    unmap()
    expect(advise(0, 0)).toBe(0)
    expect(cached()).toBe(1)
    host.failures.clear()
    expect(advise(0, 0)).toBe(0)
    expect([cached(), onHost(1)]).toEqual([0, 'X'])
    machine.check()
  })
})

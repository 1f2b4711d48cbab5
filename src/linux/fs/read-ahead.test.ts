import { describe, expect, test } from 'vitest'
import { EIO } from '../../base/errno.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { SEED } from '../../base/testing.js'
import type { HostDirectory } from './host-directory.js'
import { ReadAhead } from './read-ahead.js'

/** Files of a host that counts what it is asked for. */
class CountingHost {
  calls = 0

  constructor(readonly files: Uint8Array[]) {}

  read(handle: number, offset: number, target: Uint8Array): number {
    this.calls++
    const bytes = this.files[handle]!.subarray(offset, offset + target.length)
    target.set(bytes)
    return bytes.length
  }
}

const asHost = (host: { read: HostDirectory['read'] }) => host as HostDirectory

function filled(pages: number, seed: number): Uint8Array {
  const random = new Random(seed)
  return Uint8Array.from({ length: pages * PAGE_SIZE }, () => random.below(256))
}

describe('read-ahead', () => {
  test('a file that is read in order costs one call for 32 pages', () => {
    const host = new CountingHost([filled(100, 1)])
    const ahead = new ReadAhead()
    const page = new Uint8Array(PAGE_SIZE)
    for (let offset = 0; offset < 100 * PAGE_SIZE; offset += PAGE_SIZE) {
      expect(ahead.read(asHost(host), 0, offset, page)).toBe(PAGE_SIZE)
      expect(page).toEqual(host.files[0]!.subarray(offset, offset + PAGE_SIZE))
    }
    expect(host.calls).toBe(4)
  })

  test('pages out of order are read alone', () => {
    const sizes: number[] = []
    const host = asHost({ read: (_handle, _offset, target) => sizes.push(target.length) && target.length })
    const ahead = new ReadAhead()
    for (const index of [7, 3, 50]) ahead.read(host, 0, index * PAGE_SIZE, new Uint8Array(PAGE_SIZE))
    expect(sizes).toEqual([PAGE_SIZE, PAGE_SIZE, PAGE_SIZE])
  })

  test('what is asked for again is read again', () => {
    const host = new CountingHost([filled(8, 1)])
    const ahead = new ReadAhead()
    const page = new Uint8Array(PAGE_SIZE)
    for (const index of [0, 1, 2]) ahead.read(asHost(host), 0, index * PAGE_SIZE, page)
    host.files[0]!.fill(7)
    ahead.read(asHost(host), 0, PAGE_SIZE, page)
    expect(page.every((byte) => byte === 7)).toBe(true)
  })

  test('what a file has grown by is seen', () => {
    const whole = filled(2, 1)
    const host = new CountingHost([whole.slice(0, PAGE_SIZE + 100)])
    const ahead = new ReadAhead()
    const page = new Uint8Array(PAGE_SIZE)
    ahead.read(asHost(host), 0, 0, page)
    host.files[0] = whole
    expect(ahead.read(asHost(host), 0, PAGE_SIZE, page)).toBe(PAGE_SIZE)
    expect(page).toEqual(whole.subarray(PAGE_SIZE))
  })

  test('a change that is told is seen', () => {
    const host = new CountingHost([filled(4, 1)])
    const ahead = new ReadAhead()
    const page = new Uint8Array(PAGE_SIZE)
    ahead.read(asHost(host), 0, 0, page)
    host.files[0]!.fill(9)
    ahead.forget()
    ahead.read(asHost(host), 0, PAGE_SIZE, page)
    expect(page.every((byte) => byte === 9)).toBe(true)
  })

  test('a host that says it read more than it was asked for is not believed', () => {
    const host = asHost({ read: (_handle, _offset, target) => target.length + 1 })
    expect(new ReadAhead().read(host, 0, 0, new Uint8Array(PAGE_SIZE))).toBe(-EIO)
  })

  test('files read by turns and anywhere have their own contents', () => {
    const host = new CountingHost([filled(70, 2), filled(40, 3), filled(1, 4)])
    const ahead = new ReadAhead()
    const random = new Random(SEED)
    const places = [0, 0, 0]
    for (let step = 0; step < 1000; step++) {
      const handle = random.below(3)
      const pages = host.files[handle]!.length / PAGE_SIZE
      const index = random.below(8) === 0 ? random.below(pages + 1) : places[handle]!
      const page = new Uint8Array(PAGE_SIZE)
      const count = ahead.read(asHost(host), handle, index * PAGE_SIZE, page)
      const expected = host.files[handle]!.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE)
      expect(count, `seed ${SEED}, step ${step}`).toBe(expected.length)
      expect(Buffer.compare(page.subarray(0, count), expected)).toBe(0)
      places[handle] = index < pages ? index + 1 : 0
    }
  })
})

/**
 * Random reads, writes, stores, loads, truncations, holes, syncs and forks on mapped files of every kind, against plain arrays of
 * bytes. Checked after every step; what a folder of the host has in the end is compared, too.
 */
import { describe, expect, test } from 'vitest'
import { NULL, PAGE_SIZE, type Ptr } from '../../base/numbers.js'
import { Random } from '../../base/random.js'
import { copyFromUser, copyToUser } from '../../fault/user-copy.js'
import { AddressSpace } from '../../space/address-space.js'
import { mapRequest } from '../../syscall/map.js'
import * as mman from '../../syscall/mman.js'
import { FileMachine, OUT } from './testing/file-machine.js'
import { MemoryHost } from './testing/memory-host.js'

const PAGES = 6
const BYTES = PAGES * PAGE_SIZE
const READ_WRITE = 0o102
const KEEP_SIZE = 1
const PUNCH = 3

/** What a file should hold. Bytes behind the end are what a mapping shows of the last page. */
interface ModelFile {
  readonly path: string
  readonly fd: number
  /** Stores behind the end are forgotten when it grows: all but tmpfs. */
  readonly zeroesGrowth: boolean
  readonly mayPunch: boolean
  readonly bytes: Uint8Array
  size: number
  /** Where it is mapped, shared and privately: the same in every process. */
  readonly shared: number
  readonly own: number
}

/** A process: its pages that are copies, by file and page. */
interface ModelSpace {
  readonly space: AddressSpace
  readonly copies: Map<string, Uint8Array>
}

class Trial {
  readonly machine: FileMachine
  readonly mounted = new MemoryHost()
  readonly files: ModelFile[] = []
  spaces: ModelSpace[]
  readonly #random: Random

  constructor(seed: number) {
    const root = new MemoryHost()
    root.put('below', 'x'.repeat(2 * PAGE_SIZE + 100))
    this.mounted.put('b', 'y'.repeat(3 * PAGE_SIZE + 7))
    this.machine = new FileMachine(8, '/', [root])
    this.machine.files.mount('/mnt', this.mounted)
    this.#random = new Random(seed)
    this.spaces = [{ space: this.machine.space, copies: new Map() }]
    this.#open('/tmp/a', '', true)
    this.#open('/below', 'x'.repeat(2 * PAGE_SIZE + 100), true)
    this.#open('/mnt/b', 'y'.repeat(3 * PAGE_SIZE + 7), false)
    this.#open('/mnt/c', '', false)
  }

  #open(path: string, text: string, mayPunch: boolean): void {
    const fd = this.machine.open(path, READ_WRITE)
    expect(fd).toBeGreaterThan(2)
    const bytes = new Uint8Array(BYTES)
    bytes.set(new TextEncoder().encode(text))
    const shared = this.#map(fd, mman.MAP_SHARED)
    const own = this.#map(fd, mman.MAP_PRIVATE)
    const zeroesGrowth = path !== '/tmp/a'
    this.files.push({ path, fd, zeroesGrowth, mayPunch, bytes, size: text.length, shared, own })
  }

  #map(fd: number, flags: number): number {
    const file = this.machine.files.fileBacking(this.machine.process, fd)
    if (typeof file === 'number') throw new Error('the file is open')
    const prot = mman.PROT_READ | mman.PROT_WRITE
    const request = {
      page: 0,
      misaligned: 0,
      pages: PAGES,
      prot,
      flags,
      unknownFlags: false,
      file,
      offset: 0,
    }
    return mapRequest(this.machine.mm, this.machine.space, request)
  }

  step(label: string): void {
    const file = this.#random.pick(this.files)
    const what = this.#random.below(20)
    if (what < 3) this.#write(file, label)
    else if (what < 5) this.#read(file, label)
    else if (what < 10) this.#store(file, label)
    else if (what < 13) this.#load(file, label)
    else if (what === 13) this.#truncate(file, label)
    else if (what === 14) this.#allocate(file, label)
    else if (what === 15) this.#punch(file, label)
    else if (what === 16) this.#sync(file, label)
    else if (what === 17) this.#fork()
    else if (what === 18) this.#exit()
    else this.#append(file, label)
  }

  #range(): { offset: number; length: number } {
    const offset = this.#random.below(BYTES)
    return { offset, length: Math.min(this.#random.below(2 * PAGE_SIZE), BYTES - offset) }
  }

  #noise(length: number): Uint8Array {
    const first = this.#random.below(256)
    return new Uint8Array(length).map((_, i) => first + i * 7)
  }

  /** The file becomes larger; of what is new, the part from `written` on has its contents already. */
  #grow(file: ModelFile, size: number, written: number): void {
    if (size <= file.size) return
    const pageEnd = Math.ceil(file.size / PAGE_SIZE) * PAGE_SIZE
    if (file.zeroesGrowth && written > file.size) file.bytes.fill(0, file.size, Math.min(written, pageEnd))
    file.size = size
  }

  #write(file: ModelFile, label: string): void {
    const { offset, length } = this.#range()
    const bytes = this.#noise(length)
    this.machine.poke(OUT, bytes)
    expect(this.machine.call('pwrite64', file.fd, OUT, length, offset), label).toBe(length)
    if (length === 0) return
    this.#grow(file, offset + length, offset)
    file.bytes.set(bytes, offset)
  }

  #append(file: ModelFile, label: string): void {
    const bytes = this.#noise(Math.min(50, BYTES - file.size))
    const fd = this.machine.open(file.path, 0o2001)
    this.machine.poke(OUT, bytes)
    expect(this.machine.call('write', fd, OUT, bytes.length), label).toBe(bytes.length)
    this.machine.call('close', fd)
    if (bytes.length === 0) return
    const at = file.size
    this.#grow(file, at + bytes.length, at)
    file.bytes.set(bytes, at)
  }

  #read(file: ModelFile, label: string): void {
    const { offset, length } = this.#range()
    const expected = Math.max(0, Math.min(length, file.size - offset))
    expect(this.machine.call('pread64', file.fd, OUT, length, offset), label).toBe(expected)
    const seen = this.machine.peek(OUT, expected)
    const wanted = file.bytes.subarray(offset, offset + expected)
    expect(Buffer.compare(seen, wanted), `${label} read of ${file.path} at ${offset}`).toBe(0)
  }

  #isThere(file: ModelFile, offset: number): boolean {
    return offset < Math.ceil(file.size / PAGE_SIZE) * PAGE_SIZE
  }

  /** One byte, through a mapping of either kind in any process. */
  #store(file: ModelFile, label: string): void {
    const who = this.#random.pick(this.spaces)
    const offset = this.#random.below(BYTES)
    const byte = this.#random.below(256)
    const isShared = this.#random.chance(0.7)
    const address = (isShared ? file.shared : file.own) + offset
    const done = copyToUser(this.machine.mm, who.space, address, Uint8Array.of(byte))
    expect(done === 0, label).toBe(this.#isThere(file, offset))
    if (done !== 0) return
    if (isShared) file.bytes[offset] = byte
    else this.#copyOf(who, file, offset)[offset % PAGE_SIZE] = byte
  }

  #copyOf(who: ModelSpace, file: ModelFile, offset: number): Uint8Array {
    const page = Math.floor(offset / PAGE_SIZE)
    const key = `${file.path}:${page}`
    const known = who.copies.get(key)
    if (known !== undefined) return known
    const copy = file.bytes.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)
    who.copies.set(key, copy)
    return copy
  }

  #load(file: ModelFile, label: string): void {
    const who = this.#random.pick(this.spaces)
    const offset = this.#random.below(BYTES)
    const isShared = this.#random.chance(0.6)
    const seen = new Uint8Array(1)
    const done = copyFromUser(this.machine.mm, who.space, (isShared ? file.shared : file.own) + offset, seen)
    expect(done === 0, label).toBe(this.#isThere(file, offset))
    if (done !== 0) return
    const copy = who.copies.get(`${file.path}:${Math.floor(offset / PAGE_SIZE)}`)
    const wanted = isShared || copy === undefined ? file.bytes[offset] : copy[offset % PAGE_SIZE]
    expect(seen[0], `${label} load of ${file.path} at ${offset}`).toBe(wanted)
  }

  #truncate(file: ModelFile, label: string): void {
    const size = this.#random.below(BYTES + 1)
    expect(this.machine.call('ftruncate', file.fd, size), label).toBe(0)
    if (size >= file.size) {
      this.#grow(file, size, size)
      return
    }
    file.bytes.fill(0, size)
    file.size = size
    const kept = Math.ceil(size / PAGE_SIZE)
    for (const { copies } of this.spaces) {
      for (let page = kept; page < PAGES; page++) copies.delete(`${file.path}:${page}`)
    }
  }

  #allocate(file: ModelFile, label: string): void {
    const { offset, length } = this.#range()
    const mode = this.#random.pick([0, KEEP_SIZE])
    if (length === 0) return
    expect(this.machine.call('fallocate', file.fd, mode, offset, length), label).toBe(0)
    if (mode === 0) this.#grow(file, offset + length, offset + length)
  }

  #punch(file: ModelFile, label: string): void {
    const { offset, length } = this.#range()
    if (length === 0) return
    const result = this.machine.call('fallocate', file.fd, PUNCH, offset, length)
    expect(result === 0, label).toBe(file.mayPunch)
    if (result === 0) file.bytes.fill(0, offset, offset + length)
  }

  #sync(file: ModelFile, label: string): void {
    const result = this.#random.chance(0.5)
      ? this.machine.call('fsync', file.fd)
      : this.machine.call('sync_file_range', file.fd, this.#random.below(BYTES), 3 * PAGE_SIZE, 7)
    expect(result, label).toBe(0)
  }

  #fork(): void {
    const parent = this.#random.pick(this.spaces)
    const child = this.spaces.length < 4 ? this.machine.mm.spaces.clone(parent.space.ptr) : NULL
    if (child === NULL) return
    const copies = new Map([...parent.copies].map(([key, copy]) => [key, copy.slice()] as const))
    this.spaces.push({ space: new AddressSpace(this.machine.mm.memory, child as Ptr), copies })
  }

  #exit(): void {
    if (this.spaces.length < 2) return
    const [gone] = this.spaces.splice(1 + this.#random.below(this.spaces.length - 1), 1)
    this.machine.mm.spaces.release(gone!.space.ptr)
  }

  /** Every file reads as it should, and every private copy is what it was. */
  expectContents(label: string): void {
    for (const { path, fd, bytes, size } of this.files) {
      expect(this.machine.call('pread64', fd, OUT, BYTES, 0), `${label} ${path}`).toBe(size)
      const same = Buffer.compare(this.machine.peek(OUT, size), bytes.subarray(0, size))
      expect(same, `${label} contents of ${path}`).toBe(0)
    }
    for (const who of this.spaces) this.#expectCopies(who, label)
  }

  #expectCopies({ space, copies }: ModelSpace, label: string): void {
    const seen = new Uint8Array(PAGE_SIZE)
    for (const [key, copy] of copies) {
      const cut = key.lastIndexOf(':')
      const file = this.files.find(({ path }) => path === key.slice(0, cut))!
      const address = file.own + Number(key.slice(cut + 1)) * PAGE_SIZE
      expect(copyFromUser(this.machine.mm, space, address, seen), label).toBe(0)
      expect(Buffer.compare(seen, copy), `${label} copy ${key}`).toBe(0)
    }
  }

  /** The host has what the files hold. */
  expectWritten(label: string): void {
    expect(this.machine.files.sync(), label).toBe(0)
    for (const { path, bytes, size } of this.files.filter((file) => file.path.startsWith('/mnt/'))) {
      const node = this.mounted.root.children.get(path.slice('/mnt/'.length))!
      expect(node.bytes.length, `${label} ${path}`).toBe(size)
      expect(Buffer.compare(node.bytes, bytes.subarray(0, size)), `${label} ${path}`).toBe(0)
    }
  }
}

describe('mapped files of tmpfs, overlay and host', () => {
  const first = Number(process.env.PAGODA_SEED ?? 1)
  const steps = Number(process.env.PAGODA_FUZZ_STEPS ?? 400)
  test.each([first, first + 1, first + 2])('agree with arrays of bytes, seed %d', (seed) => {
    const trial = new Trial(seed)
    for (let step = 0; step < steps; step++) {
      const label = `seed ${seed} step ${step}`
      trial.step(label)
      trial.expectContents(label)
      if (step % 10 === 0) trial.machine.check()
      if (step % 100 === 99) trial.expectWritten(label)
    }
    trial.expectWritten(`seed ${seed}`)
    trial.machine.check()
  })
})

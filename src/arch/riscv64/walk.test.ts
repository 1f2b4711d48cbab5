import { beforeEach, describe, expect, test } from 'vitest'
import type { Pfn } from '../../base/numbers.js'
import { Memory } from '../../state/memory.js'
import { type WalkRequest, walkRiscv64 } from './walk.js'

const memory = Memory.allocate(8 * 2 ** 20, false)
const [ROOT, MIDDLE, LOWER] = [1, 2, 3]
/** VPN[2] = 1, VPN[1] = 2, VPN[0] = 3, offset 0x456. */
const ADDRESS = 0x4040_3456n
const [V, R, W, X, U, G, A, D] = [1n, 2n, 4n, 8n, 16n, 32n, 64n, 128n]
/** Page number 0x80010 with R, W, X, U, A and D. */
const PAGE = (0x80010n << 10n) | V | R | W | X | U | A | D

function store(table: number, index: number, entry: bigint): void {
  const word = table * 1024 + index * 2
  memory.u32[word] = Number(entry & 0xffff_ffffn)
  memory.u32[word + 1] = Number((entry >> 32n) & 0xffff_ffffn)
}

const pointer = (table: number): bigint => ((0x80000n + BigInt(table)) << 10n) | V
const leaf = (entry: bigint) => store(LOWER, 3, entry)

function walk(changes: Partial<WalkRequest> = {}): string {
  const result = walkRiscv64(memory, {
    root: ROOT as Pfn,
    address: ADDRESS,
    access: 'read',
    user: true,
    ...changes,
  })
  return result.status === 'ok' ? `${result.physical.toString(16)} level ${result.level}` : result.status
}

beforeEach(() => {
  memory.u32.fill(0, 0, 16 * 1024)
  store(ROOT, 1, pointer(MIDDLE))
  store(MIDDLE, 2, pointer(LOWER))
  leaf(PAGE)
})

test('three levels lead to the page', () => {
  expect(walk()).toBe('80010456 level 0')
})

test('an entry that is not valid is a page fault at any level', () => {
  store(LOWER, 3, PAGE & ~V)
  expect(walk()).toBe('page-fault')
  leaf(PAGE)
  store(MIDDLE, 2, pointer(LOWER) & ~V)
  expect(walk()).toBe('page-fault')
})

test('a chain without a leaf at level 0 is a page fault', () => {
  leaf(pointer(5))
  expect(walk()).toBe('page-fault')
})

test('bits 63 to 39 of the address must equal bit 38', () => {
  expect(walk({ address: ADDRESS | (1n << 39n) })).toBe('page-fault')
  expect(walk({ address: 1n << 38n })).toBe('page-fault')
  store(ROOT, 257, pointer(MIDDLE))
  expect(walk({ address: ADDRESS | (0xffff_ffc0n << 32n) })).toBe('80010456 level 0')
})

test.each([54n, 57n, 60n, 61n, 62n, 63n])(
  'reserved bit %i is a page fault in a leaf and in a pointer',
  (bit) => {
    leaf(PAGE | (1n << bit))
    expect(walk()).toBe('page-fault')
    leaf(PAGE)
    store(MIDDLE, 2, pointer(LOWER) | (1n << bit))
    expect(walk()).toBe('page-fault')
  },
)

test.each([
  ['A', A],
  ['D', D],
  ['U', U],
])('%s in a pointer to a table is reserved', (_, bit) => {
  store(ROOT, 1, pointer(MIDDLE) | bit)
  expect(walk()).toBe('page-fault')
})

test('G in a pointer and the software bits are allowed', () => {
  store(ROOT, 1, pointer(MIDDLE) | G | 0x300n)
  leaf(PAGE | 0x300n | G)
  expect(walk()).toBe('80010456 level 0')
})

test('W without R is reserved', () => {
  for (const x of [0n, X]) {
    leaf((PAGE & ~(R | X)) | x)
    for (const access of ['read', 'write', 'execute'] as const) expect(walk({ access })).toBe('page-fault')
  }
})

describe('superpages', () => {
  test('2 MiB: the rest of the address is offset', () => {
    store(MIDDLE, 2, (0x80200n << 10n) | (PAGE & 0xffn))
    expect(walk()).toBe('80203456 level 1')
  })
  test('1 GiB', () => {
    store(ROOT, 1, (0x80000n << 10n) | (PAGE & 0xffn))
    expect(walk()).toBe('80403456 level 2')
  })
  test.each([1n, 0x100n])('2 MiB misaligned by 0x%i pages', (off) => {
    store(MIDDLE, 2, ((0x80200n + off) << 10n) | (PAGE & 0xffn))
    expect(walk()).toBe('page-fault')
  })
  test.each([1n, 0x200n, 0x20000n])('1 GiB misaligned by 0x%i pages', (off) => {
    store(ROOT, 1, ((0x80000n + off) << 10n) | (PAGE & 0xffn))
    expect(walk()).toBe('page-fault')
  })
})

describe('permissions', () => {
  test.each([
    [R, ['read']],
    [R | W, ['read', 'write']],
    [X, ['execute']],
    [R | X, ['read', 'execute']],
    [R | W | X, ['read', 'write', 'execute']],
  ])('bits %i allow %s', (bits, allowed) => {
    leaf((PAGE & ~(R | W | X)) | bits)
    for (const access of ['read', 'write', 'execute'] as const) {
      expect(walk({ access }) !== 'page-fault').toBe(allowed.includes(access))
    }
  })
  test('MXR lets loads read what is executable only, and nothing else', () => {
    leaf(PAGE & ~(R | W))
    expect(walk({ mxr: true })).toBe('80010456 level 0')
    expect(walk({ access: 'write', mxr: true })).toBe('page-fault')
  })
  test('user mode has no use of supervisor pages', () => {
    leaf(PAGE & ~U)
    expect(walk()).toBe('page-fault')
    expect(walk({ user: false })).toBe('80010456 level 0')
  })
  test('SUM lets the supervisor load and store user pages, never run them', () => {
    expect(walk({ user: false })).toBe('page-fault')
    expect(walk({ user: false, sum: true })).toBe('80010456 level 0')
    expect(walk({ user: false, sum: true, access: 'write' })).toBe('80010456 level 0')
    expect(walk({ user: false, sum: true, access: 'execute' })).toBe('page-fault')
  })
})

describe('accessed and dirty', () => {
  const bits = () => BigInt(memory.u32[LOWER * 1024 + 6]!) & (A | D)
  test('Svade: a page fault where they are missing', () => {
    leaf(PAGE & ~(A | D))
    expect(walk()).toBe('page-fault')
    leaf(PAGE & ~D)
    expect(walk()).toBe('80010456 level 0')
    expect(walk({ access: 'write' })).toBe('page-fault')
  })
  test('Svadu: a load sets A, a store sets both', () => {
    leaf(PAGE & ~(A | D))
    expect(walk({ updateAccessedDirty: true })).toBe('80010456 level 0')
    expect(bits()).toBe(A)
    expect(walk({ access: 'write', updateAccessedDirty: true })).toBe('80010456 level 0')
    expect(bits()).toBe(A | D)
  })
  test('what is not allowed sets nothing', () => {
    leaf(PAGE & ~(A | D | W))
    expect(walk({ access: 'write', updateAccessedDirty: true })).toBe('page-fault')
    expect(bits()).toBe(0n)
  })
})

test('a table outside RAM is an access fault', () => {
  for (const pageNumber of [0x7ffffn, 0x80000n + 2048n, (1n << 44n) - 1n]) {
    store(ROOT, 1, (pageNumber << 10n) | V)
    expect(walk()).toBe('access-fault')
  }
})

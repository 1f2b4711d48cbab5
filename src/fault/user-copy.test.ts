import { describe, expect, test } from 'vitest'
import { EFAULT, ENAMETOOLONG } from '../base/errno.js'
import { Random } from '../base/random.js'
import * as mman from '../syscall/mman.js'
import { Access } from './access.js'
import { Program } from './testing.js'
import * as user from './user-copy.js'

const RW = mman.PROT_READ | mman.PROT_WRITE
const PRIVATE = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS
const PAGE = 4096

/** Two mapped pages, a hole, one read-only page. */
function boot(shared = false) {
  const program = Program.boot(8, shared)
  const start = program.mmap(0, 4 * PAGE, RW, PRIVATE)
  program.call('munmap', start + 2 * PAGE, PAGE)
  program.call('mprotect', start + 3 * PAGE, PAGE, mman.PROT_READ)
  return { program, mm: program.mm, space: program.space, start, end: start + 2 * PAGE }
}

describe('at the edge of what is mapped', () => {
  test('a copy that fits goes through, one byte more is -EFAULT', () => {
    const { mm, space, start, end } = boot()
    const bytes = Uint8Array.from({ length: 2 * PAGE }, (_, i) => i * 7)
    expect(user.copyToUser(mm, space, start, bytes)).toBe(0)
    const back = new Uint8Array(2 * PAGE)
    expect(user.copyFromUser(mm, space, start, back)).toBe(0)
    expect(back).toEqual(bytes)
    expect(user.copyToUser(mm, space, end - 10, new Uint8Array(11))).toBe(-EFAULT)
    expect(user.copyFromUser(mm, space, end - 10, new Uint8Array(11))).toBe(-EFAULT)
    expect(user.copyFromUser(mm, space, start - 1, new Uint8Array(11))).toBe(-EFAULT)
  })

  test('the partial copies say how far they came', () => {
    const { mm, space, start, end } = boot()
    expect(user.copyToUserPartial(mm, space, end - 10, new Uint8Array(99).fill(1))).toBe(10)
    expect(user.copyToUserPartial(mm, space, start + PAGE - 3, new Uint8Array(2 * PAGE))).toBe(PAGE + 3)
    expect(user.copyFromUserPartial(mm, space, end, new Uint8Array(4))).toBe(0)
    expect(user.copyFromUserPartial(mm, space, end + PAGE - 4, new Uint8Array(8))).toBe(0)
  })

  test('read-only memory can be read only, and zero bytes can be copied anywhere in the user half', () => {
    const { mm, space, end } = boot()
    expect(user.copyFromUser(mm, space, end + PAGE, new Uint8Array(8))).toBe(0)
    expect(user.copyToUser(mm, space, end + PAGE, new Uint8Array(8))).toBe(-EFAULT)
    expect(user.copyToUser(mm, space, 0, new Uint8Array(0))).toBe(0)
  })

  test('addresses that are no user addresses', () => {
    const { mm, space } = boot()
    const limit = mm.arch.userEnd * PAGE
    for (const address of [limit - 2, limit, -PAGE, -(2 ** 38), 2 ** 63, 2 ** 64 - 2]) {
      expect(user.copyFromUser(mm, space, address, new Uint8Array(4))).toBe(-EFAULT)
      expect(user.copyToUser(mm, space, address, new Uint8Array(4))).toBe(-EFAULT)
      expect(user.loadUser32(mm, space, address)).toBe(-EFAULT)
      expect(user.clearUser(mm, space, address, 4)).toBe(-EFAULT)
      expect(user.readUserString(mm, space, address, 4)).toBe(-EFAULT)
    }
  })
})

test('words, aligned or across a page', () => {
  const { mm, space, start, end } = boot()
  for (const address of [start + 8, start + PAGE - 2]) {
    expect(user.storeUser32(mm, space, address, 0x89abcdef)).toBe(0)
    expect(user.loadUser32(mm, space, address)).toBe(0x89abcdef)
    expect(user.storeUser64(mm, space, address, 0xfffffff0, 0x80000001)).toBe(0)
    const halves = new Uint32Array(2)
    expect(user.loadUser64(mm, space, address, halves)).toBe(0)
    expect([...halves]).toEqual([0xfffffff0, 0x80000001])
  }
  expect(user.loadUser32(mm, space, end - 2)).toBe(-EFAULT)
  expect(user.storeUser64(mm, space, end - 4, 1, 1)).toBe(-EFAULT)
  expect(user.userWord(mm, space, end + PAGE, Access.write)).toBe(0)
  expect(user.userWord(mm, space, start, Access.write)).toBeGreaterThan(0)
})

test.each([false, true])('strings end at their NUL, at the limit, or at the hole, shared: %s', (shared) => {
  const { program, mm, space, start, end } = boot(shared)
  const put = (address: number, text: string) =>
    user.copyToUser(mm, space, address, new TextEncoder().encode(text))
  put(start, 'grün\0rest')
  expect(user.readUserString(mm, space, start, 100)).toBe('gr\u00c3\u00bcn')
  expect(user.readUserString(mm, space, start, 3)).toBe(-ENAMETOOLONG)
  put(start + PAGE - 3, 'across\0')
  expect(user.readUserString(mm, space, start + PAGE - 3, 100)).toBe('across')
  put(start, 'first\0')
  // The page behind it stays what it is.
  program.call('madvise', start + PAGE, PAGE, mman.MADV_DONTNEED)
  expect(user.readUserString(mm, space, start, 2 * PAGE)).toBe('first')
  expect(space.counts.rssAnonymous).toBe(1)
  put(end - 4, 'end\0')
  expect(user.readUserString(mm, space, end - 4, 100)).toBe('end')
  put(end - 4, 'ends')
  expect(user.readUserString(mm, space, end - 4, 100)).toBe(-EFAULT)
})

test('clearUser', () => {
  const { mm, space, start, end } = boot()
  user.copyToUser(mm, space, start, new Uint8Array(2 * PAGE).fill(9))
  expect(user.clearUser(mm, space, start + 5, PAGE)).toBe(0)
  const bytes = new Uint8Array(2 * PAGE)
  user.copyFromUser(mm, space, start, bytes)
  expect(bytes.indexOf(0)).toBe(5)
  expect(bytes.lastIndexOf(0)).toBe(PAGE + 4)
  expect(user.clearUser(mm, space, end - 1, 2)).toBe(-EFAULT)
})

/** Random copies among mapped, unmapped and protected pages against an array of bytes and rights. */
test('random copies agree with a model', () => {
  const seed = Number(process.env.PAGODA_SEED ?? 20)
  const steps = Number(process.env.PAGODA_FUZZ_STEPS ?? 400)
  const random = new Random(seed)
  const pages = 16
  const program = Program.boot()
  const { mm, space } = program
  const start = program.mmap(0, pages * PAGE, RW, PRIVATE)
  const model = new Uint8Array(pages * PAGE)
  const rights = Array.from({ length: pages }, () => RW)
  for (let step = 0; step < steps; step++) {
    const page = random.below(pages)
    if (random.chance(0.1)) rights[page] = changeRights(program, start + page * PAGE, model, page, random)
    const from = random.below(pages * PAGE)
    const length = random.below(Math.min(3 * PAGE, pages * PAGE - from))
    const write = random.chance(0.5)
    let reach = 0
    while (reach < length && (rights[(from + reach) >>> 12]! & (write ? 2 : RW)) !== 0) reach++
    const bytes = new Uint8Array(length).map(() => (write ? random.below(256) : 0))
    const done = write
      ? user.copyToUserPartial(mm, space, start + from, bytes)
      : user.copyFromUserPartial(mm, space, start + from, bytes)
    expect(done, `seed ${seed} step ${step}`).toBe(reach)
    const expected = model.subarray(from, from + reach)
    if (write) expected.set(bytes.subarray(0, reach))
    else expect(Buffer.compare(bytes.subarray(0, reach), expected), `seed ${seed} step ${step}`).toBe(0)
  }
  mm.check()
})

/** Unmaps, protects or maps afresh one page; the model's bytes with it. */
function changeRights(
  program: Program,
  address: number,
  model: Uint8Array,
  page: number,
  random: Random,
): number {
  const rights = random.pick([-1, 0, mman.PROT_READ, RW])
  const bytes = model.subarray(page * PAGE, (page + 1) * PAGE)
  if (rights >= 0 && program.call('mprotect', address, PAGE, rights) === 0) return rights
  bytes.fill(0)
  program.call('munmap', address, PAGE)
  if (rights < 0) return 0
  program.mmap(address, PAGE, rights, PRIVATE | mman.MAP_FIXED)
  return rights
}

/**
 * Random memory calls with arguments at the edges of what is legal, for a real kernel (calls.c) and for Pagoda. Every
 * call starts from the same layout. A case is a line: name, number, six arguments in hexadecimal.
 */
import { Random } from '../../base/random.js'

const PAGE = 4096n
/** Where the layout stands: TASK_SIZE is far above, the program's own mappings are far away. */
export const BASE = 0x10_0000_0000n
export const WINDOW_PAGES = 0x2000n
const TASK_SIZE = 0x40_0000_0000n

const page = (n: number | bigint) => BASE + BigInt(n) * PAGE

const ADDRESSES: readonly bigint[] = [
  ...Array.from({ length: 16 }, (_, i) => page(i)),
  page(40),
  page(39),
  page(1) + 1n,
  page(100),
  0n,
  TASK_SIZE - PAGE,
  TASK_SIZE - PAGE + 1n,
  TASK_SIZE,
  TASK_SIZE + PAGE,
  2n ** 63n,
  2n ** 64n - PAGE,
  2n ** 64n - 1n,
]

const LENGTHS: readonly bigint[] = [
  ...Array.from({ length: 9 }, (_, i) => BigInt(i) * PAGE),
  1n,
  PAGE - 1n,
  PAGE + 1n,
  20n * PAGE,
  TASK_SIZE,
  TASK_SIZE + 1n,
  2n ** 53n + 1n,
  2n ** 63n,
  2n ** 64n - PAGE,
  2n ** 64n - PAGE + 1n,
  2n ** 64n - 1n,
]

/** Advice on the whole address range would meet the program's own mappings, which differ. */
const ADVISED_LENGTHS = LENGTHS.filter((length) => length < TASK_SIZE || length > 2n ** 63n)
const SMALL_LENGTHS = LENGTHS.slice(0, 13)
const PROTS: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  4n,
  5n,
  6n,
  7n,
  8n,
  0x10n,
  0x100_0003n,
  0x200_0001n,
  0x300_0001n,
  (1n << 32n) | 1n,
]
const MAP_TYPES: readonly bigint[] = [1n, 2n, 3n, 1n, 2n, 0n, 4n]
const MAP_FLAGS: readonly bigint[] = [
  0n,
  0x10n,
  0x10_0000n,
  0x100n,
  0x2000n,
  0x4000n,
  0x8000n,
  0x1_8000n,
  0x2_0000n,
  0x8_0000n,
  0x400_0000n,
  0x1000n,
  1n << 40n,
]
const FILES: readonly bigint[] = [-1n, 10n, 11n, 12n, 13n, 14n, 99n]
const OFFSETS: readonly bigint[] = [
  0n,
  0n,
  PAGE,
  1n,
  2n ** 62n,
  2n ** 63n - PAGE,
  2n ** 63n,
  2n ** 64n - PAGE,
]
const ADVICE: readonly bigint[] = [
  0, 1, 2, 3, 4, 4, 5, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 77, -1,
].map(BigInt)

interface Shape {
  readonly name: string
  readonly number: number
  readonly pools: readonly (readonly bigint[])[]
}

const range = (n: number) => Array.from({ length: n }, (_, i) => BigInt(i))

const SHAPES: readonly Shape[] = [
  { name: 'munmap', number: 215, pools: [ADDRESSES, LENGTHS] },
  { name: 'mprotect', number: 226, pools: [ADDRESSES, LENGTHS, PROTS] },
  { name: 'mprotect', number: 226, pools: [ADDRESSES.slice(0, 18), SMALL_LENGTHS, PROTS] },
  {
    name: 'mremap',
    number: 216,
    pools: [ADDRESSES, LENGTHS, LENGTHS, [...range(8), 8n, 1n << 32n], ADDRESSES],
  },
  {
    name: 'mremap',
    number: 216,
    pools: [ADDRESSES.slice(0, 18), SMALL_LENGTHS, SMALL_LENGTHS, range(8), ADDRESSES.slice(0, 21)],
  },
  { name: 'madvise', number: 233, pools: [ADDRESSES, ADVISED_LENGTHS, ADVICE] },
  { name: 'madvise', number: 233, pools: [ADDRESSES.slice(0, 18), SMALL_LENGTHS, ADVICE] },
  { name: 'mincore', number: 232, pools: [ADDRESSES, SMALL_LENGTHS, ADDRESSES] },
  { name: 'mincore', number: 232, pools: [ADDRESSES, LENGTHS, ADDRESSES] },
  { name: 'msync', number: 227, pools: [ADDRESSES, LENGTHS, [...range(9), 1n << 32n]] },
  { name: 'mlock', number: 228, pools: [ADDRESSES, SMALL_LENGTHS] },
  { name: 'mlock', number: 228, pools: [ADDRESSES, LENGTHS] },
  { name: 'mlock2', number: 284, pools: [ADDRESSES, LENGTHS, range(3)] },
  { name: 'munlock', number: 229, pools: [ADDRESSES, LENGTHS] },
  { name: 'mlockall', number: 230, pools: [range(9)] },
]

/** One case in three is an mmap. */
export function* cases(
  seed: number,
  count: number,
): Generator<{ name: string; number: number; args: bigint[] }> {
  const random = new Random(seed)
  for (let i = 0; i < count; i++) {
    if (random.chance(0.35)) {
      const anonymous = random.chance(0.5) ? 0x20n : 0n
      let flags = random.pick(MAP_TYPES) | anonymous
      for (let n = random.below(3); n >= 0; n--) flags |= random.pick(MAP_FLAGS)
      const length = random.pick(random.chance(0.7) ? SMALL_LENGTHS : LENGTHS)
      const prot = random.pick(PROTS)
      const args = [random.pick(ADDRESSES), length, prot, flags, random.pick(FILES), random.pick(OFFSETS)]
      yield { name: 'mmap', number: 222, args }
    } else {
      const { name, number, pools } = random.pick(SHAPES)
      const args = pools.map((pool) => random.pick(pool))
      yield { name, number, args: [...args, ...Array<bigint>(6 - args.length).fill(0n)] }
    }
  }
}

/** The script that calls.c reads. */
export function script(seed: number, count: number): string {
  let text = ''
  for (const { name, number, args } of cases(seed, count)) {
    text += `${name} ${number} ${args.map((arg) => BigInt.asUintN(64, arg).toString(16)).join(' ')}\n`
  }
  return text
}

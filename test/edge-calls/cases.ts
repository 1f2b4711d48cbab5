/**
 * Random calls with arguments at the edges of what is legal, for those that need a whole program: other processes, limits, policies,
 * segments, files. The mapping calls themselves are in src/syscall/testing/cases.ts. A case is a line: name, number, six
 * arguments in hexadecimal.
 */
import { Random } from '../../src/base/random.js'

const PAGE = 4096n
const BASE = 0x10_0000_0000n
const OWN_PID = 0x7e5f0001n
const OWN_PIDFD = 15n
const TASK_SIZE = 0x40_0000_0000n
const HUGE = 2n ** 63n
const MINUS = 2n ** 64n - 1n

const list = (...numbers: readonly number[]) => numbers.map((n) => BigInt.asUintN(64, BigInt(n)))
const page = (n: number) => BASE + BigInt(n) * PAGE
/** Where edgecalls.c puts structures, and places that cannot be read or written. */
const at = (...offsets: readonly number[]) => [
  ...offsets.map((offset) => BASE + BigInt(offset)),
  page(4),
  page(4) - 4n,
  page(5),
  page(11),
  0n,
  HUGE,
]
const ADDRESSES = [...Array.from({ length: 14 }, (_, i) => page(i)), page(50), page(51), page(1) + 1n, 0n]
const FAR = [TASK_SIZE - PAGE, TASK_SIZE, HUGE, MINUS]
const LENGTHS = [0n, 1n, PAGE, PAGE + 1n, 2n * PAGE, 5n * PAGE, 20n * PAGE, TASK_SIZE, HUGE, MINUS]
const PIDS = [0n, OWN_PID, OWN_PID, 1_000_000n, MINUS]
const FILES = [10n, 10n, 11n, 12n, 13n, 14n, 99n, MINUS]
const PIDFDS = [OWN_PIDFD, OWN_PIDFD, OWN_PIDFD, 10n, 99n, MINUS]
const VECTORS = at(64, 80, 96, 112)
const COUNTS = list(0, 1, 1, 2, 3, 4, 1024, 1025, -1)
const NODES = [...at(512, 520, 528, 536), 0n, 0n]
const NODE_COUNTS = [...list(0, 1, 1, 2, 2, 64, 65, 1024, 32768, 32769, -1), HUGE]
const MODES = list(0, 1, 2, 3, 4, 5, 6, 7, 0x8000, 0x8002, 0x4003, 0x2002, 0xc002, -1)
const ADVICE = list(0, 3, 4, 20, 21, 21, 25, 77, -1)
/** Of prlimit: without time on the processor, beyond which a process is ended now or a little later. */
const LIMITS = list(2, 3, 4, 7, 8, 9, 11, 15, 16, -1)
const FLAGS = list(0, 0, 0, 1, 2)

interface Shape {
  readonly name: string
  readonly number: number
  readonly pools: readonly (readonly bigint[])[]
}

const SHAPES: readonly Shape[] = [
  { name: 'mseal', number: 462, pools: [[...ADDRESSES, ...FAR], LENGTHS, FLAGS] },
  {
    name: 'remap_file_pages',
    number: 234,
    pools: [
      [...ADDRESSES, ...FAR],
      LENGTHS,
      list(0, 0, 0, 1),
      [...list(0, 1, 2, 4, -1), 2n ** 51n],
      list(0, 0x1_0000),
    ],
  },
  { name: 'process_madvise', number: 440, pools: [PIDFDS, VECTORS, COUNTS, ADVICE, FLAGS] },
  { name: 'process_mrelease', number: 448, pools: [PIDFDS, FLAGS] },
  { name: 'process_vm_readv', number: 270, pools: [PIDS, VECTORS, COUNTS, VECTORS, COUNTS, FLAGS] },
  { name: 'process_vm_writev', number: 271, pools: [PIDS, VECTORS, COUNTS, VECTORS, COUNTS, FLAGS] },
  {
    name: 'memfd_create',
    number: 279,
    pools: [
      at(256, 300),
      list(0, 1, 2, 3, 4, 8, 16, 24, 32, 0x8000_0001, 21 * 2 ** 26 + 4, 16 * 2 ** 26 + 4, 21 * 2 ** 26),
    ],
  },
  {
    name: 'membarrier',
    number: 283,
    pools: [list(0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024, -1), FLAGS, list(0, 1, -1)],
  },
  { name: 'set_mempolicy', number: 237, pools: [MODES, NODES, NODE_COUNTS] },
  {
    name: 'get_mempolicy',
    number: 236,
    pools: [
      [...at(700), 0n, 0n],
      [...at(704), 0n, 0n],
      NODE_COUNTS,
      [...ADDRESSES, ...FAR, 0n],
      list(0, 0, 1, 2, 3, 4, 7, 8),
    ],
  },
  {
    name: 'mbind',
    number: 235,
    pools: [[...ADDRESSES, ...FAR], LENGTHS, MODES, NODES, NODE_COUNTS, list(0, 0, 1, 2, 3, 4, 7, 8)],
  },
  { name: 'set_mempolicy_home_node', number: 450, pools: [ADDRESSES, LENGTHS, list(0, 0, 1, -1), FLAGS] },
  { name: 'migrate_pages', number: 238, pools: [PIDS, NODE_COUNTS, NODES, NODES] },
  {
    name: 'move_pages',
    number: 239,
    pools: [PIDS, list(0, 1, 2, 3), at(600), [...at(640), 0n], at(704), list(0, 2, 2, 4, 1, 8)],
  },
  { name: 'mlock2', number: 284, pools: [[...ADDRESSES, ...FAR], LENGTHS, list(0, 1, 2, 3)] },
  {
    name: 'shmget',
    number: 194,
    pools: [list(0), LENGTHS, list(0, 0o600, 0o1600, 0o3600, 0o4600, 0o14600, 0o10600, -1)],
  },
  {
    name: 'shmat',
    number: 196,
    pools: [
      list(0, 0, 0, 7, -1),
      [...ADDRESSES, ...FAR],
      list(0, 0, 0o10000, 0o20000, 0o40000, 0o60000, 0o100000, 0o110000, 1),
    ],
  },
  { name: 'shmdt', number: 197, pools: [[...ADDRESSES, ...FAR, page(50)]] },
  {
    name: 'shmctl',
    number: 195,
    pools: [list(0, 0, 7, -1), list(1, 2, 3, 11, 12, 13, 14, 15, 99, -1), at(800)],
  },
  {
    name: 'prlimit64',
    number: 261,
    pools: [PIDS, LIMITS, [...at(320, 336), 0n], [...at(704), 0n]],
  },
  { name: 'cachestat', number: 451, pools: [FILES, at(400, 416, 432), at(704), FLAGS] },
  {
    name: 'madvise',
    number: 233,
    pools: [ADDRESSES, LENGTHS.slice(0, 7), list(12, 13, 14, 15, 26, 100, 101, 102, 103, 104)],
  },
  { name: 'pkey_mprotect', number: 288, pools: [ADDRESSES, LENGTHS, list(1), list(0, -1)] },
  { name: 'pkey_alloc', number: 289, pools: [FLAGS, FLAGS] },
]

/** The script that edgecalls.c reads. */
export function script(seed: number, count: number): string {
  const random = new Random(seed)
  let text = ''
  for (let i = 0; i < count; i++) {
    const { name, number, pools } = SHAPES[i % SHAPES.length]!
    const args = Array.from({ length: 6 }, (_, k) => (pools[k] === undefined ? 0n : random.pick(pools[k])))
    text += `${name} ${number} ${args.map((arg) => arg.toString(16)).join(' ')}\n`
  }
  return text
}

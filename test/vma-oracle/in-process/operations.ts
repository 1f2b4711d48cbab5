/** The operations of vmaoracle.c as calls of the memory manager: each gives the text of its result. */
import { Seal } from '../../../src/linux/fs/flags.js'
import { HugeMode, HugeSetting, setHugeSetting } from '../../../src/space/huge-policy.js'
import { punchHole, truncateObject } from '../../../src/space/truncate.js'
import { Setting, writeSetting } from '../../../src/state/settings.js'
import { hex, Layout, mix } from './layout.js'
import { bits, flags } from './letters.js'
import { errno, type Operation, PAGE } from './operation.js'
import type { OracleProcess } from './process.js'
import { shmat, shmdt, shmget, shmrm, shmstat } from './shared-memory.js'
import { entries, resident, scan, smaps } from './views.js'

const ANONYMOUS = 0x20
const MAP_COUNT_MAX = 65_530

const PROT = bits('rwxdu', [1, 2, 4, 0x100_0000, 0x200_0000])
const MAP = bits(
  'psfnlorgvdtbhy',
  [2, 1, 0x10, 0x10_0000, 0x2000, 0x8000, 0x4000, 0x100, 3, 8, 0x2_0000, 0x1_0000, 0x4_0000, 0x8_0000],
)
const MREMAP = bits('mfdu', [1, 2, 4, 8])
const MCL = bits('cfo', [1, 2, 4])
const MS = bits('sai', [4, 1, 2])
const SEAL = bits('sgwfl', [Seal.shrink, Seal.grow, Seal.write, Seal.futureWrite, Seal.seal])
const RESERVE = bits('psr', [2, 1, 0x4000])
const ADVICE: Readonly<Record<string, number>> = {
  normal: 0,
  random: 1,
  sequential: 2,
  willneed: 3,
  dontneed: 4,
  free: 8,
  remove: 9,
  dontfork: 10,
  dofork: 11,
  mergeable: 12,
  unmergeable: 13,
  hugepage: 14,
  nohugepage: 15,
  dontdump: 16,
  dodump: 17,
  wipeonfork: 18,
  keeponfork: 19,
  cold: 20,
  pageout: 21,
  populate_read: 22,
  populate_write: 23,
  dontneed_locked: 24,
  collapse: 25,
  guard_install: 102,
  guard_remove: 103,
  undefined: 77,
}

type Call = Parameters<OracleProcess['call']>[0]

/** A call whose first arguments are the range; `rest` gives the others. */
const ranged =
  (name: Call, rest: (o: Operation) => number[] = () => []) =>
  (o: Operation) =>
    errno(o.process.call(name, o.range(), o.bytes(2), ...rest(o)))

function mmap(o: Operation): string {
  const chosen = o.word(1) === '-'
  if (!chosen) o.touch(o.num(1), o.num(2))
  const kind = flags(o.word(4), MAP) | (o.has(5) ? 0 : ANONYMOUS)
  const args = [chosen ? 0 : o.at(1), o.bytes(2), flags(o.word(3), PROT), kind]
  const result = o.has(5)
    ? o.process.mapFile(o.process.files.backing(o.word(5)), args, o.bytes(6))
    : o.process.call('mmap', ...args, -1, 0)
  return o.place(result, o.bytes(2))
}

function mremap(o: Operation): string {
  const target = o.has(5) ? o.at(5) : 0
  o.touch(o.num(1), Math.max(o.num(2), o.num(3)))
  const result = o.process.call('mremap', o.at(1), o.bytes(2), o.bytes(3), flags(o.word(4), MREMAP), target)
  if (result < 0 && o.has(5)) o.touch(o.num(5), o.num(3))
  return o.place(result, o.bytes(3))
}

function lockAll(o: Operation): string {
  const result =
    o.word(0) === 'munlockall'
      ? o.process.call('munlockall')
      : o.process.call('mlockall', flags(o.word(1), MCL))
  if (result === 0 && o.word(1).includes('c')) o.process.unlockOutside()
  o.touch(0, o.process.machine.pages)
  return errno(result)
}

/** What process_vm_readv brought, hashed. */
function transferred(result: Uint8Array | number): string {
  if (typeof result === 'number') return `${errno(result)} ${hex(0)}`
  return `${result.length} ${hex(result.reduce((hash, byte) => mix(hash, byte), 0))}`
}

function madvise(o: Operation): string {
  return errno(o.process.call('madvise', o.range(), o.bytes(2), ADVICE[o.word(3)]!))
}

function adviseProcess(o: Operation, target: OracleProcess): string {
  o.touch(o.num(1), o.num(2))
  const ranges = [
    [o.num(1), o.num(2)],
    [o.num(4), o.num(5)],
  ] as const
  return errno(o.process.adviseOther(target, ADVICE[o.word(3)]!, ranges))
}

function setMachine(o: Operation, setting: Setting, value: number): string {
  writeSetting(o.process.machine.mm.memory, setting, value)
  return '0'
}

function setHuge(o: Operation, setting: Parameters<typeof setHugeSetting>[1], value: number): string {
  setHugeSetting(o.process.machine.mm.memory, setting, value)
  return '0'
}

function reserve(o: Operation): string {
  const kind = ANONYMOUS | flags(o.word(3), RESERVE)
  const result = o.process.call('mmap', 0, o.bytes(1), flags(o.word(2), PROT), kind, -1, 0)
  return errno(result < 0 ? result : o.process.call('munmap', result, o.bytes(1)))
}

function brk(o: Operation, bytes: number): number {
  return o.process.call('brk', o.process.brk0 + bytes) - o.process.brk0
}

/** One byte of a file. */
function readFile(o: Operation): string {
  const byte = new Uint8Array(1)
  const read = o.process.machine.mm.objects.read(o.process.files.object(o.num(1)), o.bytes(2), byte)
  return `${read} ${byte[0]}`
}

const OPERATIONS: Readonly<Record<string, (o: Operation) => string>> = {
  mmap,
  mremap,
  munmap: ranged('munmap'),
  mprotect: ranged('mprotect', (o) => [flags(o.word(3), PROT)]),
  madvise,
  mlock: ranged('mlock'),
  mlock2: ranged('mlock2', () => [1]),
  munlock: ranged('munlock'),
  mseal: ranged('mseal'),
  remap_file_pages: ranged('remapFilePages', (o) => [0, o.num(3), 0]),
  msync: (o) => errno(o.process.call('msync', o.at(1), o.bytes(2), flags(o.word(3), MS))),
  mlockall: lockAll,
  munlockall: lockAll,
  w: (o) => o.process.store(o.num(1), o.num(2)),
  r: (o) => o.process.load(o.num(1)),
  readv: (o) => transferred(o.process.readFirst(o.process, o.num(1), o.num(2))),
  preadv: (o) => transferred(o.process.readFirst(o.process.parent!, o.num(1), o.num(2))),
  writev: (o) => `${errno(o.process.writeFirst(o.process, o.num(1), o.num(2), o.num(3)))} ${hex(0)}`,
  pwritev: (o) => `${errno(o.process.writeFirst(o.process.parent!, o.num(1), o.num(2), o.num(3)))} ${hex(0)}`,
  readx: (o) => errno(o.process.readPiece(o.num(1), o.num(3), o.bytes(2))),
  process_madvise: (o) => adviseProcess(o, o.process),
  parent_madvise: (o) => adviseProcess(o, o.process.parent!),
  resident,
  ptes: entries,
  scan,
  smaps,
  dump: (o) => new Layout(o.process.machine).dump(o.process),
  brk: (o) => `${Math.trunc(brk(o, o.bytes(1)) / PAGE)}`,
  brkb: (o) => `${brk(o, o.num(1))}`,
  reserve,
  stat: (o) => o.process.status(),
  limit: (o) => {
    o.process.limit(o.word(1), o.word(2) === '-' ? Number.POSITIVE_INFINITY : o.num(2))
    return '0'
  },
  mapcount: (o) =>
    setMachine(
      o,
      Setting.maxMapCount,
      o.word(1) === '-' ? MAP_COUNT_MAX : o.process.space.vmaCount + o.num(1),
    ),
  overcommit: (o) => setMachine(o, Setting.overcommitMemory, o.num(1)),
  drop: (o) => {
    o.process.drop()
    return '0'
  },
  thp: (o) => setHuge(o, HugeSetting.mode, HugeMode[o.word(1) as keyof typeof HugeMode]),
  zeropage: (o) => setHuge(o, HugeSetting.noZeroPage, o.num(1) === 0 ? 1 : 0),
  thpoff: (o) => {
    o.process.space.hugePagesDisabled = o.num(1) !== 0
    return '0'
  },
  file: (o) => {
    o.process.files.create(o.num(1), o.num(2), o.num(o.has(3) ? 3 : 2))
    return '0'
  },
  seal: (o) => errno(o.process.files.seal(o.num(1), flags(o.word(2), SEAL))),
  truncate: (o) => {
    const problem = o.process.files.mayResize(o.num(1), o.bytes(2))
    if (problem === 0) truncateObject(o.process.machine.mm, o.process.files.object(o.num(1)), o.bytes(2))
    return errno(problem)
  },
  punch: (o) => {
    const problem = o.process.files.mayWrite(o.num(1), 0)
    if (problem === 0) punchHole(o.process.machine.mm, o.process.files.object(o.num(1)), o.num(2), o.num(3))
    return errno(problem)
  },
  pwrite: (o) => {
    const object = o.process.files.object(o.num(1))
    const problem = o.process.files.mayWrite(o.num(1), o.bytes(2) + 1)
    if (problem !== 0) return errno(problem)
    return errno(o.process.machine.mm.objects.write(object, o.bytes(2), Uint8Array.of(o.num(3))))
  },
  pread: readFile,
  shmget,
  shmat,
  shmdt,
  shmrm,
  shmstat,
}

/** Makes it; the text of its result. */
export function operate(operation: Operation): string {
  const make = OPERATIONS[operation.word(0)]
  if (make === undefined) throw new Error(`unknown operation ${operation.word(0)}`)
  return make(operation)
}

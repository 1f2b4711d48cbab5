/**
 * QEMU's MMU as an oracle. Its RAM is a file, into which a job is written: page tables, and a list of accesses. A few
 * instructions (stub.S) make them all, write down what came of each, and power the machine off; then results and tables are
 * read from the same file. No monitor, no loader: a job of 100,000 accesses takes one or two seconds.
 *
 *     0x8000_0000   stub
 *     0x8020_0000   parameters: 64-bit words (parameters())
 *     0x8020_1000   scratch of the stub, to 0x802f_ffff
 *     TABLES        the machine that built the tables: 0x8000_0000 is its frame 0
 *     ARRAYS        frames to tag, accesses, results
 *     POOL          frames that the tables map, to the end
 */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MIB = 2 ** 20
export const RAM_BASE = 0x8000_0000
const RAM_BYTES = 2048 * MIB
const PARAMETERS = 0x8020_0000
/** The first frame of the machine that is not the stub's. */
export const STUB_FRAMES = 0x300
const ARRAYS = { tags: 0x9000_0000, accesses: 0x9100_0000, results: 0x9400_0000 }
export const POOL = { start: 0xc000_0000, end: RAM_BASE + RAM_BYTES - 8 * MIB }
const MAGIC = 0x314c43524f444750n
/** Bytes of an access in the job, and of its result. */
const RECORD_BYTES = 32
const TIMEOUT_MS = 60_000

/** Bits of an access: what it does, from which mode, and with which bits of mstatus. */
export const Op = { load: 0, store: 1, fetch: 2, swap: 3, supervisor: 0x10, sum: 0x20, mxr: 0x40 } as const
export const KIND_MASK = 15

export interface Access {
  /** Unsigned. */
  readonly address: bigint
  readonly op: number
  /** Where a store should arrive, 0 when it should not: read back by its physical address. */
  readonly expected: number
}

export interface Result {
  readonly ok: boolean
  /** mcause and mtval of a fault. */
  readonly cause: number
  readonly tval: bigint
  /** A load's value; a fetch's, as the tag's code gives it; after a store what is at `expected`. */
  readonly value: bigint
}

export interface Job {
  /** satp.MODE (8 Sv39, 9 Sv48, 10 Sv57) and the root's physical page number. */
  readonly mode: number
  readonly rootPage: number
  /** Physical address of each page table, and its 512 entries. */
  readonly tables: ReadonlyMap<number, BigUint64Array>
  readonly accesses: readonly Access[]
  /**
   * Physical addresses of frames that a load or fetch should reach: each says its own address at offset 0, and has code at offset
   * 8 that returns it. Stores go to the last 8 bytes.
   */
  readonly tags: ReadonlySet<number>
}

export interface Outcome {
  readonly results: readonly Result[]
  /** The tables as they are afterwards: accessed and dirty. */
  readonly tables: ReadonlyMap<number, BigUint64Array>
}

/** What a store or swap writes, so that it can be told from all others. */
export const storedValue = (index: number): bigint => BigInt.asUintN(64, ~BigInt(index))

/** Where in its page an access of a kind goes. */
export function pageOffset(op: number): number {
  const kind = op & KIND_MASK
  return kind === Op.load ? 0 : kind === Op.fetch ? 8 : 0xff8
}

/** Runs a job; throws when QEMU or the stub does not come to its end. */
export function runJob(qemu: string, job: Job): Outcome {
  const path = join(roomyFolder(), `pagoda-mmu-${process.pid}.ram`)
  const file = openSync(path, 'w+')
  try {
    ftruncateSync(file, RAM_BYTES)
    const image = new Image(file)
    writeJob(image, job)
    const run = spawnSync(qemu, machineArguments(path), {
      timeout: TIMEOUT_MS,
      encoding: 'utf8',
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [done, progress] = image.read(PARAMETERS + 0x78, 16)
    if (done !== 1n)
      throw new Error(`QEMU did not finish: access ${progress}, ${run.signal ?? run.status}\n${run.stderr}`)
    return readOutcome(image, job)
  } finally {
    closeSync(file)
    unlinkSync(path)
  }
}

/** The file has holes: tables, accesses, results and tagged frames are what takes room. */
function roomyFolder(): string {
  if (!existsSync('/dev/shm')) return tmpdir()
  const { bavail, bsize } = statfsSync('/dev/shm')
  return bavail * bsize > 1024 * MIB ? '/dev/shm' : tmpdir()
}

/** RAM as a file, by physical addresses. */
class Image {
  readonly #file: number

  constructor(file: number) {
    this.#file = file
  }

  write(address: number, data: BigUint64Array | Uint8Array): void {
    writeSync(
      this.#file,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      0,
      data.byteLength,
      address - RAM_BASE,
    )
  }

  read(address: number, bytes: number): BigUint64Array {
    const data = new BigUint64Array(bytes / 8)
    readSync(this.#file, new Uint8Array(data.buffer), 0, bytes, address - RAM_BASE)
    return data
  }
}

/**
 * Two processors and a thread for each: only then does QEMU make an atomic access as one; with one processor it makes a load and then a
 * store, reports the wrong fault, and sets A before it fails. The second one sleeps.
 */
function machineArguments(path: string): string[] {
  const ram = `memory-backend-file,id=ram,size=${RAM_BYTES},mem-path=${path},share=on`
  return [
    ...[
      '-M',
      'virt,memory-backend=ram',
      '-cpu',
      'rv64',
      '-bios',
      'none',
      '-smp',
      '2',
      '-m',
      `${RAM_BYTES / MIB}`,
    ],
    ...[
      '-object',
      ram,
      '-accel',
      'tcg,thread=multi',
      '-display',
      'none',
      '-serial',
      'none',
      '-monitor',
      'none',
    ],
    ...['-net', 'none', '-no-reboot'],
  ]
}

function writeJob(image: Image, job: Job): void {
  image.write(RAM_BASE, readFileSync(fileURLToPath(new URL('stub.bin', import.meta.url))))
  for (const [address, table] of job.tables) image.write(address, table)
  const tags = tagRuns(job.tags)
  const accesses = new BigUint64Array((job.accesses.length * RECORD_BYTES) / 8)
  job.accesses.forEach(({ address, op, expected }, i) => {
    accesses.set([BigInt.asUintN(64, address), BigInt(expected), BigInt(op)], i * 4)
  })
  image.write(ARRAYS.tags, BigUint64Array.from(tags, BigInt))
  image.write(ARRAYS.accesses, accesses)
  image.write(PARAMETERS, parameters(job, tags.length / 2))
}

/** Adjacent frames together: address, number of frames, … */
function tagRuns(tags: ReadonlySet<number>): number[] {
  const runs: number[] = []
  for (const address of [...tags].sort((a, b) => a - b)) {
    const last = runs.length - 2
    if (last >= 0 && runs[last]! + runs[last + 1]! * 4096 === address) runs[last + 1]!++
    else runs.push(address, 1)
  }
  return runs
}

/** Words that are left 0 are other architectures' or the stub's: 0x78 done, 0x80 progress. */
function parameters({ mode, rootPage, accesses }: Job, tagRunCount: number): BigUint64Array {
  const words = new BigUint64Array(16)
  words[0] = MAGIC
  words[2] = (BigInt(mode) << 60n) | BigInt(rootPage)
  words[6] = BigInt(accesses.length)
  words[7] = BigInt(ARRAYS.accesses)
  words[8] = BigInt(ARRAYS.results)
  words[9] = BigInt(tagRunCount)
  words[10] = BigInt(ARRAYS.tags)
  return words
}

function readOutcome(image: Image, job: Job): Outcome {
  const words = image.read(ARRAYS.results, job.accesses.length * RECORD_BYTES)
  const results = job.accesses.map((_, i): Result => {
    const status = words[i * 4]!
    const [value, tval] = [words[i * 4 + 1]!, words[i * 4 + 2]!]
    return { ok: (status & 0xffffffffn) === 1n, cause: Number(status >> 32n), tval, value }
  })
  const tables = new Map([...job.tables.keys()].map((address) => [address, image.read(address, 4096)]))
  return { results, tables }
}

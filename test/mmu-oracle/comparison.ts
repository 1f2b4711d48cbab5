/** Holds what Pagoda says of accesses against what QEMU's MMU does with the same tables. */
import type { MemoryManagementArch } from '../../src/arch/memory-management-arch.js'
import { type WalkAccess, walkRiscv64 } from '../../src/arch/riscv64/walk.js'
import { frameToPtr, PAGE_SIZE, type Pfn } from '../../src/base/numbers.js'
import type { Memory } from '../../src/state/memory.js'
import {
  type Access,
  KIND_MASK,
  Op,
  POOL,
  pageOffset,
  RAM_BASE,
  type Result,
  runJob,
  storedValue,
} from './qemu.js'

const SATP_MODES: Readonly<Record<number, number>> = { 3: 8, 4: 9, 5: 10 }
/** By kind of access: what it asks of the walk, and the exception when that is refused. */
const KINDS: readonly WalkAccess[] = ['read', 'write', 'execute', 'write']
const FAULTS = [13, 15, 12, 15]
const MODIFIERS = [0, Op.sum, Op.mxr, Op.sum | Op.mxr]

/** Where an access goes (a physical address), or that it is a page fault. */
export type Verdict = number | 'page fault'

export interface Asked extends Access {
  readonly verdict: Verdict
}

export interface Tables {
  readonly memory: Memory
  readonly arch: MemoryManagementArch
  readonly root: Pfn
  /** Every frame that holds a table. */
  readonly frames: readonly Pfn[]
}

export interface Comparison {
  readonly accesses: number
  readonly succeeded: number
  readonly tables: number
  readonly differences: readonly string[]
}

/** Any access, from any mode. */
export function randomOp(random: { below(limit: number): number }): number {
  return random.below(4) | (random.below(2) * Op.supervisor) | MODIFIERS[random.below(4)]!
}

/** Tables that QEMU is to be asked about: as they were, and as Pagoda's walks have left them since. */
export class Questions {
  readonly #tables: Tables
  readonly #initial: Uint32Array
  /** The words that walks have marked as accessed or dirty. */
  readonly #marked = new Map<number, number>()
  readonly asked: Asked[] = []
  readonly #tags = new Set<number>()
  /** Accesses that were not made, because they would reach what is no frame of the pool. */
  leftOut = 0

  constructor(tables: Tables) {
    this.#tables = tables
    this.#initial = tables.memory.u32.slice()
  }

  /**
   * Asks the manual's walk about an access to the page at `page`, and notes it for QEMU. `undefined`: it may not be made. A store
   * outside the pool would overwrite the tables or the stub, or reach a device.
   */
  ask(page: bigint, op: number): Verdict | undefined {
    const address = BigInt.asUintN(64, page + BigInt(pageOffset(op)))
    const { memory, root, arch } = this.#tables
    const result = walkRiscv64(memory, {
      root,
      address,
      levels: arch.levels,
      access: KINDS[op & KIND_MASK]!,
      user: (op & Op.supervisor) === 0,
      sum: (op & Op.sum) !== 0,
      mxr: (op & Op.mxr) !== 0,
      updateAccessedDirty: true,
    })
    if (result.status === 'page-fault') return this.#note(address, op, 'page fault')
    const physical = result.status === 'ok' ? Number(result.physical) : 0
    if (result.status === 'ok' && physical >= POOL.start && physical < POOL.end) {
      this.#marked.set(result.entry >>> 2, memory.u32[result.entry >>> 2]!)
      return this.#note(address, op, physical)
    }
    if (result.status === 'ok') this.#unmark(result.entry >>> 2)
    this.leftOut++
    return undefined
  }

  /** The walk has marked what nobody will access. */
  #unmark(word: number): void {
    this.#tables.memory.u32[word] = this.#marked.get(word) ?? this.#initial[word]!
  }

  #note(address: bigint, op: number, verdict: Verdict): Verdict {
    const expected = verdict === 'page fault' ? 0 : verdict
    this.asked.push({ address, op, expected, verdict })
    if (expected !== 0) this.#tags.add(expected - (expected % PAGE_SIZE))
    return verdict
  }

  /** Lets QEMU make all accesses. `damage` may change the tables that it gets: then there must be differences. */
  compare(qemu: string, damage: (tables: Map<number, BigUint64Array>) => void = () => {}): Comparison {
    const { arch, root, frames, memory } = this.#tables
    const tables = new Map(frames.map((pfn) => [addressOf(pfn), entriesOf(this.#initial, pfn)]))
    damage(tables)
    const job = {
      mode: SATP_MODES[arch.levels]!,
      rootPage: addressOf(root) / PAGE_SIZE,
      tables,
      accesses: this.asked,
      tags: this.#tags,
    }
    const outcome = runJob(qemu, job)
    const differences = this.asked.flatMap((asked, i) => differenceOf(asked, i, outcome.results[i]!))
    for (const pfn of frames) {
      const [ours, theirs] = [entriesOf(memory.u32, pfn), outcome.tables.get(addressOf(pfn))!]
      ours.forEach((entry, index) => {
        if (entry !== theirs[index]) differences.push(entryDifference(pfn, index, entry, theirs[index]!))
      })
    }
    const succeeded = this.asked.filter(({ verdict }) => verdict !== 'page fault').length
    return { accesses: this.asked.length, succeeded, tables: frames.length, differences }
  }
}

const addressOf = (pfn: Pfn) => RAM_BASE + frameToPtr(pfn)
const hex = (value: bigint | number) => value.toString(16)

function entriesOf(u32: Uint32Array, pfn: Pfn): BigUint64Array {
  const words = u32.slice(frameToPtr(pfn) >>> 2, (frameToPtr(pfn) >>> 2) + 1024)
  return new BigUint64Array(words.buffer)
}

function entryDifference(pfn: Pfn, index: number, ours: bigint, theirs: bigint): string {
  return `entry ${index} of the table at ${hex(addressOf(pfn))}: ${hex(ours)} here, ${hex(theirs)} in QEMU`
}

function differenceOf({ address, op, verdict }: Asked, index: number, result: Result): string[] {
  const kind = op & KIND_MASK
  const what = `access ${index} (${hex(op)}) to ${hex(address)}`
  if (verdict === 'page fault') {
    const agrees = !result.ok && result.cause === FAULTS[kind] && result.tval === address
    return agrees ? [] : [`${what}: a page fault here, in QEMU ${describe(result)}`]
  }
  const value = kind === Op.load || kind === Op.fetch ? BigInt(verdict - pageOffset(op)) : storedValue(index)
  const found = kind === Op.fetch ? result.value & 0xffffffffn : result.value
  return result.ok && found === value ? [] : [`${what}: ${hex(verdict)} here, in QEMU ${describe(result)}`]
}

function describe({ ok, cause, tval, value }: Result): string {
  return ok ? `value ${hex(value)}` : `exception ${cause} at ${hex(tval)}`
}

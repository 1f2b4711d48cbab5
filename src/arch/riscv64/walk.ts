/**
 * Address translation of Sv39, Sv48 and Sv57, step by step as the RISC-V privileged manual writes it ("Virtual Address Translation
 * Process", steps 1 to 10), in 64-bit integers and with no thought of speed. It shares nothing with `entries.ts`: it is
 * what the mapper, the hart's walker and the TLB are held against.
 *
 * A supervisor without Svnapot, Svpbmt and Svinval; A and D as `updateAccessedDirty` says (Svadu or Svade). PMP and PMA:
 * what is not RAM cannot be read as a table.
 */
import { frameToPtr, type Pfn, type Ptr } from '../../base/numbers.js'
import type { Memory } from '../../state/memory.js'

const RAM_BASE = 0x8000_0000n
const PAGESIZE = 4096n
const PTESIZE = 8n

export type WalkAccess = 'read' | 'write' | 'execute'

export interface WalkRequest {
  /** The table that satp names. */
  readonly root: Pfn
  /** The virtual address: 64 bits, the upper half of the address space as a negative or a large number. */
  readonly address: bigint
  readonly access: WalkAccess
  /** The effective privilege mode: user, else supervisor. */
  readonly user: boolean
  /** sstatus.SUM: supervisor may read and write user pages. */
  readonly sum?: boolean
  /** sstatus.MXR: loads from execute-only pages. */
  readonly mxr?: boolean
  /** 3 for Sv39 (the default), 4 for Sv48, 5 for Sv57. */
  readonly levels?: number
  /** Svadu: the walk sets A and D. Without: it raises a page fault where they are missing. */
  readonly updateAccessedDirty?: boolean
}

export type WalkResult =
  | {
      readonly status: 'ok'
      readonly physical: bigint
      /** 0, 1, 2, … for 4 KiB, 2 MiB, 1 GiB, … */
      readonly level: number
      /** Where the leaf is in the buffer. */
      readonly entry: Ptr
    }
  | { readonly status: 'page-fault' | 'access-fault' }

const PAGE_FAULT: WalkResult = { status: 'page-fault' }
const ACCESS_FAULT: WalkResult = { status: 'access-fault' }

interface Entry {
  readonly v: boolean
  readonly r: boolean
  readonly w: boolean
  readonly x: boolean
  readonly u: boolean
  readonly a: boolean
  readonly d: boolean
  readonly ppn: bigint
  /** N, PBMT and bits 60 to 54. */
  readonly reserved: bigint
}

function decode(bits: bigint): Entry {
  const bit = (position: bigint) => ((bits >> position) & 1n) === 1n
  return {
    v: bit(0n),
    r: bit(1n),
    w: bit(2n),
    x: bit(3n),
    u: bit(4n),
    a: bit(6n),
    d: bit(7n),
    ppn: (bits >> 10n) & ((1n << 44n) - 1n),
    reserved: bits >> 54n,
  }
}

/** Translates one address for one access. */
export function walkRiscv64(memory: Memory, request: WalkRequest): WalkResult {
  const levels = request.levels ?? 3
  const va = BigInt.asIntN(64, request.address)
  if (BigInt.asIntN(12 + 9 * levels, va) !== va) return PAGE_FAULT
  const vpn = (i: bigint) => (va >> (12n + 9n * i)) & 511n
  let a = RAM_BASE + BigInt(frameToPtr(request.root))
  for (let i = BigInt(levels) - 1n; i >= 0n; i--) {
    const at = tableEntry(memory, a + vpn(i) * PTESIZE)
    if (at === undefined) return ACCESS_FAULT
    const pte = decode(load64(memory, at))
    if (!pte.v || (!pte.r && pte.w) || pte.reserved !== 0n) return PAGE_FAULT
    if (pte.r || pte.x) return finishAtLeaf(memory, request, pte, i, at)
    if (pte.d || pte.a || pte.u) return PAGE_FAULT
    a = pte.ppn * PAGESIZE
  }
  return PAGE_FAULT
}

/** Steps 6 to 10, for the leaf `pte` that was found at level `i`. */
function finishAtLeaf(memory: Memory, request: WalkRequest, pte: Entry, i: bigint, at: Ptr): WalkResult {
  if (!isAllowed(pte, request)) return PAGE_FAULT
  const pageBits = 12n + 9n * i
  if ((pte.ppn << 12n) & ((1n << pageBits) - 1n)) return PAGE_FAULT
  const isWrite = request.access === 'write'
  if (!pte.a || (isWrite && !pte.d)) {
    if (!request.updateAccessedDirty) return PAGE_FAULT
    memory.u32[at >>> 2]! |= isWrite ? 0xc0 : 0x40
  }
  const offset = BigInt.asUintN(64, request.address) & ((1n << pageBits) - 1n)
  return { status: 'ok', physical: (pte.ppn << 12n) + offset, level: Number(i), entry: at }
}

/** Step 5 and 6: R, W, X and U against access, privilege mode, SUM and MXR. */
function isAllowed(pte: Entry, { access, user, sum, mxr }: WalkRequest): boolean {
  if (user && !pte.u) return false
  if (!user && pte.u && (access === 'execute' || !sum)) return false
  if (access === 'read') return pte.r || (pte.x && mxr === true)
  return access === 'write' ? pte.w : pte.x
}

/** Where a table's entry is in the buffer; undefined when its physical address is not RAM. */
function tableEntry(memory: Memory, physical: bigint): Ptr | undefined {
  const offset = physical - RAM_BASE
  return offset >= 0n && offset < BigInt(memory.bytes) ? (Number(offset) as Ptr) : undefined
}

function load64(memory: Memory, at: Ptr): bigint {
  return (BigInt(memory.u32[(at >>> 2) + 1]!) << 32n) | BigInt(memory.u32[at >>> 2]!)
}

/** Page-table entries as the hart reads them (privileged manual, Sv39), and the RAM that they may name. */
import { i64, op, type Value } from '../base/wasm/value.js'

/** Bits of an entry. */
export const Pte = { valid: 1, read: 2, write: 4, execute: 8, user: 16, accessed: 64, dirty: 128 } as const
/** Any of these: the entry is a leaf. */
export const PTE_LEAF = Pte.read | Pte.execute
/** N, PBMT and reserved bits: must be zero without the extensions that use them. */
export const PTE_HIGH_RESERVED_SHIFT = 54
export const PTE_RESERVED = -(1n << BigInt(PTE_HIGH_RESERVED_SHIFT))
const PPN_MASK = (1n << 44n) - 1n
/** log2 of the bytes that an entry of the root maps, and how many bits of an address each level takes. */
export const ROOT_LEVEL_SHIFT = 30
export const LEVEL_BITS = 9

/** i64, frames of 4 KiB: sixteen in each of WebAssembly's pages. */
export const framesOfRam: Value = (code) => code.memorySize().i32(4).op('i32_shl').op('i64_extend_i32_u')

/** i64: the frame that an entry (i64) names, counted from the start of the buffer. */
export function frameOf(pte: Value, physBasePfn: number): Value {
  return op('i64_sub', op('i64_and', op('i64_shr_u', pte, i64(10)), i64(PPN_MASK)), i64(physBasePfn))
}

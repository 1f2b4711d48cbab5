/** Sets of memory nodes in the program's memory: get_nodes() and copy_nodes_to_user() of mm/mempolicy.c. */
import { EFAULT, EINVAL } from '../base/errno.js'
import { PAGE_SIZE } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { clearUser, copyFromUser, copyToUser } from '../fault/user-copy.js'
import type { AddressSpace } from '../space/address-space.js'
import { NODES_MAX } from '../space/memory-policy.js'
import type { SyscallArguments } from './syscall-arguments.js'

const WORD_BITS = 64
const WORD_BYTES = 8
const BITS_MAX = PAGE_SIZE * 8
const KNOWN = (1 << NODES_MAX) - 1

/**
 * The set at argument `at` of as many bits, less one, as argument `count` says: NODES_MAX bits. -EFAULT; -EINVAL for nodes that
 * no kernel of this kind has, as far as Linux looks for them.
 */
export function readNodes(
  mm: FaultEnv,
  space: AddressSpace,
  args: SyscallArguments,
  at: number,
  count: number,
): number {
  const address = args.address(at)
  if (args.address(count) === 1 || args.isZero(at)) return 0
  let bits = args.address(count) - 1
  if (bits < 0 || bits > BITS_MAX) return -EINVAL
  const word = new Uint32Array(2)
  while (bits > NODES_MAX) {
    const part = Math.min(bits, WORD_BITS)
    const index = Math.floor((bits - 1) / WORD_BITS)
    if (!readWord(mm, space, address + index * WORD_BYTES, part, word)) return -EFAULT
    const isLast = bits - part < NODES_MAX
    bits = isLast ? NODES_MAX : bits - part
    if (((isLast ? word[0]! & ~KNOWN : word[0]!) | word[1]!) !== 0) return -EINVAL
  }
  return readWord(mm, space, address, bits, word) ? word[0]! : -EFAULT
}

/** The lowest `bits` of 64 at an address, low half first. */
function readWord(
  mm: FaultEnv,
  space: AddressSpace,
  address: number,
  bits: number,
  word: Uint32Array<ArrayBuffer>,
): boolean {
  if (copyFromUser(mm, space, address, new Uint8Array(word.buffer)) < 0) return false
  if (bits < 32) word[0]! &= 2 ** bits - 1
  if (bits < WORD_BITS) word[1]! &= 2 ** Math.max(0, bits - 32) - 1
  return true
}

/** Writes a set as long as argument `count` says, with zeroes behind the first word. 0, -EFAULT, -EINVAL. */
export function writeNodes(
  mm: FaultEnv,
  space: AddressSpace,
  args: SyscallArguments,
  at: number,
  count: number,
  nodes: number,
): number {
  const address = args.address(at)
  const bits = args.address(count) - 1
  const bytes = bits >= 2 ** 64 - 4096 ? 0 : Math.ceil(bits / WORD_BITS) * WORD_BYTES
  if (bytes > PAGE_SIZE) return -EINVAL
  const rest = bytes - WORD_BYTES
  if (rest > 0 && clearUser(mm, space, address + WORD_BYTES, rest) < 0) return -EFAULT
  const word = Uint32Array.of(nodes, 0)
  return copyToUser(mm, space, address, new Uint8Array(word.buffer, 0, Math.min(bytes, WORD_BYTES)))
}

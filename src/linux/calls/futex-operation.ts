/** The small program in the last argument of FUTEX_WAKE_OP: op 4 bits, comparison 4, operand 12, comparand 12. */
import { EFAULT, ENOSYS } from '../../base/errno.js'
import { NULL } from '../../base/numbers.js'
import { Access } from '../../fault/access.js'
import { userWord } from '../../fault/user-copy.js'
import type { SyscallContext } from '../syscall-context.js'

const OPERAND_IS_SHIFT = 8

const OPERATIONS: readonly ((old: number, operand: number) => number)[] = [
  (_, operand) => operand,
  (old, operand) => old + operand,
  (old, operand) => old | operand,
  (old, operand) => old & ~operand,
  (old, operand) => old ^ operand,
]

const CONDITIONS: readonly ((old: number, comparand: number) => boolean)[] = [
  (old, comparand) => old === comparand,
  (old, comparand) => old !== comparand,
  (old, comparand) => old < comparand,
  (old, comparand) => old <= comparand,
  (old, comparand) => old > comparand,
  (old, comparand) => old >= comparand,
]

/** Changes the word; its old value as an unsigned number, -EFAULT or -ENOSYS. */
export function changeWord(c: SyscallContext, address: number, encoded: number): number {
  const kind = encoded >>> 28
  const operand = (encoded << 8) >> 20
  const operation = OPERATIONS[kind & (OPERAND_IS_SHIFT - 1)]
  const word = userWord(c.mm, c.space, address, Access.write)
  if (word === NULL) return -EFAULT
  if (operation === undefined) return -ENOSYS
  const old = c.mm.memory.u32[word >>> 2]!
  c.mm.memory.u32[word >>> 2] = operation(
    old,
    (kind & OPERAND_IS_SHIFT) !== 0 ? 1 << (operand & 31) : operand,
  )
  return old
}

/** Whether the old value (signed) meets the condition: 0, 1 or -ENOSYS. */
export function isConditionMet(old: number, encoded: number): number {
  const condition = CONDITIONS[(encoded >>> 24) & 15]
  if (condition === undefined) return -ENOSYS
  return condition(old, (encoded << 20) >> 20) ? 1 : 0
}

/** The stack of a new program (setup_arg_pages of fs/exec.c). */
import { EFAULT, ENOMEM } from '../base/errno.js'
import { NULL, PAGE_SIZE, pageOf, type Vpn } from '../base/numbers.js'
import { copyToUser } from '../fault/user-copy.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { mapRegion } from '../space/map-region.js'
import { VM_EXEC, VM_STACK_FLAGS } from '../space/vm-flags.js'
import { LockRank } from '../state/atomics.js'
import { buildInitialStack, type StackContents } from './initial-stack.js'
import { Limit } from './limits.js'
import type { Process } from './process.js'

const STACK_TOP = 0x40_0000_0000
/** What is mapped below the strings from the start. */
const STACK_EXTRA_PAGES = 32

export interface ProgramStack extends StackContents {
  readonly executableStack: boolean
  /** How many pages its top is below the end of the address range. */
  readonly randomPages: number
}

/** Maps the stack and fills its top; the stack pointer, or a negative errno. */
export function makeStack(
  mm: MemoryManager,
  process: Process,
  space: AddressSpace,
  contents: ProgramStack,
): number {
  const top = STACK_TOP / PAGE_SIZE - contents.randomPages
  const stack = buildInitialStack(top * PAGE_SIZE, contents)
  const stringPages = top - pageOf(stack.stringsStart)
  const most = Math.floor(process.softLimit(Limit.stack) / PAGE_SIZE)
  const least = top - pageOf(stack.stackPointer)
  if (least > Math.max(stringPages, most)) return -EFAULT // it may not grow so far
  const pages = Math.max(least, Math.min(stringPages + STACK_EXTRA_PAGES, most))
  const flags = VM_STACK_FLAGS | (contents.executableStack ? VM_EXEC : 0)
  const start = (top - pages) as Vpn
  mm.atomics.lock(space.lock, LockRank.space)
  const { parts } = space
  parts.stackStart = stack.stackPointer
  parts.argumentsStart = stack.stringsStart
  parts.argumentsEnd = stack.environmentStart
  parts.environmentStart = stack.environmentStart
  parts.environmentEnd = stack.environmentEnd
  const { mergesAll } = space
  space.mergesAll = false // a new stack is not marked as mergeable, whatever was set before execve
  const result = mapRegion(mm, space, { start, pages, flags, object: NULL, pageOffset: start, fixed: true })
  space.mergesAll = mergesAll
  mm.atomics.unlock(space.lock, LockRank.space)
  if (result < 0) return result
  const vector = mm.spaces.vectors.create(stack.auxiliary)
  if (vector === NULL) return -ENOMEM
  mm.spaces.setAuxiliary(space, vector)
  const copied = copyToUser(mm, space, stack.stackPointer, stack.bytes)
  return copied < 0 ? copied : stack.stackPointer
}

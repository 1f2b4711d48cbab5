import { EntryFlag } from '../arch/memory-management-arch.js'
import { FrameFlag } from '../frame/frame-table.js'
import { VM_DROPPABLE, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from '../space/vm-flags.js'
import type { Vma } from '../space/vma.js'
import { Access } from './access.js'

/**
 * The entry flags that a mapping with these VM flags gives a page that may not be written yet: protection_map[] of
 * arch/riscv/mm/init.c without its write bits. Writable implies readable.
 */
export function readOnlyFlags(vmFlags: number): number {
  let flags: number = EntryFlag.user | EntryFlag.accessed
  if ((vmFlags & (VM_READ | VM_WRITE)) !== 0) flags |= EntryFlag.read
  if ((vmFlags & VM_EXEC) !== 0) flags |= EntryFlag.execute
  return flags
}

/** The same for a page that is being written. */
export function writtenFlags(vmFlags: number): number {
  return readOnlyFlags(vmFlags) | EntryFlag.write | EntryFlag.dirty
}

/** access_error() of arch/riscv/mm/fault.c: whether the mapping forbids the access. Write implies read. */
export function accessError(vmFlags: number, access: number): boolean {
  if (access === Access.write) return (vmFlags & VM_WRITE) === 0
  if (access === Access.execute) return (vmFlags & VM_EXEC) === 0
  return (vmFlags & (VM_READ | VM_WRITE)) === 0
}

/**
 * The same for a page of an object: writable at once where nobody needs to hear of the first write; a provider does, so
 * its pages stay read-only until then (vma_wants_writenotify).
 */
export function objectPageFlags(vmFlags: number, isWrite: boolean, isShmem: boolean): number {
  if (isWrite) return writtenFlags(vmFlags)
  const writableAtOnce = isShmem && (vmFlags & VM_SHARED) !== 0 && (vmFlags & VM_WRITE) !== 0
  return readOnlyFlags(vmFlags) | (writableAtOnce ? EntryFlag.write : 0)
}

/** What a frame is that becomes a mapping's own: that of droppable memory may go when memory runs out. */
export function ownFrameFlags({ flags }: Vma): number {
  const lazy = (flags & VM_DROPPABLE) !== 0 ? FrameFlag.lazyFree : 0
  return FrameFlag.anonymous | FrameFlag.exclusive | lazy
}

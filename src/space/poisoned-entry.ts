/**
 * Entries of pages that UFFDIO_POISON has marked: every access is SIGBUS (PTE_MARKER_POISONED of Linux). They lead to the frame of zeroes,
 * so that nothing is counted, but are not the user's, so that every access faults. Fork, mremap and unmapping treat them as they do
 * the zero page.
 */
import { EntryFlag } from '../arch/memory-management-arch.js'

export const POISON_FLAGS = EntryFlag.special

/** Whether the flags of a present entry are such a mark's, whatever mprotect has added. */
export function isPoison(flags: number): boolean {
  return (flags & (EntryFlag.special | EntryFlag.user)) === EntryFlag.special
}

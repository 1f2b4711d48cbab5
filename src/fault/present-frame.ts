import { EntryFlag } from '../arch/memory-management-arch.js'
import { frameToPtr, NULL, type Ptr, ptrToFrame, type Vpn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { AddressSpace } from '../space/address-space.js'
import { Access } from './access.js'
import type { FaultEnv } from './fault.js'

const NEEDED_TO_WRITE = EntryFlag.user | EntryFlag.write
const NEEDED_TO_READ = EntryFlag.user | EntryFlag.read

/** The bytes of a page whose entry allows the access already, else NULL. Who asks in order to write will write, and then calls `noteWritten`. */
export function presentFrame(mm: FaultEnv, space: AddressSpace, vpn: Vpn, access: Access): Ptr {
  const mapper = mm.userMappers.of(space.root)
  const needed = access === Access.write ? NEEDED_TO_WRITE : NEEDED_TO_READ
  const entry = mapper.leaf(vpn) || mapper.hugeLeaf(vpn)
  if (entry === NULL || !mapper.isPresent(entry)) return NULL
  const flags = mapper.flags(entry)
  if ((flags & needed) !== needed) return NULL
  const marks = EntryFlag.accessed | (access === Access.write ? EntryFlag.dirty : 0)
  if ((flags & marks) !== marks) markUsed(mm, space, entry, vpn, marks)
  return frameToPtr(mapper.pfnAt(entry, vpn))
}

/** Bytes of a page were written from `ptr` on: code that was translated from them is not good any more. */
export function noteWritten(mm: FaultEnv, ptr: Ptr): void {
  mm.frames.forgetWritten(ptrToFrame(ptr))
}

/**
 * The same of another program's memory (set_page_dirty_lock): a page of shared memory counts as changed, whoever maps it. One of a file
 * has been marked since its entry may be written to.
 */
export function noteWrittenRemote(mm: FaultEnv, ptr: Ptr): void {
  noteWritten(mm, ptr)
  const pfn = ptrToFrame(ptr)
  if ((mm.frames.flags(pfn) & FrameFlag.file) !== 0) mm.objects.markDirty(pfn)
}

/** As the hardware's walker would, had the kernel gone through the page table. */
function markUsed(mm: FaultEnv, space: AddressSpace, entry: Ptr, vpn: Vpn, marks: number): void {
  const batch = mm.flusher.batch(space.root)
  mm.userMappers.of(space.root).changeFlags(entry, vpn, 0, marks, batch)
  batch.finish()
}

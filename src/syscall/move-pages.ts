/** move_pages(2) (mm/migrate.c of Linux 6.12): where pages are, or the wish to have them elsewhere. They are on node 0. */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { EFAULT, ENODEV, ENOENT } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { copyFromUser, copyToUser, loadUser32, storeUser32 } from '../fault/user-copy.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import { VM_IO, VM_PFNMAP } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'

/** The vectors of a call, in the caller's memory. */
export interface PageVectors {
  readonly caller: AddressSpace
  /** Whose pages they are. */
  readonly space: AddressSpace
  readonly count: number
  readonly pages: number
  /** 0: only asks. */
  readonly nodes: number
  readonly status: number
}

const NODE = 0
const CHUNK = 16
const POINTER_BYTES = 8
const STATUS_BYTES = 4
/** Pages per half of an address: a page number is its bits 12 to 63. */
const PAGES_PER_HIGH = 0x10_0000

/** 0 when every page has a status: 0 or a negative errno. -EFAULT in the vectors, -ENODEV for another node; what was written stays. */
export function movePages(mm: FaultEnv, vectors: PageVectors): number {
  return vectors.nodes === 0 ? askAll(mm, vectors) : moveAll(mm, vectors)
}

/** do_pages_stat: sixteen at a time. */
function askAll(mm: FaultEnv, { caller, space, count, pages, status }: PageVectors): number {
  for (let at = 0; at < count; at += CHUNK) {
    const part = Math.min(CHUNK, count - at)
    const words = new Uint32Array(part * 2)
    if (copyFromUser(mm, caller, pages + at * POINTER_BYTES, new Uint8Array(words.buffer)) < 0) return -EFAULT
    const statuses = Int32Array.from({ length: part }, (_, i) => statusOf(mm, space, pageIn(words, i), false))
    if (copyToUser(mm, caller, status + at * STATUS_BYTES, new Uint8Array(statuses.buffer)) < 0)
      return -EFAULT
  }
  return 0
}

/** do_pages_move: one by one, as each may be for another node. */
function moveAll(mm: FaultEnv, { caller, space, count, pages, nodes, status }: PageVectors): number {
  const words = new Uint32Array(2)
  for (let at = 0; at < count; at++) {
    if (copyFromUser(mm, caller, pages + at * POINTER_BYTES, new Uint8Array(words.buffer)) < 0) return -EFAULT
    const node = loadUser32(mm, caller, nodes + at * STATUS_BYTES)
    if (node === -EFAULT) return -EFAULT
    if (node !== NODE) return -ENODEV
    const result = statusOf(mm, space, pageIn(words, 0), true)
    if (storeUser32(mm, caller, status + at * STATUS_BYTES, result) < 0) return -EFAULT
  }
  return 0
}

function pageIn(words: Uint32Array, i: number): number {
  return words[i * 2 + 1]! * PAGES_PER_HIGH + (words[i * 2]! >>> 12)
}

/** The node of a page; -ENOENT when it is not there, -EFAULT where nothing is mapped, and for the page of zeroes. */
function statusOf(mm: FaultEnv, space: AddressSpace, page: number, moves: boolean): number {
  if (page >= mm.arch.userEnd) return -EFAULT
  mm.atomics.lock(space.lock, LockRank.space)
  const found = mm.vmas.findHolding(space, page as Vpn)
  const result =
    found === NULL ? -EFAULT : nodeOf(mm, space, new Vma(mm.memory, found).flags, page as Vpn, moves)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

function nodeOf(mm: FaultEnv, space: AddressSpace, vmFlags: number, page: Vpn, moves: boolean): number {
  const isKernels = (vmFlags & (VM_IO | VM_PFNMAP)) !== 0
  if (isKernels) return moves ? -EFAULT : -ENOENT
  const mapper = new UserMapper(mm, space.root)
  if (!mapper.translate(page)) return -ENOENT
  return (mapper.lastFlags & EntryFlag.special) !== 0 ? -EFAULT : NODE
}

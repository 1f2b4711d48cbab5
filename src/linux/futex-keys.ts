/**
 * Which futex an address is (get_futex_key of Linux). A private one is known by its space and address; a shared one by what
 * backs the page: the object and the offset in it, or, for a page of the program's own, space and address again.
 */
import { EFAULT, EINVAL } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, pageOf, ptrToFrame } from '../base/numbers.js'
import { Access } from '../fault/access.js'
import { isUserRange, userWord } from '../fault/user-copy.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { VM_SHARED } from '../space/vm-flags.js'
import { Vma } from '../space/vma.js'

export const KeyKind = { none: 0, private: 1, anonymous: 2, object: 3 } as const

/** One futex; `id` is that of the space or the object, `offset` the address or the byte in the object. */
export interface FutexKey {
  kind: number
  id: number
  offset: number
}

export const makeKey = (): FutexKey => ({ kind: KeyKind.none, id: 0, offset: 0 })

export function isSameKey(one: FutexKey, other: FutexKey): boolean {
  return one.offset === other.offset && one.id === other.id && one.kind === other.kind
}

/** Fills `key`: 0, -EINVAL for an address that is not aligned, -EFAULT. `access`: what the call will do with the word. */
export function findKey(
  mm: MemoryManager,
  space: AddressSpace,
  address: number,
  isPrivate: boolean,
  access: Access,
  key: FutexKey,
): number {
  if (address % 4 !== 0) return -EINVAL
  if (!isUserRange(mm, address, 4)) return -EFAULT
  if (!isPrivate) return findSharedKey(mm, space, address, access, key)
  setKey(key, KeyKind.private, space.id, address)
  return 0
}

function setKey(key: FutexKey, kind: number, id: number, offset: number): void {
  key.kind = kind
  key.id = id
  key.offset = offset
}

/** The page is made present for writing, so that a private copy of a file's page is told apart from the file's. */
function findSharedKey(
  mm: MemoryManager,
  space: AddressSpace,
  address: number,
  access: Access,
  key: FutexKey,
): number {
  const writable = userWord(mm, space, address, Access.write)
  const word =
    writable === NULL && access === Access.read ? userWord(mm, space, address, Access.read) : writable
  if (word === NULL) return -EFAULT
  const vma = new Vma(mm.memory, mm.vmas.findHolding(space, pageOf(address)))
  // Nobody but the program itself gets at what is secret.
  if (vma.object !== NULL && mm.objects.isSecret(vma.object)) return -EFAULT
  const isFile = (vma.flags & VM_SHARED) !== 0 || isPageOfObject(mm, word)
  if (vma.object === NULL || !isFile) {
    setKey(key, KeyKind.anonymous, space.id, address)
    return writable === NULL ? -EFAULT : 0
  }
  const offset = vma.offsetOf(pageOf(address)) * PAGE_SIZE + (address % PAGE_SIZE)
  setKey(key, KeyKind.object, mm.objects.identity(vma.object), offset)
  return 0
}

const isPageOfObject = (mm: MemoryManager, word: Ptr) =>
  (mm.frames.flags(ptrToFrame(word)) & FrameFlag.file) !== 0

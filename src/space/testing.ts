/** For tests: a small machine whose allocations can be made to fail. */
import { assert } from '../base/assert.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import { Access, FaultResult } from '../fault/access.js'
import { handleFault } from '../fault/handle-fault.js'
import { FaultInjector } from '../frame/fault-injector.js'
import { type MemoryManager, mmInit } from '../mm.js'
import { UserMapper } from '../paging/user-mapper.js'
import { LockRank } from '../state/atomics.js'
import type { AddressSpace } from './address-space.js'
import type { MapRequest } from './map-region.js'
import { VM_MAY_ACCESS, VM_MAYSHARE, VM_SHARED } from './vm-flags.js'
import { Vma } from './vma.js'

export interface TestMachine {
  readonly mm: MemoryManager
  readonly faults: FaultInjector
}

export function bootMachine(mebibytes = 8): TestMachine {
  const faults = new FaultInjector()
  return { mm: mmInit({ bytes: mebibytes * 2 ** 20, debug: true, faults }), faults }
}

/** The first byte of a page as the program would store it: faults, then writes. */
export function pokePage(mm: MemoryManager, space: AddressSpace, vpn: Vpn, value: number): FaultResult {
  const result = handleFault(mm, space, vpn, Access.write)
  if (result === FaultResult.ok) mm.memory.u8[frameOf(mm, space, vpn) * PAGE_SIZE] = value
  return result
}

/** The first byte of a page as the program would load it, or -1 when that faults for good. */
export function peekPage(mm: MemoryManager, space: AddressSpace, vpn: Vpn): number {
  if (handleFault(mm, space, vpn, Access.read) !== FaultResult.ok) return -1
  return mm.memory.u8[frameOf(mm, space, vpn) * PAGE_SIZE]!
}

export function frameOf(mm: MemoryManager, space: AddressSpace, vpn: Vpn): number {
  const mapper = new UserMapper(mm, space.root)
  assert(mapper.translate(vpn), 'a fault that was resolved leaves an entry')
  return mapper.lastPfn
}

/** Runs an operation as a system call does: with the space's lock held. */
export function locked<T>(mm: MemoryManager, space: AddressSpace, operation: () => T): T {
  mm.atomics.lock(space.lock, LockRank.space)
  const result = operation()
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

/** A private anonymous mapping request; change what the test is about. */
export function anonymous(start: number, pages: number, prot: number, fixed = true): MapRequest {
  const flags = VM_MAY_ACCESS | prot
  return { start: start as Vpn, pages, flags, object: NULL, pageOffset: 0, fixed }
}

export function shared(start: number, pages: number, prot: number, object: Ptr, pageOffset = 0): MapRequest {
  const flags = VM_MAY_ACCESS | VM_SHARED | VM_MAYSHARE | prot
  return { start: start as Vpn, pages, flags, object, pageOffset, fixed: true }
}

/** The mappings as `start-end:rwxp`, with `:object+offset` when there is one: short to compare. */
export function layout(mm: MemoryManager, space: AddressSpace): string[] {
  const lines: string[] = []
  for (let ptr = mm.vmas.first(space); ptr !== NULL; ptr = mm.vmas.next(ptr)) {
    const { start, end, flags, object, pageOffset } = new Vma(mm.memory, ptr)
    const prot = ['r', 'w', 'x'].map((letter, bit) => ((flags >>> bit) & 1 ? letter : '-')).join('')
    const backing = object === NULL ? '' : `:${mm.objects.identity(object)}+${pageOffset}`
    lines.push(`${start}-${end}:${prot}${(flags & VM_SHARED) !== 0 ? 's' : 'p'}${backing}`)
  }
  return lines
}

/** How much of everything is in use: equal before and after means that nothing leaked. */
export function inUse({ mm }: TestMachine): string {
  mm.slab.shrink()
  const slabs = mm.slab.stats().map(({ name, objects }) => `${name} ${objects}`)
  return [`free frames ${mm.buddy.freeFrames()}`, ...slabs].join(', ')
}

/** One machine for a script, without a hart, and where in its address spaces the window lies. */
import type { Vpn } from '../../../src/base/numbers.js'
import { type MemoryManager, mmInit } from '../../../src/mm.js'
import { AddressSpace } from '../../../src/space/address-space.js'
import { HugeMode, HugeSetting, setHugeSetting } from '../../../src/space/huge-policy.js'
import { setLayout } from '../../../src/space/placement.js'
import type { Policy } from '../scripts.js'
import { MachineSegments } from './segments.js'

const RAM = 512 * 2 ** 20
const PAGE = 4096
const HUGE_PAGES = 512
const STACK_LIMIT = 8 * 2 ** 20
/** Of a program that has just begun. */
export const STACK_PAGES = 33
/** [vvar] and [vdso]. */
const VDSO_PAGES = 3
/** Pages of the window's first in vmaoracle.c when the script gives every mapping its place. */
const FIXED_BASE = 0x10_0000
/** Where the program's own pages lie: what system calls write their answers to, and the heap. */
export const SCRATCH = 0x1000 * PAGE
const HEAP = 0x2000 * PAGE
/** Below the first break of a script. */
export const HEAP_PAGES = 1

const alignDown = (page: number) => Math.floor(page / HUGE_PAGES) * HUGE_PAGES
const alignUp = (page: number) => alignDown(page + HUGE_PAGES - 1)

export class OracleMachine {
  readonly mm: MemoryManager
  readonly segments: MachineSegments
  /** The window's first page. */
  readonly base: number
  readonly pages: number
  /** What keeps the window apart from what else the kernel could choose, where it chooses from: as much as in vmaoracle.c, above. */
  readonly beside: { readonly first: number; readonly pages: number } | undefined
  /** The stack's first page, where nothing need lie between it and the window: without a limit it grows down into that. */
  readonly stack: number | undefined
  /** The page of [vvar], where its upper tables are the window's too, and no stack has them. */
  readonly vvar: number | undefined
  /** The space of the first process, which has nothing mapped yet. */
  readonly first: AddressSpace

  /** Pages of the program's own memory, so that it has as much as on the real kernel: limits count all. */
  readonly scratchPages: number

  /** `ownPages`: what is mapped when the script begins. */
  constructor(policy: Policy, pages: number, ownPages: number) {
    this.mm = mmInit({ bytes: RAM, debug: false })
    this.segments = new MachineSegments(this.mm)
    this.pages = pages
    this.first = new AddressSpace(this.mm.memory, this.mm.spaces.create())
    setLayout(this.first, this.mm.arch.userEnd, {
      stackLimit: STACK_LIMIT,
      compatible: policy === 'bottom',
      randomPages: 0,
      stackRandomPages: 0,
    })
    const { mapBase } = this.first
    const top = alignDown(mapBase - VDSO_PAGES - pages)
    const bottom = alignUp(mapBase + VDSO_PAGES)
    this.base = { fixed: FIXED_BASE, top, bottom }[policy]
    const above = { first: top + pages, pages: mapBase - top - pages }
    this.beside = { fixed: undefined, top: above, bottom: { first: this.base - 1, pages: 1 } }[policy]
    this.vvar = policy === 'bottom' ? this.base - 2 : undefined
    this.stack = policy === 'fixed' ? undefined : this.mm.arch.userEnd - STACK_PAGES
    this.scratchPages =
      ownPages - HEAP_PAGES - (this.beside?.pages ?? 0) - (this.stack ? STACK_PAGES : 0) - (this.vvar ? 1 : 0)
    if (policy === 'bottom') this.first.mapBase = (this.base - 1) as Vpn
    setHugeSetting(this.mm.memory, HugeSetting.mode, HugeMode.always)
  }

  get heap(): number {
    return HEAP
  }

  /** Throws InvariantError on a broken invariant of any layer. */
  check(): void {
    this.mm.check()
    this.segments.check()
  }
}

/**
 * The pages that the kernel maps into every program: [vvar] and [vdso]. They exist once a machine, but that each namespace of time has
 * a [vvar] of its own.
 */
import { ENOMEM } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr, type Vpn } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import type { AddressSpace } from '../space/address-space.js'
import { mapRegion } from '../space/map-region.js'
import { ObjectKind } from '../space/page-object.js'
import { findPlace, UNALIGNED } from '../space/placement.js'
import {
  VM_DONTEXPAND,
  VM_EXEC,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_PFNMAP,
  VM_READ,
} from '../space/vm-flags.js'
import { Special, Vma } from '../space/vma.js'
import { zapRange } from '../space/zap-range.js'
import { LockRank } from '../state/atomics.js'
import type { Clock } from './clock.js'
import { NO_OFFSET } from './time-offset.js'
import { buildVdso } from './vdso.js'
import { createVvar, VVAR_PAGES } from './vvar.js'

const VDSO_PAGES = 1
const VVAR_FLAGS = VM_READ | VM_MAYREAD | VM_PFNMAP | VM_DONTEXPAND
const VDSO_FLAGS = VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_DONTEXPAND

export class VdsoPages {
  /** That of the first namespace of time. */
  readonly vvar: Ptr
  readonly #vdso: Ptr

  private constructor(vvar: Ptr, vdso: Ptr) {
    this.vvar = vvar
    this.#vdso = vdso
  }

  /** Makes the pages; undefined when there is no memory for them. */
  static create(mm: MemoryManager, clock: Clock): VdsoPages | undefined {
    const vvar = createVvar(mm, clock, () => NO_OFFSET)
    const vdso = mm.objects.create(ObjectKind.kernel, VDSO_PAGES * PAGE_SIZE)
    const isThere = vvar !== NULL && vdso !== NULL
    const isFilled = isThere && mm.objects.write(vdso, 0, buildVdso()) > 0
    if (isFilled) return new VdsoPages(vvar, vdso)
    for (const object of [vvar, vdso]) if (object !== NULL) mm.objects.release(object)
    return undefined
  }

  /** Maps [vdso] and a [vvar] at the highest free place; the address of [vdso], or -ENOMEM. */
  map(mm: MemoryManager, space: AddressSpace, vvar: Ptr): number {
    mm.atomics.lock(space.lock, LockRank.space)
    const page = this.#mapLocked(mm, space, vvar)
    mm.atomics.unlock(space.lock, LockRank.space)
    return page < 0 ? page : page * PAGE_SIZE
  }

  #mapLocked(mm: MemoryManager, space: AddressSpace, vvar: Ptr): number {
    const pages = VVAR_PAGES + VDSO_PAGES
    const start = findPlace(mm, space, 0 as Vpn, pages, UNALIGNED)
    if (start < 0) return start
    const vdso = (start + VVAR_PAGES) as Vpn
    const there = { pageOffset: 0, fixed: true }
    const first = mapRegion(mm, space, {
      ...there,
      start: start as Vpn,
      pages: VVAR_PAGES,
      flags: VVAR_FLAGS,
      object: vvar,
      special: Special.vvar,
    })
    if (first < 0) return -ENOMEM
    return mapRegion(mm, space, {
      ...there,
      start: vdso,
      pages: VDSO_PAGES,
      flags: VDSO_FLAGS,
      object: this.#vdso,
      special: Special.vdso,
    })
  }
}

/** A program comes into another namespace of time: it sees another [vvar] where it has one. */
export function replaceVvar(mm: MemoryManager, space: AddressSpace, vvar: Ptr): void {
  mm.atomics.lock(space.lock, LockRank.space)
  const batch = mm.flusher.batch(space.root)
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) {
    if (vma.special !== Special.vvar || vma.object === vvar) continue
    zapRange(mm, space, vma, vma.start, vma.end, batch)
    mm.objects.detachVma(vma.object, vma.ptr)
    vma.object = vvar
    mm.objects.attachVma(vvar, vma.ptr)
  }
  batch.finish()
  mm.atomics.unlock(space.lock, LockRank.space)
}

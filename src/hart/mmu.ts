/**
 * The memory-management unit, emitted as functions of the interpreter's module. The fast path, a look at one TLB
 * entry, stands in each load and store; what is here is called when it misses.
 *
 *     walk(address, access) → place in the buffer, or -1   walks the tables as the privileged manual says (4.3.2)
 *     translate(address, access)                           the same by way of the TLB
 *     loadMiss, storeMiss, atomicAddress                   what loads, stores and atomics call
 *
 * Places are i64 here so that -1 is none of them. A -1 has left exit, cause and tval in the hart's record.
 */
import { PAGE_MASK, PAGE_SIZE } from '../base/numbers.js'
import type { Code, Label } from '../base/wasm/code.js'
import type { WasmModule } from '../base/wasm/module.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TlbEntry, TlbHeader } from '../paging/tlb.js'
import { Cause, Exit } from './exit.js'
import type { HartLayout } from './hart-layout.js'
import { HartField } from './hart-state.js'
import { atomic, i32, i64, loadRaw, local, op, select, storeRaw, type Value } from './value.js'

/** What an access wants; its tag stands at `access * 8` in a TLB entry. */
export const MmuAccess = { read: 0, write: 1, execute: 2 } as const

/** Bits of a page-table entry. */
const Pte = { valid: 1, read: 2, write: 4, execute: 8, user: 16, accessed: 64, dirty: 128 } as const
const PTE_LEAF = Pte.read | Pte.execute
/** Reserved in an entry that points to a table. */
const PTE_TABLE_RESERVED = Pte.user | Pte.accessed | Pte.dirty
/** N, PBMT and reserved bits: must be zero without the extensions that use them. */
const PTE_HIGH_RESERVED_SHIFT = 54
const PTE_PPN_MASK = (1n << 44n) - 1n
const ROOT_LEVEL_SHIFT = 30
const NONE = i64(-1)
const PAGE_START = i64(-PAGE_SIZE)

/** Offset of the TLB slot of an address (i64), i32. */
export function tlbSlot(address: Value): Value {
  const shift = 12 - Math.log2(TLB_ENTRY_BYTES)
  return op(
    'i32_and',
    op('i32_shr_u', op('i32_wrap_i64', address), i32(shift)),
    i32((TLB_ENTRIES - 1) * TLB_ENTRY_BYTES),
  )
}

/** Adds the functions; returns their indices by name. */
export function addMmu(module: WasmModule, layout: HartLayout): Map<string, number> {
  const fault = module.function(undefined, ['i64', 'i32', 'i32'], ['i64'], (code) => emitFault(code, layout))
  const walk = module.function(undefined, ['i64', 'i32'], ['i64'], (code) =>
    new WalkEmitter(code, layout, fault).emit(),
  )
  const translate = module.function(undefined, ['i64', 'i32'], ['i64'], (code) =>
    emitTranslate(code, layout, walk),
  )
  const loadMiss = module.function(undefined, ['i64', 'i32'], ['i64'], (code) =>
    emitLoadMiss(code, layout, translate),
  )
  const storeMiss = module.function(undefined, ['i64', 'i64', 'i32'], ['i32'], (code) =>
    emitStoreMiss(code, layout, translate),
  )
  const atomicAddress = module.function(undefined, ['i64', 'i32', 'i32'], ['i64'], (code) =>
    emitAtomicAddress(code, layout, translate),
  )
  return new Map(Object.entries({ walk, translate, loadMiss, storeMiss, atomicAddress }))
}

function emitRecord(code: Code, { hart }: HartLayout, exit: Value, cause: Value, tval: Value): void {
  storeRaw('i32_store', i32(hart), exit, HartField.exit)(code)
  storeRaw('i32_store', i32(hart), cause, HartField.cause)(code)
  storeRaw('i64_store', i32(hart), tval, HartField.tval)(code)
}

/** fault(address, access, outside RAM) → -1. */
function emitFault(code: Code, layout: HartLayout): void {
  const [address, access, isOutside] = [local(0), local(1), local(2)]
  const byAccess = (read: number, write: number, execute: number): Value =>
    select(
      op('i32_eq', access, i32(MmuAccess.read)),
      i32(read),
      select(op('i32_eq', access, i32(MmuAccess.write)), i32(write), i32(execute)),
    )
  emitRecord(
    code,
    layout,
    select(isOutside, i32(Exit.accessFault), byAccess(Exit.loadFault, Exit.storeFault, Exit.fetchFault)),
    select(
      isOutside,
      byAccess(Cause.loadAccess, Cause.storeAccess, Cause.fetchAccess),
      byAccess(Cause.loadPage, Cause.storePage, Cause.fetchPage),
    ),
    address,
  )
  NONE(code)
}

/** walk(address, access). */
class WalkEmitter {
  readonly #code: Code
  readonly #layout: HartLayout
  readonly #fault: number
  readonly #address = local(0)
  readonly #access = local(1)
  /** i32: where the entry is; i64: what it holds; i32: log2 of the bytes that it maps. */
  readonly #entry: number
  readonly #pte: number
  readonly #shift: number
  /** i64: the frame, counted from the start of the buffer. */
  readonly #frame: number
  #pageFault!: Label
  #accessFault!: Label

  constructor(code: Code, layout: HartLayout, fault: number) {
    this.#code = code
    this.#layout = layout
    this.#fault = fault
    this.#entry = code.local('i32')
    this.#pte = code.local('i64')
    this.#shift = code.local('i32')
    this.#frame = code.local('i64')
  }

  emit(): void {
    const code = this.#code
    this.#accessFault = code.block()
    this.#pageFault = code.block()
    this.#faultUnlessCanonical()
    const again = code.loop()
    this.#descend()
    this.#checkLeaf()
    this.#markAccessed(again)
    this.#fill()
    code.op('return').end()
    code.end()
    this.#leave(0)
    code.end()
    this.#leave(1)
  }

  #leave(isOutside: number): void {
    const code = this.#code
    this.#address(code)
    this.#access(code)
    code.i32(isOutside).call(this.#fault).op('return')
    // What follows a `return` needs no value; the body's last one does.
    if (isOutside === 1) code.op('unreachable')
  }

  #pageFaultIf(condition: Value): void {
    condition(this.#code)
    this.#code.brIf(this.#pageFault)
  }

  /** Bits 63 to 39 equal bit 38; and there must be tables. */
  #faultUnlessCanonical(): void {
    const high = op('i64_shr_s', this.#address, i64(38))
    this.#pageFaultIf(op('i64_gt_u', op('i64_add', high, i64(1)), i64(1)))
    this.#pageFaultIf(op('i32_eqz', this.#root()))
  }

  #root(): Value {
    return loadRaw('i32_load', i32(this.#layout.tlb), TlbHeader.activeRoot)
  }

  /** From the root to a leaf: `entry`, `pte`, `shift` and `frame` are the leaf's. */
  #descend(): void {
    const code = this.#code
    op('i64_extend_i32_u', this.#root())(code)
    code.set(this.#frame).i32(ROOT_LEVEL_SHIFT).set(this.#shift)
    const found = code.block()
    const next = code.loop()
    this.#readEntry()
    this.#checkPresent()
    op('i64_and', local(this.#pte), i64(PTE_LEAF))(code)
    code.op('i64_eqz').op('i32_eqz').brIf(found)
    this.#pageFaultIf(this.#has(PTE_TABLE_RESERVED))
    code.get(this.#shift).i32(9).op('i32_sub').tee(this.#shift).i32(12).op('i32_ge_s').brIf(next)
    code.br(this.#pageFault).end().end()
  }

  #readEntry(): void {
    const code = this.#code
    const index = op(
      'i32_wrap_i64',
      op('i64_and', op('i64_shr_u', this.#address, op('i64_extend_i32_u', local(this.#shift))), i64(511)),
    )
    const table = op('i32_shl', op('i32_wrap_i64', local(this.#frame)), i32(12))
    op('i32_add', table, op('i32_shl', index, i32(3)))(code)
    code.set(this.#entry)
    const read = this.#layout.shared
      ? atomic('i64_atomic_load', local(this.#entry))
      : loadRaw('i64_load', local(this.#entry))
    read(code)
    code.set(this.#pte)
  }

  /** Valid, not the reserved combination W without R, no reserved bits, and a frame inside RAM. */
  #checkPresent(): void {
    const code = this.#code
    const pte = local(this.#pte)
    this.#pageFaultIf(op('i64_eqz', op('i64_and', pte, i64(Pte.valid))))
    const readWrite = op('i64_and', pte, i64(Pte.read | Pte.write))
    this.#pageFaultIf(op('i64_eq', readWrite, i64(Pte.write)))
    this.#pageFaultIf(op('i32_wrap_i64', op('i64_shr_u', pte, i64(PTE_HIGH_RESERVED_SHIFT))))
    const ppn = op('i64_and', op('i64_shr_u', pte, i64(10)), i64(PTE_PPN_MASK))
    op('i64_sub', ppn, i64(this.#layout.physBasePfn))(code)
    code.set(this.#frame)
    this.#accessFaultUnlessTable()
  }

  /** A table outside RAM; a leaf is looked at when its permissions are known to be good. */
  #accessFaultUnlessTable(): void {
    const isTable = op('i64_eqz', op('i64_and', local(this.#pte), i64(PTE_LEAF)))
    op('i32_and', isTable, this.#isOutsideRam())(this.#code)
    this.#code.brIf(this.#accessFault)
  }

  #isOutsideRam(): Value {
    return op('i64_ge_u', local(this.#frame), i64(this.#layout.frames))
  }

  #has(bits: number): Value {
    return op('i32_and', op('i32_wrap_i64', local(this.#pte)), i32(bits))
  }

  /** User's, allowed, aligned to its size, in RAM; then `frame` becomes the frame of the very page. */
  #checkLeaf(): void {
    const code = this.#code
    const needed = select(
      op('i32_eq', this.#access, i32(MmuAccess.read)),
      i32(Pte.read),
      select(op('i32_eq', this.#access, i32(MmuAccess.write)), i32(Pte.write), i32(Pte.execute)),
    )
    this.#pageFaultIf(op('i32_eqz', this.#has(Pte.user)))
    this.#pageFaultIf(op('i32_eqz', op('i32_and', op('i32_wrap_i64', local(this.#pte)), needed)))
    const pagesLess1 = op(
      'i64_sub',
      op('i64_shl', i64(1), op('i64_extend_i32_u', op('i32_sub', local(this.#shift), i32(12)))),
      i64(1),
    )
    this.#pageFaultIf(
      op('i32_wrap_i64', op('i64_and', op('i64_shr_u', local(this.#pte), i64(10)), pagesLess1)),
    )
    const within = op('i64_and', op('i64_shr_u', this.#address, i64(12)), pagesLess1)
    op('i64_add', local(this.#frame), within)(code)
    code.set(this.#frame)
    this.#isOutsideRam()(code)
    code.brIf(this.#accessFault)
  }

  /** Sets A, and D for a store; another hart or the kernel may have come between: then from the start. */
  #markAccessed(again: Label): void {
    const code = this.#code
    const low = op('i32_wrap_i64', local(this.#pte))
    const wanted = select(
      op('i32_eq', this.#access, i32(MmuAccess.write)),
      i32(Pte.accessed | Pte.dirty),
      i32(Pte.accessed),
    )
    const marked = op('i32_or', low, wanted)
    op('i32_ne', marked, low)(code)
    code.if()
    if (this.#layout.shared) {
      op('i32_ne', atomic('i32_atomic_rmw_cmpxchg', local(this.#entry), low, marked), low)(code)
      code.brIf(again)
    } else {
      storeRaw('i32_store', local(this.#entry), marked)(code)
    }
    op('i64_or', local(this.#pte), op('i64_extend_i32_u', wanted))(code)
    code.set(this.#pte).end()
  }

  /** Writes the TLB entry and leaves the place in the buffer on the stack. */
  #fill(): void {
    const code = this.#code
    const slot = code.local('i32')
    tlbSlot(this.#address)(code)
    code.set(slot)
    const page = op('i64_and', this.#address, PAGE_START)
    const tag = (offset: number, bits: number): void => {
      const allowed = op('i32_eq', this.#has(bits), i32(bits))
      this.#storeSlot('i64_store', slot, offset, op('select', page, NONE, allowed))
    }
    tag(TlbEntry.readTag, Pte.read)
    tag(TlbEntry.writeTag, Pte.write | Pte.dirty)
    tag(TlbEntry.executeTag, Pte.execute)
    const place = op('i64_shl', local(this.#frame), i64(12))
    this.#storeSlot('i32_store', slot, TlbEntry.addend, op('i32_wrap_i64', op('i64_sub', place, page)))
    op('i64_or', place, op('i64_and', this.#address, i64(PAGE_MASK)))(code)
  }

  #storeSlot(name: 'i32_store' | 'i64_store', slot: number, offset: number, value: Value): void {
    storeRaw(name, local(slot), value, this.#layout.tlbEntries + offset)(this.#code)
  }
}

/** translate(address, access). */
function emitTranslate(code: Code, layout: HartLayout, walk: number): void {
  const [address, access] = [local(0), local(1)]
  const slot = code.local('i32')
  tlbSlot(address)(code)
  code.set(slot)
  const tagPlace = op('i32_add', local(slot), op('i32_shl', access, i32(3)))
  op('i64_eq', loadRaw('i64_load', tagPlace, layout.tlbEntries), op('i64_and', address, PAGE_START))(code)
  code.if()
  const addend = loadRaw('i32_load', local(slot), layout.tlbEntries + TlbEntry.addend)
  op('i64_extend_i32_u', op('i32_add', op('i32_wrap_i64', address), addend))(code)
  code.op('return').end()
  code.get(0).get(1).call(walk)
}

/** Whether `bytes` (i32) from an address (i64) reach into the next page. */
function crosses(address: Value, bytes: Value): Value {
  const offset = op('i32_and', op('i32_wrap_i64', address), i32(PAGE_MASK))
  return op('i32_gt_u', op('i32_add', offset, bytes), i32(PAGE_SIZE))
}

/**
 * Translates both pages of a crossing access before a byte moves: the places are left in two locals, the bytes in
 * the first page in a third. Returns `failed` when one faults.
 */
function emitBothPages(code: Code, translate: number, access: number, bytes: Value, failed: Value) {
  const [first, second, length] = [code.local('i64'), code.local('i64'), code.local('i32')]
  const last = op('i64_sub', op('i64_add', local(0), op('i64_extend_i32_u', bytes)), i64(1))
  for (const [address, place] of [
    [local(0), first],
    [op('i64_and', last, PAGE_START), second],
  ] as const) {
    address(code)
    code.i32(access).call(translate).tee(place).i64(-1).op('i64_eq').if()
    failed(code)
    code.op('return').end()
  }
  op('i32_sub', i32(PAGE_SIZE), op('i32_and', op('i32_wrap_i64', local(0)), i32(PAGE_MASK)))(code)
  code.set(length)
  const place = (index: number): Value => op('i32_wrap_i64', local(index))
  return { first: place(first), second: place(second), length: local(length) }
}

function emitCopy(code: Code, destination: Value, source: Value, length: Value): void {
  destination(code)
  source(code)
  length(code)
  code.memoryCopy()
}

/** loadMiss(address, bytes): where the bytes are; those of a crossing access are gathered in the bounce buffer. */
function emitLoadMiss(code: Code, { hart }: HartLayout, translate: number): void {
  const bytes = local(1)
  op('i32_eqz', crosses(local(0), bytes))(code)
  code.if()
  code.get(0).i32(MmuAccess.read).call(translate).op('return').end()
  const { first, second, length } = emitBothPages(code, translate, MmuAccess.read, bytes, NONE)
  const bounce = i32(hart + HartField.bounce)
  emitCopy(code, bounce, first, length)
  emitCopy(code, op('i32_add', bounce, length), second, op('i32_sub', bytes, length))
  code.i64(hart + HartField.bounce)
}

/** storeMiss(address, value, bytes): the whole store; 1 when it faulted. */
function emitStoreMiss(code: Code, { hart }: HartLayout, translate: number): void {
  const [value, bytes] = [local(1), local(2)]
  const bounce = i32(hart + HartField.bounce)
  op('i32_eqz', crosses(local(0), bytes))(code)
  code.if()
  emitStoreWithin(code, translate, value, bytes)
  code.end()
  const { first, second, length } = emitBothPages(code, translate, MmuAccess.write, bytes, i32(1))
  storeRaw('i64_store', bounce, value)(code)
  emitCopy(code, first, bounce, length)
  emitCopy(code, second, op('i32_add', bounce, length), op('i32_sub', bytes, length))
  code.i32(0)
}

/** A store inside one page, in one access so that other harts see it whole; returns. */
function emitStoreWithin(code: Code, translate: number, value: Value, bytes: Value): void {
  const place = code.local('i64')
  code.get(0).i32(MmuAccess.write).call(translate).tee(place).i64(-1).op('i64_eq')
  code.if()
  code.i32(1).op('return').end()
  const pointer = op('i32_wrap_i64', local(place))
  for (const [size, name] of [
    [1, 'i64_store8'],
    [2, 'i64_store16'],
    [4, 'i64_store32'],
    [8, 'i64_store'],
  ] as const) {
    op('i32_eq', bytes, i32(size))(code)
    code.if()
    pointer(code)
    value(code)
    code.memory(name, 0, 0).end()
  }
  code.i32(0).op('return')
}

/** atomicAddress(address, bytes, write). */
function emitAtomicAddress(code: Code, layout: HartLayout, translate: number): void {
  const [address, bytes, write] = [local(0), local(1), local(2)]
  op('i32_and', op('i32_wrap_i64', address), op('i32_sub', bytes, i32(1)))(code)
  code.if()
  const cause = select(write, i32(Cause.storeMisaligned), i32(Cause.loadMisaligned))
  emitRecord(code, layout, i32(Exit.misaligned), cause, address)
  code.i64(-1).op('return').end()
  code.get(0).get(2).call(translate)
}

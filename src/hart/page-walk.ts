/**
 * The walk of the page tables, emitted as one function: what the privileged manual's "Virtual Address Translation
 * Process" says for user mode, with A and D set by the hardware (Svadu).
 */
import { PAGE_MASK, PAGE_SIZE } from '../base/numbers.js'
import type { Code, Label, ValueType } from '../base/wasm/code.js'
import { atomic, i32, i64, loadRaw, local, op, select, storeRaw, type Value } from '../base/wasm/value.js'
import { TlbEntry, TlbHeader } from '../paging/tlb-layout.js'
import { Cause, Exit } from './exit.js'
import type { HartLayout } from './hart-layout.js'
import { HartField } from './hart-state.js'
import { MmuAccess, tlbEntries, tlbSlot } from './mmu-access.js'
import {
  frameOf,
  framesOfRam,
  LEVEL_BITS,
  PTE_HIGH_RESERVED_SHIFT,
  PTE_LEAF,
  Pte,
  ROOT_LEVEL_SHIFT,
} from './page-table-entry.js'
import { growEpoch } from './translator/code-epoch.js'

/** answer(address, where its entry is, MmuAccess) → 0: it is a fault; 1: the entry allows it now; 2: and maps another frame than before. */
export const ANSWER_PARAMETERS: readonly ValueType[] = ['i64', 'i32', 'i32']
export const ANSWER_RESULTS: readonly ValueType[] = ['i32']
/** Place in the hart's table of functions. */
export const ANSWER_PLACE = 0

/** Reserved in an entry that points to a table. */
const PTE_TABLE_RESERVED = Pte.user | Pte.accessed | Pte.dirty
const NONE = i64(-1)
const PAGE_START = i64(-PAGE_SIZE)

/** Writes the body of walk(address, access): the place in the buffer, or what `fault` returns. */
export class WalkEmitter {
  readonly #code: Code
  readonly #layout: HartLayout
  readonly #fault: number
  readonly #answer: number
  readonly #address = local(0)
  readonly #access = local(1)
  /** i32: where the entry is; i64: what it holds; i32: log2 of the bytes that it maps. */
  readonly #entry: number
  readonly #pte: number
  readonly #shift: number
  /** i64: the frame, counted from the start of the buffer. */
  readonly #frame: number
  /** The walk from the root. */
  #again!: Label
  #pageFault!: Label
  #accessFault!: Label

  /** `fault`: the function that records one; `answer`: type of the function that may answer it (Hart.answerFaults). */
  constructor(code: Code, layout: HartLayout, fault: number, answer: number) {
    this.#code = code
    this.#layout = layout
    this.#fault = fault
    this.#answer = answer
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
    this.#again = code.loop()
    this.#descend()
    this.#checkLeaf()
    this.#markAccessed()
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
    this.#checkValid()
    this.#checkPresent()
    op('i64_and', local(this.#pte), i64(PTE_LEAF))(code)
    code.op('i64_eqz').op('i32_eqz').brIf(found)
    this.#pageFaultIf(this.#has(PTE_TABLE_RESERVED))
    code.get(this.#shift).i32(LEVEL_BITS).op('i32_sub').tee(this.#shift).i32(12).op('i32_ge_s').brIf(next)
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

  /** An entry of a page that is all zero is looked at again when somebody has filled it. */
  #checkValid(): void {
    const code = this.#code
    const isInvalid = op('i64_eqz', op('i64_and', local(this.#pte), i64(Pte.valid)))
    if (this.#layout.shared) {
      this.#pageFaultIf(isInvalid)
      return
    }
    isInvalid(code)
    code.ifUnlikely()
    this.#pageFaultIf(op('i32_eqz', op('i64_eqz', local(this.#pte))))
    this.#ask()
    code.end()
  }

  /** Somebody may answer the fault at the entry of a page. */
  #ask(): void {
    const code = this.#code
    const hart = i32(this.#layout.hart)
    const answer = code.local('i32')
    this.#pageFaultIf(op('i32_ne', local(this.#shift), i32(12)))
    this.#pageFaultIf(op('i32_eqz', loadRaw('i32_load', hart, HartField.answersLeft)))
    this.#address(code)
    code.get(this.#entry)
    this.#access(code)
    code.i32(ANSWER_PLACE).callIndirect(this.#answer).tee(answer).op('i32_eqz').brIf(this.#pageFault)
    // As if it had left.
    const cause = select(this.#isAccess(MmuAccess.write), i32(Cause.storePage), i32(Cause.loadPage))
    storeRaw('i32_store', hart, cause, HartField.cause)(code)
    storeRaw('i64_store', hart, this.#address, HartField.tval)(code)
    code.get(answer).i32(1).op('i32_eq').brIf(this.#again)
    storeRaw('i32_store', hart, i32(Exit.replaced), HartField.exit)(code)
    code.i64(-1).op('return')
  }

  #isAccess(access: number): Value {
    return op('i32_eq', this.#access, i32(access))
  }

  /** Not the reserved combination W without R, no reserved bits, and a frame inside RAM. */
  #checkPresent(): void {
    const code = this.#code
    const pte = local(this.#pte)
    const readWrite = op('i64_and', pte, i64(Pte.read | Pte.write))
    this.#pageFaultIf(op('i64_eq', readWrite, i64(Pte.write)))
    this.#pageFaultIf(op('i32_wrap_i64', op('i64_shr_u', pte, i64(PTE_HIGH_RESERVED_SHIFT))))
    frameOf(pte, this.#layout.physBasePfn)(code)
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
    return op('i64_ge_u', local(this.#frame), framesOfRam)
  }

  #has(bits: number): Value {
    return op('i32_and', op('i32_wrap_i64', local(this.#pte)), i32(bits))
  }

  /** User's, allowed, aligned to its size, in RAM; then `frame` becomes the frame of the very page. */
  #checkLeaf(): void {
    const code = this.#code
    const needed = select(
      this.#isAccess(MmuAccess.read),
      i32(Pte.read),
      select(this.#isAccess(MmuAccess.write), i32(Pte.write), i32(Pte.execute)),
    )
    this.#pageFaultIf(op('i32_eqz', this.#has(Pte.user)))
    const isForbidden = op('i32_eqz', op('i32_and', op('i32_wrap_i64', local(this.#pte)), needed))
    if (this.#layout.shared) this.#pageFaultIf(isForbidden)
    else {
      isForbidden(code)
      code.ifUnlikely()
      this.#ask()
      code.end()
    }
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
  #markAccessed(): void {
    const code = this.#code
    const low = op('i32_wrap_i64', local(this.#pte))
    const wanted = select(this.#isAccess(MmuAccess.write), i32(Pte.accessed | Pte.dirty), i32(Pte.accessed))
    const marked = op('i32_or', low, wanted)
    op('i32_ne', marked, low)(code)
    code.if()
    if (this.#layout.shared) {
      op('i32_ne', atomic('i32_atomic_rmw_cmpxchg', local(this.#entry), low, marked), low)(code)
      code.brIf(this.#again)
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
    tlbSlot(this.#address, tlbEntries(this.#layout))(code)
    code.set(slot)
    this.#noteCodeChange()
    const page = op('i64_and', this.#address, PAGE_START)
    const tag = (offset: number, bits: number): void => {
      const has = op('i32_eq', this.#has(bits), i32(bits))
      const allowed =
        offset === TlbEntry.writeTag ? op('i32_and', has, op('i32_eqz', this.#codeStamp())) : has
      this.#storeSlot('i64_store', slot, offset, op('select', page, NONE, allowed))
    }
    tag(TlbEntry.readTag, Pte.read)
    tag(TlbEntry.writeTag, Pte.write | Pte.dirty)
    tag(TlbEntry.executeTag, Pte.execute)
    const place = op('i64_shl', local(this.#frame), i64(12))
    this.#storeSlot('i32_store', slot, TlbEntry.addend, op('i32_wrap_i64', op('i64_sub', place, page)))
    op('i64_or', place, op('i64_and', this.#address, i64(PAGE_MASK)))(code)
  }

  #stampPlace(): Value {
    return op('i32_shl', op('i32_wrap_i64', local(this.#frame)), i32(1))
  }

  #codeStamp(): Value {
    return loadRaw('i32_load16_u', this.#stampPlace(), this.#layout.codeStamps)
  }

  /** A store to a frame that code was translated from always comes here: its writeTag does not stand. */
  #noteCodeChange(): void {
    const code = this.#code
    this.#isAccess(MmuAccess.write)(code)
    code.if()
    this.#codeStamp()(code)
    code.if()
    storeRaw('i32_store16', this.#stampPlace(), i32(0), this.#layout.codeStamps)(code)
    growEpoch(code, this.#layout)
    code.end().end()
  }

  #storeSlot(name: 'i32_store' | 'i64_store', slot: number, offset: number, value: Value): void {
    storeRaw(name, local(slot), value, offset)(this.#code)
  }
}

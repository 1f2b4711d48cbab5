import { PAGE_SHIFT, PAGE_SIZE } from '../base/numbers.js'
import type { Code } from '../base/wasm/code.js'
import { i32, i64, loadRaw, local, op, select, storeRaw, type Value } from '../base/wasm/value.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FrameTaking } from '../frame/frame-taking.js'
import { FRAME_FIELD, frameEntry } from '../frame/zone-functions.js'
import { TLB_ENTRIES, TLB_ENTRY_BYTES, TLB_HEADER_BYTES, TlbEntry, TlbHeader } from '../paging/tlb-layout.js'
import { VM_WRITE } from '../space/vm-flags.js'
import { Counter } from '../state/counters.js'
import { region, stateWord } from '../state/emitted-values.js'
import { Region, Word } from '../state/layout.js'
import { AnswerEmitter } from './answer-emitter.js'
import { Answer, type AnswerLayout, WalkAccess } from './answer-layout.js'

/**
 * Answers a write to a page of a private mapping that is there and may only be read yet (copy-on-write.ts): where the zero page is it gets a frame of
 * zeroes, where a frame of anonymous memory is that others have too a copy, and one that nobody else has may be written from now on. A page of a file is
 * left to copy-on-write.ts.
 */
export class PrivateWriteEmitter extends AnswerEmitter {
  /** i64: what the entry holds; i32: the frame that it maps. */
  readonly #old: number
  readonly #from: number

  constructor(code: Code, layout: AnswerLayout, taking: FrameTaking) {
    super(code, layout, taking)
    this.#old = code.local('i64')
    this.#from = code.local('i32')
  }

  protected checkAccess(): void {
    const { readBits, format } = this.layout
    this.refuseIf(op('i32_ne', this.access, i32(WalkAccess.write)))
    loadRaw('i64_load', this.entry)(this.code)
    this.code.set(this.#old)
    const rights = op('i32_and', this.#oldBits(), i32(readBits | format.writable))
    this.refuseIf(op('i32_ne', rights, i32(readBits)))
  }

  #oldBits(): Value {
    const all = 2 ** this.layout.format.frameShift - 1
    return op('i32_and', op('i32_wrap_i64', local(this.#old)), i32(all))
  }

  protected neededFlags(): Value {
    return i32(VM_WRITE)
  }

  protected resolve(): void {
    const { code } = this
    const { firstFrame, frameShift, special } = this.layout.format
    const number = op('i32_wrap_i64', op('i64_shr_u', local(this.#old), i64(frameShift)))
    op('i32_sub', number, i32(firstFrame))(code)
    code.set(this.#from)
    op('i32_and', this.#oldBits(), i32(special))(code)
    code.if()
    this.refuseIf(op('i32_ne', local(this.#from), stateWord(Word.zeroFrame)))
    this.#replaceZeroPage()
    code.end()
    // A frame of anonymous memory: the mapping is private.
    const flags = this.frameField(local(this.#from), FRAME_FIELD.flags)
    this.refuseIf(op('i32_eqz', op('i32_and', flags, i32(FrameFlag.anonymous))))
    op('i32_eq', this.frameField(local(this.#from), FRAME_FIELD.refCount), i32(1))(code)
    code.if()
    this.#takeOver(flags)
    code.end()
    this.#copy()
  }

  #replaceZeroPage(): void {
    this.#prepare()
    this.zero()
    this.install()
    this.countResident()
    this.#forget()
    this.finish(Counter.faultAnonymous, Answer.replaced)
  }

  /** A family, and a frame of the cache. */
  #prepare(): void {
    this.refuseIf(op('i32_eqz', this.cached()))
    this.checkFamily()
    this.takeCached()
    this.prepareFamily()
  }

  /** From now on nobody needs to ask again. An entry that loses a right besides is left to copy-on-write.ts: TLBs would have to be told. */
  #takeOver(flags: Value): void {
    const { code } = this
    const own = this.bitsOf(this.layout.ownBits)
    this.refuseIf(op('i32_and', this.#oldBits(), op('i32_xor', own, i32(-1))))
    op('i32_eqz', op('i32_and', flags, i32(FrameFlag.exclusive)))(code)
    code.if()
    const alone = op('i32_or', op('i32_and', flags, i32(~FrameFlag.folio)), i32(FrameFlag.exclusive))
    storeRaw('i32_store', frameEntry(local(this.table), local(this.#from)), alone, FRAME_FIELD.flags)(code)
    code.end()
    this.setEntry(local(this.#from), this.layout.ownBits)
    this.finish(Counter.faultReuse, Answer.allowed)
  }

  /** What is resident stays as much; the old frame has a reference less, and not the last. */
  #copy(): void {
    const { code } = this
    this.#prepare()
    const bytes = (pfn: number): void => void code.get(pfn).i32(PAGE_SHIFT).op('i32_shl')
    bytes(this.pfn)
    bytes(this.#from)
    code.i32(PAGE_SIZE).memoryCopy()
    this.install()
    const references = op('i32_sub', this.frameField(local(this.#from), FRAME_FIELD.refCount), i32(1))
    const frame = frameEntry(local(this.table), local(this.#from))
    storeRaw('i32_store', frame, references, FRAME_FIELD.refCount)(code)
    this.#forget()
    this.finish(Counter.faultCopy, Answer.replaced)
  }

  /** Shootdown.forget of this page, on the hart that runs the space. */
  #forget(): void {
    const { code } = this
    const header = code.local('i32')
    region(Region.tlbHeaders)(code)
    code
      .i32(this.layout.hart * TLB_HEADER_BYTES)
      .op('i32_add')
      .set(header)
    const index = op('i32_and', op('i32_wrap_i64', local(this.vpn)), i32(TLB_ENTRIES - 1))
    const offset = op('i32_mul', index, i32(TLB_ENTRY_BYTES))
    const slot = op('i32_add', loadRaw('i32_load', local(header), TlbHeader.entries), offset)
    for (const tag of [TlbEntry.readTag, TlbEntry.writeTag, TlbEntry.executeTag]) {
      storeRaw('i64_store', slot, i64(-1), tag)(code)
    }
    this.#noteForgotten(local(header))
    const flushes = op('i32_add', loadRaw('i32_load', local(header), TlbHeader.pageFlushes), i32(1))
    storeRaw('i32_store', local(header), flushes, TlbHeader.pageFlushes)(code)
    this.count(Counter.flushPages)
  }

  /** As Tlbs notes it: the page lies inside what was forgotten. */
  #noteForgotten(header: Value): void {
    const page = op('i32_wrap_i64', local(this.vpn))
    const from = loadRaw('i32_load', header, TlbHeader.forgottenFrom)
    const end = loadRaw('i32_load', header, TlbHeader.forgottenEnd)
    const next = op('i32_add', page, i32(1))
    const least = select(op('i32_lt_u', page, from), page, from)
    const most = select(op('i32_gt_u', next, end), next, end)
    storeRaw('i32_store', header, least, TlbHeader.forgottenFrom)(this.code)
    storeRaw('i32_store', header, most, TlbHeader.forgottenEnd)(this.code)
  }
}

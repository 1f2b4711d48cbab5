import { NO_FRAME, PAGE_SHIFT } from '../base/numbers.js'
import type { Label } from '../base/wasm/code.js'
import { i32, ifElse, loadRaw, local, op, select, storeRaw, type Value } from '../base/wasm/value.js'
import { CacheWord } from '../frame/frame-cache.js'
import { FrameFlag } from '../frame/frame-table.js'
import { ZONE_BYTES, ZoneWord } from '../frame/zone.js'
import { FRAME_FIELD, frameEntry } from '../frame/zone-functions.js'
import { FAMILY_ROOT } from '../space/anonymous-families.js'
import { FOLIO_MASK } from '../space/huge-policy.js'
import { VM_READ, VM_WRITE } from '../space/vm-flags.js'
import { VMA_BIAS, VMA_FAMILY, VMA_OBJECT } from '../space/vma.js'
import { Counter } from '../state/counters.js'
import { region, stateWord } from '../state/emitted-values.js'
import { directoryPtr, Region, Word } from '../state/layout.js'
import { AnswerEmitter } from './answer-emitter.js'
import { Answer, WalkAccess } from './answer-layout.js'
import { AROUND, PLACED_PAGES_MIN } from './placed-frame.js'

/** Answers the first access to a page, whose entry is all zero: a write gets a frame of zeroes, a read the one that all have (first-write.ts, anonymous.ts). */
export class FirstTouchEmitter extends AnswerEmitter {
  readonly #isWrite = op('i32_eq', this.access, i32(WalkAccess.write))

  protected checkAccess(): void {
    this.refuseIf(op('i32_eq', this.access, i32(WalkAccess.execute)))
  }

  protected neededFlags(): Value {
    return op('select', i32(VM_WRITE), i32(VM_READ | VM_WRITE), this.#isWrite)
  }

  protected resolve(): void {
    const { code } = this
    this.refuseIf(this.field(VMA_OBJECT))
    this.#isWrite(code)
    code.if()
    this.refuseIf(op('i32_and', stateWord(Word.hugePolicy), i32(FOLIO_MASK)))
    this.checkFamily()
    this.#takeFrame()
    this.prepareFamily()
    this.install()
    this.#countInTable()
    this.countResident()
    this.finish(Counter.faultAnonymous, Answer.allowed)
    code.end()
    this.setEntry(stateWord(Word.zeroFrame), this.layout.zeroBits)
    this.#countInTable()
    this.finish(Counter.faultZeroPage, Answer.allowed)
  }

  /** allocatePlaced, where a frame can be had at once and the mapping knows its place. */
  #takeFrame(): void {
    const { code } = this
    const taken = code.block()
    const isLarge = op('f64_ge', this.pages(), (each) => void each.f64(PLACED_PAGES_MIN))
    op('i32_and', isLarge, this.#isChoosy())(code)
    code.if()
    this.#takePlaced(taken)
    code.end()
    this.refuseIf(op('i32_eqz', this.cached()))
    this.takeCached()
    code.end()
    this.zero()
  }

  /** BuddyAllocator.isChoosy. */
  #isChoosy(): Value {
    const { code } = this
    const next = code.local('i32')
    const top = op('i32_add', local(this.cache), op('i32_shl', this.cached(), i32(2)))
    const inCache = loadRaw('i32_load', top, (CacheWord.stack - 1) * 4)
    const last = this.#zoneOf(i32(-1))
    const inZone: Value = (each) => {
      each.get(this.table)
      last(each)
      each.call(this.taking.smallest)
    }
    ifElse('i32', this.cached(), inCache, inZone)(code)
    code.set(next)
    const isUsed = op('i32_and', this.frameField(local(next), FRAME_FIELD.flags), i32(FrameFlag.dirtyMemory))
    return op('i32_and', op('i32_ne', local(next), i32(NO_FRAME)), op('i32_eqz', isUsed))
  }

  /** BuddyAllocator.allocateZeroedAt for the frame that the page should get, and on to `taken`. If that is somebody else's by chance, any other will do. */
  #takePlaced(taken: Label): void {
    const { code } = this
    const pfn = local(this.pfn)
    this.refuseIf(op('i32_eqz', this.field(VMA_BIAS)))
    op('i32_add', op('i32_wrap_i64', local(this.vpn)), this.field(VMA_BIAS))(code)
    code.set(this.pfn)
    this.refuseIf(
      op(
        'i32_ge_u',
        pfn,
        op('i32_shl', (each) => void each.memorySize(), i32(4)),
      ),
    )
    op('i32_and', this.frameField(pfn, FRAME_FIELD.flags), i32(FrameFlag.cached))(code)
    code.if()
    this.refuseIf(
      (each) =>
        void each.get(this.table).get(this.cache).get(this.pfn).call(this.taking.takeOut).op('i32_eqz'),
    )
    code.br(taken).end()
    code.get(this.table)
    this.#zoneOf(pfn)(code)
    code.get(this.pfn).call(this.taking.takeAt)
    code.if()
    this.count(Counter.framesAllocated)
    this.passTime(this.layout.frameTicks)
    code.br(taken).end()
    this.#refuseAmongOthers()
  }

  /** isOthers of placed-frame.ts: the mapping is to get another place. */
  #refuseAmongOthers(): void {
    const { code } = this
    const [at, end, others] = [code.local('i32'), code.local('i32'), code.local('i32')]
    this.refuseIf(op('i32_eqz', this.field(VMA_FAMILY)))
    op('i32_and', local(this.pfn), i32(-AROUND))(code)
    code.tee(at).i32(AROUND).op('i32_add').set(end).i32(0).set(others)
    const next = code.loop()
    const isUsed = op('i32_gt_u', this.frameField(local(at), FRAME_FIELD.refCount), i32(0))
    const root = loadRaw('i32_load', this.field(VMA_FAMILY), FAMILY_ROOT)
    const isOthers = op('i32_ne', this.frameField(local(at), FRAME_FIELD.owner), root)
    op('i32_add', local(others), op('i32_and', isUsed, isOthers))(code)
    code.set(others).get(at).i32(1).op('i32_add').tee(at).get(end).op('i32_lt_u').brIf(next).end()
    this.refuseIf(op('i32_gt_u', local(others), i32(AROUND / 2)))
  }

  /** Zones.of. */
  #zoneOf(pfn: Value): Value {
    const zones = region(Region.zones)
    const bytes = loadRaw('i32_load', i32(directoryPtr(Region.zones) + 4))
    const start = loadRaw('i32_load', zones, ZONE_BYTES + ZoneWord.start * 4)
    const isUpper = op('i32_and', op('i32_gt_u', bytes, i32(ZONE_BYTES)), op('i32_ge_u', pfn, start))
    return op('i32_add', zones, select(isUpper, i32(ZONE_BYTES), i32(0)))
  }

  /** PageMapper.countEntry. */
  #countInTable(): void {
    const table = frameEntry(local(this.table), op('i32_shr_u', this.entry, i32(PAGE_SHIFT)))
    const count = op('i32_add', loadRaw('i32_load', table, FRAME_FIELD.index), i32(1))
    storeRaw('i32_store', table, count, FRAME_FIELD.index)(this.code)
  }
}

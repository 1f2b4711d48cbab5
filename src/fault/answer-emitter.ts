import { PAGE_SHIFT } from '../base/numbers.js'
import type { Code, Label } from '../base/wasm/code.js'
import { i32, i64, loadRaw, local, op, select, storeRaw, type Value } from '../base/wasm/value.js'
import { CACHE_BYTES, CacheWord } from '../frame/frame-cache.js'
import { FrameFlag } from '../frame/frame-table.js'
import type { FrameTaking } from '../frame/frame-taking.js'
import { FRAME_FIELD, frameEntry } from '../frame/zone-functions.js'
import { magazineOffset } from '../slab/hart-magazines.js'
import { MagazineWord } from '../slab/magazine.js'
import { SPACE_TREE_HEIGHT, SPACE_TREE_ROOT } from '../space/address-space.js'
import { FAMILY_FIRST, FAMILY_MEMBERS, FAMILY_ROOT } from '../space/anonymous-families.js'
import { HART_LINE_BYTES, HART_LINES, LINE_FAULTS } from '../space/space-counts.js'
import { VM_DROPPABLE, VM_EXEC, VM_UFFD_MISSING } from '../space/vm-flags.js'
import {
  VMA_END,
  VMA_FAMILY,
  VMA_FLAGS,
  VMA_OFFSET,
  VMA_RELATIVES,
  VMA_SPECIAL,
  VMA_START,
  VMA_USERFAULT,
} from '../space/vma.js'
import { NODE_BEGIN, NODE_CHILD, NODE_COUNT, NODE_LAST, NODE_PARENT } from '../space/vma-node-layout.js'
import { Counter } from '../state/counters.js'
import { region } from '../state/emitted-values.js'
import { Region } from '../state/layout.js'
import { Answer, type AnswerLayout } from './answer-layout.js'

/**
 * What answers to faults have in common: finding the mapping, giving it a family, making a frame its own, and what is counted. Nothing is changed before
 * it is sure that all can be done.
 */
export abstract class AnswerEmitter {
  protected readonly code: Code
  protected readonly layout: AnswerLayout
  protected readonly taking: FrameTaking
  protected readonly address = local(0)
  protected readonly entry = local(1)
  protected readonly access = local(2)
  /** i64: the page's number; f64: the same. */
  protected readonly vpn: number
  readonly #page: number
  /** i32: the mapping, and its VM_*. */
  protected readonly vma: number
  protected readonly flags: number
  /** i32: the frame table; the hart's cache of frames; the frame that the page gets. */
  protected readonly table: number
  protected readonly cache: number
  protected readonly pfn: number
  /** The leaf of the tree that the mapping stands in, and where in it. */
  readonly #leaf: number
  readonly #slot: number
  #refused!: Label

  constructor(code: Code, layout: AnswerLayout, taking: FrameTaking) {
    this.code = code
    this.layout = layout
    this.taking = taking
    this.vpn = code.local('i64')
    this.#page = code.local('f64')
    this.vma = code.local('i32')
    this.flags = code.local('i32')
    this.table = code.local('i32')
    this.cache = code.local('i32')
    this.pfn = code.local('i32')
    this.#leaf = code.local('i32')
    this.#slot = code.local('i32')
  }

  /** The body of the function. */
  emit(): void {
    const { code } = this
    this.#refused = code.block()
    this.checkAccess()
    op('i64_shr_u', this.address, i64(PAGE_SHIFT))(code)
    code.tee(this.vpn).op('f64_convert_i64_u').set(this.#page)
    this.#find()
    this.#checkMapping()
    region(Region.frameTable)(code)
    code.set(this.table)
    region(Region.frameCaches)(code)
    code
      .i32(this.layout.hart * CACHE_BYTES)
      .op('i32_add')
      .set(this.cache)
    this.resolve()
    code.end().i32(Answer.none)
  }

  /** Refuses what is known to be another kind of fault before the mapping has been found. */
  protected abstract checkAccess(): void
  /** The bits of VM_* of which a mapping must have one. */
  protected abstract neededFlags(): Value
  /** Does it, or refuses; returns an Answer. */
  protected abstract resolve(): void

  protected refuseIf(condition: Value): void {
    condition(this.code)
    this.code.brIf(this.#refused)
  }

  /** A word of the mapping's record. */
  protected field(offset: number): Value {
    return loadRaw('i32_load', local(this.vma), offset)
  }

  #number(offset: number): Value {
    return loadRaw('f64_load', local(this.vma), offset)
  }

  /** Pages of the mapping, f64. */
  protected pages(): Value {
    return op('f64_sub', this.#number(VMA_END), this.#number(VMA_START))
  }

  /** VmaTree.find: from the root down, each time to the first child that ends above the page. */
  #find(): void {
    const { code } = this
    const [node, entry, level] = [this.#leaf, this.#slot, code.local('i32')]
    const space = loadRaw('i32_load', i32(this.layout.space))
    loadRaw('i32_load', space, SPACE_TREE_ROOT)(code)
    code.tee(node).op('i32_eqz').brIf(this.#refused)
    const behind = op('i32_add', local(node), op('i32_shl', this.#leafEnd(), i32(3)))
    this.refuseIf(op('f64_le', loadRaw('f64_load', behind, NODE_LAST - 8), local(this.#page)))
    loadRaw('i32_load', space, SPACE_TREE_HEIGHT)(code)
    code.set(level)
    const down = code.loop()
    code.i32(0).set(entry)
    const found = code.block()
    const next = code.loop()
    const last = op('i32_add', local(node), op('i32_shl', local(entry), i32(3)))
    op('f64_gt', loadRaw('f64_load', last, NODE_LAST), local(this.#page))(code)
    code.brIf(found).get(entry).i32(1).op('i32_add').set(entry).br(next).end().end()
    this.#childAt(local(entry))(code)
    code.set(this.vma).get(level).i32(1).op('i32_sub').tee(level).if()
    code.get(this.vma).set(node).br(down).end().end()
  }

  /** The place behind the last entry of the node that `leaf` is. */
  #leafEnd(): Value {
    const node = local(this.#leaf)
    return op('i32_add', loadRaw('i32_load', node, NODE_COUNT), loadRaw('i32_load', node, NODE_BEGIN))
  }

  #childAt(slot: Value): Value {
    return loadRaw('i32_load', op('i32_add', local(this.#leaf), op('i32_shl', slot, i32(2))), NODE_CHILD)
  }

  /** Memory that may be accessed in this way, and no reader of a userfaultfd(2) is to be asked. */
  #checkMapping(): void {
    const { code } = this
    this.refuseIf(op('f64_gt', this.#number(VMA_START), local(this.#page)))
    this.field(VMA_FLAGS)(code)
    code.set(this.flags)
    this.refuseIf(op('i32_eqz', op('i32_and', local(this.flags), this.neededFlags())))
    const missing = op('i32_and', local(this.flags), i32(VM_UFFD_MISSING))
    const others = op('i32_or', this.field(VMA_SPECIAL), this.field(VMA_USERFAULT))
    this.refuseIf(op('i32_or', missing, others))
  }

  /** AnonymousFamilies.prepare would find none among the neighbours, and has a record at hand. */
  protected checkFamily(): void {
    const { code } = this
    const neighbour = code.local('i32')
    op('i32_eqz', this.field(VMA_FAMILY))(code)
    code.if()
    this.refuseIf(op('i32_eqz', loadRaw('i32_load', this.#magazine(), MagazineWord.count * 4)))
    for (const [step, far, near] of [
      [1, VMA_START, VMA_END],
      [-1, VMA_END, VMA_START],
    ] as const) {
      const slot = op('i32_add', local(this.#slot), i32(step))
      this.#isInLeaf(slot)(code)
      code.if()
      this.#childAt(slot)(code)
      code.set(neighbour)
      const touches = op('f64_eq', loadRaw('f64_load', local(neighbour), far), this.#number(near))
      const family = loadRaw('i32_load', local(neighbour), VMA_FAMILY)
      this.refuseIf(op('select', family, i32(0), touches))
      code.else()
      // It may stand in another leaf.
      this.refuseIf(loadRaw('i32_load', local(this.#leaf), NODE_PARENT))
      code.end()
    }
    code.end()
  }

  #isInLeaf(slot: Value): Value {
    const begin = loadRaw('i32_load', local(this.#leaf), NODE_BEGIN)
    return op('i32_and', op('i32_ge_s', slot, begin), op('i32_lt_s', slot, this.#leafEnd()))
  }

  /** The hart's magazine of records of families. */
  #magazine(): Value {
    const offset = magazineOffset(this.layout.hart, this.layout.familyCache)
    return op('i32_add', region(Region.magazines), i32(offset))
  }

  /** A family of its own, of a record as its constructor made it, and it has no other member. After checkFamily. */
  protected prepareFamily(): void {
    const { code } = this
    const [family, count] = [code.local('i32'), code.local('i32')]
    op('i32_eqz', this.field(VMA_FAMILY))(code)
    code.if()
    op('i32_sub', loadRaw('i32_load', this.#magazine(), MagazineWord.count * 4), i32(1))(code)
    code.set(count)
    storeRaw('i32_store', this.#magazine(), local(count), MagazineWord.count * 4)(code)
    const place = op('i32_add', this.#magazine(), op('i32_shl', local(count), i32(2)))
    loadRaw('i32_load', place, MagazineWord.objects * 4)(code)
    code.set(family)
    storeRaw('i32_store', local(family), i32(1), FAMILY_MEMBERS)(code)
    storeRaw('i32_store', local(family), local(family), FAMILY_ROOT)(code)
    storeRaw('i32_store', local(family), local(this.vma), FAMILY_FIRST)(code)
    storeRaw('i32_store', local(this.vma), local(family), VMA_FAMILY)(code)
    for (const link of VMA_RELATIVES) storeRaw('i32_store', local(this.vma), i32(0), link)(code)
    code.end()
  }

  /** Frames in the hart's cache. */
  protected cached(): Value {
    return loadRaw('i32_load', local(this.cache), CacheWord.count * 4)
  }

  /** `pfn` becomes the next frame of the cache, which is not empty. */
  protected takeCached(): void {
    this.code.get(this.table).get(this.cache).call(this.taking.takeCached).set(this.pfn)
  }

  protected zero(): void {
    this.code.get(this.table).get(this.pfn).call(this.taking.zero)
  }

  protected frameField(pfn: Value, offset: number): Value {
    return loadRaw('i32_load', frameEntry(local(this.table), pfn), offset)
  }

  /** installAnonymous: the frame that was taken is the program's at this page. */
  protected install(): void {
    const { code } = this
    const frame = code.local('i32')
    frameEntry(local(this.table), local(this.pfn))(code)
    code.set(frame)
    const lazy = op('i32_and', local(this.flags), i32(VM_DROPPABLE))
    const flags = FrameFlag.anonymous | FrameFlag.exclusive
    const own = select(lazy, i32(flags | FrameFlag.lazyFree), i32(flags))
    storeRaw('i32_store', local(frame), own, FRAME_FIELD.flags)(code)
    const root = loadRaw('i32_load', this.field(VMA_FAMILY), FAMILY_ROOT)
    storeRaw('i32_store', local(frame), root, FRAME_FIELD.owner)(code)
    const inside = op('f64_sub', local(this.#page), this.#number(VMA_START))
    const number = op('f64_add', inside, this.#number(VMA_OFFSET))
    const index = op('i32_wrap_i64', op('i64_trunc_f64_s', number))
    storeRaw('i32_store', local(frame), index, FRAME_FIELD.index)(code)
    this.setEntry(local(this.pfn), this.layout.ownBits)
  }

  /** The walker is here, and no other: nobody sees half of an entry. */
  protected setEntry(pfn: Value, bits: readonly [number, number]): void {
    const { firstFrame, frameShift } = this.layout.format
    const frame = op('i64_add', op('i64_extend_i32_u', pfn), i64(firstFrame))
    const entry = op(
      'i64_or',
      op('i64_shl', frame, i64(frameShift)),
      op('i64_extend_i32_u', this.bitsOf(bits)),
    )
    storeRaw('i64_store', this.entry, entry)(this.code)
  }

  /** Those without or with VM_EXEC. */
  protected bitsOf([bits, executable]: readonly [number, number]): Value {
    return select(op('i32_and', local(this.flags), i32(VM_EXEC)), i32(executable), i32(bits))
  }

  /** Counts the answer, and gives it. */
  protected finish(counter: Counter, answer: number): void {
    this.count(counter)
    this.count(Counter.resolvedMinor)
    this.#addInSpace('f64_load', 'f64_add', 'f64_store', LINE_FAULTS, (code) => void code.f64(1))
    this.passTime(this.layout.faultTicks)
    const left = i32(this.layout.left)
    storeRaw('i32_store', left, op('i32_sub', loadRaw('i32_load', left), i32(1)))(this.code)
    this.code.i32(answer).op('return')
  }

  protected count(counter: Counter): void {
    const place = i32(this.layout.counters + counter * 8)
    storeRaw(
      'f64_store',
      place,
      op('f64_add', loadRaw('f64_load', place), (code) => void code.f64(1)),
    )(this.code)
  }

  /** One page more of anonymous memory is resident. */
  protected countResident(): void {
    this.#addInSpace('i32_load', 'i32_add', 'i32_store', 0, i32(1))
  }

  /** In the hart's line of the space's counts. */
  #addInSpace(
    load: 'i32_load' | 'f64_load',
    add: 'i32_add' | 'f64_add',
    store: 'i32_store' | 'f64_store',
    offset: number,
    value: Value,
  ): void {
    const space = loadRaw('i32_load', i32(this.layout.space))
    const at = HART_LINES + this.layout.hart * HART_LINE_BYTES + offset
    storeRaw(store, space, op(add, loadRaw(load, space, at), value), at)(this.code)
  }

  protected passTime(ticks: number): void {
    if (ticks === 0) return
    const place = i32(this.layout.timeBase)
    storeRaw('i64_store', place, op('i64_add', loadRaw('i64_load', place), i64(ticks)))(this.code)
  }
}

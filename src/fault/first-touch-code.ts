/**
 * The commonest faults once more, as WebAssembly that the hart's walker calls when it finds an empty entry: the first write to a page of private anonymous
 * memory, as first-write.ts does it, and the first read, as anonymous.ts does. Nothing leaves the hart then, and no JavaScript runs: a program has most of
 * its faults before V8 has compiled what answers them, and each takes 10 µs then and not 0.2.
 *
 *     firstTouch(address, entry, access) → 1: the entry is filled, look again; 0: nothing has changed, it is a fault like any other
 *
 * Only for memory that no other thread uses, with nothing that fails or is watched. RAM is the same to the byte, whoever answers (first-write.test.ts):
 * what costs virtual time is added to the hart's `time` register here, and to the rest by who reads what is left of `left`.
 */
import { EntryFlag, type EntryFormat, type MemoryManagementArch } from '../arch/memory-management-arch.js'
import { PAGE_SHIFT, type Pfn, type Ptr } from '../base/numbers.js'
import type { Code, Label } from '../base/wasm/code.js'
import { WasmModule } from '../base/wasm/module.js'
import { i32, i64, loadRaw, local, op, select, storeRaw, type Value } from '../base/wasm/value.js'
import { CACHE_BYTES, CacheWord } from '../frame/frame-cache.js'
import { FrameFlag } from '../frame/frame-table.js'
import { addFrameTaking, FRAME_FIELD, type FrameTaking, frameEntry } from '../frame/frame-taking.js'
import { ZONE_BYTES, ZoneWord } from '../frame/zone.js'
import type { CacheId } from '../slab/cache-table.js'
import { magazineOffset } from '../slab/hart-magazines.js'
import { MagazineWord } from '../slab/magazine.js'
import { SPACE_TREE_HEIGHT, SPACE_TREE_ROOT } from '../space/address-space.js'
import { FAMILY_FIRST, FAMILY_MEMBERS, FAMILY_ROOT } from '../space/anonymous-families.js'
import { FOLIO_MASK } from '../space/huge-policy.js'
import { HART_LINE_BYTES, HART_LINES, LINE_FAULTS } from '../space/space-counts.js'
import { VM_DROPPABLE, VM_EXEC, VM_READ, VM_UFFD_MISSING, VM_WRITE } from '../space/vm-flags.js'
import {
  VMA_BIAS,
  VMA_END,
  VMA_FAMILY,
  VMA_FLAGS,
  VMA_OBJECT,
  VMA_OFFSET,
  VMA_RELATIVES,
  VMA_SPECIAL,
  VMA_START,
  VMA_USERFAULT,
} from '../space/vma.js'
import { NODE_BEGIN, NODE_CHILD, NODE_COUNT, NODE_LAST, NODE_PARENT } from '../space/vma-node-layout.js'
import { Counter } from '../state/counters.js'
import { directoryPtr, Region, Word, wordIndex } from '../state/layout.js'
import type { FaultEnv } from './fault.js'
import { readOnlyFlags, writtenFlags } from './page-flags.js'
import { PLACED_PAGES_MIN } from './placed-frame.js'

/** Where the hart and who runs it look: addresses in the buffer. */
export interface FirstTouchPlaces {
  /** u32: the space that the hart translates by. */
  readonly space: Ptr
  /** u32: how many more may be answered. */
  readonly left: Ptr
  /** i64: the base of the `time` register; ticks that it goes on by for each answer, and for each frame that is counted at once. */
  readonly timeBase: Ptr
  readonly touchTicks: number
  readonly frameTicks: number
}

/** All that the code depends on: the same for machines of every size. */
export interface FirstTouchLayout extends FirstTouchPlaces {
  readonly hart: number
  /** Of the slab allocator: records of families. */
  readonly familyCache: CacheId
  /** The hart's event counters. */
  readonly counters: Ptr
  readonly format: EntryFormat
  /** The other bits of an entry that maps the zero page, and a frame of the program's own: without, and with VM_EXEC. */
  readonly zeroBits: readonly [number, number]
  readonly ownBits: readonly [number, number]
  readonly inSharedBuffer: boolean
}

/** Access of the walker (hart/mmu-access.ts). */
const WRITE = 1
const EXECUTE = 2

/** The layout for a machine; nothing where the code is not for it. */
export function firstTouchLayout(mm: FaultEnv, places: FirstTouchPlaces): FirstTouchLayout | undefined {
  const { memory, arch, atomics, buddy } = mm
  const format = arch.entryFormat
  if (format === undefined || !buddy.isUnwatched) return undefined
  const zero = (vmFlags: number): number =>
    otherBits(arch, format, readOnlyFlags(vmFlags) | EntryFlag.special)
  const own = (vmFlags: number): number => otherBits(arch, format, writtenFlags(vmFlags))
  return {
    ...places,
    hart: atomics.hart,
    familyCache: mm.families.cacheId,
    counters: (memory.counters * 8) as Ptr,
    format,
    zeroBits: [zero(VM_READ), zero(VM_READ | VM_EXEC)],
    ownBits: [own(VM_WRITE), own(VM_WRITE | VM_EXEC)],
    inSharedBuffer: memory.inSharedBuffer,
  }
}

function otherBits(arch: MemoryManagementArch, format: EntryFormat, flags: number): number {
  return arch.leafLow(0 as Pfn, flags) - format.firstFrame * 2 ** format.frameShift
}

/** A module that imports the memory and exports `firstTouch`. */
export function firstTouchBytes(layout: FirstTouchLayout): Uint8Array {
  const module = new WasmModule()
  module.importMemory('memory', { shared: layout.inSharedBuffer })
  const taking = addFrameTaking(module)
  module.function('firstTouch', ['i64', 'i32', 'i32'], ['i32'], (code) =>
    new FirstTouchEmitter(code, layout, taking).emit(),
  )
  return module.bytes()
}

const TABLE = loadRaw('i32_load', i32(directoryPtr(Region.frameTable)))
const ZONES = directoryPtr(Region.zones)
const word = (which: Word): Value => loadRaw('i32_load', i32(wordIndex(which) * 4))

class FirstTouchEmitter {
  readonly #code: Code
  readonly #layout: FirstTouchLayout
  readonly #taking: FrameTaking
  readonly #address = local(0)
  readonly #entry = local(1)
  readonly #access = local(2)
  /** i64, and as f64. */
  readonly #vpn: number
  readonly #page: number
  readonly #vma: number
  /** The leaf of the tree that the mapping stands in, and where in it. */
  readonly #leaf: number
  readonly #slot: number
  readonly #flags: number
  readonly #table: number
  readonly #pfn: number
  #refused!: Label

  constructor(code: Code, layout: FirstTouchLayout, taking: FrameTaking) {
    this.#code = code
    this.#layout = layout
    this.#taking = taking
    this.#vpn = code.local('i64')
    this.#page = code.local('f64')
    this.#vma = code.local('i32')
    this.#leaf = code.local('i32')
    this.#slot = code.local('i32')
    this.#flags = code.local('i32')
    this.#table = code.local('i32')
    this.#pfn = code.local('i32')
  }

  emit(): void {
    const code = this.#code
    this.#refused = code.block()
    this.#refuseIf(op('i32_eq', this.#access, i32(EXECUTE)))
    op('i64_shr_u', this.#address, i64(PAGE_SHIFT))(code)
    code.tee(this.#vpn).op('f64_convert_i64_u').set(this.#page)
    this.#find()
    this.#checkMapping()
    TABLE(code)
    code.set(this.#table)
    op('i32_eq', this.#access, i32(WRITE))(code)
    code.if()
    this.#refuseIf(op('i32_and', word(Word.hugePolicy), i32(FOLIO_MASK)))
    this.#checkFamily()
    this.#takeFrame()
    this.#prepareFamily()
    this.#makeOwn()
    code.else()
    this.#mapZeroPage()
    code.end()
    this.#countInTable()
    this.#account()
    code.i32(1).op('return').end().i32(0)
  }

  #refuseIf(condition: Value): void {
    condition(this.#code)
    this.#code.brIf(this.#refused)
  }

  #field(offset: number): Value {
    return loadRaw('i32_load', local(this.#vma), offset)
  }

  #number(offset: number): Value {
    return loadRaw('f64_load', local(this.#vma), offset)
  }

  /** VmaTree.find: from the root down, each time to the first child that ends above the page. */
  #find(): void {
    const code = this.#code
    const [node, level, entry] = [this.#leaf, code.local('i32'), this.#slot]
    const space = loadRaw('i32_load', i32(this.#layout.space))
    loadRaw('i32_load', space, SPACE_TREE_ROOT)(code)
    code.tee(node).op('i32_eqz').brIf(this.#refused)
    const behind = op('i32_add', local(node), op('i32_shl', this.#leafEnd(), i32(3)))
    this.#refuseIf(op('f64_le', loadRaw('f64_load', behind, NODE_LAST - 8), local(this.#page)))
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
    code.set(this.#vma).get(level).i32(1).op('i32_sub').tee(level).if()
    code.get(this.#vma).set(node).br(down).end().end()
  }

  /** The place behind the last entry of the node that `leaf` is. */
  #leafEnd(): Value {
    const node = local(this.#leaf)
    return op('i32_add', loadRaw('i32_load', node, NODE_COUNT), loadRaw('i32_load', node, NODE_BEGIN))
  }

  #childAt(slot: Value): Value {
    return loadRaw('i32_load', op('i32_add', local(this.#leaf), op('i32_shl', slot, i32(2))), NODE_CHILD)
  }

  /** Private anonymous memory that may be accessed in this way, and no reader of a userfaultfd(2) is to be asked. */
  #checkMapping(): void {
    const code = this.#code
    this.#refuseIf(op('f64_gt', this.#number(VMA_START), local(this.#page)))
    this.#field(VMA_FLAGS)(code)
    code.set(this.#flags)
    const isWrite = op('i32_eq', this.#access, i32(WRITE))
    const needed = op('select', i32(VM_WRITE), i32(VM_READ | VM_WRITE), isWrite)
    this.#refuseIf(op('i32_eqz', op('i32_and', local(this.#flags), needed)))
    const missing = op('i32_and', local(this.#flags), i32(VM_UFFD_MISSING))
    const others = [VMA_OBJECT, VMA_SPECIAL, VMA_USERFAULT].map((offset) => this.#field(offset))
    this.#refuseIf(others.reduce((sum, each) => op('i32_or', sum, each), missing))
  }

  /** AnonymousFamilies.prepare would find none among the neighbours, and has a record at hand. */
  #checkFamily(): void {
    const code = this.#code
    const neighbour = code.local('i32')
    op('i32_eqz', this.#field(VMA_FAMILY))(code)
    code.if()
    this.#refuseIf(op('i32_eqz', loadRaw('i32_load', this.#magazine(), MagazineWord.count * 4)))
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
      this.#refuseIf(op('select', family, i32(0), touches))
      code.else()
      // It may stand in another leaf.
      this.#refuseIf(loadRaw('i32_load', local(this.#leaf), NODE_PARENT))
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
    const offset = magazineOffset(this.#layout.hart, this.#layout.familyCache)
    return op('i32_add', loadRaw('i32_load', i32(directoryPtr(Region.magazines))), i32(offset))
  }

  /** A family of its own, of a record as its constructor made it, and it has no other member. */
  #prepareFamily(): void {
    const code = this.#code
    const [family, count] = [code.local('i32'), code.local('i32')]
    op('i32_eqz', this.#field(VMA_FAMILY))(code)
    code.if()
    op('i32_sub', loadRaw('i32_load', this.#magazine(), MagazineWord.count * 4), i32(1))(code)
    code.set(count)
    storeRaw('i32_store', this.#magazine(), local(count), MagazineWord.count * 4)(code)
    const place = op('i32_add', this.#magazine(), op('i32_shl', local(count), i32(2)))
    loadRaw('i32_load', place, MagazineWord.objects * 4)(code)
    code.set(family)
    storeRaw('i32_store', local(family), i32(1), FAMILY_MEMBERS)(code)
    storeRaw('i32_store', local(family), local(family), FAMILY_ROOT)(code)
    storeRaw('i32_store', local(family), local(this.#vma), FAMILY_FIRST)(code)
    storeRaw('i32_store', local(this.#vma), local(family), VMA_FAMILY)(code)
    for (const link of VMA_RELATIVES) storeRaw('i32_store', local(this.#vma), i32(0), link)(code)
    code.end()
  }

  /** allocatePlaced, where a frame can be had at once and the mapping knows its place. */
  #takeFrame(): void {
    const code = this.#code
    const [table, pfn] = [local(this.#table), local(this.#pfn)]
    const cache = code.local('i32')
    loadRaw('i32_load', i32(directoryPtr(Region.frameCaches)))(code)
    code
      .i32(this.#layout.hart * CACHE_BYTES)
      .op('i32_add')
      .set(cache)
    const count = loadRaw('i32_load', local(cache), CacheWord.count * 4)
    this.#refuseIf(op('i32_eqz', count))
    const top = op('i32_add', local(cache), op('i32_shl', count, i32(2)))
    const next = loadRaw('i32_load', top, (CacheWord.stack - 1) * 4)
    const isUsed = op('i32_and', this.#frameFlags(next), i32(FrameFlag.dirtyMemory))
    const pages = op('f64_sub', this.#number(VMA_END), this.#number(VMA_START))
    const isLarge = op('f64_ge', pages, (each) => void each.f64(PLACED_PAGES_MIN))
    op('i32_and', op('i32_eqz', isUsed), isLarge)(code)
    code.if()
    this.#refuseIf(op('i32_eqz', this.#field(VMA_BIAS)))
    op('i32_add', op('i32_wrap_i64', local(this.#vpn)), this.#field(VMA_BIAS))(code)
    code.set(this.#pfn)
    this.#refuseIf(
      op(
        'i32_ge_u',
        pfn,
        op('i32_shl', (each) => void each.memorySize(), i32(4)),
      ),
    )
    // One of a cache is taken out of it, by first-write.ts.
    this.#refuseIf(op('i32_and', this.#frameFlags(pfn), i32(FrameFlag.cached)))
    table(code)
    this.#zoneOf(pfn)(code)
    code.get(this.#pfn).call(this.#taking.takeAt).op('i32_eqz').brIf(this.#refused)
    this.#count(Counter.framesAllocated)
    this.#passTime(this.#layout.frameTicks)
    code.else().get(this.#table).get(cache).call(this.#taking.takeCached).set(this.#pfn).end()
  }

  #frameFlags(pfn: Value): Value {
    return loadRaw('i32_load', frameEntry(local(this.#table), pfn), FRAME_FIELD.flags)
  }

  /** Zones.of. */
  #zoneOf(pfn: Value): Value {
    const zones = loadRaw('i32_load', i32(ZONES))
    const hasUpper = op('i32_gt_u', loadRaw('i32_load', i32(ZONES + 4)), i32(ZONE_BYTES))
    const start = loadRaw('i32_load', zones, ZONE_BYTES + ZoneWord.start * 4)
    const isUpper = op('i32_and', hasUpper, op('i32_ge_u', pfn, start))
    return op('i32_add', zones, select(isUpper, i32(ZONE_BYTES), i32(0)))
  }

  /** The frame is the program's at this page. */
  #makeOwn(): void {
    const code = this.#code
    const frame = code.local('i32')
    frameEntry(local(this.#table), local(this.#pfn))(code)
    code.set(frame)
    const lazy = op('i32_and', local(this.#flags), i32(VM_DROPPABLE))
    const flags = FrameFlag.anonymous | FrameFlag.exclusive
    const own = select(lazy, i32(flags | FrameFlag.lazyFree), i32(flags))
    storeRaw('i32_store', local(frame), own, FRAME_FIELD.flags)(code)
    const root = loadRaw('i32_load', this.#field(VMA_FAMILY), FAMILY_ROOT)
    storeRaw('i32_store', local(frame), root, FRAME_FIELD.owner)(code)
    const inside = op('f64_sub', local(this.#page), this.#number(VMA_START))
    const number = op('f64_add', inside, this.#number(VMA_OFFSET))
    const index = op('i32_wrap_i64', op('i64_trunc_f64_s', number))
    storeRaw('i32_store', local(frame), index, FRAME_FIELD.index)(code)
    this.#fill(local(this.#pfn), this.#layout.ownBits)
    this.#addInSpace('i32_load', 'i32_add', 'i32_store', 0, i32(1))
    this.#count(Counter.faultAnonymous)
  }

  #mapZeroPage(): void {
    this.#fill(word(Word.zeroFrame), this.#layout.zeroBits)
    this.#count(Counter.faultZeroPage)
  }

  /** The walker is here, and no other: nobody sees half of an entry. */
  #fill(pfn: Value, [bits, executable]: readonly [number, number]): void {
    const { firstFrame, frameShift } = this.#layout.format
    const frame = op('i64_add', op('i64_extend_i32_u', pfn), i64(firstFrame))
    const isExecutable = op('i32_and', local(this.#flags), i32(VM_EXEC))
    const others = select(isExecutable, i64(executable), i64(bits))
    storeRaw(
      'i64_store',
      this.#entry,
      op('i64_or', op('i64_shl', frame, i64(frameShift)), others),
    )(this.#code)
  }

  /** PageMapper.countEntry. */
  #countInTable(): void {
    const frame = op('i32_shr_u', this.#entry, i32(PAGE_SHIFT))
    const table = frameEntry(local(this.#table), frame)
    const count = op('i32_add', loadRaw('i32_load', table, FRAME_FIELD.index), i32(1))
    storeRaw('i32_store', table, count, FRAME_FIELD.index)(this.#code)
  }

  #account(): void {
    this.#count(Counter.resolvedMinor)
    this.#addInSpace('f64_load', 'f64_add', 'f64_store', LINE_FAULTS, (code) => void code.f64(1))
    this.#passTime(this.#layout.touchTicks)
    const left = i32(this.#layout.left)
    storeRaw('i32_store', left, op('i32_sub', loadRaw('i32_load', left), i32(1)))(this.#code)
  }

  #count(counter: Counter): void {
    const place = i32(this.#layout.counters + counter * 8)
    storeRaw(
      'f64_store',
      place,
      op('f64_add', loadRaw('f64_load', place), (code) => void code.f64(1)),
    )(this.#code)
  }

  /** In the hart's line of the space's counts. */
  #addInSpace(
    load: 'i32_load' | 'f64_load',
    add: 'i32_add' | 'f64_add',
    store: 'i32_store' | 'f64_store',
    offset: number,
    value: Value,
  ): void {
    const space = loadRaw('i32_load', i32(this.#layout.space))
    const at = HART_LINES + this.#layout.hart * HART_LINE_BYTES + offset
    storeRaw(store, space, op(add, loadRaw(load, space, at), value), at)(this.#code)
  }

  #passTime(ticks: number): void {
    if (ticks === 0) return
    const place = i32(this.#layout.timeBase)
    storeRaw('i64_store', place, op('i64_add', loadRaw('i64_load', place), i64(ticks)))(this.#code)
  }
}

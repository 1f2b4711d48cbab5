/** The faults that a hart answers by itself, asked for as its walker does. */
import { fromHalves, NULL, type Ptr, type Vpn } from '../../base/numbers.js'
import type { MemoryManager } from '../../mm.js'
import { UserMapper } from '../../paging/user-mapper.js'
import type { AddressSpace } from '../../space/address-space.js'
import { Region, regionPtr } from '../../state/layout.js'
import { Access } from '../access.js'
import { firstTouchBytes, firstTouchLayout } from '../first-touch-code.js'

/** In the record of hart 0, which does not run. */
const [TIME, LEFT, SPACE] = [552, 604, 608]
export const TOUCH_TICKS = 13
export const FRAME_TICKS = 17

type FirstTouch = (address: bigint, entry: number, access: number) => number

export class FirstTouchCalls {
  readonly #mm: MemoryManager
  readonly #hart: Ptr
  readonly #firstTouch: FirstTouch | undefined

  constructor(mm: MemoryManager) {
    this.#mm = mm
    const { memory } = mm
    this.#hart = regionPtr(memory, Region.harts)
    const at = (offset: number) => (this.#hart + offset) as Ptr
    const layout = firstTouchLayout(mm, {
      ...{ space: at(SPACE), left: at(LEFT), timeBase: at(TIME) },
      ...{ touchTicks: TOUCH_TICKS, frameTicks: FRAME_TICKS },
    })
    if (layout === undefined) return
    const module = new WebAssembly.Module(firstTouchBytes(layout) as BufferSource)
    const { exports } = new WebAssembly.Instance(module, { env: { memory: memory.raw } })
    this.#firstTouch = exports.firstTouch as FirstTouch
  }

  /** Whether it was answered. The hart's record is empty again then. */
  touch(space: AddressSpace, address: number, access: Access): boolean {
    return this.answer(space, address, access) !== undefined
  }

  /** What it took, in ticks, when it was answered. */
  answer(space: AddressSpace, address: number, access: Access): number | undefined {
    const mapper = new UserMapper(this.#mm, space.root)
    const entry = mapper.leaf(Math.floor(address / 4096) as Vpn)
    if (this.#firstTouch === undefined || entry === NULL || !mapper.isEmpty(entry)) return undefined
    const { u32 } = this.#mm.memory
    const word = (field: number): number => (this.#hart + field) >>> 2
    u32[word(SPACE)] = space.ptr
    u32[word(LEFT)] = 2
    const kind = access === Access.write ? 1 : access === Access.read ? 0 : 2
    const isAnswered = this.#firstTouch(BigInt(address), entry, kind) !== 0
    const left = u32[word(LEFT)]!
    const ticks = fromHalves(u32[word(TIME)]!, u32[word(TIME) + 1]!)
    for (const field of [SPACE, LEFT, TIME]) u32[word(field)] = 0
    if (left !== (isAnswered ? 1 : 2)) throw new Error('what is left goes down by one for each answer')
    return isAnswered ? ticks : undefined
  }
}

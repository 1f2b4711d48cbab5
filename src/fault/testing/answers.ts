/** The faults that a hart answers by itself, asked for as its walker does. */
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { NULL, type Ptr, type Vpn } from '../../base/numbers.js'
import type { MemoryManager } from '../../mm.js'
import { UserMapper } from '../../paging/user-mapper.js'
import type { AddressSpace } from '../../space/address-space.js'
import { Region, regionPtr } from '../../state/layout.js'
import { Access } from '../access.js'
import { answerBytes } from '../answer-code.js'
import { answerLayout } from '../answer-layout.js'

/** In the record of hart 0, which does not run. */
const [TIME, LEFT, SPACE] = [552, 604, 608]

type AnswerFault = (address: bigint, entry: number, access: number) => number

export class AnswerCalls {
  readonly #mm: MemoryManager
  readonly #hart: Ptr
  readonly #answer: AnswerFault | undefined

  constructor(mm: MemoryManager) {
    this.#mm = mm
    const { memory } = mm
    this.#hart = regionPtr(memory, Region.harts)
    const at = (offset: number) => (this.#hart + offset) as Ptr
    const layout = answerLayout(mm, {
      ...{ space: at(SPACE), left: at(LEFT), timeBase: at(TIME) },
      ...{ faultTicks: 13, frameTicks: 17 },
    })
    if (layout === undefined) return
    const module = new WebAssembly.Module(answerBytes(layout) as BufferSource)
    const { exports } = new WebAssembly.Instance(module, { env: { memory: memory.raw } })
    this.#answer = exports.answer as AnswerFault
  }

  /** Whether it was answered; the hart's record is empty again then. The walker asks where an entry is all zero or does not allow the access. */
  touch(space: AddressSpace, address: number, access: Access): boolean {
    const mapper = new UserMapper(this.#mm, space.root)
    const entry = mapper.leaf(Math.floor(address / 4096) as Vpn)
    if (this.#answer === undefined || entry === NULL || !isAsked(mapper, entry, access)) return false
    const { u32 } = this.#mm.memory
    const word = (field: number): number => (this.#hart + field) >>> 2
    u32[word(SPACE)] = space.ptr
    u32[word(LEFT)] = 2
    const kind = access === Access.write ? 1 : access === Access.read ? 0 : 2
    const isAnswered = this.#answer(BigInt(address), entry, kind) !== 0
    const left = u32[word(LEFT)]!
    for (const field of [SPACE, LEFT, TIME]) u32[word(field)] = 0
    if (left !== (isAnswered ? 1 : 2)) throw new Error('what is left goes down by one for each answer')
    return isAnswered
  }
}

function isAsked(mapper: UserMapper, entry: Ptr, access: Access): boolean {
  if (mapper.isEmpty(entry)) return true
  const right =
    access === Access.write ? EntryFlag.write : access === Access.read ? EntryFlag.read : EntryFlag.execute
  const flags = mapper.isPresent(entry) ? mapper.flags(entry) : 0
  return (flags & EntryFlag.user) !== 0 && (flags & right) === 0
}

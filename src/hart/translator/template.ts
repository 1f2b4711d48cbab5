/**
 * What an instruction means, as the bytes of its WebAssembly with holes: made once from its definition, and filled in for each instruction
 * with its registers and constants. To write an instruction is then to copy some bytes, which costs a twentieth of running its definition:
 * most of a translator's work is done before V8 has compiled it.
 */
import { assert } from '../../base/assert.js'
import { Code, type ValueType } from '../../base/wasm/code.js'

/** What is left open. Some have an argument. */
export const Hole = {
  /** The value of a source register: a local, or 0 for x0. */
  rs1: 0,
  rs2: 1,
  frs1: 2,
  frs2: 3,
  frs3: 4,
  /** Sets the destination from the stack. */
  rd: 5,
  frd: 6,
  /** Index of a local that is used within one instruction; the argument says which (`tempType`). */
  temp: 7,
  /** Constants. */
  imm: 8,
  immLow: 9,
  word: 10,
  rs1Field: 11,
  pc: 12,
  nextPc: 13,
  /** i32: instructions of the block from this one on. */
  rest: 14,
  /** Leaves before the instruction; the argument is how many structured instructions of the template are open there. */
  stop: 15,
  /** The `if` that follows is known to be mostly taken, or mostly not. */
  likely: 16,
  unlikely: 17,
  /** Where the window of the instruction's base register is, i32; and the offset of the access in it. */
  window: 18,
  windowOffset: 19,
  /** Index of a function of the interpreter's module; the argument is its place in `helpers`. */
  helper: 20,
  /** Of a window that opens, i64: its base register, its first offset, and its bytes less one. */
  windowBase: 21,
  windowLow: 22,
  windowLast: 23,
  /** Registers are stored here, unless that is done on the way out. */
  mayLeave: 24,
  /** i64: place of the function that is written, in the function table. */
  ownPlace: 25,
  /** Sets where the window is, from the stack. */
  setWindow: 26,
  /** i32: the span of the access (page-spans.ts). */
  span: 27,
} as const
export type Hole = (typeof Hole)[keyof typeof Hole]

/** How the last instruction of a block goes on; `next` to the one behind it. */
export type TemplateEnd = 'next' | 'branch' | 'jump' | 'jumpTo' | 'left'

export interface Template {
  /** Byte for byte; from FIRST_HOLE on a hole (`holeOf`, `argumentOf`). */
  readonly parts: readonly number[]
  /** Names of functions of the interpreter's module. */
  readonly helpers: readonly string[]
  readonly end: TemplateEnd
  /** Where the block ends: a branch's condition, or where a jump leads. */
  readonly tail: Template | undefined
}

export const FIRST_HOLE = 256
const HOLE_BITS = 5
const HOLE_SHIFT = 9
const ARGUMENT_SHIFT = HOLE_SHIFT + HOLE_BITS

export function holeOf(part: number): number {
  return (part >>> HOLE_SHIFT) & ((1 << HOLE_BITS) - 1)
}

export function argumentOf(part: number): number {
  return part >>> ARGUMENT_SHIFT
}

/** Arguments of holes for temporary locals. */
export const TEMPS_MAX = 256
/** Locals from here on are those of the template. */
const TEMP = 1 << 20
const TYPES: readonly ValueType[] = ['i32', 'i64', 'f32', 'f64']

/** Code that notes its holes. */
export class TemplateCode extends Code {
  /** Offset and part, by turns. */
  readonly #holes: number[] = []
  readonly #used: number[]

  /** `before`: what precedes it in the same instruction, whose temporary locals it has too. */
  constructor(before?: TemplateCode) {
    super([])
    this.#used = before === undefined ? [0, 0, 0, 0] : before.#used
  }

  hole(hole: Hole, argument = 0): void {
    assert(hole < 1 << HOLE_BITS, 'a kind of hole fits into its bits')
    this.#holes.push(this.length, FIRST_HOLE | (hole << HOLE_SHIFT) | (argument << ARGUMENT_SHIFT))
  }

  /** Used within one instruction. */
  override local(type: ValueType): number {
    const number = TYPES.indexOf(type)
    const argument = number + 4 * this.#used[number]!++
    assert(argument < TEMPS_MAX, 'no instruction has so many temporary locals')
    return TEMP + argument
  }

  override get(local: number): this {
    return local < TEMP ? super.get(local) : this.#temp(0x20, local)
  }

  override set(local: number): this {
    return local < TEMP ? super.set(local) : this.#temp(0x21, local)
  }

  override tee(local: number): this {
    return local < TEMP ? super.tee(local) : this.#temp(0x22, local)
  }

  #temp(opcode: number, local: number): this {
    this.byte(opcode).hole(Hole.temp, local - TEMP)
    return this
  }

  override hint(isLikely: boolean): void {
    this.hole(isLikely ? Hole.likely : Hole.unlikely)
  }

  template(helpers: readonly string[], end: TemplateEnd, tail?: Template): Template {
    const parts: number[] = []
    const bytes = this.raw()
    let next = 0
    for (let at = 0; at <= bytes.length; at++) {
      for (; this.#holes[next] === at; next += 2) parts.push(this.#holes[next + 1]!)
      if (at < bytes.length) parts.push(bytes[at]!)
    }
    return { parts, helpers, end, tail }
  }
}

/** Type of a temporary local, by the argument of its hole; no two locals of a template have the same argument. */
export function tempType(argument: number): ValueType {
  return TYPES[argument & 3]!
}

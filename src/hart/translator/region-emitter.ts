/** Writes the instructions of a region: their templates, with its locals and constants in the holes. */
import { assert } from '../../base/assert.js'
import type { Code } from '../../base/wasm/code.js'
import type { Value } from '../../base/wasm/value.js'
import type { Instruction } from './flow.js'
import type { PageSpans } from './page-spans.js'
import type { Opening, PageWindows } from './page-windows.js'
import { NONE, type RegionFrame } from './region-frame.js'
import type { RegionTools } from './region-tools.js'
import { Shape } from './shapes.js'
import type { ShortForm, ShortForms } from './short-forms.js'
import { argumentOf, FIRST_HOLE, Hole, holeOf, type Template } from './template.js'
import { type Templates, Way } from './templates.js'

/** How the last instruction of a block goes on; without one it goes on behind it. */
export type BlockEnd =
  | { readonly kind: 'branch'; readonly condition: Value }
  | { readonly kind: 'jump' }
  | { readonly kind: 'jumpTo'; readonly address: Value }
  | { readonly kind: 'left' }

const LOCAL_GET = 0x20
/** What is less has one byte. */
const SHORT = 0x80

const JUMP: BlockEnd = { kind: 'jump' }
const LEFT: BlockEnd = { kind: 'left' }

/** One for all instructions of a region. */
export class RegionEmitter {
  readonly #code: Code
  readonly #frame: RegionFrame
  readonly #windows: PageWindows
  readonly #templates: Templates
  /** Nothing where harts run at the same time: whoever gives a frame a stamp takes the writeTags of all, and no spans. */
  readonly #spans: PageSpans | undefined
  readonly #ownPlace: number
  readonly #forms: ShortForms
  #isInLoop = false
  /** Of the access, or the window that opens; 0 = none. */
  #span = 0
  #instruction: Instruction | undefined
  #pc = 0
  /** Instructions of the block from this one on. */
  #rest = 0
  /** What opens, or that the instruction's access goes through. */
  #opening: Opening | undefined
  #windowLow = 0

  /** `place`: of the function, in the table. */
  constructor(
    { frame, windows, templates, forms }: RegionTools,
    spans: PageSpans | undefined,
    place: number,
  ) {
    this.#spans = spans
    this.#frame = frame
    this.#windows = windows
    this.#templates = templates
    this.#forms = forms
    this.#ownPlace = place
    this.#code = frame.code
  }

  /** A block, whose first instruction has the number `first` among the windows'. */
  block(instructions: readonly Instruction[], first: number, isInLoop: boolean): BlockEnd | undefined {
    const { length } = instructions
    this.#isInLoop = isInLoop
    this.#forms.begin(instructions)
    const { isEmpty } = this.#forms
    let end: BlockEnd | undefined
    for (let i = 0; i < length; i++) {
      const instruction = instructions[i]!
      if (isEmpty || !this.#emitShort(instruction, i)) end = this.#emit(instruction, first + i, length - i)
    }
    return end
  }

  /** Whether an instruction is done otherwise than by its template. */
  #emitShort(instruction: Instruction, number: number): boolean {
    const code = this.#code
    const kept = this.#forms.keepBefore(number)
    if (kept !== 0) code.get(this.#frame.x.of(kept)).set(this.#frame.keptLocal(kept))
    const form = this.#forms.of(number)
    if (form !== undefined) this.#emitForm(form, instruction.rd)
    else if (this.#forms.isWord(number)) this.#emitWord(instruction)
    else return false
    return true
  }

  #emitForm({ source, isKept, tail }: ShortForm, rd: number): void {
    const frame = this.#frame
    tail(this.#code.get(isKept ? frame.keptLocal(source) : frame.x.of(source)))
    this.#code.set(frame.x.write(rd))
  }

  /** An operation on bits, in 32 of them. */
  #emitWord({ operands, rd, rs1, rs2, imm }: Instruction): void {
    const code = this.#code
    const { shape } = operands
    this.#read(rs1)
    code.op('i32_wrap_i64')
    if (shape === Shape.andi || shape === Shape.ori || shape === Shape.xori) code.i32(imm)
    else {
      this.#read(rs2)
      code.op('i32_wrap_i64')
    }
    if (shape === Shape.and || shape === Shape.andi) code.op('i32_and')
    else code.op(shape === Shape.or || shape === Shape.ori ? 'i32_or' : 'i32_xor')
    code.op('i64_extend_i32_s').set(this.#frame.x.write(rd))
  }

  /** One instruction; `number`: as the windows count them; `rest`: how many of its block are not executed when it traps. */
  #emit(instruction: Instruction, number: number, rest: number): BlockEnd | undefined {
    this.#instruction = instruction
    this.#pc = instruction.pc
    this.#rest = rest
    let way: Way = Way.plain
    const window = instruction.mayMiss ? this.#windows.windowOf(number) : undefined
    if (window !== undefined) {
      const opening = this.#windows.openingAt(number)
      if (opening !== undefined) this.#open(opening)
      this.#windowLow = window.low
      way = Way.window
    } else if (instruction.mayMiss) {
      // Not later: an atomic may look for its place in one arm of a condition only.
      this.#frame.mayLeave()
      if (instruction.accessBytes !== 0 && this.#takeSpan()) way = Way.span
    }
    const template = this.#templates.of(instruction, way)
    this.#write(template)
    return template.end === 'next' ? undefined : this.#endOf(template)
  }

  #endOf({ end, tail }: Template): BlockEnd {
    if (end === 'jump') return JUMP
    if (end === 'left') return LEFT
    assert(tail !== undefined, 'a branch has a condition, a jump an address')
    const value: Value = () => this.#write(tail)
    return end === 'branch' ? { kind: end, condition: value } : { kind: 'jumpTo', address: value }
  }

  /** Opens a window before a loop that begins at `pc`. */
  openBefore(pc: number, opening: Opening): void {
    this.#pc = pc
    this.#rest = 0
    this.#isInLoop = false
    this.#open(opening)
  }

  #open(opening: Opening): void {
    this.#opening = opening
    this.#write(this.#templates.opening(opening.isWritten, this.#takeSpan()))
  }

  /** In a loop, as long as there are some: elsewhere it seldom pays to look for them. */
  #takeSpan(): boolean {
    this.#span = this.#isInLoop && this.#spans !== undefined ? this.#spans.take() : 0
    return this.#span !== 0
  }

  /** Fills the commonest holes with what has a local already: with a call for each of them translating takes a twentieth longer. */
  #write({ parts, helpers }: Template): void {
    const code = this.#code
    const { length } = parts
    const { temps, windows, x } = this.#frame
    let bytes = code.room(2 * length)
    let at = code.length
    for (let i = 0; i < length; i++) {
      const part = parts[i]!
      if (part < FIRST_HOLE) {
        bytes[at++] = part
        continue
      }
      const hole = holeOf(part)
      let index: number = NONE
      if (hole === Hole.temp) index = temps[argumentOf(part)]!
      else if (hole === Hole.rs1) index = x.locals[this.#instruction!.rs1]!
      else if (hole === Hole.rs2) index = x.locals[this.#instruction!.rs2]!
      else if (hole === Hole.window) index = windows[this.#instruction!.rs1]!
      if (index === NONE || index >= SHORT) {
        code.length = at
        this.#fill(hole, argumentOf(part), helpers)
        bytes = code.room(2 * (length - i))
        at = code.length
        continue
      }
      if (hole !== Hole.temp) bytes[at++] = LOCAL_GET
      bytes[at++] = index
    }
    code.length = at
  }

  #fill(hole: number, argument: number, helpers: readonly string[]): void {
    const code = this.#code
    const frame = this.#frame
    const instruction = this.#instruction!
    switch (hole) {
      case Hole.rs1:
        this.#read(instruction.rs1)
        break
      case Hole.rs2:
        this.#read(instruction.rs2)
        break
      case Hole.frs1:
        code.get(frame.f.of(instruction.rs1))
        break
      case Hole.frs2:
        code.get(frame.f.of(instruction.rs2))
        break
      case Hole.frs3:
        code.get(frame.f.of(instruction.rs3))
        break
      case Hole.rd:
        code.set(frame.x.write(instruction.rd))
        break
      case Hole.frd:
        code.set(frame.f.write(instruction.rd))
        break
      case Hole.temp:
        code.u32(frame.tempLocal(argument))
        break
      case Hole.imm:
        code.i64(instruction.imm)
        break
      case Hole.immLow:
        code.i32(instruction.imm)
        break
      case Hole.stop:
        code.nest(argument)
        frame.stopAt(this.#pc, this.#rest)
        code.nest(-argument)
        break
      case Hole.likely:
        code.hint(true)
        break
      case Hole.unlikely:
        code.hint(false)
        break
      case Hole.window:
        code.get(frame.windowPlace(instruction.rs1))
        break
      case Hole.windowOffset:
        code.u32(instruction.imm - this.#windowLow)
        break
      case Hole.span:
        code.i32(this.#span)
        break
      case Hole.helper:
        code.u32(frame.helper(helpers[argument]!))
        break
      default:
        if (hole < Hole.windowBase) this.#fillSeldom(hole, instruction)
        else this.#fillOpening(hole, this.#opening!)
    }
  }

  #fillSeldom(hole: number, { word, bytes }: Instruction): void {
    const code = this.#code
    switch (hole) {
      case Hole.word:
        code.i32(word)
        break
      case Hole.rs1Field:
        code.i32((word >>> 15) & 31)
        break
      case Hole.pc:
        code.i64(this.#pc)
        break
      case Hole.nextPc:
        code.i64(this.#pc + bytes)
        break
      case Hole.rest:
        code.i32(this.#rest)
        break
      default:
        assert(false, 'every hole can be filled')
    }
  }

  #fillOpening(hole: number, { window }: Opening): void {
    const code = this.#code
    const frame = this.#frame
    switch (hole) {
      case Hole.mayLeave:
        frame.mayLeave()
        break
      case Hole.ownPlace:
        code.i64(this.#ownPlace)
        break
      case Hole.windowBase:
        code.get(frame.x.of(window.base))
        break
      case Hole.windowLow:
        code.i64(window.low)
        break
      case Hole.windowLast:
        code.i64(window.bytes - 1)
        break
      case Hole.setWindow:
        code.set(frame.windowPlace(window.base))
        break
      default:
        assert(false, 'every hole can be filled')
    }
  }

  #read(register: number): void {
    if (register === 0) this.#code.i64(0)
    else this.#code.get(this.#frame.x.of(register))
  }
}

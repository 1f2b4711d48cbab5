/**
 * What instructions of a block come to in fewer steps than each for itself: the compiler had no instruction for it, WebAssembly has.
 *
 *     slliw t, a, 7; srliw u, a, 25; or d, t, u      d = i32.rotl(a, 7); of 64 bits too
 *     slli t, a, 32; srli d, t, 32                   d = a as an unsigned word; halfwords, bytes and signed ones too
 *     xor t, c, d; and t, t, b; addw a, a, t         in 32 bits, when c, d and b are sign-extended words
 *
 * Only how the last one gets its value changes: all registers are what they were at each instruction, and V8 leaves out what nobody
 * looks at. Where a register of the first one is written in between, its value is kept in a local.
 */
import type { Code } from '../../base/wasm/code.js'
import type { NumericOp } from '../../base/wasm/opcodes.js'
import type { Instruction } from './flow.js'
import { Shape } from './shapes.js'

/** Writes the value of an instruction whose source is on the stack. */
type Tail = (code: Code) => void

export interface ShortForm {
  /** The register that it takes; with `isKept` as it was when `keepBefore` said so. */
  readonly source: number
  readonly isKept: boolean
  readonly tail: Tail
}

/** No instruction of the block has written it, or kept it. */
const NEVER = -1

/** Of one block at a time. */
export class ShortForms {
  #instructions: readonly Instruction[] = []
  readonly #forms = new Map<number, ShortForm>()
  /** By instruction: a register whose value is kept before it. */
  readonly #keeps = new Map<number, number>()
  /** Instructions that are done in 32 bits. */
  readonly #words = new Set<number>()
  /** By register: the last instruction that wrote it; before which one its value is kept, and which one needs that last. */
  readonly #writer = new Int16Array(32)
  readonly #keptAt = new Int16Array(32)
  readonly #keptUntil = new Int16Array(32)
  /** By instruction: who wrote its source. */
  #sourceWriter = new Int16Array(128)
  /** A bit for each register that holds a sign-extended word. */
  #extended = 1

  begin(instructions: readonly Instruction[]): void {
    this.#instructions = instructions
    if (!this.isEmpty) {
      this.#forms.clear()
      this.#keeps.clear()
      this.#words.clear()
    }
    if (!mayHaveForms(instructions)) return
    this.#writer.fill(NEVER)
    this.#keptAt.fill(NEVER)
    this.#keptUntil.fill(NEVER)
    this.#extended = 1
    if (instructions.length > this.#sourceWriter.length)
      this.#sourceWriter = new Int16Array(instructions.length)
    for (let i = 0; i < instructions.length; i++) this.#look(i, instructions[i]!)
    if (this.#words.size > 0) this.#keepWhatPays()
  }

  /** Keeps nothing of the last block alive. */
  end(): void {
    this.#instructions = []
  }

  /** The form of an instruction of the block, if it has one. */
  of(number: number): ShortForm | undefined {
    return this.#forms.get(number)
  }

  /** The register whose value is to be kept before an instruction; 0 = none. */
  keepBefore(number: number): number {
    return this.#keeps.get(number) ?? 0
  }

  /** Whether an operation on bits is done in 32 of them. */
  isWord(number: number): boolean {
    return this.#words.has(number)
  }

  /** Each instruction of the block is done for itself. */
  get isEmpty(): boolean {
    return this.#forms.size === 0 && this.#words.size === 0
  }

  #look(number: number, instruction: Instruction): void {
    const { rd, rs1, operands, xWrites } = instruction
    this.#sourceWriter[number] = this.#writer[rs1]!
    if (xWrites === 0) return
    if (operands.shape !== Shape.other) this.#find(number, instruction)
    const isExtended = this.#leavesWord(instruction)
    this.#extended = isExtended ? this.#extended | xWrites : this.#extended & ~xWrites
    this.#writer[rd] = number
  }

  #find(number: number, instruction: Instruction): void {
    const { rs1, rs2, operands } = instruction
    switch (operands.shape) {
      case Shape.srli:
      case Shape.srai:
      case Shape.srliw:
      case Shape.sraiw:
        this.#findExtension(number, instruction)
        break
      case Shape.or:
        if (this.#findRotation(number, rs1, rs2) || this.#findRotation(number, rs2, rs1)) break
        this.#findWord(number, instruction)
        break
      case Shape.and:
      case Shape.xor:
      case Shape.andi:
      case Shape.ori:
      case Shape.xori:
        this.#findWord(number, instruction)
        break
    }
  }

  /** Of registers `left` and `right`, shifted so. */
  #findRotation(number: number, left: number, right: number): boolean {
    const first = this.#writer[left]!
    const second = this.#writer[right]!
    if (first < 0 || second < 0) return false
    const up = this.#instructions[first]!
    const down = this.#instructions[second]!
    const isWord = up.operands.shape === Shape.slliw && down.operands.shape === Shape.srliw
    const isDouble = up.operands.shape === Shape.slli && down.operands.shape === Shape.srli
    if (!isWord && !isDouble) return false
    const isSame = up.rs1 === down.rs1 && this.#sourceWriter[first] === this.#sourceWriter[second]
    if (!isSame || up.imm + down.imm !== (isWord ? 32 : 64)) return false
    return this.#add(number, first, isWord ? rotateWord(up.imm) : rotateDouble(up.imm))
  }

  #findExtension(number: number, { rs1, imm, operands }: Instruction): void {
    const first = this.#writer[rs1]!
    if (first < 0) return
    const up = this.#instructions[first]!
    const isDouble = operands.shape === Shape.srli || operands.shape === Shape.srai
    if (up.operands.shape !== (isDouble ? Shape.slli : Shape.slliw)) return
    const isSigned = operands.shape === Shape.srai || operands.shape === Shape.sraiw
    if (operands.shape === Shape.srliw && imm === 0) return
    const tail = extension(isDouble ? up.imm : up.imm + 32, isDouble ? imm : imm + 32, isSigned)
    if (tail !== undefined) this.#add(number, first, tail)
  }

  /** The form of an instruction that takes the source of `first`; refused when that is not to be had any more. */
  #add(number: number, first: number, tail: Tail): boolean {
    const source = this.#instructions[first]!.rs1
    if (source === 0) return false
    const isKept = this.#writer[source] !== this.#sourceWriter[first]
    if (isKept && !this.#keep(source, first, number)) return false
    this.#forms.set(number, { source, isKept, tail })
    return true
  }

  /** Keeps a register as it is at `first` for `number`, from where it is written. */
  #keep(register: number, first: number, number: number): boolean {
    let writer = first
    while ((this.#instructions[writer]!.xWrites & (1 << register)) === 0) writer++
    if (this.#keptAt[register] !== writer && this.#keptUntil[register]! >= writer) return false
    this.#keeps.set(writer, register)
    this.#keptAt[register] = writer
    this.#keptUntil[register] = number
    return true
  }

  /** Both operands are sign-extended, so the result is: it is the same in 32 bits. */
  #findWord(number: number, instruction: Instruction): void {
    const { xReads, operands, imm } = instruction
    const isMasked = operands.shape === Shape.andi && imm >= 0
    if (isMasked || (xReads & ~this.#extended) === 0) this.#words.add(number)
  }

  #leavesWord({ rs1, rs2, imm, xReads, operands }: Instruction): boolean {
    const isExtended = (xReads & ~this.#extended) === 0
    switch (operands.shape) {
      case Shape.word:
      case Shape.small:
      case Shape.slliw:
      case Shape.srliw:
      case Shape.sraiw:
        return true
      case Shape.and:
      case Shape.or:
      case Shape.xor:
      case Shape.ori:
      case Shape.xori:
        return isExtended
      case Shape.andi:
        return isExtended || imm >= 0
      case Shape.addi:
        return rs1 === 0 || (imm === 0 && isExtended)
      case Shape.add:
        return (rs1 === 0 || rs2 === 0) && isExtended
      case Shape.srli:
        return imm > 32
      default:
        return false
    }
  }

  /** An operation stays in 32 bits only where no more of its result is asked for in the block: to extend it costs a step. */
  #keepWhatPays(): void {
    let low = 0
    let whole = 0
    for (let i = this.#instructions.length - 1; i >= 0; i--) {
      const instruction = this.#instructions[i]!
      const { rs1, rs2, xReads, xWrites, operands } = instruction
      const pays = (low & ~whole & xWrites) !== 0
      if (this.#words.has(i) && !pays) this.#words.delete(i)
      low &= ~xWrites
      whole &= ~xWrites
      const { shape } = operands
      const form = this.#forms.get(i)
      if (form !== undefined) low |= 1 << form.source
      else if (this.#words.has(i) || (shape >= Shape.slliw && shape <= Shape.sraiw) || shape === Shape.word) {
        low |= xReads
      } else if (shape === Shape.store) {
        whole |= 1 << rs1
        low |= 1 << rs2
      } else whole |= xReads
    }
  }
}

/** Whether there is an instruction that could be done otherwise: most blocks have none. */
function mayHaveForms(instructions: readonly Instruction[]): boolean {
  for (let i = 0; i < instructions.length; i++) {
    const { shape } = instructions[i]!.operands
    if (shape >= Shape.srli && shape <= Shape.xori && shape !== Shape.slliw) return true
  }
  return false
}

function inWord(...names: NumericOp[]): Tail {
  return (code) => void code.op('i32_wrap_i64').ops(...names)
}

const rotateWord =
  (count: number): Tail =>
  (code) =>
    void code.op('i32_wrap_i64').i32(count).op('i32_rotl').op('i64_extend_i32_s')

const rotateDouble =
  (count: number): Tail =>
  (code) =>
    void code.i64(count).op('i64_rotl')

/** Shifted up and down again by `up` and `down`: what is that of 64 bits, if it is one of the common ones. */
function extension(up: number, down: number, isSigned: boolean): Tail | undefined {
  if (up === 32) return fromWord(down, isSigned)
  if (up !== down) return undefined
  if (!isSigned) return up > 32 ? (code) => void code.i64(2 ** (64 - up) - 1).op('i64_and') : undefined
  if (up === 48) return (code) => void code.op('i64_extend16_s')
  return up === 56 ? (code) => void code.op('i64_extend8_s') : undefined
}

/** The low half, extended and shifted. */
function fromWord(down: number, isSigned: boolean): Tail {
  const extend = isSigned ? 'i64_extend_i32_s' : 'i64_extend_i32_u'
  if (down === 32) return inWord(extend)
  if (down < 32)
    return (code) =>
      void code
        .op('i32_wrap_i64')
        .op(extend)
        .i64(32 - down)
        .op('i64_shl')
  const shift = isSigned ? 'i32_shr_s' : 'i32_shr_u'
  return (code) =>
    void code
      .op('i32_wrap_i64')
      .i32(down - 32)
      .op(shift)
      .op(extend)
}

/** What the definition of an instruction says of all its words: operands, where it goes on, how it reaches into memory. */
import type { InstructionDefinition } from '../definition.js'
import type { Immediate, RegisterField } from '../format.js'
import { instructions } from '../instructions/index.js'
import { type Shape, shapeOf } from './shapes.js'

export type RegisterKind = 'x' | 'f'

export const Flow = {
  /** To the one behind it. */
  next: 0,
  /** To `target`, or to the one behind it. */
  branch: 1,
  /** To `target`. */
  jump: 2,
  /** To an address in a register. */
  indirect: 3,
  /** Nowhere: it leaves the hart. */
  trap: 4,
} as const
export type Flow = (typeof Flow)[keyof typeof Flow]

/**
 * A register's field as one number, for what is decoded with every instruction that is read: bits 0 to 4 say where it begins, 5 to 9 are its mask, and
 * what is above them is the number of the first register that it can name.
 */
type FieldNumber = number
const MASK_SHIFT = 5
const FIRST_SHIFT = 10

export interface Operands {
  readonly definition: InstructionDefinition
  /** Number of the definition that says what it means: compressed ones share that of what they expand to. */
  readonly meaning: number
  readonly flow: Flow
  /** 2 or 4. */
  readonly bytes: number
  /** Fields: x0's where there is none. */
  readonly rd: FieldNumber
  readonly rs1: FieldNumber
  readonly rs2: FieldNumber
  readonly rs3: FieldNumber
  /** Where each slice of the immediate is in the word, its mask, where it is in the value, and so on. */
  readonly imm: readonly number[]
  /** By how much it is shifted up and down again to extend its sign; 0 when it has none. */
  readonly immSignShift: number
  /** Masks of the registers that may be read and written, of either kind: 0, or all but x0 that there are of this kind. */
  readonly reads1: OperandMask
  readonly reads2: OperandMask
  readonly reads3: OperandMask
  readonly writes: OperandMask
  /** What a load or store moves; 0 when it is neither. */
  readonly accessBytes: number
  readonly isStore: boolean
  readonly isAtomic: boolean
  /** Its rounding mode is in its word. */
  readonly isRounded: boolean
  readonly shape: Shape
}

/** `1 << register & x` is what an operand is among the integer registers, and with `f` among the floats. */
interface OperandMask {
  readonly x: number
  readonly f: number
}

const NO_OPERAND: OperandMask = { x: 0, f: 0 }
/** x0 is no register that anything waits for. */
const INTEGER: OperandMask = { x: ~1, f: 0 }
const FLOAT: OperandMask = { x: 0, f: ~0 }

const FLOWS: readonly (readonly [Flow, readonly string[]])[] = [
  [Flow.branch, ['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu']],
  [Flow.jump, ['jal']],
  [Flow.indirect, ['jalr']],
  [Flow.trap, ['ecall', 'ebreak']],
]

const ACCESS_BYTES: readonly (readonly [bytes: number, names: readonly string[]])[] = [
  [1, ['lb', 'lbu', 'sb']],
  [2, ['lh', 'lhu', 'sh']],
  [4, ['lw', 'lwu', 'sw', 'flw', 'fsw']],
  [8, ['ld', 'sd', 'fld', 'fsd']],
]

const OPCODE_ATOMIC = 0x2f

/** What a list of names has of a name. */
function find<T>(lists: readonly (readonly [T, readonly string[]])[], name: string, otherwise: T): T {
  return lists.find(([, names]) => names.includes(name))?.[0] ?? otherwise
}

function fieldOf(field: RegisterField | undefined): FieldNumber {
  if (field === undefined) return 0
  if (field.from === undefined) return field.fixed << FIRST_SHIFT
  const [mask, first] = field.bits === 3 ? [7, 8] : [31, 0]
  return field.from | (mask << MASK_SHIFT) | (first << FIRST_SHIFT)
}

/** The register that a field names in a word. */
export function register(word: number, field: FieldNumber): number {
  return ((word >>> (field & 31)) & ((field >>> MASK_SHIFT) & 31)) + (field >>> FIRST_SHIFT)
}

function signShift({ slices, signed }: Immediate): number {
  return signed ? 32 - Math.max(...slices.map(([, width, to]) => width + to)) : 0
}

function make(all: readonly InstructionDefinition[], number: number): Operands {
  const definition = all[number]!
  const { format, match, expandsTo: name = definition.name } = definition
  const { rd, rs1, rs2, rs3, imm, syntax } = format
  const meaning = all.findIndex((each) => each.name === name)
  const mask = (field: RegisterField | undefined, operand: string): OperandMask =>
    field === undefined ? NO_OPERAND : syntax.includes(`f${operand}`) ? FLOAT : INTEGER
  return {
    ...{ definition, meaning },
    flow: find<Flow>(FLOWS, name, Flow.next),
    bytes: (match & 3) === 3 ? 4 : 2,
    rd: fieldOf(rd),
    rs1: fieldOf(rs1),
    rs2: fieldOf(rs2),
    rs3: fieldOf(rs3),
    imm: (imm?.slices ?? []).flatMap(([from, width, to]) => [from, (1 << width) - 1, to]),
    immSignShift: imm === undefined ? 0 : signShift(imm),
    reads1: mask(rs1, 'rs1'),
    reads2: mask(rs2, 'rs2'),
    reads3: mask(rs3, 'rs3'),
    writes: mask(rd, 'rd'),
    accessBytes: rs1 === undefined ? 0 : find(ACCESS_BYTES, name, 0),
    isStore: rd === undefined,
    isAtomic: (match & 0x7f) === OPCODE_ATOMIC,
    isRounded: syntax.includes('rm'),
    shape: shapeOf(name),
  }
}

/** The operands of definitions by number, each made when it is first asked for. */
export class OperandTable {
  readonly #all = instructions()
  readonly #made: (Operands | undefined)[] = []

  of(number: number): Operands {
    return (this.#made[number] ??= make(this.#all, number))
  }
}

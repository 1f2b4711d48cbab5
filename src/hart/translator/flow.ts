/** How an instruction goes on, told from its definition: compressed ones share the meaning of what they expand to. */
import type { InstructionDefinition } from '../definition.js'
import { immediateOf, type RegisterField, registerOf } from '../format.js'
import { INSTRUCTIONS } from '../instructions/index.js'
import { type Access, accessOf, type RegisterUse, registerUse } from './operands.js'

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

/** Registers that hold return addresses by convention (unprivileged manual, table of return-address-stack hints). */
const RA = 1
const ALTERNATE_RA = 5

const OPCODE_ATOMIC = 0x2f

export interface Instruction {
  readonly pc: number
  readonly word: number
  /** 2 or 4. */
  readonly bytes: number
  readonly definition: InstructionDefinition
  readonly flow: Flow
  /** Of a branch or a jump. */
  readonly target: number
  /** A jump that leaves a return address. */
  readonly isCall: boolean
  /** An indirect jump to a return address. */
  readonly isReturn: boolean
  readonly x: RegisterUse
  readonly f: RegisterUse
  /** Of a plain load or store. */
  readonly access: Access | undefined
  /** It reaches into memory: an access or an atomic. */
  readonly mayMiss: boolean
}

const FLOWS: readonly (readonly [Flow, readonly string[]])[] = [
  [Flow.branch, ['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu']],
  [Flow.jump, ['jal']],
  [Flow.indirect, ['jalr']],
  [Flow.trap, ['ecall', 'ebreak']],
]

const FLOW_OF_MEANING = new Map(
  FLOWS.flatMap(([flow, names]) =>
    names.map((name) => [INSTRUCTIONS.find((one) => one.name === name)!.emit, flow] as const),
  ),
)

/** What an instruction's definition says of its flow; looked up for every instruction that is read. */
interface DefinitionFlow {
  readonly flow: Flow
  readonly bytes: number
}

const FLOW_OF_DEFINITION = new Map(
  INSTRUCTIONS.map((definition): [InstructionDefinition, DefinitionFlow] => [
    definition,
    { flow: FLOW_OF_MEANING.get(definition.emit) ?? Flow.next, bytes: (definition.match & 3) === 3 ? 4 : 2 },
  ]),
)

function isLink(word: number, field: RegisterField | undefined): boolean {
  if (field === undefined) return false
  const register = registerOf(word, field)
  return register === RA || register === ALTERNATE_RA
}

export function instructionAt(pc: number, word: number, definition: InstructionDefinition): Instruction {
  const { flow, bytes } = FLOW_OF_DEFINITION.get(definition)!
  const { imm, rd, rs1 } = definition.format
  const hasTarget = flow === Flow.branch || flow === Flow.jump
  const target = hasTarget && imm !== undefined ? pc + immediateOf(word, imm) : 0
  const isCall = flow === Flow.jump && isLink(word, rd)
  const isReturn = flow === Flow.indirect && !isLink(word, rd) && isLink(word, rs1)
  const access = accessOf(definition, word)
  return {
    ...{ pc, word, bytes, definition, flow, target, isCall, isReturn },
    x: registerUse(definition, word, 'x'),
    f: registerUse(definition, word, 'f'),
    access,
    mayMiss: access !== undefined || (word & 0x7f) === OPCODE_ATOMIC,
  }
}

/** Which registers an instruction reads and writes, told from its format; and where it reaches into memory. */
import type { InstructionDefinition } from '../definition.js'
import { immediateOf, type RegisterField, registerOf } from '../format.js'
import { INSTRUCTIONS } from '../instructions/index.js'

/** Registers of one kind, a bit for each. */
export interface RegisterUse {
  readonly reads: number
  readonly writes: number
}

/** A plain load or store: at x[base] + offset. */
export interface Access {
  readonly base: number
  readonly offset: number
  readonly bytes: number
  readonly isStore: boolean
}

export type RegisterKind = 'x' | 'f'

interface DefinitionOperands {
  readonly reads: Record<RegisterKind, readonly RegisterField[]>
  readonly writes: Record<RegisterKind, RegisterField | undefined>
  /** 0 when it is neither a load nor a store. */
  readonly accessBytes: number
}

const ACCESS_BYTES: readonly (readonly [bytes: number, names: readonly string[]])[] = [
  [1, ['lb', 'lbu', 'sb']],
  [2, ['lh', 'lhu', 'sh']],
  [4, ['lw', 'lwu', 'sw', 'flw', 'fsw']],
  [8, ['ld', 'sd', 'fld', 'fsd']],
]

/** Compressed ones share the meaning of what they expand to. */
const BYTES_OF_MEANING = new Map(
  ACCESS_BYTES.flatMap(([bytes, names]) =>
    names.map((name) => [INSTRUCTIONS.find((one) => one.name === name)!.emit, bytes] as const),
  ),
)

const SOURCES = ['rs1', 'rs2', 'rs3'] as const

function operandsOf({ format, emit }: InstructionDefinition): DefinitionOperands {
  const isFloat = (name: string): boolean => format.syntax.includes(`f${name}`)
  const sources = (float: boolean): RegisterField[] =>
    SOURCES.flatMap((name) => (format[name] !== undefined && isFloat(name) === float ? [format[name]] : []))
  return {
    reads: { x: sources(false), f: sources(true) },
    writes: { x: isFloat('rd') ? undefined : format.rd, f: isFloat('rd') ? format.rd : undefined },
    accessBytes: BYTES_OF_MEANING.get(emit) ?? 0,
  }
}

const OPERANDS = new Map(INSTRUCTIONS.map((definition) => [definition, operandsOf(definition)]))

export function registerUse(
  definition: InstructionDefinition,
  word: number,
  kind: RegisterKind,
): RegisterUse {
  const { reads, writes } = OPERANDS.get(definition)!
  // x0 is no register that anything waits for.
  const usable = kind === 'x' ? ~1 : ~0
  let read = 0
  for (const field of reads[kind]) read |= 1 << registerOf(word, field)
  const written = writes[kind] === undefined ? 0 : 1 << registerOf(word, writes[kind])
  return { reads: read & usable, writes: written & usable }
}

/** Nothing when the instruction is no plain load or store, or its address is no register's. */
export function accessOf(definition: InstructionDefinition, word: number): Access | undefined {
  const bytes = OPERANDS.get(definition)!.accessBytes
  const { rs1, rd, imm } = definition.format
  if (bytes === 0 || rs1 === undefined) return undefined
  const base = registerOf(word, rs1)
  if (base === 0) return undefined
  const offset = imm === undefined ? 0 : immediateOf(word, imm)
  return { base, offset, bytes, isStore: rd === undefined }
}

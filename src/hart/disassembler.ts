import { type InstructionDefinition, matches } from './definition.js'
import { type Format, immediateOf, registerOf } from './format.js'
import { instructions } from './instructions/index.js'

/** ABI names of the registers (RISC-V ELF psABI). */
// biome-ignore format: rows of eight
export const INTEGER_NAMES: readonly string[] = [
  'zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2',
  's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5',
  'a6', 'a7', 's2', 's3', 's4', 's5', 's6', 's7',
  's8', 's9', 's10', 's11', 't3', 't4', 't5', 't6',
]
// biome-ignore format: rows of eight
export const FLOAT_NAMES: readonly string[] = [
  'ft0', 'ft1', 'ft2', 'ft3', 'ft4', 'ft5', 'ft6', 'ft7',
  'fs0', 'fs1', 'fa0', 'fa1', 'fa2', 'fa3', 'fa4', 'fa5',
  'fa6', 'fa7', 'fs2', 'fs3', 'fs4', 'fs5', 'fs6', 'fs7',
  'fs8', 'fs9', 'fs10', 'fs11', 'ft8', 'ft9', 'ft10', 'ft11',
]
export const ROUNDING_NAMES: readonly string[] = ['rne', 'rtz', 'rdn', 'rup', 'rmm', '?5', '?6', 'dyn']

/** Made when the first word is asked for. */
const known: { all?: readonly InstructionDefinition[] } = {}

/** The definition of a word (its low half alone when compressed), or nothing when it is illegal. */
export function definitionOf(word: number): InstructionDefinition | undefined {
  const bits = (word & 3) === 3 ? word >>> 0 : word & 0xffff
  known.all ??= instructions()
  return known.all.find((definition) => {
    const isWide = (definition.match & 3) === 3
    return isWide === ((bits & 3) === 3) && matches(definition, bits)
  })
}

/** One instruction as the assembler writes it; a branch's target as an absolute hexadecimal address. */
export function disassemble(word: number, pc: number): string {
  const definition = definitionOf(word)
  if (definition === undefined) return `.word 0x${(word >>> 0).toString(16)}`
  const { name, format } = definition
  const operands = format.syntax.replace(/[a-z]+[0-9]?/g, (operand) => operandText(operand, word, pc, format))
  return operands === '' ? name : `${name} ${operands.replaceAll(' ', '').replaceAll(',', ', ')}`
}

function operandText(operand: string, word: number, pc: number, format: Format): string {
  const immediate = format.imm === undefined ? 0 : immediateOf(word, format.imm)
  if (operand === 'imm') return String(immediate)
  if (operand === 'upper') return `0x${((immediate >>> 12) & 0xfffff).toString(16)}`
  if (operand === 'csr') return `0x${immediate.toString(16)}`
  if (operand === 'target') return addressText(pc + immediate)
  if (operand === 'uimm') return String((word >>> 15) & 31)
  if (operand === 'rm') return ROUNDING_NAMES[(word >>> 12) & 7]!
  const isFloat = operand.startsWith('f')
  const field = format[operand.slice(isFloat ? 1 : 0) as 'rd' | 'rs1' | 'rs2' | 'rs3']
  if (field === undefined) return operand
  return (isFloat ? FLOAT_NAMES : INTEGER_NAMES)[registerOf(word, field)]!
}

function addressText(address: number): string {
  return address < 0 ? `-0x${(-address).toString(16)}` : `0x${address.toString(16)}`
}

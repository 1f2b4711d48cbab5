/**
 * A small assembler made from the definitions, so that the test of an instruction is a few lines:
 *
 *     assemble(`
 *       loop: addi a0, a0, -1
 *             bne a0, zero, loop
 *             lw a1, 8(sp)          # operands as GNU as takes them; compressed forms by name (c.addi)
 *             .word 0x0             # .half too; the only pseudo-instructions are nop, mv, li (12 bits), j, ret
 *     `)
 */
import type { InstructionDefinition } from '../definition.js'
import { FLOAT_NAMES, INTEGER_NAMES, ROUNDING_NAMES } from '../disassembler.js'
import { type Format, type Immediate, immediateOf, type RegisterField } from '../format.js'
import { instructions } from '../instructions/index.js'

const DEFINITIONS = new Map(instructions().map((definition) => [definition.name, definition]))

interface Statement {
  readonly name: string
  readonly operands: readonly string[]
  readonly offset: number
  readonly bytes: number
}

type Resolve = (operand: string) => number

/** The bytes of a program that stands at `origin` (labels are relative anyway, but for `target` numbers). */
export function assemble(source: string, origin = 0): Uint8Array {
  const labels = new Map<string, number>()
  const statements: Statement[] = []
  let offset = 0
  for (const line of source.split('\n')) {
    let text = line.replace(/#.*/, '').trim()
    for (
      let label: RegExpExecArray | null;
      (label = /^(\w+):\s*/.exec(text));
      text = text.slice(label[0].length)
    ) {
      labels.set(label[1]!, origin + offset)
    }
    if (text === '') continue
    const [, name, rest] = /^(\S+)\s*(.*)$/.exec(expandPseudo(text))!
    const operands = rest === '' ? [] : rest!.split(',').map((operand) => operand.trim())
    const bytes = sizeOf(name!)
    statements.push({ name: name!, operands, offset, bytes })
    offset += bytes
  }
  const output = new Uint8Array(offset)
  const view = new DataView(output.buffer)
  for (const { name, operands, offset: at, bytes } of statements) {
    const resolve: Resolve = (operand) => labels.get(operand) ?? numberOf(operand)
    const word = name.startsWith('.') ? resolve(operands[0]!) : encode(name, operands, origin + at, resolve)
    if (bytes === 2) view.setUint16(at, word, true)
    else view.setUint32(at, word, true)
  }
  return output
}

/** One instruction's word. */
export function asm(text: string, pc = 0): number {
  const bytes = assemble(text, pc)
  const view = new DataView(bytes.buffer)
  return bytes.length === 2 ? view.getUint16(0, true) : view.getUint32(0, true)
}

const PSEUDO: Readonly<Record<string, (rest: string) => string>> = {
  nop: () => 'addi zero, zero, 0',
  mv: (rest) => `addi ${rest}, 0`,
  li: (rest) => `addi ${rest.replace(',', ', zero,')}`,
  j: (rest) => `jal zero, ${rest}`,
  ret: () => 'jalr zero, 0(ra)',
}

function expandPseudo(text: string): string {
  const [, name, rest] = /^(\S+)\s*(.*)$/.exec(text)!
  return PSEUDO[name!]?.(rest!) ?? text
}

function definitionNamed(name: string): InstructionDefinition {
  const definition = DEFINITIONS.get(name)
  if (definition === undefined) throw new Error(`unknown instruction ${name}`)
  return definition
}

function sizeOf(name: string): number {
  if (name === '.word') return 4
  if (name === '.half') return 2
  return (definitionNamed(name).match & 3) === 3 ? 4 : 2
}

function numberOf(operand: string): number {
  const value = operand.startsWith('-') ? -Number(operand.slice(1)) : Number(operand)
  if (operand === '' || Number.isNaN(value)) throw new Error(`not a number or label: ${operand}`)
  return value
}

function encode(name: string, operands: readonly string[], pc: number, resolve: Resolve): number {
  const { match, format } = definitionNamed(name)
  const names = format.syntax === '' ? [] : format.syntax.split(', ')
  const optional = names.at(-1) === 'rm' ? 1 : 0
  if (operands.length > names.length || operands.length < names.length - optional) {
    throw new Error(`${name} takes ${format.syntax}`)
  }
  let word = match
  names.forEach((operand, i) => {
    word |= place(operand, operands[i] ?? 'dyn', format, pc, resolve)
  })
  return word >>> 0
}

/** The bits of one operand. */
function place(operand: string, text: string, format: Format, pc: number, resolve: Resolve): number {
  if (operand === 'rm') return ROUNDING_NAMES.indexOf(text) << 12
  if (operand === 'uimm') return (resolve(text) & 31) << 15
  if (operand === 'imm' || operand === 'csr') return placeImmediate(resolve(text), format.imm!)
  if (operand === 'upper') return placeImmediate(resolve(text) << 12, format.imm!)
  if (operand === 'target') return placeImmediate(resolve(text) - pc, format.imm!)
  const indirect = /^(\w*)\((\w+)\)$/.exec(operand)
  if (indirect) return placeIndirect(indirect, text, format, resolve)
  const isFloat = operand.startsWith('f')
  const field = format[operand.slice(isFloat ? 1 : 0) as 'rd' | 'rs1' | 'rs2' | 'rs3']
  return field === undefined ? 0 : placeRegister(registerNumber(text, isFloat), field, format, operand)
}

/** "imm(rs1)", "(rs1)", "imm(sp)". */
function placeIndirect([, imm]: RegExpExecArray, text: string, format: Format, resolve: Resolve): number {
  const parts = /^(.*)\((\w+)\)$/.exec(text)
  if (parts === null) throw new Error(`expected offset(register): ${text}`)
  const offset = imm === '' ? 0 : placeImmediate(resolve(parts[1] || '0'), format.imm!)
  return offset | placeRegister(registerNumber(parts[2]!, false), format.rs1!, format, 'rs1')
}

function registerNumber(text: string, isFloat: boolean): number {
  const names = isFloat ? FLOAT_NAMES : INTEGER_NAMES
  const plain = new RegExp(`^${isFloat ? 'f' : 'x'}(\\d+)$`).exec(text)
  const number = plain ? Number(plain[1]) : names.indexOf(text)
  if (number < 0 || number > 31) throw new Error(`unknown register ${text}`)
  return number
}

/** A register may stand in several fields (c.addi: rd and rs1 are the same bits). */
function placeRegister(number: number, field: RegisterField, _format: Format, operand: string): number {
  const wrong = () => new Error(`register x${number} cannot be ${operand}`)
  if (field.from === undefined) {
    if (field.fixed !== number) throw wrong()
    return 0
  }
  if (field.bits === 5) return number << field.from
  if (number < 8 || number > 15) throw wrong()
  return (number - 8) << field.from
}

function placeImmediate(value: number, immediate: Immediate): number {
  let word = 0
  for (const [from, width, to] of immediate.slices) word |= ((value >> to) & (2 ** width - 1)) << from
  if (immediateOf(word, immediate) !== value) throw new Error(`immediate ${value} does not fit`)
  return word
}

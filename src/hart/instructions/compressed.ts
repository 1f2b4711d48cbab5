/**
 * The C extension for RV64 with D: each instruction is another's meaning with its operands in other places
 * (unprivileged manual, chapter "C", tables of the three quadrants).
 */
import type { Encoding, InstructionDefinition } from '../definition.js'
import type { Format, Immediate, RegisterField } from '../format.js'

const SHORT_LOW: RegisterField = { from: 2, bits: 3 }
const SHORT_HIGH: RegisterField = { from: 7, bits: 3 }
const FULL: RegisterField = { from: 7, bits: 5 }
const FULL_LOW: RegisterField = { from: 2, bits: 5 }
const ZERO: RegisterField = { fixed: 0 }
const RA: RegisterField = { fixed: 1 }
const SP: RegisterField = { fixed: 2 }

// biome-ignore format: one row each: [bit of the word, width, bit of the value]
const IMM = {
  addi4spn: { signed: false, slices: [[11, 2, 4], [7, 4, 6], [6, 1, 2], [5, 1, 3]] },
  word: { signed: false, slices: [[10, 3, 3], [6, 1, 2], [5, 1, 6]] },
  double: { signed: false, slices: [[10, 3, 3], [5, 2, 6]] },
  six: { signed: true, slices: [[2, 5, 0], [12, 1, 5]] },
  shift: { signed: false, slices: [[2, 5, 0], [12, 1, 5]] },
  upper: { signed: true, slices: [[2, 5, 12], [12, 1, 17]] },
  addi16sp: { signed: true, slices: [[6, 1, 4], [2, 1, 5], [5, 1, 6], [3, 2, 7], [12, 1, 9]] },
  jump: { signed: true, slices: [[3, 3, 1], [11, 1, 4], [2, 1, 5], [7, 1, 6], [6, 1, 7], [9, 2, 8], [8, 1, 10], [12, 1, 11]] },
  branch: { signed: true, slices: [[3, 2, 1], [10, 2, 3], [2, 1, 5], [5, 2, 6], [12, 1, 8]] },
  wordSp: { signed: false, slices: [[4, 3, 2], [12, 1, 5], [2, 2, 6]] },
  doubleSp: { signed: false, slices: [[5, 2, 3], [12, 1, 5], [2, 3, 6]] },
  storeWordSp: { signed: false, slices: [[9, 4, 2], [7, 2, 6]] },
  storeDoubleSp: { signed: false, slices: [[10, 3, 3], [7, 3, 6]] },
} as const satisfies Record<string, Immediate>

const MASK_MAJOR = 0xe003
const MASK_BIT12 = 0xf003
const MASK_SHIFT = 0xec03
const MASK_ARITHMETIC = 0xfc63
const MASK_RS2 = 0xf07f

/** name, expansion, match, mask, format, words excluded. */
type Row = readonly [string, string, number, number, Format, ...Encoding[]]

const shortLoad = (imm: Immediate): Format => ({
  rd: SHORT_LOW,
  rs1: SHORT_HIGH,
  imm,
  syntax: 'rd, imm(rs1)',
})
const shortStore = (imm: Immediate): Format => ({
  rs2: SHORT_LOW,
  rs1: SHORT_HIGH,
  imm,
  syntax: 'rs2, imm(rs1)',
})
const stackLoad = (imm: Immediate): Format => ({ rd: FULL, rs1: SP, imm, syntax: 'rd, imm(sp)' })
const stackStore = (imm: Immediate): Format => ({ rs2: FULL_LOW, rs1: SP, imm, syntax: 'rs2, imm(sp)' })
const float = (format: Format): Format => ({ ...format, syntax: `f${format.syntax}` })
const update = (field: RegisterField, imm: Immediate, syntax = 'rd, imm'): Format => ({
  rd: field,
  rs1: field,
  imm,
  syntax,
})
const ARITHMETIC: Format = { rd: SHORT_HIGH, rs1: SHORT_HIGH, rs2: SHORT_LOW, syntax: 'rd, rs2' }
const BRANCH: Format = { rs1: SHORT_HIGH, rs2: ZERO, imm: IMM.branch, syntax: 'rs1, target' }

const rdIs = (register: number): Encoding => ({ match: register << 7, mask: 31 << 7 })
const rdIsZero = rdIs(0)
const rs2IsZero: Encoding = { match: 0, mask: 31 << 2 }
const isZero = ({ slices }: Immediate): Encoding => ({
  match: 0,
  mask: slices.reduce((mask, [from, width]) => mask | (((1 << width) - 1) << from), 0),
})

// biome-ignore format: a table
const ROWS: readonly Row[] = [
  ['c.addi4spn', 'addi', 0x0000, MASK_MAJOR, { rd: SHORT_LOW, rs1: SP, imm: IMM.addi4spn, syntax: 'rd, sp, imm' }, isZero(IMM.addi4spn)],
  ['c.fld', 'fld', 0x2000, MASK_MAJOR, float(shortLoad(IMM.double))],
  ['c.lw', 'lw', 0x4000, MASK_MAJOR, shortLoad(IMM.word)],
  ['c.ld', 'ld', 0x6000, MASK_MAJOR, shortLoad(IMM.double)],
  ['c.fsd', 'fsd', 0xa000, MASK_MAJOR, float(shortStore(IMM.double))],
  ['c.sw', 'sw', 0xc000, MASK_MAJOR, shortStore(IMM.word)],
  ['c.sd', 'sd', 0xe000, MASK_MAJOR, shortStore(IMM.double)],

  ['c.addi', 'addi', 0x0001, MASK_MAJOR, update(FULL, IMM.six)],
  ['c.addiw', 'addiw', 0x2001, MASK_MAJOR, update(FULL, IMM.six), rdIsZero],
  ['c.li', 'addi', 0x4001, MASK_MAJOR, { rd: FULL, rs1: ZERO, imm: IMM.six, syntax: 'rd, imm' }],
  ['c.addi16sp', 'addi', 0x6101, 0xef83, { rd: SP, rs1: SP, imm: IMM.addi16sp, syntax: 'sp, imm' }, isZero(IMM.addi16sp)],
  ['c.lui', 'lui', 0x6001, MASK_MAJOR, { rd: FULL, imm: IMM.upper, syntax: 'rd, upper' }, rdIs(2), isZero(IMM.upper)],
  ['c.srli', 'srli', 0x8001, MASK_SHIFT, update(SHORT_HIGH, IMM.shift)],
  ['c.srai', 'srai', 0x8401, MASK_SHIFT, update(SHORT_HIGH, IMM.shift)],
  ['c.andi', 'andi', 0x8801, MASK_SHIFT, update(SHORT_HIGH, IMM.six)],
  ['c.sub', 'sub', 0x8c01, MASK_ARITHMETIC, ARITHMETIC],
  ['c.xor', 'xor', 0x8c21, MASK_ARITHMETIC, ARITHMETIC],
  ['c.or', 'or', 0x8c41, MASK_ARITHMETIC, ARITHMETIC],
  ['c.and', 'and', 0x8c61, MASK_ARITHMETIC, ARITHMETIC],
  ['c.subw', 'subw', 0x9c01, MASK_ARITHMETIC, ARITHMETIC],
  ['c.addw', 'addw', 0x9c21, MASK_ARITHMETIC, ARITHMETIC],
  ['c.j', 'jal', 0xa001, MASK_MAJOR, { rd: ZERO, imm: IMM.jump, syntax: 'target' }],
  ['c.beqz', 'beq', 0xc001, MASK_MAJOR, BRANCH],
  ['c.bnez', 'bne', 0xe001, MASK_MAJOR, BRANCH],

  ['c.slli', 'slli', 0x0002, MASK_MAJOR, update(FULL, IMM.shift)],
  ['c.fldsp', 'fld', 0x2002, MASK_MAJOR, float(stackLoad(IMM.doubleSp))],
  ['c.lwsp', 'lw', 0x4002, MASK_MAJOR, stackLoad(IMM.wordSp), rdIsZero],
  ['c.ldsp', 'ld', 0x6002, MASK_MAJOR, stackLoad(IMM.doubleSp), rdIsZero],
  ['c.jr', 'jalr', 0x8002, MASK_RS2, { rd: ZERO, rs1: FULL, syntax: 'rs1' }, rdIsZero],
  ['c.mv', 'add', 0x8002, MASK_BIT12, { rd: FULL, rs1: ZERO, rs2: FULL_LOW, syntax: 'rd, rs2' }, rs2IsZero],
  ['c.ebreak', 'ebreak', 0x9002, 0xffff, { syntax: '' }],
  ['c.jalr', 'jalr', 0x9002, MASK_RS2, { rd: RA, rs1: FULL, syntax: 'rs1' }, rdIsZero],
  ['c.add', 'add', 0x9002, MASK_BIT12, { rd: FULL, rs1: FULL, rs2: FULL_LOW, syntax: 'rd, rs2' }, rs2IsZero],
  ['c.fsdsp', 'fsd', 0xa002, MASK_MAJOR, float(stackStore(IMM.storeDoubleSp))],
  ['c.swsp', 'sw', 0xc002, MASK_MAJOR, stackStore(IMM.storeWordSp)],
  ['c.sdsp', 'sd', 0xe002, MASK_MAJOR, stackStore(IMM.storeDoubleSp)],
]

/** The compressed forms of the given instructions. */
export function compressedInstructions(base: readonly InstructionDefinition[]): InstructionDefinition[] {
  const byName = new Map(base.map((definition) => [definition.name, definition]))
  return ROWS.map(([name, expansion, match, mask, format, ...excludes]) => {
    const { emit } = byName.get(expansion)!
    return { name, match, mask, format, emit, excludes, expandsTo: expansion }
  })
}

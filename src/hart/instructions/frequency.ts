import type { InstructionDefinition } from '../definition.js'

/**
 * How often programs execute an instruction: so many of 10,000 that the interpreter executes (what is hot is translated and not among them). It is the
 * mean of thirteen programs (sqlite3, Python starting and in loops, Perl, Lua, a shell with its pipes, node, PostgreSQL, gzip, sort, C++
 * containers, two storms of malloc). Only the order and the rough size matter, and that for speed alone.
 */
const SHARES: readonly (readonly [share: number, names: string])[] = [
  [720, 'c.sdsp'],
  [670, 'c.mv'],
  [660, 'c.ldsp'],
  [470, 'ld'],
  [450, 'c.ld'],
  [430, 'c.add addi'],
  [330, 'c.li'],
  [310, 'lbu'],
  [300, 'c.addi'],
  [280, 'beq'],
  [240, 'bne'],
  [220, 'c.beqz'],
  [210, 'andi'],
  [200, 'slli auipc'],
  [190, 'jal'],
  [170, 'c.bnez c.sd sd'],
  [160, 'c.slli c.jr c.addi16sp'],
  [140, 'lw'],
  [130, 'sb'],
  [120, 'add bgeu c.j bltu'],
  [110, 'srli'],
  [95, 'c.addiw lui blt c.lw'],
  [85, 'c.andi'],
  [80, 'lhu'],
  [75, 'sw addiw'],
  [70, 'c.lui'],
  [65, 'slliw c.or'],
  [60, 'c.srli sub c.and'],
  [55, 'bge jalr'],
  [50, 'and'],
  [45, 'addw'],
  [40, 'c.addw'],
  [35, 'c.xor srliw sh'],
  [30, 'lwu c.sw xori c.sub c.addi4spn'],
  [25, 'mul'],
  [20, 'or'],
  [18, 'subw srl'],
  [14, 'xor ori remu'],
  [12, 'c.jalr sraiw sllw'],
  [10, 'sll sltu c.subw c.swsp'],
  [8, 'lb sltiu srlw c.lwsp'],
  [6, 'lr.w c.srai mulw sc.w'],
  [4, 'c.fsdsp srai fsd lh'],
  [3, 'mulhu'],
  [2, 'fence remuw amoswap.w c.fldsp fld slt sraw fmv.d.x'],
]

const SHARE_OF: ReadonlyMap<string, number> = new Map(
  SHARES.flatMap(([share, names]) => names.split(' ').map((name): [string, number] => [name, share])),
)

/** Of 10,000; 0 for what is rarer than one. */
export function shareOf({ name }: Pick<InstructionDefinition, 'name'>): number {
  return SHARE_OF.get(name) ?? 0
}

/** The commonest first; what is as common as another stays in its order. */
export function byFrequency(definitions: readonly InstructionDefinition[]): InstructionDefinition[] {
  const shared = definitions.map((definition) => ({ definition, share: shareOf(definition) }))
  return shared.sort((a, b) => b.share - a.share).map(({ definition }) => definition)
}

/** What the shares are of, for a test. */
export const NAMES_WITH_SHARE: readonly string[] = [...SHARE_OF.keys()]

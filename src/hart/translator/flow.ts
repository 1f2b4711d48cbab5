/** An instruction as the translator has it: what there is to know of it is found out once, when it is read. */
import { Flow, type Operands, register } from './operands.js'

/** Registers that hold return addresses by convention (unprivileged manual, table of return-address-stack hints). */
const RA = 1
const ALTERNATE_RA = 5

const isLink = (register: number): boolean => register === RA || register === ALTERNATE_RA

export class Instruction {
  readonly pc: number
  readonly word: number
  readonly operands: Operands
  /** 2 or 4. */
  readonly bytes: number
  readonly flow: Flow
  /** Registers that its fields name; x0 where there is none. */
  readonly rd: number
  readonly rs1: number
  readonly rs2: number
  readonly rs3: number
  /** 0 where there is none. */
  readonly imm: number
  /** Registers of each kind, a bit for each; x0 is none. */
  readonly xReads: number
  readonly xWrites: number
  readonly fReads: number
  readonly fWrites: number
  /** Bytes of a plain load or store at x[rs1] + imm; 0 when it is none, or its address is no register's. */
  readonly accessBytes: number
  readonly isStore: boolean
  /** It reaches into memory: an access or an atomic. */
  readonly mayMiss: boolean
  /** Marks of whoever finds regions (region.ts), who would need a set for each: the last region that it is in, and that it leads a block of. */
  region = 0
  leads = 0
  /** The last look for a leaf that came here. */
  leaf = 0
  /** Number of the block that it leads. */
  block = -1

  constructor(pc: number, word: number, operands: Operands) {
    const { reads1, reads2, reads3, writes } = operands
    const rd = register(word, operands.rd)
    const rs1 = register(word, operands.rs1)
    const rs2 = register(word, operands.rs2)
    const rs3 = operands.rs3 === 0 ? 0 : register(word, operands.rs3)
    const read1 = 1 << rs1
    const read2 = 1 << rs2
    const read3 = 1 << rs3
    this.pc = pc
    this.word = word
    this.operands = operands
    this.bytes = operands.bytes
    this.flow = operands.flow
    this.rd = rd
    this.rs1 = rs1
    this.rs2 = rs2
    this.rs3 = rs3
    this.imm = immediateIn(word, operands)
    this.xReads = (read1 & reads1.x) | (read2 & reads2.x) | (read3 & reads3.x)
    this.fReads = (read1 & reads1.f) | (read2 & reads2.f) | (read3 & reads3.f)
    this.xWrites = (1 << rd) & writes.x
    this.fWrites = (1 << rd) & writes.f
    this.accessBytes = rs1 === 0 ? 0 : operands.accessBytes
    this.isStore = operands.isStore
    this.mayMiss = this.accessBytes !== 0 || operands.isAtomic
  }

  /** Of a branch or a jump. */
  get target(): number {
    return this.pc + this.imm
  }

  /** A jump that leaves a return address. */
  get isCall(): boolean {
    return this.flow === Flow.jump && isLink(this.rd)
  }

  /** An indirect jump to a return address. */
  get isReturn(): boolean {
    return this.flow === Flow.indirect && !isLink(this.rd) && isLink(this.rs1)
  }
}

function immediateIn(word: number, { imm, immSignShift }: Operands): number {
  let value = 0
  for (let i = 0; i < imm.length; i += 3) value |= ((word >>> imm[i]!) & imm[i + 1]!) << imm[i + 2]!
  return (value << immSignShift) >> immSignShift
}

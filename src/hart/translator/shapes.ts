/** What short-forms.ts must know of what an instruction does with the halves of registers. From `srli` to `xori`, but for `slliw`, it may have a short form. */
export const Shape = {
  other: 0,
  slli: 1,
  srli: 2,
  srai: 3,
  slliw: 4,
  srliw: 5,
  sraiw: 6,
  and: 7,
  or: 8,
  xor: 9,
  andi: 10,
  ori: 11,
  xori: 12,
  add: 13,
  addi: 14,
  /** Reads low halves only, and leaves a sign-extended word. */
  word: 15,
  /** Leaves a sign-extended word of whatever it reads: loads, comparisons, lui. */
  small: 16,
  /** Stores a word or less, so of its second operand the low half counts. */
  store: 17,
} as const
export type Shape = (typeof Shape)[keyof typeof Shape]

const WORDS = ['addw', 'subw', 'sllw', 'srlw', 'sraw', 'addiw', 'mulw', 'divw', 'divuw', 'remw', 'remuw']
const SMALL = ['lw', 'lh', 'lhu', 'lb', 'lbu', 'lui', 'slt', 'sltu', 'slti', 'sltiu']
const STORES = ['sw', 'sh', 'sb']

/** Of a meaning, by its name. */
export function shapeOf(name: string): Shape {
  if (WORDS.includes(name)) return Shape.word
  if (SMALL.includes(name)) return Shape.small
  if (STORES.includes(name)) return Shape.store
  const shape = (Shape as Partial<Record<string, Shape>>)[name]
  return shape ?? Shape.other
}

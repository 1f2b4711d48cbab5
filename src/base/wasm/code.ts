import {
  ATOMIC_OP,
  type AtomicOp,
  MEMORY_OP,
  type MemoryOp,
  type NumericOp,
  OP,
  SATURATING_OP,
  type SaturatingOp,
} from './opcodes.js'

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64'
export const VALUE_TYPE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c }

/** A structured instruction that is still open: what `br` names. */
export interface Label {
  /** Nesting depth at which the label stands, counted from the function's body. */
  readonly depth: number
}

/**
 * The body of one WebAssembly function, written instruction by instruction. Methods return `this`, so that a
 * short sequence reads as one line. Branches name a `Label`, not a depth; `end()` closes the innermost one.
 */
export class Code {
  #bytes: Uint8Array
  #length = 0
  #depth = 0
  /** As the entry has them: each as a run of one. */
  readonly #locals: number[] = []
  readonly #parameters: number
  /** Of each `if` whose way is known, in ascending order: twice its offset, and 1 more when it is mostly taken. */
  readonly #hints: number[] = []

  /** `bytes`: what it will probably be; it may be longer. */
  constructor(parameters: readonly ValueType[], bytes = 64) {
    this.#parameters = parameters.length
    this.#bytes = new Uint8Array(bytes)
  }

  /** A new local variable; its index counts on from the parameters. */
  local(type: ValueType): number {
    this.#locals.push(1, VALUE_TYPE[type])
    return this.#parameters + this.#locals.length / 2 - 1
  }

  byte(value: number): this {
    if (this.#length === this.#bytes.length) this.#grow(1)
    this.#bytes[this.#length++] = value
    return this
  }

  /**
   * For who writes much in a row: where the code's bytes are, with place for so many more. What is written behind `length` counts when `length` is set; after
   * anything else that writes, the bytes may be elsewhere.
   * (Most of a translator's time goes into calls that have not been compiled yet.)
   */
  room(bytes: number): Uint8Array {
    if (this.#length + bytes > this.#bytes.length) this.#grow(bytes)
    return this.#bytes
  }

  /** Copies what other code is made of. */
  copy(bytes: Uint8Array): this {
    this.room(bytes.length).set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** Adds what other code has, which may close what is open here; its local variables are this one's. */
  append(other: Code): this {
    for (let i = 0; i < other.#hints.length; i++) this.#hints.push(other.#hints[i]! + 2 * this.#length)
    this.#depth += other.#depth
    return this.copy(other.raw())
  }

  #grow(bytes: number): void {
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + bytes))
    larger.set(this.#bytes)
    this.#bytes = larger
  }

  /** The commonest instructions, in one call. */
  #two(first: number, second: number): this {
    if (this.#length + 2 > this.#bytes.length) this.#grow(2)
    this.#bytes[this.#length] = first
    this.#bytes[this.#length + 1] = second
    this.#length += 2
    return this
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): this {
    let rest = value >>> 0
    if (rest < 0x80) return this.byte(rest)
    const bytes = this.room(5)
    let length = this.#length
    while (rest > 0x7f) {
      bytes[length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[length++] = rest
    this.#length = length
    return this
  }

  /** Signed LEB128. */
  signed(value: bigint): this {
    let rest = value
    for (;;) {
      const low = Number(rest & 0x7fn)
      rest >>= 7n
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.byte(low)
      this.byte(low | 0x80)
    }
  }

  /** Signed LEB128 of an integer below 2^53: like `signed`, many times faster. */
  #signedNumber(value: number): this {
    if (value === (value | 0)) return this.#signed32(value)
    const bytes = this.room(4)
    const high = Math.floor(value / 2 ** 28)
    let low = value - high * 2 ** 28
    for (let i = 0; i < 4; i++) {
      bytes[this.#length++] = (low & 0x7f) | 0x80
      low >>= 7
    }
    return this.#signed32(high)
  }

  /** Signed LEB128 of an integer of 32 bits. */
  #signed32(value: number): this {
    const bytes = this.room(5)
    let length = this.#length
    let rest = value
    while (rest < -64 || rest >= 64) {
      bytes[length++] = (rest & 0x7f) | 0x80
      rest >>= 7
    }
    bytes[length++] = rest & 0x7f
    this.#length = length
    return this
  }

  op(name: NumericOp): this {
    return this.byte(OP[name])
  }

  /** Several operations in a row. */
  ops(...names: NumericOp[]): this {
    for (const name of names) this.op(name)
    return this
  }

  i32(value: number): this {
    const number = value | 0
    if (number >= -64 && number < 64) return this.#two(0x41, number & 0x7f)
    return this.byte(0x41).#signed32(number)
  }

  i64(value: bigint | number): this {
    if (typeof value === 'number' && value >= -64 && value < 64) return this.#two(0x42, value & 0x7f)
    this.byte(0x42)
    return typeof value === 'number' && Number.isSafeInteger(value)
      ? this.#signedNumber(value)
      : this.signed(BigInt.asIntN(64, BigInt(value)))
  }

  f32(value: number): this {
    return this.byte(0x43).#float(value, 4)
  }

  f64(value: number): this {
    return this.byte(0x44).#float(value, 8)
  }

  #float(value: number, width: 4 | 8): this {
    const view = new DataView(new ArrayBuffer(8))
    if (width === 4) view.setFloat32(0, value, true)
    else view.setFloat64(0, value, true)
    for (let i = 0; i < width; i++) this.byte(view.getUint8(i))
    return this
  }

  get(local: number): this {
    return local < 0x80 ? this.#two(0x20, local) : this.byte(0x20).u32(local)
  }

  set(local: number): this {
    return local < 0x80 ? this.#two(0x21, local) : this.byte(0x21).u32(local)
  }

  tee(local: number): this {
    return local < 0x80 ? this.#two(0x22, local) : this.byte(0x22).u32(local)
  }

  globalGet(index: number): this {
    return this.byte(0x23).u32(index)
  }

  globalSet(index: number): this {
    return this.byte(0x24).u32(index)
  }

  /** `i64.store` of a local where another, and an offset, say; aligned. */
  storeLocal(pointer: number, local: number, offset: number): this {
    return this.get(pointer).get(local).access(MEMORY_OP.i64_store, offset)
  }

  /** `i64.load` from where a local, and an offset, say into another local; aligned. */
  loadLocal(local: number, pointer: number, offset: number): this {
    return this.get(pointer).access(MEMORY_OP.i64_load, offset).set(local)
  }

  access(operation: readonly [opcode: number, align: number], offset: number): this {
    return this.#two(operation[0], operation[1]).u32(offset)
  }

  /** A load or a store; `align` is the log2 that may be assumed (0 for what may be misaligned). */
  memory(name: MemoryOp, offset = 0, align: number = MEMORY_OP[name][1]): this {
    return this.byte(MEMORY_OP[name][0]).u32(align).u32(offset)
  }

  /** A load or a store that may be misaligned, but for its offset, which is to be written with `u32`. */
  unalignedAccess(name: MemoryOp): this {
    return this.byte(MEMORY_OP[name][0]).byte(0)
  }

  atomic(name: AtomicOp, offset = 0): this {
    const [opcode, align] = ATOMIC_OP[name]
    return this.byte(0xfe).u32(opcode).u32(align).u32(offset)
  }

  /** The size of the memory, in pages of 64 KiB. */
  memorySize(): this {
    return this.byte(0x3f).byte(0)
  }

  /** atomic.fence: orders this thread's accesses to a shared memory. */
  fence(): this {
    return this.byte(0xfe).u32(3).byte(0)
  }

  saturating(name: SaturatingOp): this {
    return this.byte(0xfc).u32(SATURATING_OP[name])
  }

  /** destination, value, length → . */
  memoryFill(): this {
    return this.byte(0xfc).u32(11).u32(0)
  }

  /** destination, source, length → . */
  memoryCopy(): this {
    return this.byte(0xfc).u32(10).u32(0).u32(0)
  }

  call(functionIndex: number): this {
    return this.byte(0x10).u32(functionIndex)
  }

  /** The operands, then the function's index in table 0. */
  callIndirect(typeIndex: number): this {
    return this.byte(0x11).u32(typeIndex).u32(0)
  }

  /** The same in place of this function, which it returns for. */
  returnCallIndirect(typeIndex: number): this {
    return this.byte(0x13).u32(typeIndex).u32(0)
  }

  block(result?: ValueType): Label {
    return this.#open(0x02, result)
  }

  loop(result?: ValueType): Label {
    return this.#open(0x03, result)
  }

  if(result?: ValueType): Label {
    return this.#open(0x04, result)
  }

  /** An `if` whose condition mostly holds, or mostly does not: for engines that lay code out accordingly. */
  ifLikely(result?: ValueType): Label {
    this.hint(true)
    return this.#open(0x04, result)
  }

  ifUnlikely(result?: ValueType): Label {
    this.hint(false)
    return this.#open(0x04, result)
  }

  /** The next byte is of an `if` whose condition mostly holds, or mostly does not. */
  hint(isLikely: boolean): void {
    this.#hints.push(2 * this.#length + (isLikely ? 1 : 0))
  }

  else(): this {
    return this.byte(0x05)
  }

  end(): this {
    this.#depth--
    return this.byte(0x0b)
  }

  br(label: Label): this {
    return this.byte(0x0c).u32(this.#depth - label.depth)
  }

  brIf(label: Label): this {
    return this.byte(0x0d).u32(this.#depth - label.depth)
  }

  brTable(labels: readonly Label[], otherwise: Label): this {
    this.byte(0x0e).u32(labels.length)
    for (const label of labels) this.u32(this.#depth - label.depth)
    return this.u32(this.#depth - otherwise.depth)
  }

  #open(opcode: number, result: ValueType | undefined): Label {
    this.byte(opcode).byte(result === undefined ? 0x40 : VALUE_TYPE[result])
    this.#depth++
    return { depth: this.#depth }
  }

  /** Bytes before the instructions in the function's entry, but for its size. */
  get #head(): number {
    return lengthOfU32(this.#locals.length / 2) + this.#locals.length
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length
  }

  /** For who has written into `room`. */
  set length(bytes: number) {
    this.#length = bytes
  }

  /** Structured instructions that are open. */
  get depth(): number {
    return this.#depth
  }

  /** Opens or closes so many by what was copied. */
  nest(levels: number): void {
    this.#depth += levels
  }

  /** How many branches have a hint. */
  get hintCount(): number {
    return this.#hints.length
  }

  /** As the section of hints has them: how many there are, then of each where it is behind the entry's size, and whether it is taken, in a byte. */
  writeHints(target: Code): void {
    const before = this.#head
    target.u32(this.#hints.length)
    for (let i = 0; i < this.#hints.length; i++) {
      const hint = this.#hints[i]!
      target
        .u32(before + (hint >>> 1))
        .byte(1)
        .byte(hint & 1)
    }
  }

  /** The function's entry in the code section: size, locals, instructions, end. */
  finish(): Uint8Array {
    const size = this.#head + this.#length + 1
    const entry = new Code([], lengthOfU32(size) + size).u32(size).u32(this.#locals.length / 2)
    for (let i = 0; i < this.#locals.length; i++) entry.byte(this.#locals[i]!)
    return entry.copy(this.raw()).byte(0x0b).raw()
  }

  /** The bytes written so far. */
  raw(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}

/** Bytes of an unsigned LEB128. */
function lengthOfU32(value: number): number {
  let length = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) length++
  return length
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

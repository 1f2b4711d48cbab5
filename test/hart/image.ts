/**
 * The program that runs many sequences, one after another, each from its own registers: a runner in machine code, the
 * sequences, and their records. It runs unchanged in qemu (as a static ELF file) and on our hart (as segments).
 *
 *     0x010000  runner, then the sequences
 *     0x200000  state: current record, end of the records, epilogue of the current sequence; stack of the handler
 *     0x300000  two pages that the sequences read and write, nothing mapped around them
 *     0x310000  what these two pages hold when a sequence begins
 *     0x400000  records: 68 words of 64 bits, input and output in one
 *
 * Record: x1 to x31 at their numbers, f0 to f31 from 32, fcsr at 64. In: word 0 is the sequence's address, bit 0
 * naming which register points to the record meanwhile (x3 or x4). Out: word 0 is the signal that ended the
 * sequence or 0, 65 its pc, 66 a hash of the two pages, 67 its address.
 */
import { addi, ECALL, fld, fsd, ld, lui, sd, typeB, typeI, typeJ, typeR, typeS } from './encode.js'

export const RUNNER = 0x10000
export const STATE = 0x200000
const STATE_BYTES = 0x20000
const STACK = STATE + 0x10000
export const SCRATCH = 0x300000
export const SCRATCH_BYTES = 0x2000
const PATTERN = 0x310000
export const RECORDS = 0x400000
export const RECORD_WORDS = 68
const RECORD_BYTES = RECORD_WORDS * 8
export const RECORD_FCSR = 64
export const RECORD_PC = 65
export const RECORD_HASH = 66
export const RECORD_ADDRESS = 67

/** Places in the state page. */
export const STATE_CURRENT = 0
const STATE_END = 8
export const STATE_EPILOGUE = 16
const STATE_SIGALTSTACK = 0x100
const STATE_SIGACTION = 0x140

/** The registers that may point to the record while a sequence runs. */
export const RECORD_REGISTERS = [3, 4] as const

/** Signals that a sequence may end with. */
export const SIGILL = 4
export const SIGTRAP = 5
export const SIGBUS = 7
export const SIGSEGV = 11

const T0 = 5
const T1 = 6
const T2 = 7
const S0 = 8
const S1 = 9
const A0 = 10
const A1 = 11
const A2 = 12
const A3 = 13
const A4 = 14
const A5 = 15
const A7 = 17

export interface Segment {
  readonly address: number
  readonly bytes: Uint8Array
  readonly writable: boolean
  readonly executable: boolean
}

/** Straight machine code with labels for backward branches. */
class Assembly {
  readonly words: number[] = []

  get here(): number {
    return RUNNER + this.words.length * 4
  }

  put(...words: number[]): this {
    this.words.push(...words)
    return this
  }

  li(rd: number, value: number): this {
    return this.put(lui(rd, value + 0x800), addi(rd, rd, value & 0xfff))
  }

  call(number: number): this {
    return this.li(A7, number).put(ECALL)
  }

  bneTo(rs1: number, rs2: number, target: number): this {
    return this.put(typeB(1, rs1, rs2, target - this.here))
  }

  jumpTo(target: number): this {
    return this.put(typeJ(0, target - this.here))
  }
}

export interface Runner {
  readonly words: readonly number[]
  readonly entry: number
  /** Where a sequence goes when it is through, by its record register. */
  readonly epilogues: ReadonlyMap<number, number>
}

/** The runner has no forward references: what is jumped to stands before. */
export function buildRunner(): Runner {
  const a = new Assembly()
  const handler = a.here
  emitHandler(a)
  const done = a.here
  emitDone(a)
  const next = a.here
  const starts = emitNext(a, done)
  const hash = a.here
  emitHash(a, next)
  const epilogues = new Map(RECORD_REGISTERS.map((register) => [register, emitEpilogue(a, register, hash)]))
  RECORD_REGISTERS.forEach((register, i) => {
    a.words[(starts[i]! - RUNNER) / 4] = typeJ(0, a.here - starts[i]!)
    emitProlog(a, register, epilogues.get(register)!)
  })
  const entry = a.here
  emitSetUp(a, handler, next)
  return { words: a.words, entry, epilogues }
}

/** Signal handler (number, siginfo, ucontext): notes what happened and lets the sequence go on at its epilogue. */
function emitHandler(a: Assembly): void {
  const ucontextPc = 176
  const siginfoAddress = 16
  a.put(lui(T0, STATE), ld(T1, T0, STATE_CURRENT), sd(A0, T1, 0))
  a.put(ld(T2, A2, ucontextPc), sd(T2, T1, RECORD_PC * 8))
  a.put(ld(T2, A1, siginfoAddress), sd(T2, T1, RECORD_ADDRESS * 8))
  a.put(ld(T2, T0, STATE_EPILOGUE), sd(T2, A2, ucontextPc), typeI(0x67, 0, 0, 1, 0))
}

/** Writes all records to standard output. */
function emitDone(a: Assembly): void {
  a.put(lui(A1, RECORDS))
  const again = a.here
  a.put(typeR(0x33, 0, 0x20, A2, S1, A1), addi(A0, 0, 1)).call(64)
  a.put(typeR(0x33, 0, 0, A1, A1, A0)).bneTo(A1, S1, again)
  a.put(addi(A0, 0, 0)).call(93)
}

/** Takes the next record and resets the scratch pages. Returns the places of the jumps to the two prologs. */
function emitNext(a: Assembly, done: number): number[] {
  a.put(lui(T0, STATE), ld(S0, T0, STATE_CURRENT), ld(S1, T0, STATE_END))
  a.put(typeB(1, S0, S1, 8)).jumpTo(done)
  const clearReservation = typeR(0x2f, 2, 3 << 2, 0, T0, 0)
  a.put(clearReservation, lui(A0, PATTERN), lui(A1, SCRATCH), lui(A2, PATTERN + SCRATCH_BYTES))
  const copy = a.here
  for (let offset = 0; offset < 32; offset += 8) a.put(ld(A3, A0, offset), sd(A3, A1, offset))
  a.put(addi(A0, A0, 32), addi(A1, A1, 32)).bneTo(A0, A2, copy)
  a.put(ld(A0, S0, 0), sd(0, S0, 0), typeI(0x13, 7, A1, A0, 1), typeI(0x13, 7, A0, A0, -2))
  a.put(typeB(1, A1, 0, 8))
  const starts = [a.here, a.here + 4]
  a.put(0, 0)
  return starts
}

/** Loads all registers and jumps to the address in a0; the sequence itself loads x1, through which it is reached. */
function emitProlog(a: Assembly, register: number, epilogue: number): void {
  a.put(lui(T0, STATE))
    .li(T1, epilogue)
    .put(sd(T1, T0, STATE_EPILOGUE))
  a.put(addi(register, S0, 0), ld(T0, register, RECORD_FCSR * 8), typeI(0x73, 1, 0, T0, 3))
  for (let i = 0; i < 32; i++) a.put(fld(i, register, (32 + i) * 8))
  a.put(addi(1, A0, 0))
  for (let i = 2; i < 32; i++) if (i !== register) a.put(ld(i, register, i * 8))
  a.put(typeI(0x67, 0, 0, 1, 0))
}

/** Returns its own address. */
function emitEpilogue(a: Assembly, register: number, hash: number): number {
  const start = a.here
  for (let i = 1; i < 32; i++) a.put(sd(i, register, i * 8))
  for (let i = 0; i < 32; i++) a.put(fsd(i, register, (32 + i) * 8))
  a.put(typeI(0x73, 2, T0, 0, 3), sd(T0, register, RECORD_FCSR * 8), addi(S0, register, 0)).jumpTo(hash)
  return start
}

function emitHash(a: Assembly, next: number): void {
  a.put(lui(A0, SCRATCH), lui(A2, SCRATCH + SCRATCH_BYTES), addi(A1, 0, 1)).li(A4, 0x1e3779b1)
  const again = a.here
  a.put(ld(A3, A0, 0), typeR(0x33, 4, 0, A1, A1, A3), typeR(0x33, 0, 1, A1, A1, A4))
  a.put(typeI(0x13, 5, A5, A1, 29), typeR(0x33, 4, 0, A1, A1, A5))
  a.put(addi(A0, A0, 8)).bneTo(A0, A2, again)
  a.put(sd(A1, S0, RECORD_HASH * 8), addi(S0, S0, RECORD_BYTES), lui(T0, STATE), sd(S0, T0, STATE_CURRENT))
  a.jumpTo(next)
}

/** sigaltstack and sigaction; the structures are data in the state page. */
function emitSetUp(a: Assembly, handler: number, next: number): void {
  a.li(A0, STATE + STATE_SIGALTSTACK)
    .put(addi(A1, 0, 0))
    .call(132)
  for (const signal of [SIGILL, SIGTRAP, SIGBUS, SIGSEGV]) {
    a.put(addi(A0, 0, signal))
      .li(A1, STATE + STATE_SIGACTION)
      .li(T0, handler)
    a.put(typeS(0x23, 3, A1, T0, 0), addi(A2, 0, 0), addi(A3, 0, 8)).call(134)
  }
  a.jumpTo(next)
}

/** The whole program: `code` stands right behind the runner, at `codeAddress(runner)`. */
export function buildSegments(
  runner: Runner,
  code: Uint16Array,
  records: BigUint64Array,
  pattern: Uint8Array,
) {
  const text = new Uint8Array(runner.words.length * 4 + code.byteLength)
  text.set(new Uint8Array(Uint32Array.from(runner.words).buffer))
  text.set(new Uint8Array(code.buffer, code.byteOffset, code.byteLength), runner.words.length * 4)
  const segment = (address: number, bytes: Uint8Array, writable: boolean): Segment => ({
    ...{ address, bytes, writable },
    executable: !writable,
  })
  return [
    segment(RUNNER, text, false),
    segment(STATE, buildState(records.length / RECORD_WORDS), true),
    segment(SCRATCH, new Uint8Array(SCRATCH_BYTES), true),
    segment(PATTERN, pattern, true),
    segment(RECORDS, new Uint8Array(records.buffer, records.byteOffset, records.byteLength), true),
  ]
}

export function codeAddress(runner: Runner): number {
  return RUNNER + runner.words.length * 4
}

function buildState(count: number): Uint8Array {
  const bytes = new Uint8Array(STATE_BYTES)
  const view = new DataView(bytes.buffer)
  const put = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true)
  const siginfo = 4
  const onStack = 0x08000000
  const noDefer = 0x40000000
  put(STATE_CURRENT, RECORDS)
  put(STATE_END, RECORDS + count * RECORD_BYTES)
  put(STATE_SIGALTSTACK, STACK)
  put(STATE_SIGALTSTACK + 16, STATE + STATE_BYTES - STACK)
  put(STATE_SIGACTION + 8, siginfo | onStack | noDefer)
  return bytes
}

/** A static ELF file of the segments. */
export function elfOf(segments: readonly Segment[], entry: number): Uint8Array {
  const headerBytes = 64 + segments.length * 56
  const offsets: number[] = []
  let end = Math.ceil(headerBytes / 4096) * 4096
  for (const { bytes } of segments) {
    offsets.push(end)
    end += Math.ceil(bytes.length / 4096) * 4096
  }
  const file = new Uint8Array(end)
  const view = new DataView(file.buffer)
  writeElfHeader(view, entry, segments.length)
  segments.forEach((segment, i) => {
    writeProgramHeader(view, 64 + i * 56, segment, offsets[i]!)
    file.set(segment.bytes, offsets[i])
  })
  return file
}

function writeElfHeader(view: DataView, entry: number, segments: number): void {
  const flagsDoubleFloatCompressed = 5
  view.setUint32(0, 0x7f454c46)
  view.setUint32(4, 0x02010100)
  view.setUint16(16, 2, true)
  view.setUint16(18, 243, true)
  view.setUint32(20, 1, true)
  view.setBigUint64(24, BigInt(entry), true)
  view.setBigUint64(32, 64n, true)
  view.setUint32(48, flagsDoubleFloatCompressed, true)
  view.setUint16(52, 64, true)
  view.setUint16(54, 56, true)
  view.setUint16(56, segments, true)
}

function writeProgramHeader(view: DataView, at: number, segment: Segment, offset: number): void {
  const put = (field: number, value: number) => view.setBigUint64(at + field, BigInt(value), true)
  view.setUint32(at, 1, true)
  view.setUint32(at + 4, 4 | (segment.writable ? 2 : 0) | (segment.executable ? 1 : 0), true)
  put(8, offset)
  put(16, segment.address)
  put(24, segment.address)
  put(32, segment.bytes.length)
  put(40, segment.bytes.length)
  put(48, 4096)
}

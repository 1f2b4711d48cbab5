/** For tests: small ELF programs made from assembly text. */
import { assemble } from '../../hart/testing/assembler.js'
import { ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES } from '../elf-header.js'

export const TEXT = 0x10000
const EM_RISCV = 243

export interface ImageSegment {
  readonly address: number
  readonly bytes: Uint8Array
  /** Default: as many as the bytes. */
  readonly memoryBytes?: number
  /** SegmentFlag bits; default read, write and execute. */
  readonly flags?: number
  /** p_type; default PT_LOAD. */
  readonly type?: number
}

export interface ImageOptions {
  readonly type?: number
  readonly entry?: number
  readonly segments: readonly ImageSegment[]
}

const put64 = (view: DataView, at: number, value: number) => {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
}

/** An ELF file whose segments follow its headers, each at an offset that suits its address. */
export function elfImage({ type = 2, entry, segments }: ImageOptions): Uint8Array {
  const headers = ELF_HEADER_BYTES + segments.length * PROGRAM_HEADER_BYTES
  const offsets: number[] = []
  let end = headers
  for (const { address, bytes } of segments) {
    const offset = end + ((((address - end) % 4096) + 4096) % 4096)
    offsets.push(offset)
    end = offset + bytes.length
  }
  const image = new Uint8Array(end)
  const view = new DataView(image.buffer)
  writeHeader(view, type, entry ?? segments[0]!.address, segments.length)
  segments.forEach((segment, i) => {
    writeSegment(view, ELF_HEADER_BYTES + i * PROGRAM_HEADER_BYTES, segment, offsets[i]!)
    image.set(segment.bytes, offsets[i]!)
  })
  return image
}

function writeHeader(view: DataView, type: number, entry: number, count: number): void {
  view.setUint32(0, 0x7f454c46)
  view.setUint32(4, 0x02010100)
  view.setUint16(16, type, true)
  view.setUint16(18, EM_RISCV, true)
  view.setUint32(20, 1, true)
  put64(view, 24, entry)
  put64(view, 32, ELF_HEADER_BYTES)
  view.setUint32(48, 5, true)
  view.setUint16(52, ELF_HEADER_BYTES, true)
  view.setUint16(54, PROGRAM_HEADER_BYTES, true)
  view.setUint16(56, count, true)
}

function writeSegment(view: DataView, at: number, segment: ImageSegment, offset: number): void {
  const { address, bytes, memoryBytes = bytes.length, flags = 7, type = 1 } = segment
  view.setUint32(at, type, true)
  view.setUint32(at + 4, flags, true)
  put64(view, at + 8, offset)
  put64(view, at + 16, address)
  put64(view, at + 24, address)
  put64(view, at + 32, bytes.length)
  put64(view, at + 40, memoryBytes)
  put64(view, at + 48, 4096)
}

/** A program of one segment at TEXT, with `bss` bytes of zeroes behind. */
export function program(source: string, bss = 0): Uint8Array {
  const bytes = assemble(source, TEXT)
  return elfImage({ segments: [{ address: TEXT, bytes, memoryBytes: bytes.length + bss }] })
}

/** Loads a number below 2^31 into a register (lui, addiw). */
export function li(register: string, value: number): string {
  const low = (value << 20) >> 20
  return `lui ${register}, ${((value - low) >>> 12) & 0xfffff}\naddiw ${register}, ${register}, ${low}\n`
}

/** A system call with small arguments. */
export function call(number: number, ...values: number[]): string {
  const registers = values.map((value, i) => li(`a${i}`, value)).join('')
  return `${registers}${li('a7', number)}ecall\n`
}

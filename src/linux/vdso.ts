/**
 * The page that the kernel maps into every program as [vdso]: a shared object with one function, the call that a signal
 * handler returns to (riscv64 has no SA_RESTORER). C libraries read it as an ELF file through AT_SYSINFO_EHDR.
 *
 *     0     ELF header
 *     64    program headers: PT_LOAD, PT_DYNAMIC
 *     176   .hash     1 bucket, 2 symbols
 *     200   .dynsym   null, __vdso_rt_sigreturn
 *     248   .dynstr
 *     296   .dynamic
 *     512   __vdso_rt_sigreturn: li a7, 139; ecall
 */
import { PAGE_SIZE } from '../base/numbers.js'

/** Where the trampoline stands in the page. The unwinder of libgcc knows it by its two instructions. */
export const VDSO_SIGRETURN = 512
const CODE = [0x08b0_0893, 0x0000_0073]

const NAMES = '\0__vdso_rt_sigreturn\0linux-vdso.so.1\0'
const NAME_FUNCTION = 1
const NAME_OBJECT = 21
const HASH = 176
const SYMBOLS = 200
const STRINGS = 248
const DYNAMIC = 296

const DT = { hash: 4, strings: 5, symbols: 6, stringsSize: 10, symbolSize: 11, name: 14 } as const
const PT_LOAD = 1
const PT_DYNAMIC = 2
const READ = 4
const EXECUTE = 1

const dynamicEntries: readonly (readonly [tag: number, value: number])[] = [
  [DT.name, NAME_OBJECT],
  [DT.hash, HASH],
  [DT.strings, STRINGS],
  [DT.symbols, SYMBOLS],
  [DT.stringsSize, NAMES.length],
  [DT.symbolSize, 24],
  [0, 0],
]

class Image {
  readonly bytes = new Uint8Array(PAGE_SIZE)
  readonly #view = new DataView(this.bytes.buffer)

  u16(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.#view.setUint16(at + i * 2, value, true)
    })
  }

  u32(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.#view.setUint32(at + i * 4, value, true)
    })
  }

  /** Values below 2^32. */
  u64(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.u32(at + i * 8, value, 0)
    })
  }
}

function writeHeaders(image: Image): void {
  image.u32(0, 0x464c_457f, 0x0001_0102)
  image.u16(16, 3, 243)
  image.u32(20, 1)
  image.u64(24, VDSO_SIGRETURN, 64, 0)
  image.u32(48, 5)
  image.u16(52, 64, 56, 2, 64, 0, 0)
  image.u32(64, PT_LOAD, READ | EXECUTE)
  image.u64(72, 0, 0, 0, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE)
  const dynamicBytes = dynamicEntries.length * 16
  image.u32(120, PT_DYNAMIC, READ)
  image.u64(128, DYNAMIC, DYNAMIC, DYNAMIC, dynamicBytes, dynamicBytes, 8)
}

function writeSymbols(image: Image): void {
  image.u32(HASH, 1, 2, 1, 0, 0)
  image.u32(SYMBOLS + 24, NAME_FUNCTION)
  image.u16(SYMBOLS + 28, 0x12, 7)
  image.u64(SYMBOLS + 32, VDSO_SIGRETURN, CODE.length * 4)
  image.bytes.set(new TextEncoder().encode(NAMES), STRINGS)
  dynamicEntries.forEach(([tag, value], i) => {
    image.u64(DYNAMIC + i * 16, tag, value)
  })
}

/** The page's bytes. */
export function buildVdso(): Uint8Array {
  const image = new Image()
  writeHeaders(image)
  writeSymbols(image)
  image.u32(VDSO_SIGRETURN, ...CODE)
  return image.bytes
}

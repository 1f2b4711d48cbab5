/**
 * The page that the kernel maps into every program as [vdso]: a shared object with the names and versions that Linux's
 * has on riscv64. C libraries read it as an ELF file through AT_SYSINFO_EHDR, debuggers and ld.so do too.
 *
 *     ELF header · program headers · .hash · .dynsym · .dynstr · .gnu.version · .gnu.version_d · .dynamic · code at VDSO_CODE
 */
import { assert } from '../base/assert.js'
import { PAGE_SIZE } from '../base/numbers.js'
import { ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES } from './elf-header.js'
import { VDSO_CODE, VDSO_FUNCTIONS } from './vdso-code.js'

const OBJECT_NAME = 'linux-vdso.so.1'
const VERSION = 'LINUX_4.15'
/** What the numbers in .gnu.version mean: the object itself, and its one version. */
const BASE_VERSION = 1
const FUNCTION_VERSION = 2
const VERSION_DEFINITIONS = 2

const DT = {
  hash: 4,
  strings: 5,
  symbols: 6,
  stringsSize: 10,
  symbolSize: 11,
  name: 14,
  versions: 0x6fff_fff0,
  definitions: 0x6fff_fffc,
  definitionCount: 0x6fff_fffd,
} as const
const PT_LOAD = 1
const PT_DYNAMIC = 2
const READ = 4
const EXECUTE = 1
const SYMBOL_BYTES = 24
const GLOBAL_FUNCTION = 0x12
const GLOBAL_OBJECT = 0x11
/** Any section but none: there are no section headers to number. */
const SOME_SECTION = 7
const SHN_ABS = 0xfff1
const BUCKETS = 3

/** The hash of System V's ABI, of symbols and of versions. */
export function elfHash(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i++) {
    hash = ((hash << 4) + name.charCodeAt(i)) >>> 0
    hash = (hash ^ ((hash & 0xf000_0000) >>> 24)) & 0x0fff_ffff
  }
  return hash
}

interface VdsoSymbol {
  readonly name: string
  readonly value: number
  readonly bytes: number
  readonly kind: number
  readonly section: number
}

function functionSymbols(): VdsoSymbol[] {
  let value = VDSO_CODE
  return VDSO_FUNCTIONS.map(({ name, words }) => {
    const bytes = words.length * 4
    value += bytes
    return { name, value: value - bytes, bytes, kind: GLOBAL_FUNCTION, section: SOME_SECTION }
  })
}

/** Names, each once, with their offsets. */
class Strings {
  text = '\0'
  readonly #offsets = new Map<string, number>()

  offset(name: string): number {
    const known = this.#offsets.get(name)
    if (known !== undefined) return known
    const offset = this.text.length
    this.text += `${name}\0`
    this.#offsets.set(name, offset)
    return offset
  }
}

/** Writes the page from its start; every part says where it stands. */
class Image {
  readonly bytes = new Uint8Array(PAGE_SIZE)
  readonly #view = new DataView(this.bytes.buffer)
  at = 0

  u16(...values: readonly number[]): void {
    for (const value of values) {
      this.#view.setUint16(this.at, value, true)
      this.at += 2
    }
  }

  u32(...values: readonly number[]): void {
    for (const value of values) {
      this.#view.setUint32(this.at, value, true)
      this.at += 4
    }
  }

  /** Values below 2^32. */
  u64(...values: readonly number[]): void {
    for (const value of values) this.u32(value, 0)
  }

  text(text: string): void {
    this.bytes.set(new TextEncoder().encode(text), this.at)
    this.at += text.length
  }

  /** Where the next part begins. */
  align(): number {
    this.at = Math.ceil(this.at / 8) * 8
    return this.at
  }
}

function writeHash(image: Image, symbols: readonly VdsoSymbol[]): void {
  const buckets = new Array<number>(BUCKETS).fill(0)
  const chains = new Array<number>(symbols.length + 1).fill(0)
  symbols.forEach(({ name }, i) => {
    const bucket = elfHash(name) % BUCKETS
    chains[i + 1] = buckets[bucket]!
    buckets[bucket] = i + 1
  })
  image.u32(BUCKETS, chains.length, ...buckets, ...chains)
}

function writeSymbols(image: Image, symbols: readonly VdsoSymbol[], strings: Strings): void {
  image.at += SYMBOL_BYTES
  for (const { name, value, bytes, kind, section } of symbols) {
    image.u32(strings.offset(name))
    image.u16(kind, section)
    image.u64(value, bytes)
  }
}

/** Verdef and Verdaux, 28 bytes together: the object's own, then the functions'. */
function writeVersions(image: Image, strings: Strings): void {
  const definition = (name: string, flags: number, index: number, next: number) => {
    image.u16(1, flags, index, 1)
    image.u32(elfHash(name), 20, next, strings.offset(name), 0)
  }
  definition(OBJECT_NAME, 1, BASE_VERSION, 28)
  definition(VERSION, 0, FUNCTION_VERSION, 0)
}

interface Parts {
  readonly dynamic: number
  readonly dynamicBytes: number
}

function writeTables(image: Image, symbols: readonly VdsoSymbol[]): Parts {
  const strings = new Strings()
  const hash = image.align()
  writeHash(image, symbols)
  const symbolTable = image.align()
  writeSymbols(image, symbols, strings)
  const versions = image.align()
  image.u16(0)
  for (const _ of symbols) image.u16(FUNCTION_VERSION)
  const definitions = image.align()
  writeVersions(image, strings)
  const text = image.align()
  image.text(strings.text)
  const dynamic = image.align()
  image.u64(DT.name, strings.offset(OBJECT_NAME), DT.hash, hash, DT.strings, text, DT.symbols, symbolTable)
  image.u64(DT.stringsSize, strings.text.length, DT.symbolSize, SYMBOL_BYTES, DT.versions, versions)
  image.u64(DT.definitions, definitions, DT.definitionCount, VERSION_DEFINITIONS, 0, 0)
  return { dynamic, dynamicBytes: image.at - dynamic }
}

function writeHeaders(image: Image, { dynamic, dynamicBytes }: Parts): void {
  image.at = 0
  image.u32(0x464c_457f, 0x0001_0102, 0, 0)
  image.u16(3, 243)
  image.u32(1)
  image.u64(VDSO_CODE, ELF_HEADER_BYTES, 0)
  image.u32(5)
  image.u16(ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES, 2, 64, 0, 0)
  image.u32(PT_LOAD, READ | EXECUTE)
  image.u64(0, 0, 0, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE)
  image.u32(PT_DYNAMIC, READ)
  image.u64(dynamic, dynamic, dynamic, dynamicBytes, dynamicBytes, 8)
}

/** The page's bytes. */
export function buildVdso(): Uint8Array {
  const image = new Image()
  const version = { name: VERSION, value: 0, bytes: 0, kind: GLOBAL_OBJECT, section: SHN_ABS }
  image.at = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES
  const parts = writeTables(image, [...functionSymbols(), version])
  assert(image.at <= VDSO_CODE, 'the tables of the vdso end before its code')
  image.at = VDSO_CODE
  for (const { words } of VDSO_FUNCTIONS) image.u32(...words)
  writeHeaders(image, parts)
  return image.bytes
}

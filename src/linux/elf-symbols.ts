import { type ElfHeader, type ElfSource, readView, u64 } from './elf-header.js'

const SECTION_HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const SHT_SYMTAB = 2
/** What a stripped library keeps: the functions that it gives to others. */
const SHT_DYNSYM = 11
const STT_FUNC = 2
/** What a report of a crash is worth reading: programs with more symbols are shown without. */
const TABLE_BYTES_MAX = 64 * 2 ** 20

/** Functions of a program by address, from its symbol table. */
export class ElfSymbols {
  /** Rising by start; a function ends where its size says, or where the next begins when it has none. */
  readonly #functions: readonly ElfFunction[]

  constructor(functions: readonly ElfFunction[]) {
    this.#functions = [...functions].sort((a, b) => a.start - b.start)
  }

  get count(): number {
    return this.#functions.length
  }

  /** The function that an address is in, and how far. */
  find(address: number): { readonly name: string; readonly offset: number } | undefined {
    let low = 0
    let high = this.#functions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#functions[middle]!.start <= address) low = middle + 1
      else high = middle
    }
    const found = this.#functions[low - 1]
    if (found === undefined || address >= this.#endOf(low - 1)) return undefined
    return { name: found.name, offset: address - found.start }
  }

  #endOf(index: number): number {
    const { start, bytes } = this.#functions[index]!
    return bytes > 0 ? start + bytes : (this.#functions[index + 1]?.start ?? start + 1)
  }
}

export interface ElfFunction {
  readonly start: number
  readonly bytes: number
  readonly name: string
}

/** A section's bytes by its number. */
function section(source: ElfSource, headers: DataView, index: number): DataView | undefined {
  const at = index * SECTION_HEADER_BYTES
  if (at + SECTION_HEADER_BYTES > headers.byteLength || u64(headers, at + 32) > TABLE_BYTES_MAX)
    return undefined
  return readView(source, u64(headers, at + 24), u64(headers, at + 32))
}

function nameAt(strings: DataView, offset: number): string {
  const bytes = new Uint8Array(strings.buffer).subarray(offset)
  const end = bytes.indexOf(0)
  return new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end))
}

function functionsOf(symbols: DataView, strings: DataView): ElfFunction[] {
  const found: ElfFunction[] = []
  for (let at = 0; at + SYMBOL_BYTES <= symbols.byteLength; at += SYMBOL_BYTES) {
    const isDefined = symbols.getUint16(at + 6, true) !== 0
    if ((symbols.getUint8(at + 4) & 15) !== STT_FUNC || !isDefined) continue
    const name = nameAt(strings, symbols.getUint32(at, true))
    if (name !== '') found.push({ start: u64(symbols, at + 8), bytes: u64(symbols, at + 16), name })
  }
  return found
}

/**
 * Reads the functions of a program or library, at the addresses that its file gives them. Nothing at all when the symbol
 * table is missing, stripped or broken: it is only ever a help.
 */
export function readElfSymbols(source: ElfSource, header: ElfHeader): ElfSymbols | undefined {
  if (header.sectionHeaderBytes !== SECTION_HEADER_BYTES) return undefined
  const bytes = header.sectionHeaderCount * SECTION_HEADER_BYTES
  const headers = readView(source, header.sectionHeaderOffset, bytes)
  if (headers === undefined) return undefined
  return readTable(source, headers, SHT_SYMTAB) ?? readTable(source, headers, SHT_DYNSYM)
}

/** The functions of the first section of a type. */
function readTable(source: ElfSource, headers: DataView, type: number): ElfSymbols | undefined {
  for (let at = 0; at < headers.byteLength; at += SECTION_HEADER_BYTES) {
    if (headers.getUint32(at + 4, true) !== type) continue
    const symbols = section(source, headers, at / SECTION_HEADER_BYTES)
    const strings = section(source, headers, headers.getUint32(at + 40, true))
    if (symbols && strings) return new ElfSymbols(functionsOf(symbols, strings))
  }
  return undefined
}

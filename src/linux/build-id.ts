/** The build id in an ELF file's notes (build_id_parse of lib/buildid.c). */
import { type ElfSource, u64 } from './elf-header.js'

const ELF_HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56
const PROGRAM_HEADERS_MAX = 256
const PT_NOTE = 4
const NOTE_HEADER_BYTES = 12
const NOTES_BYTES_MAX = 65536
const NT_GNU_BUILD_ID = 3
const ID_BYTES_MAX = 20

const align4 = (bytes: number) => (bytes + 3) & ~3

/** 1 to 20 bytes; undefined when it is no ELF file of 64 bits, or has none. */
export function readBuildId(file: ElfSource): Uint8Array | undefined {
  const header = viewAt(file, 0, ELF_HEADER_BYTES)
  if (header === undefined || header.getUint32(0) !== 0x7f45_4c46 || header.getUint8(4) !== 2)
    return undefined
  const table = u64(header, 32)
  const count = Math.min(header.getUint16(56, true), PROGRAM_HEADERS_MAX)
  const headers = viewAt(file, table, count * PROGRAM_HEADER_BYTES)
  for (let i = 0; headers !== undefined && i < count; i++) {
    const at = i * PROGRAM_HEADER_BYTES
    if (headers.getUint32(at, true) !== PT_NOTE) continue
    const found = findInNotes(viewAt(file, u64(headers, at + 8), u64(headers, at + 32)))
    if (found !== undefined) return found
  }
  return undefined
}

function viewAt(file: ElfSource, offset: number, length: number): DataView | undefined {
  if (length > NOTES_BYTES_MAX || offset + length > file.size) return undefined
  const bytes = new Uint8Array(length)
  return file.read(offset, bytes) === length ? new DataView(bytes.buffer) : undefined
}

function findInNotes(notes: DataView | undefined): Uint8Array | undefined {
  if (notes === undefined) return undefined
  for (let at = 0; at + NOTE_HEADER_BYTES <= notes.byteLength; ) {
    const nameBytes = notes.getUint32(at, true)
    const idBytes = notes.getUint32(at + 4, true)
    const name = at + NOTE_HEADER_BYTES
    const id = name + align4(nameBytes)
    if (id + idBytes > notes.byteLength || id < name) return undefined
    const isGnu = nameBytes === 4 && notes.getUint32(name) === 0x474e_5500
    if (
      isGnu &&
      notes.getUint32(at + 8, true) === NT_GNU_BUILD_ID &&
      idBytes > 0 &&
      idBytes <= ID_BYTES_MAX
    ) {
      return new Uint8Array(notes.buffer, id, idBytes)
    }
    at = id + align4(idBytes)
  }
  return undefined
}

/**
 * Byte strings by name as one byte string: the length of the table of contents (u32), the table (JSON in ASCII: names and lengths), and the parts one after
 * the other, each at a multiple of four bytes.
 */
const HEADER = 4

function aligned(length: number): number {
  return Math.ceil(length / 4) * 4
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The text of bytes that are ASCII. Takes a short start less than a TextDecoder. */
export function ascii(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 1024)
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + 1024) as unknown as number[])
  return text
}

export function packParts(parts: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const names = JSON.stringify([...parts].map(([name, { length }]) => [name, length]))
  const contents = new TextEncoder().encode(names.replace(/[^\0-\x7f]/g, escaped))
  const start = aligned(HEADER + contents.length)
  const lengths = [...parts.values()].map(({ length }) => aligned(length))
  const packed = new Uint8Array(lengths.reduce((sum, length) => sum + length, start))
  new DataView(packed.buffer).setUint32(0, contents.length, true)
  packed.set(contents, HEADER)
  let at = start
  for (const part of parts.values()) {
    packed.set(part, at)
    at += aligned(part.length)
  }
  return packed
}

/** The parts as views of `packed`. Throws on what `packParts` has not written. */
export function unpackParts(packed: Uint8Array): Map<string, Uint8Array> {
  const length = new DataView(packed.buffer, packed.byteOffset, packed.byteLength).getUint32(0, true)
  const contents: unknown = JSON.parse(ascii(packed.subarray(HEADER, HEADER + length)))
  const parts = new Map<string, Uint8Array>()
  let at = aligned(HEADER + length)
  for (const [name, bytes] of contents as [string, number][]) {
    const part = packed.subarray(at, at + bytes)
    if (part.length !== bytes) throw new RangeError(`the part ${name} is cut short`)
    parts.set(name, part)
    at += aligned(bytes)
  }
  return parts
}

/** What a hart is made of that takes long to make, and depends on nothing but where things are in the buffer. */
import { concat } from '../base/wasm/code.js'
import { decodeTables } from './decode-table.js'
import type { HartLayout } from './hart-layout.js'
import { interpreterBytes } from './interpreter.js'

export interface HartParts {
  /** Both levels of the decode tables, one after the other (decode-table.ts). */
  decodeTables(): Uint8Array
  /** The interpreter's WebAssembly module (interpreter.ts). */
  interpreter(layout: HartLayout): Uint8Array
}

export const NEW_PARTS: HartParts = { decodeTables, interpreter: interpreterBytes }

/**
 * Parts that were kept: `bytes` of an earlier one, or nothing. What is not there is made, and is in `bytes` then. They must come from
 * this very version: nothing here can tell.
 */
export class KeptParts implements HartParts {
  readonly #parts: Map<string, Uint8Array>

  constructor(bytes?: Uint8Array) {
    this.#parts = bytes === undefined ? new Map() : parse(bytes)
  }

  decodeTables(): Uint8Array {
    return this.#part('decodeTables', () => NEW_PARTS.decodeTables())
  }

  interpreter(layout: HartLayout): Uint8Array {
    const name = JSON.stringify(layout)
    return this.#part(name, () => NEW_PARTS.interpreter(layout))
  }

  #part(name: string, make: () => Uint8Array): Uint8Array {
    const kept = this.#parts.get(name)
    if (kept !== undefined) return kept
    const made = make()
    this.#parts.set(name, made)
    return made
  }

  /** The table of contents (its length in four bytes, and JSON), and the parts. */
  bytes(): Uint8Array {
    const contents = [...this.#parts].map(([name, { length }]) => [name, length])
    const head = new TextEncoder().encode(JSON.stringify(contents))
    const length = new Uint8Array(Uint32Array.of(head.length).buffer)
    return concat([length, head, ...this.#parts.values()])
  }
}

function parse(bytes: Uint8Array): Map<string, Uint8Array> {
  const headLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  let start = 4 + headLength
  const contents = JSON.parse(new TextDecoder().decode(bytes.subarray(4, start))) as [string, number][]
  const parts = new Map<string, Uint8Array>()
  for (const [name, length] of contents) {
    parts.set(name, bytes.subarray(start, start + length))
    start += length
  }
  return parts
}

/**
 * Modules of translated code as bytes, for a later run of the same program. A module is the same in every run but for where its pages are
 * (module-pages.ts), and for its places in the function table and its spans, which nobody else gets therefore.
 */

import { ascii, packParts, unpackParts } from '../../base/named-parts.js'
import type { Vpn } from '../../base/numbers.js'
import { concat } from '../../base/wasm/code.js'
import { DIGEST_WORDS } from '../../base/wasm/digest.js'

export interface KeptPage {
  readonly vpn: Vpn
  /** Of all of the page that code was translated from: DIGEST_WORDS of them. */
  readonly digest: Uint32Array
}

export interface KeptRegion {
  readonly pc: number
  /** In the function table. */
  readonly place: number
  /** Instructions. */
  readonly length: number
  /** Which ones of its module's. */
  readonly pages: readonly number[]
}

export interface KeptModule {
  readonly bytes: Uint8Array
  /** What the engine compiled of it; empty when that is nothing. */
  readonly code: Uint8Array
  readonly pages: readonly KeptPage[]
  readonly regions: readonly KeptRegion[]
  /** How often it has been kept again without having been used. */
  readonly idle: number
}

export interface KeptModules {
  /** Runs that have kept something. */
  readonly runs: number
  /** Places of the function table, and spans, that are taken: all below these numbers. */
  readonly places: number
  readonly spans: number
  readonly modules: readonly KeptModule[]
}

/** What is not bytes. */
interface Index {
  readonly runs: number
  readonly places: number
  readonly spans: number
  readonly modules: readonly {
    readonly bytes: number
    readonly code: number
    readonly idle: number
    readonly pages: readonly number[]
    readonly regions: readonly KeptRegion[]
  }[]
}

export function packModules({ runs, places, spans, modules }: KeptModules): Uint8Array {
  const index: Index = {
    runs,
    places,
    spans,
    modules: modules.map(({ bytes, code, pages, regions, idle }) => ({
      bytes: bytes.length,
      code: code.length,
      idle,
      pages: pages.map(({ vpn }) => vpn),
      regions,
    })),
  }
  const digests = modules.flatMap(({ pages }) =>
    pages.map(({ digest }) => new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength)),
  )
  return packParts(
    new Map([
      ['index', new TextEncoder().encode(JSON.stringify(index))],
      ['digests', concat(digests)],
      ['bytes', concat(modules.map(({ bytes }) => bytes))],
      ['code', concat(modules.map(({ code }) => code))],
    ]),
  )
}

/** Cuts a byte string into what it was put together from. */
class Cutter {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  next(length: number): Uint8Array {
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

/** Views of `packed`, which begins at a multiple of four bytes. Throws on what `packModules` has not written. */
export function unpackModules(packed: Uint8Array): KeptModules {
  const parts = unpackParts(packed)
  const { runs, places, spans, modules } = JSON.parse(ascii(parts.get('index')!)) as Index
  const [bytes, code] = [new Cutter(parts.get('bytes')!), new Cutter(parts.get('code')!)]
  const digests = new Cutter(parts.get('digests')!)
  const nextDigest = (): Uint32Array => {
    const { buffer, byteOffset } = digests.next(DIGEST_WORDS * 4)
    return new Uint32Array(buffer, byteOffset, DIGEST_WORDS)
  }
  return {
    runs,
    places,
    spans,
    modules: modules.map((each) => ({
      ...each,
      bytes: bytes.next(each.bytes),
      code: code.next(each.code),
      pages: each.pages.map((vpn) => ({ vpn: vpn as Vpn, digest: nextDigest() })),
    })),
  }
}

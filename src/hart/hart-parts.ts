/**
 * What a hart is made of that takes long to make, and depends on nothing but where things are in the buffer; and other WebAssembly of which the same is
 * true (ModuleMaker).
 */
import { packParts, unpackParts } from '../base/named-parts.js'
import type { CodeKeeper } from '../base/wasm/code-keeper.js'
import { compiled, type InstanceMaker, type ModuleMaker, NEW_MODULES } from '../base/wasm/module-maker.js'
import { decodeTables } from './decode-table.js'
import type { HartLayout } from './hart-layout.js'
import { interpreterBytes } from './interpreter.js'

/** `module` is for other code too. */
export interface HartParts extends ModuleMaker {
  /** The decode tables, one after the other (decode-table.ts). */
  decodeTables(): Uint8Array
  /** The interpreter (interpreter.ts). */
  interpreter(layout: HartLayout): InstanceMaker
}

export const NEW_PARTS: HartParts = {
  decodeTables,
  interpreter: (layout) => NEW_PARTS.module('', () => interpreterBytes(layout)),
  ...NEW_MODULES,
}

/** A module of this process. */
interface Made {
  readonly module: WebAssembly.Module
  readonly instance: WebAssembly.Instance
}

/**
 * Parts that several machines share: what is not there is made once. Those of other processes are shared as `bytes`, which must come from this very
 * version: nothing here can tell. With a keeper, what the engine compiled of the interpreter is in there too.
 */
export class KeptParts implements HartParts {
  readonly #parts: Map<string, Uint8Array>
  readonly keeper: CodeKeeper | undefined
  /** Modules that the engine has, by the names of their bytes. */
  readonly #modules = new Map<string, WebAssembly.Module>()
  /** For the keeper: of which there is no compiled code in `bytes` yet. */
  readonly #made = new Map<string, Made>()
  #isWhole = true

  constructor(bytes?: Uint8Array, keeper?: CodeKeeper) {
    this.#parts = bytes === undefined ? new Map() : unpackParts(bytes)
    this.keeper = keeper
  }

  decodeTables(): Uint8Array {
    return this.#part('decodeTables', () => NEW_PARTS.decodeTables())
  }

  interpreter(layout: HartLayout): InstanceMaker {
    return this.module(JSON.stringify(layout), () => interpreterBytes(layout))
  }

  module(name: string, bytes: () => Uint8Array): InstanceMaker {
    const module = this.#modules.get(name) ?? this.#module(name, bytes)
    const isKept = this.#parts.has(codeName(name))
    return (imports) => {
      const instance = new WebAssembly.Instance(module, imports)
      if (this.keeper !== undefined && !isKept) this.#made.set(name, { module, instance })
      return instance
    }
  }

  #module(name: string, make: () => Uint8Array): WebAssembly.Module {
    const bytes = this.#part(name, make)
    const code = this.#parts.get(codeName(name))
    const restored = code === undefined ? undefined : this.keeper?.restore(bytes, code)
    if (restored === undefined) {
      this.#parts.delete(codeName(name))
      this.#isWhole = false
    }
    const module = restored ?? compiled(bytes)
    this.#modules.set(name, module)
    return module
  }

  /** Whether all that was asked for until now was there, and the engine took it. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  #part(name: string, make: () => Uint8Array): Uint8Array {
    const kept = this.#parts.get(name)
    if (kept !== undefined) return kept
    const made = make()
    this.#isWhole = false
    this.#parts.set(name, made)
    return made
  }

  /** Has the engine compile in full what it has not, and keeps that too. */
  keepCode(): void {
    for (const [name, { module, instance }] of this.#made) {
      const functions = Object.values(instance.exports).filter((each) => typeof each === 'function')
      for (const each of functions) this.keeper?.compile(each)
      const code = this.keeper?.keep(module, functions)
      if (code !== undefined) this.#parts.set(codeName(name), code)
    }
    this.#made.clear()
  }

  bytes(): Uint8Array {
    return packParts(this.#parts)
  }
}

/** Name of the part that is the compiled code of another one. */
function codeName(name: string): string {
  return `compiled ${name}`
}

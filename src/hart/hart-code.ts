/** A hart's code as the engine has it: its interpreter, and the table of the functions that were translated for it. */
import { frameToPtr, PAGE_SIZE, type Pfn } from '../base/numbers.js'
import type { Digest } from '../base/wasm/digest.js'
import type { InstanceMaker } from '../base/wasm/module-maker.js'
import type { Memory } from '../state/memory.js'
import type { HartLayout } from './hart-layout.js'
import type { HartParts } from './hart-parts.js'
import { type Interpreter, interpreterImports } from './interpreter.js'
import { ANSWER_PLACE } from './page-walk.js'

/** Places of the function table at first. The first is for who answers page faults. */
const PLACES = 256

export class HartCode {
  readonly #makeInterpreter: InstanceMaker
  readonly #imports: WebAssembly.Imports
  readonly #parts: HartParts
  readonly #places: number
  /** What answers page faults; nothing where nobody does. */
  #answer: unknown
  #table!: WebAssembly.Table
  #exports!: WebAssembly.Exports
  /** What translated modules import, until `renew`; made for the first. */
  #importsNow: WebAssembly.Imports | undefined

  constructor(memory: Memory, layout: HartLayout, parts: HartParts) {
    this.#parts = parts
    this.#makeInterpreter = parts.interpreter(layout)
    this.#imports = interpreterImports(memory, layout)
    this.#places = layout.translates ? PLACES : ANSWER_PLACE + 1
    this.renew()
  }

  /** Functions and global variables of the interpreter's module, until `renew`. */
  get exports(): WebAssembly.Exports {
    return this.#exports
  }

  get interpreter(): Interpreter {
    return this.#exports as unknown as Interpreter
  }

  /** From now on a function of another module, which imports the memory, answers page faults. */
  answerWith(name: string, bytes: () => Uint8Array, exported: string): void {
    const { memory } = this.#imports.env as { memory: WebAssembly.Memory }
    this.#answer = this.#parts.module(name, bytes)({ env: { memory } }).exports[exported]
    this.#table.set(ANSWER_PLACE, this.#answer)
  }

  /** The function at a place of the table; nothing where there is none. */
  functionAt(place: number): unknown {
    return this.#table.get(place)
  }

  /** Gives the table places below `end`. Each instance has a copy of it, in V8 20 bytes a place: it grows when it has to. */
  makePlaces(end: number): void {
    const { length } = this.#table
    if (end > length) this.#table.grow(Math.max(end, 2 * length) - length)
  }

  /** An instance of a translated module, whose functions it puts into the table. */
  instantiate(module: WebAssembly.Module): WebAssembly.Instance {
    this.#importsNow ??= { env: { ...this.#imports.env, table: this.#table, ...this.#exports } }
    return new WebAssembly.Instance(module, this.#importsNow)
  }

  /** The words of a page's digest (base/wasm/digest.ts). Where code is translated. */
  pageDigest(pfn: Pfn): number[] {
    return (this.#exports.digest as Digest)(frameToPtr(pfn), PAGE_SIZE)
  }

  /**
   * An empty table, and an interpreter that knows no other one: an engine may keep each instance that ever imported a table for as long as there is
   * somebody who has the table, as V8 does.
   */
  renew(): void {
    const table = new WebAssembly.Table({ element: 'anyfunc', initial: this.#places })
    this.#table = table
    if (this.#answer !== undefined) table.set(ANSWER_PLACE, this.#answer)
    this.#exports = this.#makeInterpreter({ env: { ...this.#imports.env, table } }).exports
    this.#importsNow = undefined
  }
}

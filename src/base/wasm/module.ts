import { Code, concat, VALUE_TYPE, type ValueType } from './code.js'

interface FunctionType {
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
}

/** The largest memory that there is. */
const PAGES_MAX = 65536

/** How a module imports the machine's memory. */
export interface MemoryImport {
  /** WebAssembly pages of 64 KiB, when it must be a memory of that fixed size. Default: any that has a maximum. */
  readonly pages?: number
  readonly shared: boolean
}

/**
 * A WebAssembly module in the making: `importMemory` and `importFunction` first, then `function` for each
 * function, then `bytes()`. All imports come from the module named "env".
 */
export class WasmModule {
  readonly #types: FunctionType[] = []
  readonly #imports: Uint8Array[] = []
  readonly #functions: { type: number; code: Code }[] = []
  readonly #exports: Uint8Array[] = []
  readonly #elements: Uint8Array[] = []
  readonly #globals: Uint8Array[] = []
  #importedFunctions = 0
  #importedGlobals = 0

  importMemory(name: string, { pages, shared }: MemoryImport): void {
    const code = entry('env', name).byte(0x02)
    code
      .byte(shared ? 0x03 : 0x01)
      .u32(pages ?? 0)
      .u32(pages ?? PAGES_MAX)
    this.#imports.push(code.raw())
  }

  /** Table 0, of functions; it has at least `size` places. */
  importTable(name: string, size: number): void {
    this.#imports.push(entry('env', name).byte(0x01).byte(0x70).byte(0x00).u32(size).raw())
  }

  /** Instantiating puts functions into table 0, from place `start` on. */
  fillTable(start: number, functions: readonly number[]): void {
    const code = new Code([]).u32(0).i32(start).byte(0x0b).u32(functions.length)
    for (const index of functions) code.u32(index)
    this.#elements.push(code.raw())
  }

  /** Index of a signature, for `Code.callIndirect`. */
  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    return this.#type(parameters, results)
  }

  /** Returns the function's index, for `Code.call`. */
  importFunction(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): number {
    if (this.#functions.length > 0) throw new Error('imports come before functions')
    this.#imports.push(entry('env', name).byte(0x00).u32(this.#type(parameters, results)).raw())
    return this.#importedFunctions++
  }

  /**
   * A function whose body `build` writes. With a name it is exported. Returns its index; a function may call
   * the ones before it, or itself.
   */
  function(
    name: string | undefined,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
    build: (code: Code, self: number) => void,
  ): number {
    const index = this.#importedFunctions + this.#functions.length
    const code = new Code(parameters)
    this.#functions.push({ type: this.#type(parameters, results), code })
    build(code, index)
    if (name !== undefined) this.export(name, index)
    return index
  }

  /** An i64 that may be changed, of another module; its index. */
  importGlobal(name: string): number {
    this.#imports.push(entry('env', name).byte(0x03).byte(VALUE_TYPE.i64).byte(1).raw())
    return this.#importedGlobals++
  }

  /** An i64 of this module that begins as 0, with a name exported; its index. All imports come before it. */
  global(name?: string): number {
    const global = new Code([]).byte(VALUE_TYPE.i64).byte(1).i64(0).byte(0x0b)
    const index = this.#importedGlobals + this.#globals.push(global.raw()) - 1
    if (name !== undefined) this.#export(name, 3, index)
    return index
  }

  export(name: string, functionIndex: number): void {
    this.#export(name, 0, functionIndex)
  }

  #export(name: string, kind: number, index: number): void {
    this.#exports.push(new Code([]).u32(name.length).copy(ascii(name)).byte(kind).u32(index).raw())
  }

  /** A function that was written before the module was begun; its index. */
  written(parameters: readonly ValueType[], results: readonly ValueType[], code: Code): number {
    this.#functions.push({ type: this.#type(parameters, results), code })
    return this.#importedFunctions + this.#functions.length - 1
  }

  bytes(): Uint8Array {
    const codes = this.#functions.map(({ code }) => code.finish())
    return concat([
      Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00),
      ...section(1, this.#types.length, this.#types.map(typeBytes)),
      ...section(2, this.#imports.length, this.#imports),
      ...section(3, this.#functions.length, [this.#typesOfFunctions()]),
      ...section(6, this.#globals.length, this.#globals),
      ...section(7, this.#exports.length, this.#exports),
      ...section(9, this.#elements.length, this.#elements),
      ...this.#branchHints(),
      ...section(10, codes.length, codes),
    ])
  }

  #typesOfFunctions(): Uint8Array {
    const code = new Code([], this.#functions.length)
    for (const { type } of this.#functions) code.u32(type)
    return code.raw()
  }

  /** The custom section of the branch-hinting proposal; engines that do not know it pass over it. */
  #branchHints(): Uint8Array[] {
    const content = new Code([], 1024)
    let functions = 0
    for (let i = 0; i < this.#functions.length; i++) {
      const { code } = this.#functions[i]!
      if (code.hintCount === 0) continue
      functions++
      content.u32(this.#importedFunctions + i)
      code.writeHints(content)
    }
    if (functions === 0) return []
    const name = 'metadata.code.branch_hint'
    const before = new Code([]).u32(name.length).copy(ascii(name)).u32(functions)
    const bytes = before.length + content.length
    return [new Code([]).byte(0).u32(bytes).raw(), before.raw(), content.raw()]
  }

  #type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters}:${results}`
    const found = this.#types.findIndex((type) => `${type.parameters}:${type.results}` === key)
    return found >= 0 ? found : this.#types.push({ parameters, results }) - 1
  }
}

function entry(module: string, name: string): Code {
  const code = new Code([])
  for (const text of [module, name]) code.u32(text.length).copy(ascii(text))
  return code
}

function typeBytes({ parameters, results }: FunctionType): Uint8Array {
  const code = new Code([]).byte(0x60)
  for (const list of [parameters, results]) {
    code.u32(list.length)
    for (const type of list) code.byte(VALUE_TYPE[type])
  }
  return code.raw()
}

/** The parts of a section: nothing when it is empty. */
function section(id: number, count: number, entries: readonly Uint8Array[]): Uint8Array[] {
  if (count === 0) return []
  const before = new Code([]).u32(count)
  const bytes = entries.reduce((sum, entry) => sum + entry.length, before.length)
  return [new Code([]).byte(id).u32(bytes).raw(), before.raw(), ...entries]
}

function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

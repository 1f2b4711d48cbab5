/** Makes an instance of a module that is compiled already. */
export type InstanceMaker = (imports: WebAssembly.Imports) => WebAssembly.Instance

/** Has the engine compile WebAssembly, or knows a module already. */
export interface ModuleMaker {
  /** The module whose bytes depend on nothing but `name`, and that exports all its functions. */
  module(name: string, bytes: () => Uint8Array): InstanceMaker
}

export function compiled(bytes: Uint8Array): WebAssembly.Module {
  return new WebAssembly.Module(bytes as BufferSource)
}

/** Compiles each anew. */
export const NEW_MODULES: ModuleMaker = {
  module: (_, bytes) => {
    const module = compiled(bytes())
    return (imports) => new WebAssembly.Instance(module, imports)
  },
}

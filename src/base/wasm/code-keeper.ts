/** What an engine made of WebAssembly, kept for another process: an engine compiles, Pagoda only says what is worth it. */
export interface CodeKeeper {
  /** What has been compiled of a module in full; nothing when that is none of `functions`, which are of an instance of it. */
  keep(module: WebAssembly.Module, functions: readonly unknown[]): Uint8Array | undefined
  /** The module of `bytes` with what `keep` gave for it; nothing when this engine does not take it. */
  restore(bytes: Uint8Array, code: Uint8Array): WebAssembly.Module | undefined
  /** Has a function of an instance compiled in full, now; whether it was not. */
  compile(wasmFunction: unknown): boolean
}

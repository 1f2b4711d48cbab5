/** What the report of a crash says of the place where a program died. */
import { CodeSymbols, type SymbolEnv } from './code-symbols.js'
import type { Process } from './process.js'

/** `main+0x12`, or `puts+0x8 in libc.so.6` when it is not the program's own; undefined where nothing is known. */
export function symbolAt(env: SymbolEnv, process: Process, address: number): string | undefined {
  const { path, isProgram, symbol } = new CodeSymbols(env).at(process, address)
  if (symbol === undefined) return undefined
  const { name, offset } = symbol
  const text = offset === 0 ? name : `${name}+0x${offset.toString(16)}`
  return isProgram ? text : `${text} in ${path?.split('/').pop()}`
}

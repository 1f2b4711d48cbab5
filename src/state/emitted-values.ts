/** Where emitted WebAssembly finds the machine's words and regions: looked up when it runs, so that the code is the same in machines of every size. */
import { i32, loadRaw, type Value } from '../base/wasm/value.js'
import { directoryPtr, type Region, type Word, wordIndex } from './layout.js'

/** A state word of the machine. */
export function stateWord(word: Word): Value {
  return loadRaw('i32_load', i32(wordIndex(word) * 4))
}

/** The address of a region. */
export function region(which: Region): Value {
  return loadRaw('i32_load', i32(directoryPtr(which)))
}

/** What the command asks of the JavaScript engine that it has for itself. A library must not: it is a guest there. */
import { setFlagsFromString } from 'node:v8'

/**
 * How much V8 puts into one function when it compiles it (default 460 and 920 bytes of bytecode). The way of a system call or page
 * fault is many small functions: with more of them in one, calls and faults take 5 to 20 per cent less.
 */
const INLINING = ['--max-inlined-bytecode-size=1000', '--max-inlined-bytecode-size-cumulative=4000']

/**
 * Heeds what a module says of its branches, which changes nothing but where code is put: what translated code does when a page is not in
 * the TLB stands behind all else. (Branch hinting, a proposal for WebAssembly; on by default in later versions of V8.)
 */
const BRANCH_HINTS = '--experimental-wasm-branch-hinting'

/** To be called before there is work: what is compiled already stays as it is. */
export function tuneEngine(): void {
  for (const flag of [...INLINING, BRANCH_HINTS]) setFlagsFromString(flag)
}

/**
 * Makes a machine whose interpreter V8 compiles a second time only after some hundred thousand instructions: a guest of fewer does
 * not pay for it. (V8 counts the bytes that loops go back: in the interpreter, some ten thousand an instruction.)
 */
export function withPatientInterpreter<T>(make: () => T): T {
  setFlagsFromString('--wasm-tiering-budget=1000000000')
  try {
    return make()
  } finally {
    setFlagsFromString('--wasm-tiering-budget=1800000') // V8's own, for translated code
  }
}

/** How long a function runs before V8 thinks of optimizing it, in bytes of bytecode: V8's own, and while translating. */
const BUDGET = 67_584
const LONG_BUDGET = 10 * BUDGET

/**
 * Translates. That is much code that runs for some tenths of a second: for V8 to optimize it costs more than it saves. It took a fifth of
 * the time of C++ containers, a tenth of gzip's.
 */
export function optimizingLess(translate: () => void): void {
  setFlagsFromString(`--interrupt-budget=${LONG_BUDGET}`)
  try {
    translate()
  } finally {
    setFlagsFromString(`--interrupt-budget=${BUDGET}`)
  }
}
